"""Prompts and tokens counted while a cell is measured."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(kw_only=True)
class Tally:
    """What is asked and answered while a cell is measured.

    Attributes:
        prompts: Prompts answered now; those on disk already, and those a guard was replayed on, cost nothing.
        prompt_tokens: Tokens read in them; for a choice, with every answer it is asked about.
        generated_tokens: New tokens.
        guard_tokens: Tokens that a guard puts through a model by itself, padding included: what it reads
            again, its spans and lookaheads. They are in none of the other counts.
    """

    prompts: int = 0
    prompt_tokens: int = 0
    generated_tokens: int = 0
    guard_tokens: int = 0

    def add(self, prompts: Iterable[int], generated: Iterable[int]) -> None:
        """Counts one batch, by lengths in tokens."""
        lengths = list(prompts)
        self.prompts += len(lengths)
        self.prompt_tokens += sum(lengths)
        self.generated_tokens += sum(generated)
