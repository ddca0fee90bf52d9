"""Attention masks of our own, given to every block in the form and with the window it expects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@contextmanager
def seeing(
    model: PreTrainedModel, visible: torch.Tensor, queries: torch.Tensor, keys: torch.Tensor
) -> Iterator[None]:
    """Replaces every block's mask; models differ in whether they take one mask or one a layer type.

    Args:
        model: A decoder-only model, PEFT-wrapped or not.
        visible: Which keys each query sees, bool `[B, 1, Q, K]`.
        queries: Positions of the queries, `[B, Q]`.
        keys: Positions of the keys, `[B, K]`.
    """
    base: Any = model.get_base_model() if hasattr(model, "get_base_model") else model
    decoder = base.get_decoder()
    config = decoder.config.get_text_config()
    masks: dict[int | None, torch.Tensor] = {}

    def replace(index: int) -> Any:
        def hook(module: torch.nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            window = _window(config, index)
            if window not in masks:
                near = visible if window is None else visible & _near(queries, keys, window)
                masks[window] = _as_expected(near, config, model.dtype)
            return args, {**kwargs, "attention_mask": masks[window]}

        return hook

    handles = [
        block.register_forward_pre_hook(replace(index), with_kwargs=True)
        for index, block in enumerate(decoder.layers)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _near(queries: torch.Tensor, keys: torch.Tensor, window: int) -> torch.Tensor:
    return queries[:, None, :, None] - keys[:, None, None, :] < window


def _as_expected(visible: torch.Tensor, config: Any, dtype: torch.dtype) -> torch.Tensor:
    """Booleans for sdpa, numbers to add for all others."""
    if config._attn_implementation == "sdpa":
        return visible
    return torch.zeros_like(visible, dtype=dtype).masked_fill(~visible, torch.finfo(dtype).min)


def _window(config: Any, index: int) -> int | None:
    kinds = getattr(config, "layer_types", None)
    if kinds is not None and kinds[index] != "sliding_attention":
        return None
    window: int | None = getattr(config, "sliding_window", None)
    return window
