"""Metrics of lm-eval's tasks, for a comparison question by question."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from erosion.evaluation.answers import sample_path
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS, RECIPE_FILE
from erosion.evaluation.paired.cells import Cell, NotByPrompt, Values, What
from erosion.evaluation.paired.differences import CellMissing, Prompt, by_prompt
from erosion.evaluation.records import LM_EVAL, Measurement
from erosion.evaluation.row_values import row_value
from erosion.evaluation.utility.numbers import JUDGE
from erosion.recipes.schema import load_recipe

OF_A_QUESTION = ("doc_id", "doc_hash", "prompt_hash", "filter")
"""A question asked after other solved examples has another prompt, and is another one."""
Row = dict[str, Any]


class Measured:
    """One task, or one group with its members, as it was measured at one rung under one defence.

    Args:
        run: The run's folder.
        lines: Its numbers, all of one digest.
    """

    def __init__(self, run: Path, lines: Sequence[Measurement]) -> None:
        self.run, self.lines = run, lines

    @cached_property
    def rows(self) -> dict[str, list[Row]]:
        """The rows of every task of it; a group has none of its own, only its members'."""
        first = self.lines[0]
        where: dict[str, Any] = {key: getattr(first, key) for key in ("defense", "depth", "wrapper")}
        held = {
            suite: read_lines(sample_path(self.run, first.step, suite=suite, **where))
            for suite in dict.fromkeys(line.suite for line in self.lines)
        }
        own = {
            suite: [row for row in rows if row["stamp"] == first.cell_digest] for suite, rows in held.items()
        }
        return {suite: rows for suite, rows in own.items() if rows}

    @cached_property
    def n(self) -> dict[str, int]:
        """How many questions every task, and the group as a whole, was asked."""
        found: dict[str, int] = {}
        for line in self.lines:
            found[line.suite] = max(line.n, found.get(line.suite, 0))
        return found

    @cached_property
    def group(self) -> str:
        """The group that the others are members of; empty of a task alone, and of members alone."""
        named = {_group_of(line) for line in self.lines} - {""}
        return next((suite for suite in self.n if suite in named), "")

    @property
    def holds_all(self) -> bool:
        """Whether the rows of all of the group's questions are there."""
        return bool(self.group) and sum(self.n[suite] for suite in self.rows) == self.n[self.group]

    def having(self, metric: str) -> list[str]:
        """Its tasks that have a number of a metric and rows."""
        return [line.suite for line in self.lines if line.metric == metric and line.suite in self.rows]

    @cached_property
    def longest(self) -> str:
        """The greatest length of its answers, as the recipe has it."""
        file, named = self.run / RECIPE_FILE, self.group or self.lines[0].suite
        tasks = load_recipe(file).evaluation.tasks if file.is_file() else ()
        names = {named, _group_of(self.lines[0])}
        return next((str(t.max_new_tokens) for t in tasks if f"{LM_EVAL}{t.shown}" in names), "None")


@dataclass(frozen=True, kw_only=True)
class TaskMetric:
    """One metric of one task or group of lm-eval's; see `cells.Cell`.

    Attributes:
        line: Its measurement.
        measured: What it was measured together with.
    """

    line: Measurement
    measured: Measured

    @property
    def step(self) -> int:
        """The rung."""
        return self.line.step

    @property
    def what(self) -> What:
        """What it measures."""
        return What(suite=self.line.suite, defense=self.line.defense, metric=self.line.metric)

    @property
    def is_group(self) -> bool:
        """Whether its number stands for those of members."""
        return self.line.suite == self.measured.group

    @property
    def is_member_of(self) -> str:
        """The group it is a member of; empty where it is none."""
        return _group_of(self.line)

    @cached_property
    def is_whole(self) -> bool:
        """Whether it is a group's number and the mean over the questions of all its members that have one."""
        return (
            self.is_group and self.measured.holds_all and _is_mean(self._by_prompt.values(), self.line.value)
        )

    def counts_by(self, judge: str | None) -> bool:
        """Only lm-eval scores its questions."""
        return judge in (None, JUDGE)

    def values(self, *, judge: str | None, guarded: bool) -> Values:
        """Its values, a rate where all are 0 or 1."""
        found = self._by_prompt
        if not _is_mean(found.values(), self.line.value):
            own = [value for value in found.values() if value is not None]
            mean = math.fsum(own) / len(own)
            measured = f"{self.line.value:.4f} was measured, {mean:.4f} is the mean over its questions"
            raise CellMissing(f"{measured}: it is no such mean")
        return Values(
            metric=self.line.metric, higher_is=self.line.higher_is, judge=JUDGE,
            is_rate=all(value in (0, 1, None) for value in found.values()), by_prompt=found,
            alike={**self._versions, "the greatest lengths of an answer": self.measured.longest},
        )  # fmt: skip

    @property
    def _versions(self) -> dict[str, str]:
        suites = {self.line.suite, *self._suites}
        lines = [line for line in self.measured.lines if line.suite in suites]
        return {f"the versions of {line.suite}": line.version.partition(" of=")[0] for line in lines}

    @property
    def _suites(self) -> list[str]:
        return self.measured.having(self.line.metric) if self.is_group else [self.line.suite]

    @cached_property
    def _by_prompt(self) -> Mapping[Prompt, float | None]:
        name, _, by = self.line.metric.partition(",")
        rows = [(suite, row) for suite, row in self._rows if row["filter"] == by]
        if not any(name in row["metrics"] for _, row in rows):
            raise NotByPrompt("no question has a value of its own")
        if not self.is_group and len(rows) < self.line.n:
            raise CellMissing(f"{len(rows)} rows are left of {self.line.n} questions; sweep again")
        return by_prompt(
            ((suite, *(row[key] for key in OF_A_QUESTION)), row_value(row, self.line.metric, JUDGE))
            for suite, row in rows
        )

    @property
    def _rows(self) -> list[tuple[str, Row]]:
        """Its rows, or its members', with their tasks."""
        if self.line.suite not in self.measured.rows and not self.is_group and self.measured.holds_all:
            raise NotByPrompt("it is a group inside another, whose members are compared")
        found = [(suite, row) for suite in self._suites for row in self.measured.rows.get(suite, ())]
        if not found or (self.is_group and not self.measured.holds_all):
            raise CellMissing("the rows of its questions are no longer all there; sweep again")
        return found


def task_metrics(run: Path) -> Iterator[TaskMetric]:
    """Every metric of a run's tasks, at every rung; what a guard halted is no metric of a task."""
    together: dict[tuple[object, ...], list[Measurement]] = {}
    for line in (Measurement(**each) for each in read_lines(run / MEASUREMENTS)):
        if line.suite.startswith(LM_EVAL) and line.judge == JUDGE:
            together.setdefault((line.step, line.defense, line.cell_digest), []).append(line)
    for lines in together.values():
        measured = Measured(run, lines)
        yield from (TaskMetric(line=line, measured=measured) for line in lines)


def one_of_a_group(sides: Sequence[dict[What, Cell]]) -> list[str]:
    """Leaves either a group's number or its members' out of all sides, metric by metric.

    A group whose number is the mean over all its members' questions on every side is one comparison; its
    members beside it would be the same questions once more. Elsewhere its members are compared; where a side
    has neither the group nor a member, the group stays and is missing for all of them.

    Returns:
        One sentence for every group whose members are compared.
    """
    told = []
    for what in sorted({what for side in sides for what, cell in side.items() if _is_group(cell)}):
        members = [{each for each, cell in side.items() if _is_member(cell, what, each)} for side in sides]
        held = [what in side or bool(own) for side, own in zip(sides, members, strict=True)]
        if not all(held) or all(_is_whole(side.get(what)) for side in sides):
            gone = set().union(*members)
        else:
            gone = {what}
            told.append(
                f"{what}: no mean over the questions of its members on both sides, which are compared"
            )
        for side in sides:
            for each in gone & side.keys():
                del side[each]
    return told


def _is_group(cell: Cell) -> bool:
    return isinstance(cell, TaskMetric) and cell.is_group


def _is_whole(cell: Cell | None) -> bool:
    try:
        return isinstance(cell, TaskMetric) and cell.is_whole
    except (CellMissing, NotByPrompt):
        return False


def _is_member(cell: Cell, group: What, each: What) -> bool:
    same = (each.defense, each.metric) == (group.defense, group.metric)
    return same and isinstance(cell, TaskMetric) and cell.is_member_of == group.suite


def _group_of(line: Measurement) -> str:
    name = line.version.partition(" of=")[2]
    return f"{LM_EVAL}{name}" if name else ""


def _is_mean(values: Any, value: float) -> bool:
    own = [each for each in values if each is not None]
    return bool(own) and math.isclose(math.fsum(own) / len(own), value, abs_tol=1e-9)
