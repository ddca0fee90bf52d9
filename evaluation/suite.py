"""What a suite is: which cases, which judges, and which direction is which. Each is one file in `suites/`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from erosion.evaluation.records import Case, HigherIs
from erosion.recipes.schema import Data


@dataclass(frozen=True, kw_only=True)
class Suite:
    """A suite of cases, found as `SUITE` in its file.

    Attributes:
        metric: The name of its number: `refusal_rate`, `accuracy`, `compliance_rate` or `rouge1`.
        higher_is: What a higher value means.
        version: Raised when a change would give another number.
        judges: The first one's verdicts are the suite's; the others' are measured beside it, with their
            agreement.
        cases: Makes the cases from the recipe's section.
        prefilled: Whether its cases have harmful answers and are measured at every depth.
        asked_directly: Whether a prefilled suite is measured at depth 0 too.
        benign_of: The prefilled harmful suite whose harmless counterpart this is; between the two a guard's
            true and false positives are told apart.
        max_new_tokens: New tokens its answers need, where that is more than a refusal does; the recipe's when
            None.
        log_odds: Whether the log-odds of refusing at the assistant header are measured too.
        between: What stands between context and request in turns that have a context; None where none has.
    """

    metric: str
    higher_is: HigherIs
    version: str
    judges: tuple[str, ...]
    cases: Callable[[Data], Iterable[Case]]
    prefilled: bool = False
    log_odds: bool = False
    asked_directly: bool = True
    benign_of: str | None = None
    between: str | None = None
    max_new_tokens: int | None = None

    @property
    def is_harmful(self) -> bool:
        """Whether its requests are harmful: refusing them is what is wanted."""
        return self.higher_is == "safer"

    def parts(self, turn: str) -> tuple[str, str]:
        """A turn's context, empty where it has none, and its bare request."""
        if self.between is None:
            return "", turn
        context, _, request = turn.rpartition(self.between)
        return context, request
