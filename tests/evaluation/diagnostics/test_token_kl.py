"""Per-token KL equals the definition, position by position."""

import torch

from erosion.evaluation.diagnostics.token_kl import per_token_kl


def slowly(model, reference, prompt, answer):
    """Runs every prefix by itself and sums p log(p/q) over the vocabulary."""
    values = []
    for length in range(len(answer)):
        ids = torch.tensor([[*prompt, *answer[:length]]])
        with torch.no_grad():
            p, q = (m(input_ids=ids).logits[0, -1].double().softmax(-1) for m in (model, reference))
        values.append(float(sum(a * torch.log(a / b) for a, b in zip(p, q, strict=True))))
    return values


def test_equals_the_definition_and_is_not_a_number_beyond_an_answer(model_for):
    model, reference = model_for("llama", 60), model_for("llama", 60, hidden_size=64)
    prompts, answers = [[5, 6, 7], [8, 9]], [[10, 11, 12, 13], [14, 15]]
    found = per_token_kl(model, reference, prompts, answers)
    assert found.shape == (2, 4)
    assert found[1].isnan().tolist() == [False, False, True, True]
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        expected = torch.tensor(slowly(model, reference, prompt, answer))
        torch.testing.assert_close(found[row, : len(answer)], expected.float(), atol=1e-6, rtol=1e-4)


def test_a_model_does_not_diverge_from_itself(model_for):
    model = model_for("llama", 60)
    assert per_token_kl(model, model, [[5, 6]], [[7, 8, 9]]).abs().max() < 1e-6
