"""Cells of suites of ours, for a comparison prompt by prompt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erosion.evaluation import suites as suite_files
from erosion.evaluation.aggregate import SCORES
from erosion.evaluation.answers import sample_path
from erosion.evaluation.by_prompt import prompts_of
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.judging.judge import tells_of
from erosion.evaluation.judging.numbers import asked_of
from erosion.evaluation.judging.of_runs import measured_cells
from erosion.evaluation.on_disk.stored_rows import measured_rows
from erosion.evaluation.paired.cells import Values, What
from erosion.evaluation.paired.differences import CellMissing, by_prompt
from erosion.evaluation.row_values import row_value
from erosion.evaluation.suite import Suite
from erosion.evaluation.utility.numbers import JUDGE as LM_EVAL_S
from erosion.recipes.discovery import find

Row = dict[str, Any]
OF_A_PROMPT = ("suite", "id", "depth", "wrapper", "prompt")


@dataclass(frozen=True, kw_only=True)
class SuiteCell:
    """One suite under one defence at one depth; see `cells.Cell`.

    Attributes:
        run: The run's folder.
        line: A line of its measurements: it says what was measured over which rows.
    """

    run: Path
    line: Row
    _known: dict[tuple[str | None, bool], Values] = field(default_factory=dict)

    @property
    def step(self) -> int:
        """The rung."""
        return int(self.line["step"])

    @property
    def what(self) -> What:
        """What it measures."""
        return What(**{key: self.line[key] for key in ("suite", "depth", "wrapper", "defense")})

    @property
    def is_member_of(self) -> str:
        """A suite stands for itself."""
        return ""

    def counts_by(self, judge: str | None) -> bool:
        """Any judge but lm-eval may have judged its answers."""
        return judge != LM_EVAL_S

    def values(self, *, judge: str | None, guarded: bool) -> Values:
        """Its values by the metric that the judge can tell; rows are read once for each."""
        asked = (judge, guarded)
        if asked not in self._known:
            self._known[asked] = self._read(judge, guarded=guarded)
        return self._known[asked]

    def _read(self, judge: str | None, *, guarded: bool) -> Values:
        rows = self.rows()
        key = judge or str(rows[0]["judge"])
        version = _judge_version(rows, self.line, key)
        suite: Suite = find(suite_files, self.what.suite, "suite").SUITE
        told, own = asked_of(tells_of(key), suite), self.line["version"].split()[0]
        metric = "refused_or_halted_rate" if told.metric == "refusal_rate" and guarded else told.metric
        cases = [tuple(row[name] for name in OF_A_PROMPT) for row in rows]
        values = zip(cases, (row_value(row, metric, key) for row in rows), strict=True)
        return Values(
            metric=metric, higher_is=told.higher_is, judge=key, is_rate=metric not in SCORES,
            alike={f"the versions of {key}": version, "the suite's versions": own},
            by_prompt=by_prompt(values), asked=dict(zip(cases, prompts_of(rows), strict=True)),
        )  # fmt: skip

    def rows(self) -> list[Row]:
        """The rows it was measured over.

        Raises:
            CellMissing: They are no longer there.
        """
        keys = ("suite", "defense", "depth", "wrapper")
        file = sample_path(self.run, self.step, **{key: self.line[key] for key in keys})
        rows = measured_rows(read_lines(file), self.line)
        if not rows:
            raise CellMissing(f"{file} no longer holds the answers that were measured; sweep again")
        return rows


def suite_cells(run: Path) -> Iterator[SuiteCell]:
    """Every measured cell of a run's suites, at every rung."""
    yield from (SuiteCell(run=run, line=line) for line in measured_cells(run))


def _judge_version(rows: list[Row], line: Row, judge: str) -> str:
    """The one version of a judge whose verdicts all rows have."""
    if not all(judge in row["verdicts"] for row in rows):
        known = ", ".join(key for key in rows[0]["verdicts"] if all(key in row["verdicts"] for row in rows))
        raise CellMissing(f"{line['run']} has verdicts of {known}, none of {judge}; erosion judge adds them")
    measured = dict(part.partition("=")[::2] for part in line["version"].split())
    versions = {str(row["verdicts"][judge].get("version", measured.get(judge, "?"))) for row in rows}
    if len(versions) > 1:
        raise CellMissing(f"{line['run']} mixes {judge} of the versions {', '.join(sorted(versions))}")
    return versions.pop()
