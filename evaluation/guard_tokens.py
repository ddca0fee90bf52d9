"""What a guard puts through models by itself, counted: answers read again, spans and lookaheads."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from erosion.defenses.any_depth.checks import Check, LiveFork
from erosion.defenses.any_depth.decoding import CheckedGuard
from erosion.defenses.base import Guard
from erosion.evaluation.tally import Tally

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def counting(guard: Guard, tally: Tally) -> Guard:
    """The same guard, whose checks are counted."""
    if not isinstance(guard, CheckedGuard):
        return guard
    counted = copy.copy(guard)
    counted.check = CountedCheck(check=guard.check, tally=tally)
    return counted


@dataclass(frozen=True, kw_only=True)
class CountedCheck:
    """A check that adds what it reads to a tally."""

    check: Check
    tally: Tally

    @property
    def threshold(self) -> float:
        """The check's."""
        return self.check.threshold

    def live(self, fork: LiveFork) -> torch.Tensor:
        """The check's scores."""
        with _counted(self.tally):
            return self.check.live(fork)

    def replay(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        depths: Sequence[int],
    ) -> torch.Tensor:
        """The check's scores."""
        with _counted(self.tally):
            return self.check.replay(model, prompts, answers, depths)


@contextmanager
def _counted(tally: Tally) -> Iterator[None]:
    """Counts every token that enters a transformers model, whichever it is, by its input embedding."""
    from transformers import PreTrainedModel

    embeddings = set[int]()

    def enter(module: torch.nn.Module, inputs: tuple[Any, ...]) -> None:
        if isinstance(module, PreTrainedModel):
            embeddings.add(id(module.get_input_embeddings()))
        elif id(module) in embeddings:
            tally.guard_tokens += inputs[0].numel()

    handle = torch.nn.modules.module.register_module_forward_pre_hook(enter)
    try:
        yield
    finally:
        handle.remove()
