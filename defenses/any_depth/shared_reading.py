"""One pass for every probe that reads the same places of the same answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from erosion.defenses.any_depth.fork import states_by_layer
from erosion.defenses.any_depth.passing import states_in_passing
from erosion.recipes.sections import Hook

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def read_states(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    span_ids: Sequence[int],
    depths: Sequence[int],
    layers: Sequence[int],
    hook: Hook,
    *,
    adapter_off: bool = False,
) -> torch.Tensor:
    """States at a span's last token, or at the answer's own tokens where the span is empty.

    Returns:
        `[L, B, D, hidden]`, float32; NaN where a depth is not measurable.
    """
    if not span_ids:
        return states_in_passing(model, prompts, answers, depths, layers, hook)
    return states_by_layer(model, prompts, answers, span_ids, depths, layers, hook, adapter_off=adapter_off)


class SharedReading:
    """Reads as `read_states` does, and reads nothing twice until it is told that the weights have changed."""

    def __init__(self) -> None:
        self._kept: dict[str, torch.Tensor] = {}

    def forget(self) -> None:
        """The weights have changed."""
        self._kept.clear()

    def __call__(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        span_ids: Sequence[int],
        depths: Sequence[int],
        layers: Sequence[int],
        hook: Hook,
        *,
        adapter_off: bool = False,
    ) -> torch.Tensor:
        """What `read_states` returns for these arguments."""
        asked = [id(model), *map(_plain, (prompts, answers)), list(span_ids), list(depths), list(layers)]
        key = hashlib.sha256(json.dumps([*asked, hook, adapter_off]).encode()).hexdigest()
        if key not in self._kept:
            self._kept[key] = read_states(
                model, prompts, answers, span_ids, depths, layers, hook, adapter_off=adapter_off
            ).cpu()
        return self._kept[key]


def _plain(rows: Sequence[Sequence[int]]) -> list[list[int]]:
    return [list(row) for row in rows]
