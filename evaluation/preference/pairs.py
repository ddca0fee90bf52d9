"""Two sides' answers to the same prompts, matched."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from erosion.evaluation.paired.cells import check_same_length
from erosion.evaluation.preference.sides import Answer, Answers
from erosion.recipes.parsing import RecipeError


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two answers to one prompt.

    Attributes:
        case: Where it stands on the first side.
        request: What was asked.
        first: The first side's answer.
        second: The second side's.
    """

    case: str
    request: str
    first: str
    second: str

    @property
    def digest(self) -> str:
        """Of what the model is shown."""
        shown = "\0".join((self.request, self.first, self.second))
        return hashlib.sha256(shown.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """The pairs of two sides.

    Attributes:
        names: The sides'.
        pairs: Of the prompts that both have.
        alone: Prompts that only one side has.
    """

    names: tuple[str, str]
    pairs: tuple[Pair, ...]
    alone: int


def paired_answers(first: Answers, second: Answers) -> Pairs:
    """Matches two rungs by case, and anything with a file by the prompt's text.

    The tokens of the prompts may differ, as two models' templates do; what is asked may not.

    Raises:
        RecipeError: Twice the same side, answers of unlike length, no common prompt, one that stands twice,
            or a case that asks another thing on the other side.
    """
    if first.name == second.name:
        raise RecipeError(f"prefer: {first.name} against itself; name two runs, two rungs or a file")
    runs = [side.run for side in (first, second) if side.run is not None]
    check_same_length(runs)
    ours, theirs = (_by_prompt(side, by_case=len(runs) == 2) for side in (first, second))
    common = [key for key in ours if key in theirs]
    if not common:
        raise RecipeError(f"prefer: {first.name} and {second.name} have no prompt in common")
    return Pairs(
        names=(first.name, second.name), alone=len(ours.keys() ^ theirs.keys()),
        pairs=tuple(_pair(ours[key], theirs[key]) for key in common),
    )  # fmt: skip


def _by_prompt(side: Answers, *, by_case: bool) -> dict[str, Answer]:
    found: dict[str, Answer] = {}
    for answer in side.answers:
        key = answer.case if by_case else answer.request.strip()
        if key in found:
            raise RecipeError(f"prefer: {side.name}: the prompt of {answer.case!r} stands twice")
        found[key] = answer
    return found


def _pair(ours: Answer, theirs: Answer) -> Pair:
    if ours.request.strip() != theirs.request.strip():
        raise RecipeError(f"prefer: the case {ours.case!r} does not ask the same on both sides")
    return Pair(case=ours.case, request=ours.request, first=ours.text, second=theirs.text)
