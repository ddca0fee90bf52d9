"""Which runs, groups of seeds and defences the page compares prompt by prompt, and what came of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from erosion.evaluation.paired.cells import Cell, Side
from erosion.evaluation.paired.comparison import Comparison, cells_of, compare
from erosion.evaluation.paired.sides import Runs, Sides, matched, one_by_one
from erosion.evaluation.report.figure import is_control
from erosion.evaluation.report.page.groups import Group
from erosion.recipes.parsing import RecipeError

MOST = 4
"""Defences of which every two are compared; of more, each with none."""
Read = Callable[[Path], Sequence[Cell]]


@dataclass(frozen=True, kw_only=True)
class Block:
    """Comparisons that belong together.

    Attributes:
        of: The group whose defences are compared; empty where two groups are.
        made: The comparisons, the one over all seeds first.
        said: What is to be known of them.
        failed: Why one could not be made.
    """

    of: str
    made: tuple[Comparison, ...] = ()
    said: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


def blocks(groups: Sequence[Group]) -> Iterator[Block]:
    """Two groups where there are no more, then every group's defences."""
    read = cache(cells_of)
    if len(groups) == 2:
        yield _block("", [_runs(group) for group in groups], groups, read)
    for group in groups:
        parts = [
            _block(group.name, [replace(_runs(group), defense=guard) for guard in pair], (group, group), read)
            for pair in _pairs(group)
        ]
        if parts:
            yield _joined(group.name, parts)


def _block(of: str, sides: Sequence[Runs], groups: Sequence[Group], read: Read) -> Block:
    try:
        asked, said = _asked(sides, groups)
    except RecipeError as error:
        return Block(of=of, failed=(f"{error}",))
    made, failed = list[Comparison](), list[str]()
    for each in asked:
        try:
            made.append(compare(each, read=read))
        except RecipeError as error:
            failed.append(f"{' and '.join(each.names)} cannot be compared: {error}")
    return Block(of=of, made=tuple(made), said=(said,) if said else (), failed=tuple(failed))


def _asked(sides: Sequence[Runs], groups: Sequence[Group]) -> tuple[list[Sides], str]:
    """Two runs alone whatever their seeds; groups of seeds over all, and then seed by seed too."""
    first, second = sides
    if all(len(group.runs) == 1 for group in groups):
        one, other = (
            Side(run=group.runs[0].path, defense=side.defense)
            for side, group in zip(sides, groups, strict=True)
        )
        return [Sides.of_two(one, other, (groups[0].runs[0].name, groups[1].runs[0].name))], ""
    asked, said = matched(first, second)
    crossed = bool(asked[0].seeds)
    # Every two defences, seed by seed, would be more tables than anyone reads.
    return asked + (one_by_one(first, second) if crossed and first.defense is None else []), said


def _runs(group: Group) -> Runs:
    """Its runs by seed; a run alone is taken without."""
    known = {run.recipe.seed: run for run in group.runs if run.recipe and run.measured}
    return Runs(
        name=group.name, by_seed={seed: run.path for seed, run in known.items()},
        called={seed: run.name for seed, run in known.items()},
    )  # fmt: skip


def _pairs(group: Group) -> list[tuple[str, str]]:
    """Two of its defences at a time, controls left out."""
    measured = dict.fromkeys(line.defense for run in group.runs for line in run.measured)
    recipe = group.runs[0].recipe
    order = [options.label for options in recipe.evaluation.defenses] if recipe else []
    known = [label for label in dict.fromkeys([*order, *measured]) if label in measured]
    guards = sorted((label for label in known if not is_control(label)), key=lambda label: label != "none")
    if len(guards) <= MOST:
        return list(itertools.combinations(guards, 2))
    return [(guards[0], other) for other in guards[1:]]


def _joined(of: str, parts: Sequence[Block]) -> Block:
    def all_of(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each for part in parts for each in getattr(part, name)))

    made = tuple(each for part in parts for each in part.made)
    return Block(of=of, made=made, said=all_of("said"), failed=all_of("failed"))
