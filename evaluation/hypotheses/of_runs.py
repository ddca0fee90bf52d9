"""A run's hypotheses against its numbers: every cell its recipe asks for that they name, measured or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from erosion.evaluation.completeness.completeness import Completeness, State, measures
from erosion.evaluation.completeness.expected import Where, judged_as
from erosion.evaluation.hypotheses.findings import Finding, Number, finding
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.judging.whose_verdicts import of_judge, own_judges
from erosion.evaluation.metric_names import AGAINST_COUNTERPART, GUARDED
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS, RECIPE_FILE
from erosion.evaluation.records import Measurement
from erosion.recipes.hypotheses import OF_CELLS, Claim, Hypothesis, as_levels, steps_named
from erosion.recipes.schema import Recipe, load_recipe

Place = tuple[int, str, str, int, str]
LACKING = ("missing", "stale")
BASE = ("suite", "task", "progress")
"""Kinds of cells that are measured for themselves; of a guard's two sides there is a kind beside."""


def run_findings(run: Path, complete: Completeness | str) -> list[Finding]:
    """What became of the hypotheses that a run's own copy of its recipe states; none where it states none.

    Args:
        run: The run's folder.
        complete: How complete it is; in words where that cannot be told, and then nothing is decided.
    """
    recipe = load_recipe(run / RECIPE_FILE) if (run / RECIPE_FILE).is_file() else None
    if recipe is None or not recipe.hypotheses:
        return []
    if isinstance(complete, str):
        return [Finding(says=each.says, held=None, detail=complete) for each in recipe.hypotheses]
    numbers = RunNumbers(run, complete)
    return [_found(hypothesis, recipe, numbers) for hypothesis in recipe.hypotheses]


class RunNumbers:
    """A run's numbers, and what is missing, as hypotheses name them.

    Args:
        run: The run's folder.
        complete: Its expected cells.
    """

    def __init__(self, run: Path, complete: Completeness) -> None:
        self._states, self._versions = complete.cells, judged_as(run)
        self._at: dict[Place, list[State]] = {}
        self._lines: dict[Place, list[Measurement]] = {}
        for state in self._states:
            self._at.setdefault(_place(state.where), []).append(state)
        for line in (Measurement(**line) for line in read_lines(run / MEASUREMENTS)):
            self._lines.setdefault(_place(line), []).append(line)

    def of(self, metric: str, judge: str) -> Iterator[Number]:
        """A metric wherever it can be asked for; the suite's first judge's where none is named."""
        if metric in OF_CELLS:
            counted = (state for state in self._states if _counts(metric, state))
            yield from (self._of_cell(metric, judge, state) for state in counted)
            return
        kinds = ("separation",) if metric in AGAINST_COUNTERPART else BASE
        for state in self._states:
            applies = state.where.kind in kinds and state.status != "not applicable"
            if applies and not (metric in GUARDED and state.where.defense == "none"):
                yield self._measured(metric, judge, state)

    def _of_cell(self, metric: str, judge: str, state: State) -> Number:
        empty, lacks = _empty(metric, judge, state.where), state.status in LACKING
        if metric == "missing":
            return replace(empty, value=float(lacks))
        if lacks:
            return replace(empty, why=_why(state))
        lines = [line for line in self._lines_at(state) if measures(line.line(), state.where)]
        own = of_judge(judge, lines, self._versions) if judge else lines
        if metric == "numbers":
            return replace(empty, value=float(len(own)))
        if silent := _silent(judge, state, own):
            return replace(empty, why=f"no answer was scored by {silent}")
        return replace(empty, value=max(line.unscored / max(line.n + line.unscored, 1) for line in own))

    def _measured(self, metric: str, judge: str, state: State) -> Number:
        empty = _empty(metric, judge, state.where)
        found = [line for line in self._lines_at(state) if line.metric == metric]
        line = next(iter(of_judge(judge or None, found, self._versions)), None)
        behind = [state, *self._judged(line.judge if line else judge, state)]
        if lacking := next((each for each in behind if each.status != "measured"), None):
            return replace(empty, why=_why(lacking))
        if line is None:
            return replace(empty, why="its cell is measured and has no such number")
        return replace(empty, value=line.value, low=line.low, high=line.high)

    def _judged(self, judge: str, state: State) -> list[State]:
        """The cells of the further judges that a number at a place rests on."""
        judges = [part.partition("@")[0] for part in judge.split("~")]
        beside = self._at[_place(state.where)]
        return [each for each in beside if each.where.kind == "judge" and each.where.judge in judges]

    def _lines_at(self, state: State) -> list[Measurement]:
        return self._lines.get(_place(state.where), [])


def _found(hypothesis: Hypothesis, recipe: Recipe, numbers: RunNumbers) -> Finding:
    claims = tuple(_with_all_keys(claim, recipe) for claim in hypothesis.claims)
    sides = [side for claim in claims for side in (claim.left, {**claim.left, **_right(claim)})]
    asked = [(m, j) for side in sides for m in as_levels(side["metric"]) for j in as_levels(side["judge"])]
    found = [number for metric, judge in dict.fromkeys(asked) for number in numbers.of(metric, judge)]
    return finding(replace(hypothesis, claims=claims), found)


def _with_all_keys(claim: Claim, recipe: Recipe) -> Claim:
    """The claim with ranges of rungs as steps, and with the suite's first judge where it names none."""
    right = _steps(_right(claim), recipe) if _right(claim) else claim.right
    return replace(claim, left={"judge": "", **_steps(claim.left, recipe)}, right=right)


def _steps(selection: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    steps = {"step": steps_named(selection["step"], recipe.ladder)} if "step" in selection else {}
    return {**selection, **steps}


def _right(claim: Claim) -> Mapping[str, Any]:
    return claim.right if isinstance(claim.right, Mapping) else {}


def _counts(metric: str, state: State) -> bool:
    """Whether a cell is among those that a metric of cells is about."""
    if metric == "numbers":
        return state.where.kind in BASE
    return state.status != "not applicable"


def _silent(judge: str, state: State, lines: Sequence[Measurement]) -> str:
    """A judge that was to score a cell's answers and has no number there; empty where each has."""
    own = [each for each in own_judges(state.where.suite) if "~" not in each]
    asked = [judge] if judge else own if state.where.kind == "suite" else []
    there = {part.partition("@")[0] for line in lines for part in line.judge.split("~")}
    return next((each for each in asked if each.partition("@")[0] not in there), "" if lines else "any judge")


def _place(of: Where | Measurement) -> Place:
    return (of.step, of.suite, of.defense, of.depth, of.wrapper)


def _empty(metric: str, judge: str, where: Where) -> Number:
    of = {
        "suite": where.suite, "metric": metric, "judge": judge, "depth": str(where.depth),
        "defense": where.defense, "wrapper": where.wrapper, "step": str(where.step),
    }  # fmt: skip
    return Number(of=of, value=None, name=f"{where}: {metric}{f' by {judge}' if judge else ''}")


def _why(state: State) -> str:
    return f"{state.status}{f', {state.why}' if state.why else ''}"
