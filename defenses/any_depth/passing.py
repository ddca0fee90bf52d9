"""States of the answer's own tokens, read in passing: ADA-LP without Safety Tokens, a control."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from erosion.defenses.any_depth.fork import measurable, reading
from erosion.recipes.sections import Hook

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@torch.inference_mode()
def states_in_passing(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    depths: Sequence[int],
    layers: Sequence[int],
    hook: Hook = "input_norm",
) -> torch.Tensor:
    """The state at the d-th answer token itself, from one causal pass.

    Args:
        model: A decoder-only transformers model, PEFT-wrapped or not.
        prompts: Token ids of B prompts.
        answers: Token ids of their answers.
        depths: D numbers of answer tokens, each at least 1.
        layers: L 0-based indices of blocks.
        hook: The part of a block that is read.

    Returns:
        `[L, B, D, hidden]`, float32; NaN where a depth is not measurable.
    """
    rows = [[*prompt, *answer[: max(depths)]] for prompt, answer in zip(prompts, answers, strict=True)]
    width = max(map(len, rows))
    ids = torch.tensor([row + [0] * (width - len(row)) for row in rows], device=model.device)
    fits = measurable(model, prompts, answers, depths, 0)
    places = torch.tensor([[len(prompt) + depth - 1 for depth in depths] for prompt in prompts])
    places = places.where(fits, torch.zeros_like(places)).to(model.device)
    with reading(model, layers, hook) as run:
        states = run(input_ids=ids, use_cache=False)
    index = places[None, :, :, None].expand(len(layers), -1, -1, states.shape[-1])
    picked: torch.Tensor = states.gather(2, index).float()
    return picked.masked_fill(~fits.to(picked.device)[None, :, :, None], float("nan"))
