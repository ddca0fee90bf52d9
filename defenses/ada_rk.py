"""ADA-RK: the model's own refusal, brought back by its assistant header at any depth (2510.18081)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from erosion.defenses.any_depth.checks import Check, LiveFork
from erosion.defenses.any_depth.families import refusal_phrases
from erosion.defenses.any_depth.rethinking import Lookahead, lookaheads
from erosion.defenses.any_depth.safety_tokens import safety_span
from erosion.defenses.base import Defense
from erosion.recipes.chat import end_of_turn_ids
from erosion.recipes.sections import LOOKAHEAD

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from erosion.recipes.sections import GuardOptions


@dataclass(frozen=True, kw_only=True)
class Rethinking:
    """A check: put the header again and see whether the model now refuses. Scores are 1 or 0.

    Attributes:
        tokenizer: The model's.
        span_ids: What is put after the unfinished answer.
        how: How the lookahead is read.
        threshold: Between the two scores.
    """

    tokenizer: PreTrainedTokenizerBase
    span_ids: tuple[int, ...]
    how: Lookahead
    threshold: float = 0.5

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, *, tokens: int = LOOKAHEAD) -> Rethinking:
        """As published for the tokenizer's family."""
        how = Lookahead(
            phrases=refusal_phrases(tokenizer), end_ids=frozenset(end_of_turn_ids(tokenizer)), tokens=tokens
        )
        return cls(tokenizer=tokenizer, span_ids=tuple(safety_span(tokenizer)), how=how)

    def live(self, fork: LiveFork) -> torch.Tensor:
        """1 for every row whose lookahead refuses, `[B]`."""
        texts = fork.lookahead(self.tokenizer, self.span_ids, self.how)
        return torch.tensor([float(self.how.refuses(text)) for text in texts])

    def replay(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        depths: Sequence[int],
    ) -> torch.Tensor:
        """1 where the lookahead refuses, `[B, D]`; NaN where a depth is not measurable."""
        texts = lookaheads(model, self.tokenizer, prompts, answers, self.span_ids, depths, self.how)
        return torch.tensor([[self._score(text) for text in row] for row in texts])

    def _score(self, text: str | None) -> float:
        return float("nan") if text is None else float(self.how.refuses(text))


class AdaRk(Defense):
    """Needs nothing but the model."""

    halts_only = True
    honours = frozenset({"interval", "lookahead"})

    def check(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        options: GuardOptions,
        fitted: Check | None,
    ) -> Check:
        """Halts where the lookahead refuses."""
        return Rethinking.of(tokenizer, tokens=options.lookahead)


def make() -> Defense:
    """ADA-RK as published: every 25 tokens, a lookahead of 20."""
    return AdaRk()
