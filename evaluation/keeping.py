"""Numbers into a run's `measurements.jsonl`: a cell's new ones take the place of all its old ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erosion.evaluation.aggregate import Aggregate
from erosion.evaluation.cells import AGAINST
from erosion.evaluation.completeness.expected import Where
from erosion.evaluation.jsonl import append_lines, read_lines, write_lines
from erosion.evaluation.judging.judged_before import dropped, numbers_again
from erosion.evaluation.judging.numbers import version_with
from erosion.evaluation.on_disk.checkpoints import Checkpoint
from erosion.evaluation.on_disk.provenance import code, packages
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS
from erosion.evaluation.records import Measurement
from erosion.evaluation.suite import Suite
from erosion.evaluation.tracking import Tracker, keys


@dataclass(frozen=True, kw_only=True)
class Keeper:
    """Keeps a run's numbers.

    Attributes:
        run: The run's folder.
        tracker: Where they are logged too.
    """

    run: Path
    tracker: Tracker
    _held: set[tuple[int, str, str]] = field(default_factory=set)

    def holds(self, step: int, digest: str, version: str = "") -> bool:
        """Whether this very cell is measured, by these versions of suite and judges where they are given."""
        if not self._held:
            lines = read_lines(self.run / MEASUREMENTS)
            for line in lines:
                of_it = (line["step"], line["cell_digest"])
                self._held.update([(*of_it, line["version"]), (*of_it, "")])
        return (step, digest, version) in self._held

    def lines(
        self,
        numbers: Sequence[Aggregate],
        rung: Checkpoint,
        where: Where,
        *,
        version: str,
        digest: str,
        seconds: float,
    ) -> list[Measurement]:
        """A cell's numbers with all that could change them."""
        shared: dict[str, Any] = {
            "run": self.run.name, "step": rung.step, "weights_digest": rung.weights_digest,
            "recipe_digest": rung.recipe_digest, "code": code(), "packages": packages(),
            "seconds": round(seconds, 3), "suite": where.suite, "defense": where.defense,
            "depth": where.depth, "wrapper": where.wrapper, "version": version, "cell_digest": digest,
        }  # fmt: skip
        return [Measurement(**vars(number), **shared) for number in numbers]

    def keep_cell(
        self,
        numbers: Sequence[Aggregate],
        rows: Sequence[dict[str, Any]],
        rung: Checkpoint,
        where: Where,
        *,
        suite: Suite,
        version: str,
        **own: Any,
    ) -> list[str]:
        """Puts a suite's numbers on disk, and those of further judges whose verdicts the rows still hold.

        Returns:
            Keys of further judges whose numbers the cell had, and whose verdicts some rows do not hold.
        """
        before = [line for line in read_lines(self.run / MEASUREMENTS) if _cell_of(line) == _own(where)]
        again = numbers_again(rows, suite)
        lines = self.lines(numbers, rung, where, version=version, **own)
        later = {(number.metric, number.judge): number for made in again.values() for number in made}
        for number in later.values():
            told = version_with(version, number.judge, rows[0]["verdicts"])
            lines += self.lines([number], rung, where, version=told, **{**own, "seconds": 0.0})
        self.keep(lines, where)
        return dropped(before, again, suite)

    def keep(self, new: Sequence[Measurement], where: Where) -> None:
        """Puts a cell's measurements on disk."""
        file = self.run / MEASUREMENTS
        held, cells = read_lines(file), {_own(where), *(_cell_of(measurement.line()) for measurement in new)}
        stay = [line for line in held if _cell_of(line) not in cells]
        if len(stay) < len(held):
            write_lines(file, stay)
        append_lines(file, [measurement.line() for measurement in new])
        self._held.clear()
        if new:
            self.tracker.log(keys.measured(new), step=new[0].step)


def _own(where: Where) -> tuple[object, ...]:
    return (where.step, where.defense, where.suite, where.depth, where.wrapper, where.kind == "separation")


def _cell_of(line: dict[str, Any]) -> tuple[object, ...]:
    """What a line was measured together with: one cell, or one cell against its counterpart."""
    where = (line["step"], line["defense"], line["suite"], line["depth"], line.get("wrapper", "none"))
    return (*where, AGAINST in line["version"])
