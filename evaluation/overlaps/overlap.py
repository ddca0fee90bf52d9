"""Prompts that stand in two places, as they are or nearly so: what is learned must not be what is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from erosion.evaluation.overlaps.near_duplicates import LEAST, grams, near_duplicates


@dataclass(frozen=True, kw_only=True)
class Place:
    """A list of prompts with its name.

    Attributes:
        name: Such as `training` or a suite's name.
        ids: Of the prompts.
        texts: The prompts.
        bare: Requests without the context that prompts give them, by the prompts' places in the list; they
            are compared too.
        measured: Whether nothing is learned or set on it; two such places are not compared.
        alike: Whether all its prompts are nearly the same, so that only the same ones are told.
    """

    name: str
    ids: Sequence[str]
    texts: Sequence[str]
    bare: Mapping[int, str] = field(default_factory=dict)
    measured: bool = False
    alike: bool = False

    @property
    def forms(self) -> list[str]:
        """Every text of every prompt."""
        return [*self.texts, *self.bare.values()]

    @property
    def owners(self) -> list[int]:
        """The prompts' places in the list, text by text."""
        return [*range(len(self.texts)), *self.bare]


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """What two places share.

    Attributes:
        first: A place.
        second: Another one; counts are of its prompts.
        prompts: How many it has.
        exact: For each of its prompts that the first place holds too, but for case and space, both ids.
        near: The same for those it nearly holds.
    """

    first: str
    second: str
    prompts: int
    exact: list[tuple[str, str]]
    near: list[tuple[str, str]]


def overlaps(places: Sequence[Place], *, least: float = LEAST) -> list[Overlap]:
    """Every two places that share a prompt, in the order of the places; one of the two is no suite."""
    sets = grams(*(place.forms for place in places))
    found = []
    for one, other in combinations(range(len(places)), 2):
        first, second = places[one], places[other]
        if first.measured and second.measured:
            continue
        exact = _by_prompt(_exact(first.forms, second.forms), first, second)
        nearly = {} if first.alike or second.alike else near_duplicates(sets[one], sets[other], least=least)
        near = _by_prompt(nearly, first, second)
        shared = Overlap(
            first=first.name, second=second.name, prompts=len(second.ids),
            exact=[(first.ids[place], second.ids[number]) for number, place in exact.items()],
            near=[(first.ids[p], second.ids[n]) for n, p in near.items() if n not in exact],
        )  # fmt: skip
        found += [shared] if shared.exact or shared.near else []
    return found


def _by_prompt(found: Mapping[int, int], first: Place, second: Place) -> dict[int, int]:
    """What was found of texts, of the prompts they belong to, in their order."""
    of_first, of_second = first.owners, second.owners
    first_of: dict[int, int] = {}
    for number, place in sorted((of_second[number], of_first[place]) for number, place in found.items()):
        first_of.setdefault(number, place)
    return first_of


def _exact(known: Sequence[str], asked: Sequence[str]) -> dict[int, int]:
    first: dict[str, int] = {}
    for number, text in enumerate(known):
        first.setdefault(_normal(text), number)
    return {n: first[same] for n, text in enumerate(asked) if (same := _normal(text)) in first}


def _normal(text: str) -> str:
    return " ".join(text.casefold().split())
