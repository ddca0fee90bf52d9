"""The token-wise constrained objective: how far a token may leave the aligned model (2406.05946)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch.nn.functional import softplus

from erosion.recipes.sections import TrainingDefense

PUBLISHED_BETAS = TrainingDefense().betas
"""Strength at response tokens 1, 2 to 5, and from 6 on (section 4.1); the last holds for all that follow."""
SMALLEST_WEIGHT = 1e-3
"""Where the official code floors the surrogate's weight."""
Reduction = Literal["token_mean", "sequence_sum"]


def constrained_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    reference_logps: torch.Tensor,
    betas: Sequence[float] = PUBLISHED_BETAS,
    surrogate: bool = False,
    reduction: Reduction = "token_mean",
) -> torch.Tensor:
    """The objective of equation 3 from logits; the trainer uses the same core without ever holding logits.

    Args:
        logits: `[B, T, V]`.
        labels: `[B, T]`, not shifted; -100 is not learned.
        reference_logps: `[B, T]`, natural logs; entry `[b, t]` is the aligned model's of `labels[b, t]`.
        betas: By position in a response, the last for all that follow; 0 is cross-entropy.
        surrogate: The official code's form: cross-entropy weighted by a constant, at least 0.001.
        reduction: `token_mean` averages over learned tokens as the code does, `sequence_sum` sums over a
            sequence and averages over sequences as the equation does.

    Raises:
        ValueError: No betas, a negative one, or another reduction.
    """
    targets = labels[:, 1:]
    mask = targets != -100
    chosen = targets.clamp(min=0)[..., None]
    logps = logits[:, :-1].float().log_softmax(-1).gather(-1, chosen)[..., 0]
    strength = strengths(labels, betas)[:, 1:]
    losses = token_losses(logps, reference_logps[:, 1:], strength, surrogate=surrogate).masked_fill(~mask, 0)
    if reduction == "token_mean":
        return losses.sum() / mask.sum().clamp(min=1)
    if reduction == "sequence_sum":
        return losses.sum(1).mean()
    raise ValueError(f"reduction: given {reduction!r}, allowed token_mean, sequence_sum")


def token_losses(
    logps: torch.Tensor, reference: torch.Tensor, strength: torch.Tensor, *, surrogate: bool = False
) -> torch.Tensor:
    """Each token's loss, the shape of `logps`.

    Args:
        logps: The policy's log-probabilities of the labels.
        reference: The aligned model's.
        strength: Beta of every token; where it is 0 the loss is -log p itself.
        surrogate: See `constrained_loss`.
    """
    free = strength == 0
    beta = strength.masked_fill(free, 1.0)
    distance = reference - logps
    if surrogate:
        weight = (2 * torch.sigmoid(beta * distance.detach())).clamp(min=SMALLEST_WEIGHT)
        return torch.where(free, -logps, -weight * logps)
    return torch.where(free, -logps, 2 / beta * softplus(beta * distance))


def strengths(labels: torch.Tensor, betas: Sequence[float]) -> torch.Tensor:
    """Beta of every token, `[B, T]`; every response is counted from its own first learned token.

    Args:
        labels: `[B, T]`, not shifted; -100 is not learned.
        betas: By position, the last for all that follow.

    Raises:
        ValueError: No betas, or a negative one.
    """
    if not betas or min(betas) < 0:
        raise ValueError(f"betas: given {list(betas)}, allowed at least one, each 0 or more")
    learned = labels != -100
    count = learned.long().cumsum(1)
    before = torch.where(learned, torch.zeros_like(count), count).cummax(1).values
    position = (count - before - 1).clamp(0, len(betas) - 1)
    return torch.tensor(betas, dtype=torch.float32, device=labels.device)[position]


def weights(log_ratio: torch.Tensor, beta: float) -> torch.Tensor:
    """How much a token's cross-entropy gradient counts: 2 sigmoid(-beta log(policy / aligned))."""
    return 2 * torch.sigmoid(-beta * log_ratio)
