"""Is a run complete? Every expected cell: measured, stale, missing and why, or not applicable.

Nothing is loaded but what a run holds. A run that was never swept, or whose recipe was changed since,
is planned from its recipe, for which its tokenizer and suites must be at hand.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from erosion.evaluation import judges as judge_files
from erosion.evaluation import suites as suite_files
from erosion.evaluation.cells import AGAINST, TOO_LONG
from erosion.evaluation.completeness.expected import (
    Expected,
    Where,
    expected,
    place_of,
    read_expected,
    still_asked,
)
from erosion.evaluation.completeness.unmeasured import Note, read_notes
from erosion.evaluation.digests import suite_version
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.judging.judge import rule_version
from erosion.evaluation.on_disk.checkpoints import Checkpoint, read_ladder
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS, RECIPE_FILE
from erosion.evaluation.planned import from_recipe
from erosion.evaluation.progress import SUITE as PROGRESS
from erosion.evaluation.progress import VERSION as PROGRESS_VERSION
from erosion.evaluation.utility.task_cells import VERSION as TASKS
from erosion.recipes.discovery import find, names
from erosion.recipes.parsing import RecipeError

Status = Literal["measured", "stale", "missing", "not applicable"]
Line = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class State:
    """One expected cell as it stands.

    Attributes:
        where: What it measures.
        status: `stale` is measured of other weights, prompts or settings, or with another version.
        why: Why it is not measured, where that is known; of a measured cell, what it leaves out.
    """

    where: Where
    status: Status
    why: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.status}{f', {self.why}' if self.why else ''}"


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """How complete a run is.

    Attributes:
        run: Its name.
        cells: Every expected one, rung by rung.
    """

    run: str
    cells: tuple[State, ...]

    def of(self, status: Status) -> list[State]:
        """The cells of one status."""
        return [cell for cell in self.cells if cell.status == status]

    @property
    def shortened(self) -> list[State]:
        """Measured cells that leave out prompts."""
        return [cell for cell in self.of("measured") if cell.why]

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing or stale."""
        return not self.of("missing") and not self.of("stale")

    @property
    def counts(self) -> dict[str, int]:
        """Cells by status; `expected` are all that are applicable."""
        found = Counter(cell.status for cell in self.cells)
        order: tuple[Status, ...] = ("measured", "missing", "stale", "not applicable")
        return {
            "expected": len(self.cells) - found["not applicable"],
            **{name: found[name] for name in order},
        }

    def __str__(self) -> str:
        said = f"cells: {', '.join(f'{count} {name}' for name, count in self.counts.items())}"
        return f"{said}; {len(self.shortened)} leave out prompts" if self.shortened else said


def completeness(run: Path) -> Completeness:
    """Compares a run's numbers with what its recipe asks for.

    Args:
        run: The run's folder.

    Raises:
        RecipeError: The folder holds no run; or one that must be planned and whose tokenizer or suites cannot
            be read.
    """
    rungs = read_ladder(run)
    cells, notes = _expected(run, rungs), read_notes(run)
    there, measured = {rung.step: rung for rung in rungs}, _Measured(read_lines(run / MEASUREMENTS))
    states = (_state(cell, there.get(cell.where.step), measured, notes) for cell in cells)
    return Completeness(run=run.resolve().name, cells=tuple(states))


class _Measured:
    """A run's lines, found by what they measure."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._by_place: dict[tuple[object, ...], list[Line]] = {}
        for line in lines:
            self._by_place.setdefault((line["step"], line["defense"]), []).append(line)

    def of(self, where: Where) -> list[Line]:
        """The lines of a cell, current or not."""
        found = self._by_place.get((where.step, where.defense), [])
        return [line for line in found if measures(line, where)]


def measures(line: Line, where: Where) -> bool:
    """Whether a line of `measurements.jsonl` is of a cell, current or not."""
    if where.kind == "task":
        suite, version = str(line["suite"]), str(line["version"])
        member = suite.startswith(f"{where.suite}/") or version.endswith(
            f" of={where.suite.partition('/')[2]}"
        )
        return suite == where.suite or member
    place = (line["suite"], line["depth"], line.get("wrapper", "none"))
    if place != (where.suite, where.depth, where.wrapper):
        return False
    if where.kind == "judge":
        return bool(line["judge"] == where.judge or line["judge"].startswith(f"{where.judge}@"))
    return (AGAINST in line["version"]) == (where.kind == "separation")


def _state(cell: Expected, rung: Checkpoint | None, measured: _Measured, notes: Sequence[Note]) -> State:
    if cell.why_not:
        return State(where=cell.where, status="not applicable", why=cell.why_not)
    reasons = [_stale(line, cell, rung) for line in measured.of(cell.where)]
    if "" in reasons:
        left_out = f"{TOO_LONG}: {cell.too_long}" if cell.too_long else ""
        return State(where=cell.where, status="measured", why=left_out)
    if reasons:
        return State(where=cell.where, status="stale", why=reasons[0])
    note = next((note for note in notes if note.speaks_of(cell.where)), None)
    if note is not None and not note.applicable:
        return State(where=cell.where, status="not applicable", why=note.why)
    unknown = "not measured yet" if rung else "the ladder names this step and there is no such rung yet"
    return State(where=cell.where, status="missing", why=note.why if note else unknown)


def _stale(line: Line, cell: Expected, rung: Checkpoint | None) -> str:
    """Why a line is not the cell's number as it stands; empty where it is."""
    if rung is None:
        return "measured of a rung that is no longer in the ladder"
    if line["weights_digest"] != rung.weights_digest:
        return "measured of other weights than the rung's"
    if cell.where.kind == "task" and f" erosion={TASKS}" not in line["version"]:
        return f"measured as {line['version']}, now erosion={TASKS}"
    version = _current(cell)
    if version and not f"{line['version']} ".startswith(f"{version} "):
        return f"measured as {line['version']}, now {version}"
    judged_as = _judged_as(cell)
    if judged_as and f"{line['judge']}={judged_as}" not in line["version"].split():
        return f"judged as {line['version'].rpartition('=')[2]}, now {judged_as}"
    if cell.digest and line["cell_digest"] != cell.digest:
        return "measured over other prompts or settings than the recipe's"
    return ""


def _judged_as(cell: Expected) -> str:
    """A further judge's version: by the code that reads it where rules are all there is of the judge."""
    return rule_version(cell.where.judge) or cell.judged_as


def _current(cell: Expected) -> str:
    """A cell's version by the code that reads it; as it was expected where that knows no such suite."""
    if cell.where.suite == PROGRESS:
        return PROGRESS_VERSION
    return AGAINST.join(_now(version) for version in cell.version.split(AGAINST))


def _now(version: str) -> str:
    name = version.split(" ")[0].rpartition("=")[0]
    if name not in names(suite_files):
        return version
    suite = find(suite_files, name, "suite").SUITE
    known = all(judge in names(judge_files) for judge in suite.judges)
    return suite_version(name, suite) if known else version


def _expected(run: Path, rungs: Sequence[Checkpoint]) -> list[Expected]:
    """What is on disk; made anew for a run never swept, and where its recipe was changed since.

    Digests are those of the machine that measured. Before the first sweep there are none.
    """
    if not (run / RECIPE_FILE).is_file():
        raise RecipeError(f"run: given {str(run)!r}, a folder that holds no run: it has no {RECIPE_FILE}")
    if still_asked(run):
        return read_expected(run)
    planned, place = from_recipe(run, rungs), place_of(run)
    return planned.expected(place) if place else expected(planned.grid, rungs)
