"""`erosion paired`: two runs, two groups of seeds, or two defences, compared prompt by prompt at one rung."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from erosion.evaluation.completeness.expected import read_expected
from erosion.evaluation.judging.judge import tells_of
from erosion.evaluation.paired.cells import (
    Cell,
    NotByPrompt,
    Side,
    Values,
    What,
    cells_at,
    check_alike,
    check_same_length,
    common_step,
    of_side,
)
from erosion.evaluation.paired.crossed import crossed_difference
from erosion.evaluation.paired.differences import (
    CellMissing,
    Difference,
    Pairs,
    holm,
    paired,
    rates,
    scores,
    unvaried,
)
from erosion.evaluation.paired.sides import Sides
from erosion.evaluation.paired.suite_cells import SuiteCell, suite_cells
from erosion.evaluation.paired.task_metrics import one_of_a_group, task_metrics
from erosion.evaluation.records import HigherIs
from erosion.evaluation.utility.numbers import JUDGE as LM_EVAL_S
from erosion.recipes.parsing import RecipeError

SEED = 0
"""Of the resampling of scores of two runs; rates draw nothing."""
At = dict[What, Cell]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One cell on both sides.

    Attributes:
        what: Suite, depth, wrapper and defence, or task and metric.
        metric: What is compared.
        higher_is: What a higher value means.
        judge: Whose verdicts it counts.
        pairs: The prompts, seed by seed.
        found: The difference.
    """

    what: What
    metric: str
    higher_is: HigherIs
    judge: str
    pairs: tuple[Pairs, ...]
    found: Difference

    def left_out(self, why: str) -> int:
        """Prompts left out, over all seeds: `unscored`, `only_first` or `only_second`."""
        return sum(getattr(pairs, why) for pairs in self.pairs)

    @property
    def by_seed(self) -> tuple[float, ...]:
        """Each seed's own difference."""
        return tuple((sum(each.second) - sum(each.first)) / len(each.first) for each in self.pairs)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All common cells of two sides at a rung.

    Attributes:
        sides: What is compared; differences are the second minus the first.
        step: The rung.
        cells: The comparisons.
        missing: One sentence for every cell that cannot be compared.
        aside: One sentence for what is no part of it, and is not missing.
    """

    sides: Sides
    step: int
    cells: list[Compared] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)

    @property
    def adjusted(self) -> list[float]:
        """The cells' p-values by Holm's correction over all of them."""
        return holm([cell.found.p for cell in self.cells])


def compare(
    sides: Sides,
    *,
    step: int | None = None,
    judge: str | None = None,
    read: Callable[[Path], Sequence[Cell]] | None = None,
) -> Comparison:
    """Compares every cell that both sides have measured at a rung.

    Args:
        sides: Two runs or defences, or two groups of five seeds or more.
        step: The rung; the last that all runs have when None.
        judge: Whose verdicts count; each suite's first judge's, and lm-eval's scores, when None. Any other
            judge than `lm_eval` has judged no task, so that tasks are left out, and said.
        read: Gives a run's cells, such as `cells_of` with a memory; `cells_of` when None.

    Raises:
        RecipeError: Nothing measured, no such defence, rung or judge, answers of unlike length, or no cell
            that can be compared.
    """
    if judge not in (None, LM_EVAL_S):
        tells_of(str(judge), "--judge")
    flat = [side for pair in sides.pairs for side in pair]
    every = {side.run: (read or cells_of)(side.run) for side in flat}
    held = [of_side(side, every[side.run]) for side in flat]
    check_same_length([side.run for side, cells in zip(flat, held, strict=True) if _has_suites(cells)])
    made = Comparison(sides=sides, step=common_step(held, step))
    apart = sides.pairs[0][0].defense is None
    at = [cells_at(cells, made.step, by_defense=apart) for cells in held]
    made.aside.extend(_not_by(judge, at))
    made.aside.extend(one_of_a_group(at))
    beside = _not_applicable(flat, held, every)
    for what in dict.fromkeys(what for cells in at for what in cells):
        _add(made, what, at, judge, applicable=what.suite not in beside)
    if not made.cells:
        said = "; ".join([*made.missing, *made.aside])
        raise RecipeError(f"paired: no cell can be compared at step {made.step}: {said}")
    return made


def cells_of(run: Path) -> list[Cell]:
    """All that a run has measured prompt by prompt, or question by question, at every rung."""
    return [*suite_cells(run), *task_metrics(run)]


def _has_suites(cells: Sequence[Cell]) -> bool:
    return any(isinstance(cell, SuiteCell) for cell in cells)


def _not_by(judge: str | None, at: Sequence[At]) -> list[str]:
    """Leaves out what cannot be of a judge's verdicts; one sentence where there is any."""
    gone = {what for cells in at for what, cell in cells.items() if not cell.counts_by(judge)}
    for cells in at:
        for what in gone & cells.keys():
            del cells[what]
    named = ", ".join(sorted({what.suite for what in gone}))
    return [f"{named}: left out, as no answer there is judged by {judge}"] if gone else []


def _not_applicable(
    sides: Sequence[Side], held: Sequence[Sequence[Cell]], every: Mapping[Path, Sequence[Cell]]
) -> set[str]:
    """What a run has under another defence, and at no rung under this one: there a guard changes nothing.

    What the run was to measure under this one all the same is missing, a group's members with the group. Of
    a run that does not say what it was to measure, so is everything that another run has.
    """
    of_one = all(first.run == second.run for first, second in zip(sides[::2], sides[1::2], strict=True))
    found = set[str]()
    for side, own in zip(sides, held, strict=True):
        there = {cell.what.suite for cell in own}
        lacking = {cell.what.suite: cell.is_member_of for cell in every[side.run]}
        expected = read_expected(side.run)
        if not expected and not of_one:
            continue
        asked = {
            each.where.suite for each in expected if not each.why_not and each.where.defense == side.defense
        }
        gone = {suite: group for suite, group in lacking.items() if suite not in there}
        found |= {suite for suite, group in gone.items() if not {suite, group} & asked}
    return found


def _add(made: Comparison, what: What, at: Sequence[At], judge: str | None, *, applicable: bool) -> None:
    lacking = [place for place, cells in enumerate(at) if what not in cells]
    if lacking:
        if applicable:
            made.missing.append(f"{what}: {_lacking(made.sides, lacking)}")
        return
    try:
        made.cells.append(_compared(what, [cells[what] for cells in at], judge))
    except CellMissing as error:
        made.missing.append(f"{what}: {error}")
    except NotByPrompt as error:
        made.aside.append(f"{what}: left out: {error}")


def _lacking(sides: Sides, places: Sequence[int]) -> str:
    """In words; sides stand one after the other, two a seed."""
    if not sides.seeds:
        return "measured on one side only"
    named = [f"{sides.names[place % 2]} under seed {sides.seeds[place // 2]}" for place in places]
    return f"not measured of {', '.join(named)}"


def _compared(what: What, cells: Sequence[Cell], judge: str | None) -> Compared:
    guarded = any(cell.what.defense != "none" for cell in cells)
    found = [cell.values(judge=judge, guarded=guarded) for cell in cells]
    for each in found[1:]:
        check_alike(found[0], each)
    pairs = tuple(
        paired(a.by_prompt, b.by_prompt, a.asked) for a, b in zip(found[::2], found[1::2], strict=True)
    )
    first = found[0]
    return Compared(
        what=what, metric=first.metric, higher_is=first.higher_is, judge=first.judge, pairs=pairs,
        found=_found(pairs, found),
    )  # fmt: skip


def _found(by_seed: Sequence[Pairs], values: Sequence[Values]) -> Difference:
    import numpy as np

    if len(by_seed) > 1:
        return crossed_difference(by_seed)
    (pairs,) = by_seed
    are_rates = all(each.is_rate for each in values)
    is_rate = are_rates and not pairs.shares_prompts
    if len(set(pairs.prompts)) < (1 if is_rate else 2):
        count = len(set(pairs.prompts))
        raise CellMissing(f"{count} prompts are scored on both sides, {pairs.unscored} answers are not")
    if is_rate:
        return rates(pairs)
    found = scores(pairs, rng=np.random.default_rng(SEED))
    return unvaried(pairs, found) if are_rates else found
