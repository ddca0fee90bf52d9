"""The fork of models that keep a running state: it is copied at every depth, for it is changed in place."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch

from erosion.defenses.any_depth.cache_names import with_cache


def is_recurrent(decoder: Any) -> bool:
    """Whether a decoder carries a running state, in all of its blocks or some."""
    return bool(getattr(decoder, "_is_stateful", False))


def stepped_states(
    decoder: Any,
    run: Any,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    span_ids: Sequence[int],
    depths: Sequence[int],
) -> torch.Tensor:
    """The state at the span's last token for every depth, `[L, B, D, hidden]`; zeros beyond an answer."""
    rows = [
        _conversation(decoder, run, prompt, answer, span_ids, depths)
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    return torch.stack(rows, 1)


def _conversation(
    decoder: Any,
    run: Any,
    prompt: Sequence[int],
    answer: Sequence[int],
    span_ids: Sequence[int],
    depths: Sequence[int],
) -> torch.Tensor:
    """Reads the prompt at once and the answer token by token; `[L, D, hidden]`."""
    from transformers import DynamicCache

    cache = DynamicCache(config=decoder.config)
    states = {}
    last = _step(decoder, run, prompt, cache, 0)
    for depth in range(min(max(depths), len(answer)) + 1):
        if depth:
            _step(decoder, run, answer[depth - 1 : depth], cache, len(prompt) + depth - 1)
        if depth in depths:
            fork = copy.deepcopy(cache)
            for place, token in enumerate(span_ids, start=len(prompt) + depth):
                states[depth] = _step(decoder, run, [token], fork, place)
    empty = torch.zeros_like(last)
    return torch.stack([states.get(depth, empty) for depth in depths], 1)


def _step(decoder: Any, run: Any, tokens: Sequence[int], cache: Any, start: int) -> torch.Tensor:
    """Runs tokens on a cache that grows; the state at the last one, `[L, hidden]`."""
    takes = inspect.signature(decoder.forward).parameters
    device = next(decoder.parameters()).device
    inputs = {"input_ids": torch.tensor([list(tokens)], device=device), "use_cache": True}
    inputs |= with_cache(decoder, cache)
    if "position_ids" in takes:
        inputs["position_ids"] = torch.arange(start, start + len(tokens), device=device)[None]
    states: torch.Tensor = run(**inputs)[:, 0, -1]
    return states
