"""The token-wise constrained objective against an independent formula, and in the trainer."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from erosion.defenses.constrained import PUBLISHED_BETAS, constrained_loss
from erosion.defenses.objectives.token_constraint import SMALLEST_WEIGHT, strengths, weights

B, T, V = 3, 12, 17
STARTS = (3, 5, 2)


def case(seed=0):
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(B, T, V, generator=rng, dtype=torch.float32) * 2
    labels = torch.randint(0, V, (B, T), generator=rng)
    for row, start in enumerate(STARTS):
        labels[row, :start] = -100
    labels[2, 9:] = -100
    reference = -torch.rand(B, T, generator=rng) * 4
    return logits.requires_grad_(), labels, reference


def slowly(logits, labels, reference, betas, surrogate, reduction):
    """Token by token with plain floats, as the paper writes it."""
    sums, count = [], 0
    for row in range(B):
        total, position = torch.zeros(()), 0
        for place in range(1, T):
            token = int(labels[row, place])
            if token == -100:
                continue
            beta = betas[min(position, len(betas) - 1)]
            position, count = position + 1, count + 1
            logp = torch.log_softmax(logits[row, place - 1].double(), 0)[token]
            ratio = logp - float(reference[row, place])
            if beta == 0:
                loss = -logp
            elif surrogate:
                weight = 2 / (1 + math.exp(min(beta * float(ratio.detach()), 700)))
                loss = -max(weight, SMALLEST_WEIGHT) * logp
            else:
                loss = -2 / beta * torch.log(torch.sigmoid(beta * ratio))
            total = total + loss
        sums.append(total)
    return sum(sums) / count if reduction == "token_mean" else sum(sums) / B


@pytest.mark.parametrize("reduction", ["token_mean", "sequence_sum"])
@pytest.mark.parametrize("surrogate", [False, True])
@pytest.mark.parametrize("betas", [PUBLISHED_BETAS, (2.0,), (0.0,), (0.0, 1.0, 0.0, 3.0)])
def test_loss_and_gradient_are_the_papers(betas, surrogate, reduction):
    logits, labels, reference = case()
    found = constrained_loss(logits, labels, reference, betas, surrogate, reduction)
    (gradient,) = torch.autograd.grad(found, logits)
    expected = slowly(logits, labels, reference, betas, surrogate, reduction)
    (slow,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(found.double(), expected.double(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradient, slow, atol=1e-6, rtol=1e-4)


def test_beta_0_is_cross_entropy():
    logits, labels, reference = case()
    found = constrained_loss(logits, labels, reference, (0.0,))
    expected = cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("beta", "ratio", "weight"),
    [(2, 1, 0.238), (2, 2, 0.036), (2, 3, 0.0049), (0.1, 5, 0.755), (0.1, 10, 0.538)],
)
def test_the_published_weights(beta, ratio, weight):
    assert float(weights(torch.tensor(float(ratio)), beta)) == pytest.approx(weight, rel=0.02)


def test_the_gradient_is_cross_entropys_times_the_weight():
    """One token: the exact form and its surrogate pull alike, by 2 sigmoid(beta (reference - log p))."""
    logits = torch.randn(1, 2, V, requires_grad=True)
    labels, reference = torch.tensor([[-100, 4]]), torch.tensor([[0.0, -1.3]])
    (plain,) = torch.autograd.grad(constrained_loss(logits, labels, reference, (0.0,)), logits)
    logp = float(logits[0, 0].log_softmax(0)[4])
    weight = float(weights(torch.tensor(logp + 1.3), 2.0))
    for surrogate in (False, True):
        (found,) = torch.autograd.grad(constrained_loss(logits, labels, reference, (2.0,), surrogate), logits)
        torch.testing.assert_close(found, weight * plain, atol=1e-6, rtol=1e-4)


def test_at_the_aligned_model_the_value_is_2_over_beta_log_2():
    logits, labels, _ = case()
    logps = logits.detach()[:, :-1].log_softmax(-1).gather(-1, labels[:, 1:].clamp(min=0)[..., None])[..., 0]
    reference = torch.cat([torch.zeros(B, 1), logps], 1)
    assert float(constrained_loss(logits, labels, reference, (0.1,))) == pytest.approx(13.863, abs=1e-3)


def test_every_response_is_counted_from_its_own_first_token():
    labels = torch.tensor([[-100, -100, 7, 7, 7, -100, 7, 7, -100, -100]])
    assert strengths(labels, (1.0, 2.0, 3.0))[0].tolist()[2:8] == [1, 2, 3, 1, 1, 2]


@pytest.mark.parametrize("betas", [(), (1.0, -0.5)])
def test_impossible_betas_are_named(betas):
    logits, labels, reference = case()
    with pytest.raises(ValueError, match="betas: given"):
        constrained_loss(logits, labels, reference, betas)


def test_another_reduction_is_named():
    with pytest.raises(ValueError, match="reduction: given 'mean', allowed token_mean, sequence_sum"):
        constrained_loss(*case(), reduction="mean")
