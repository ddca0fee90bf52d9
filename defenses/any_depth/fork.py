"""Many branches on conversations that are read once: what stands at any depth, without touching a live cache.

Two passes: one causal pass over prompt and answer, whose keys and values are kept, and one over all branches
side by side, each of which sees the prompt, its own d answer tokens and itself. This equals forking the
conversation at every depth in turn (2510.18081, section 3.2). For hidden states both end at the probed block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import torch

from erosion.defenses.any_depth.branch_masks import seeing
from erosion.defenses.any_depth.cache_names import with_cache
from erosion.defenses.any_depth.stepping import is_recurrent, stepped_states
from erosion.recipes.sections import Hook

if TYPE_CHECKING:
    from transformers import PreTrainedModel

HOOKS: dict[str, tuple[str, ...]] = {
    "input_norm": ("input_layernorm", "norm"), "post_attention": ("self_attn",), "mlp": ("mlp",),
}  # fmt: skip
"""Names of the block's part whose output is read; a Mamba block's own first norm is called `norm`."""


class _Reached(Exception):
    """Ends a forward pass at the last probed block."""


def hidden_states_at_depths(
    model: PreTrainedModel,
    prompt_ids: Sequence[int],
    answer_ids: Sequence[int],
    span_ids: Sequence[int],
    depths: Sequence[int],
    layer: int,
    hook: Hook = "input_norm",
) -> torch.Tensor:
    """States of one conversation, `[len(depths), hidden]`; see `batched_hidden_states`."""
    return batched_hidden_states(model, [prompt_ids], [answer_ids], span_ids, depths, layer, hook)[0]


def batched_hidden_states(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    span_ids: Sequence[int],
    depths: Sequence[int],
    layer: int,
    hook: Hook = "input_norm",
) -> torch.Tensor:
    """States of one block, `[B, D, hidden]`; see `states_by_layer`."""
    return states_by_layer(model, prompts, answers, span_ids, depths, [layer], hook)[0]


@torch.inference_mode()
def states_by_layer(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    span_ids: Sequence[int],
    depths: Sequence[int],
    layers: Sequence[int],
    hook: Hook = "input_norm",
    *,
    adapter_off: bool = False,
) -> torch.Tensor:
    """The state at the span's last token, for every block, conversation and depth asked for.

    Args:
        model: A decoder-only transformers model, PEFT-wrapped or not.
        prompts: Token ids of B prompts, each ending with the assistant header.
        answers: Token ids of their answers, of any lengths.
        span_ids: The Safety Tokens.
        depths: D numbers of answer tokens, each at least 0.
        layers: L 0-based indices of blocks.
        hook: Which state of a block: its normalised input, its attention's output or its MLP's.
        adapter_off: Switch the model's adapter off for the span; what was read before keeps it.

    Returns:
        `[L, B, D, hidden]`, float32. A depth beyond an answer or beyond the model's positions is not
        measurable and its row is NaN.

    Raises:
        ValueError: A block, part or adapter that the model does not have.
    """
    decoder = decoder_of(model)
    fits = measurable(model, prompts, answers, depths, len(span_ids))
    with reading(model, layers, hook) as run:
        if is_recurrent(decoder):
            states = stepped_states(decoder, run, prompts, answers, span_ids, depths).float()
        else:
            branches = Branches(model, run, prompts, answers, depths)
            with without_adapter(model, adapter_off):
                states = branches.append(branches.everywhere(span_ids))[:, :, :, -1].float()
    return states.masked_fill(~fits.to(states.device)[None, :, :, None], float("nan"))


def measurable(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[int]],
    depths: Sequence[int],
    more: int,
) -> torch.Tensor:
    """Whether a depth lies in an answer and `more` tokens still fit the model's positions, bool `[B, D]`."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 2**31
    return torch.tensor(
        [
            [depth <= len(answer) and len(prompt) + depth + more <= limit for depth in depths]
            for prompt, answer in zip(prompts, answers, strict=True)
        ]
    )


class Branches:
    """B conversations read once, each with a branch at every one of D depths.

    Args:
        model: The model.
        run: Runs it up to where it is read; takes what the decoder takes, returns `[..., B, tokens, hidden]`.
        prompts: Token ids of B prompts.
        answers: Token ids of their answers.
        depths: D numbers of answer tokens.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        run: Any,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        depths: Sequence[int],
    ) -> None:
        from transformers import DynamicCache

        self._model, self._run, self._cache = model, run, DynamicCache()
        rows = [[*prompt, *answer[: max(depths)]] for prompt, answer in zip(prompts, answers, strict=True)]
        self._starts = torch.tensor([[len(prompt) + depth for depth in depths] for prompt in prompts])
        self._read = max(map(len, rows))
        padded = [row + [0] * (self._read - len(row)) for row in rows]
        self._grows = with_cache(decoder_of(model), self._cache)
        run(input_ids=self._tensor(padded), use_cache=True, **self._grows)
        self._positions = torch.empty(len(rows), len(depths), 0, dtype=torch.long, device=model.device)
        self._own = torch.empty(len(rows), 0, 2, dtype=torch.long, device=model.device)

    def everywhere(self, token_ids: Sequence[int]) -> torch.Tensor:
        """The same tokens for every branch, `[B, D, S]`."""
        return self._tensor(list(token_ids)).expand(*self._starts.shape, -1)

    def append(self, tokens: torch.Tensor) -> torch.Tensor:
        """Puts S tokens at every branch's end.

        Args:
            tokens: `[B, D, S]`.

        Returns:
            What `run` gives for them, `[..., B, D, S, hidden]`.
        """
        _, depths, size = tokens.shape
        first = self._starts.to(tokens.device) + self._positions.shape[-1]
        positions = first[:, :, None] + torch.arange(size, device=tokens.device)
        self._positions = torch.cat([self._positions, positions], -1)
        branch = torch.arange(depths, device=tokens.device)[None, :, None].expand_as(positions)
        new = torch.stack([branch, positions], -1).flatten(1, 2)
        self._own = torch.cat([self._own, new], 1)
        with seeing(self._model, self._visible(new), new[..., 1], self._key_positions()):
            out = self._run(
                input_ids=tokens.flatten(1),
                position_ids=new[..., 1],
                use_cache=True,
                **self._grows,
            )
        states: torch.Tensor = out.unflatten(-2, (depths, size))
        return states

    def _visible(self, new: torch.Tensor) -> torch.Tensor:
        """Which keys a new token sees: of what was read its branch's start, of branches its own past."""
        starts = self._starts.to(new.device).gather(1, new[..., 0])
        read = torch.arange(self._read, device=new.device) < starts[..., None]
        branch, position = self._own[:, None, :, 0], self._own[:, None, :, 1]
        own = (branch == new[..., :1]) & (position <= new[..., 1:])
        return torch.cat([read, own], -1)[:, None]

    def _key_positions(self) -> torch.Tensor:
        read = torch.arange(self._read, device=self._own.device).expand(len(self._own), -1)
        return torch.cat([read, self._own[..., 1]], 1)

    def _tensor(self, ids: Any) -> torch.Tensor:
        return torch.tensor(ids, device=self._model.device)


@contextmanager
def reading(model: PreTrainedModel, layers: Sequence[int], hook: Hook) -> Iterator[Any]:
    """A function that runs the decoder up to the last probed block and returns all probed states, stacked."""
    decoder, found = decoder_of(model), {}
    last = max(layers)

    def keep(layer: int) -> Any:
        def read(module: torch.nn.Module, inputs: Any, output: Any) -> None:
            found[layer] = output[0] if isinstance(output, tuple) else output
            if layer == last:
                raise _Reached

        return read

    def run(**inputs: Any) -> torch.Tensor:
        try:
            decoder(**inputs)
        except _Reached:
            return torch.stack([found[layer] for layer in layers])
        raise RuntimeError(f"block {last} was never entered")

    handles = [_part(decoder, layer, hook).register_forward_hook(keep(layer)) for layer in layers]
    try:
        yield run
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def without_adapter(model: Any, off: bool) -> Iterator[None]:
    """The model with its adapter switched off, if `off`.

    Raises:
        ValueError: There is no adapter to switch off: not applicable under full fine-tuning.
    """
    if off and not hasattr(model, "disable_adapter"):
        raise ValueError("adapter_off: not applicable, since the model has no adapter to switch off")
    with model.disable_adapter() if off else nullcontext():
        yield


def decoder_of(model: Any) -> Any:
    """The stack of blocks inside a causal language model, adapters included."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    return base.get_decoder()


def _part(decoder: Any, layer: int, hook: Hook) -> torch.nn.Module:
    if not 0 <= layer < len(decoder.layers):
        raise ValueError(f"layer: given {layer}, allowed 0 to {len(decoder.layers) - 1}")
    if hook not in HOOKS:
        raise ValueError(f"hook: given {hook!r}, allowed {', '.join(HOOKS)}")
    for name in HOOKS[hook]:
        if (part := getattr(decoder.layers[layer], name, None)) is not None:
            found: torch.nn.Module = part
            return found
    raise ValueError(f"hook: a {type(decoder.layers[layer]).__name__} has no {' or '.join(HOOKS[hook])}")
