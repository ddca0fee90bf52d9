"""What a check is: one question about an unfinished answer, on a fork that leaves the live cache alone."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch

from erosion.defenses.any_depth.cache_names import with_cache
from erosion.defenses.any_depth.fork import decoder_of, reading, without_adapter
from erosion.defenses.any_depth.rethinking import Lookahead, greedy
from erosion.recipes.sections import Hook

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class Check(Protocol):
    """One way to ask whether an answer should go on."""

    @property
    def threshold(self) -> float:
        """A score of at least this halts."""

    def live(self, fork: LiveFork) -> torch.Tensor:
        """Scores of the rows that are being generated, `[B]`."""

    def replay(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        depths: Sequence[int],
    ) -> torch.Tensor:
        """Scores of given answers at given depths, `[B, D]`; NaN where a depth is not measurable."""


@dataclass(frozen=True, kw_only=True)
class LiveFork:
    """A generation in progress, seen at one moment.

    Attributes:
        model: The model.
        cache: Its live cache; everything but the last token is in it.
        last: Each row's last token, `[B, 1]`.
        mask: 1 on every real token up to and including the last, `[B, T]`.
        ids: Every token up to and including the last, `[B, T]`.
        start: Where the answers begin in `ids`.
    """

    model: PreTrainedModel
    cache: Any
    last: torch.Tensor
    mask: torch.Tensor
    ids: torch.Tensor
    start: int

    def rows(self) -> tuple[list[list[int]], list[list[int]]]:
        """Prompts, padding left out, and the answers so far."""
        kept = self.mask[:, : self.start].bool()
        prompts = [ids[mask].tolist() for ids, mask in zip(self.ids[:, : self.start], kept, strict=True)]
        return prompts, self.ids[:, self.start :].tolist()

    def replayed(self, check: Check) -> torch.Tensor:
        """Scores of a check that does not stand on the cache and reads every row from its start, `[B]`."""
        prompts, answers = self.rows()
        return check.replay(self.model, prompts, answers, [len(answers[0])])[:, 0]

    @torch.inference_mode()
    def state(
        self, span_ids: Sequence[int], layer: int, hook: Hook, *, adapter_off: bool = False
    ) -> torch.Tensor:
        """The probed state at the span's last token, `[B, hidden]`, float32."""
        with reading(self.model, [layer], hook) as run, without_adapter(self.model, adapter_off):
            states: torch.Tensor = run(**self._inputs(self._with(span_ids), self._forked()))[0][:, -1].float()
        return states

    @torch.inference_mode()
    def lookahead(
        self, tokenizer: PreTrainedTokenizerBase, span_ids: Sequence[int], how: Lookahead
    ) -> list[str]:
        """What the model says after the span, greedily, in every row; ends when every row is decided."""
        cache, tokens, said, mask = self._forked(), self._with(span_ids), [], self.mask[:, :-1]
        decoder = decoder_of(self.model)
        for _ in range(how.tokens):
            mask = torch.cat([mask, mask.new_ones(tokens.shape)], 1)
            hidden = decoder(**_inputs(decoder, tokens, mask, cache)).last_hidden_state
            tokens = greedy(self.model, hidden)
            said.append(tokens)
            rows = torch.cat(said, 1).tolist()
            if all(how.decided(tokenizer, ids) for ids in rows):
                break
        return [how.text(tokenizer, ids) for ids in rows]

    def _with(self, span_ids: Sequence[int]) -> torch.Tensor:
        span = self.last.new_tensor(list(span_ids))
        return torch.cat([self.last, span.expand(len(self.last), -1)], 1)

    def _inputs(self, tokens: torch.Tensor, cache: Any) -> dict[str, Any]:
        mask = torch.cat([self.mask[:, :-1], self.mask.new_ones(tokens.shape)], 1)
        return _inputs(decoder_of(self.model), tokens, mask, cache)

    def _forked(self) -> Any:
        """A cache that shares what was read; layers put new tensors in place of old ones when they grow."""
        fork = copy.copy(self.cache)
        fork.layers = [copy.copy(layer) for layer in self.cache.layers]
        return fork


def _inputs(decoder: Any, tokens: torch.Tensor, mask: torch.Tensor, cache: Any) -> dict[str, Any]:
    positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
    return {
        "input_ids": tokens, "attention_mask": mask, "position_ids": positions, "use_cache": True,
        **with_cache(decoder, cache),
    }  # fmt: skip
