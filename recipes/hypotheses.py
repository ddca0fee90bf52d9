"""Hypotheses of a recipe or a study: what was expected, in words and as comparisons that can be checked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from erosion.recipes.parsing import mistake

KEYS = ("suite", "metric", "judge", "depth", "defense", "wrapper", "step")
"""What tells one number of a run from another, as in `measurements.jsonl`."""
OF_CELLS = {
    "missing": "1 where a cell that was asked for has no current number, 0 where it has one",
    "unscored": "the largest share of answers that a number of a cell leaves unscored",
    "numbers": "how many numbers a cell has; 0 where it is not applicable",
}
"""Metrics of a run's cells beside those that are measured: they say how complete it is."""
_RANGE = re.compile(r"(up to|from) (\d+)")


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One comparison, of every number that is named.

    Attributes:
        left: What is compared: one value or a list by key. Of a recipe the keys are those of
            `measurements.jsonl`; `step` is also `up to N` or `from N`. Of a study they are levels by axis,
            and `column`. A key left out stands for all there is, a judge for the suite's first.
        relation: How every one of them is to stand to its counterpart.
        right: A number, or the counterpart by the keys in which it differs.
        times: A factor on the counterpart.
        plus: A margin added to it, after the factor; negative for one below it.
    """

    left: dict[str, Any]
    relation: Literal["above", "below", "at_least", "at_most"]
    right: Any
    times: float = 1.0
    plus: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """What was expected; it holds where all of its claims do.

    Attributes:
        says: The sentence.
        claims: At least one. In a file a single one may stand in the hypothesis itself.
    """

    says: str
    claims: tuple[Claim, ...]


def with_claims(given: object) -> object:
    """A list of hypotheses as a file has it, each with its claims as a list; what is none stays as it is."""
    return [_with_claims(each) for each in given] if isinstance(given, list | tuple) else given


def check_claims(hypotheses: Sequence[Hypothesis], where: str) -> None:
    """Checks the form of a recipe's hypotheses; whether it measures what they name is not known here.

    Raises:
        RecipeError: A hypothesis without a claim, a key that no number has, or a selection without what it
            needs.
    """
    for index, hypothesis in enumerate(hypotheses):
        if not hypothesis.claims:
            raise mistake(f"{where}[{index}]", hypothesis.says, "at least one claim")
        for place, claim in enumerate(hypothesis.claims):
            own = f"{where}[{index}].claims[{place}]"
            check_right(claim, f"{own}.right", "the keys in which its counterpart differs")
            selections = {"left": claim.left, **({"right": claim.right} if _is_selection(claim) else {})}
            for side, selection in selections.items():
                _check_keys(selection, f"{own}.{side}")
            _check_needed(claim.left, f"{own}.left")


def check_right(claim: Claim, where: str, otherwise: str) -> None:
    """Checks that a right side is a number or a selection.

    Raises:
        RecipeError: It is neither.
    """
    is_number = isinstance(claim.right, int | float) and not isinstance(claim.right, bool)
    if not is_number and not _is_selection(claim):
        raise mistake(where, claim.right, f"a number, or {otherwise}")


def as_levels(given: object) -> list[str]:
    """A level, or a list of them, as names."""
    return [str(level) for level in given] if isinstance(given, list | tuple) else [str(given)]


def steps_named(given: object, ladder: Iterable[int]) -> list[object]:
    """The rungs that `20`, `[10, 20]`, `up to 20` or `from 20` names; what is no rung is kept as it is."""
    found = _RANGE.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        return list(given) if isinstance(given, list | tuple) else [given]
    end, before = int(found[2]), found[1] == "up to"
    return [step for step in ladder if (step <= end if before else step >= end)]


def _is_selection(claim: Claim) -> bool:
    return isinstance(claim.right, Mapping) and bool(claim.right)


def _with_claims(given: object) -> object:
    if not isinstance(given, Mapping) or "claims" in given:
        return given
    claim = {key: value for key, value in given.items() if key != "says"}
    return {**{key: given[key] for key in given if key == "says"}, "claims": [claim]}


def _check_keys(selection: Mapping[str, Any], where: str) -> None:
    for key, value in selection.items():
        if key not in KEYS:
            raise mistake(where, key, f"the keys {', '.join(KEYS)}", known=KEYS)
        plain: Collection[object] = value if isinstance(value, list | tuple) else [value]
        if not plain or not all(isinstance(each, str | int) for each in plain):
            raise mistake(f"{where}.{key}", value, "a value, or a list of at least one")


def _check_needed(left: Mapping[str, Any], where: str) -> None:
    metrics = as_levels(left.get("metric") or [])
    if not metrics:
        raise mistake(f"{where}.metric", left.get("metric"), "the metric's name")
    if "suite" not in left and not all(metric in OF_CELLS for metric in metrics):
        raise mistake(f"{where}.suite", None, "the suite's name")
