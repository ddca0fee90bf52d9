"""`erosion judge RUN`: another judge, or a newer one, is asked of a run's stored answers.

What is there stays as it is: only missing verdicts are added to the rows, and lines to the measurements.
"""

from __future__ import annotations

import gc
import logging
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erosion.evaluation import suites as suite_files
from erosion.evaluation.aggregate import Aggregate
from erosion.evaluation.answers import sample_path
from erosion.evaluation.completeness.expected import Where
from erosion.evaluation.completeness.unmeasured import Note, keep_notes
from erosion.evaluation.jsonl import append_lines, read_lines, write_lines
from erosion.evaluation.judging.costs import judging, metered
from erosion.evaluation.judging.judge import UNANSWERED, Judge, JudgeStopped, made_judge, spent
from erosion.evaluation.judging.numbers import numbers, version_with
from erosion.evaluation.on_disk.lock import working_in
from erosion.evaluation.on_disk.provenance import Call, code, packages
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS, RECIPE_FILE, heading
from erosion.evaluation.on_disk.stored_rows import measured_rows
from erosion.evaluation.records import Case, Completion, Measurement
from erosion.evaluation.report.run_report import report
from erosion.evaluation.suite import Suite
from erosion.recipes.discovery import find, names
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import JudgeOptions, Recipe, load_recipe

OF_THE_CELL = (
    "run", "step", "defense", "suite", "depth", "wrapper", "weights_digest", "recipe_digest", "cell_digest"
)  # fmt: skip
OF_A_PLACE = ("step", "suite", "defense", "depth", "wrapper")
Row = dict[str, Any]

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Judged:
    """What asking a judge of a run left behind.

    Attributes:
        verdicts: Verdicts added.
        lines: Measurements added.
        labels: Every verdict of the judge over the measured rows, those there before included.
        notes: Why a cell has no number of the judge.
    """

    verdicts: int = 0
    lines: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    notes: list[Note] = field(default_factory=list)

    @property
    def missing(self) -> list[str]:
        """One sentence for every cell that cannot be judged."""
        return [note.why for note in self.notes if note.applicable]


def judge_run(run: Path, options: JudgeOptions | str) -> Judged:
    """Asks a judge of a run's stored answers, adds what is missing and writes the report again.

    Args:
        run: The run's folder.
        options: The judge, or its name alone.

    Raises:
        RecipeError: No such judge or run, one that stored answers hold too little for, an option that cannot
            be used, or another process at work in the run.
    """
    if not (run / MEASUREMENTS).is_file():
        raise RecipeError(
            f"run: given {str(run)!r}, a folder in which nothing was measured: no {MEASUREMENTS}"
        )
    judge = made_judge(JudgeOptions(name=options) if isinstance(options, str) else options, run=run)
    recipe = load_recipe(run / RECIPE_FILE)
    with working_in(run):
        with judging(run):
            found = judge_stored(run, judge)
        if found.lines:
            report(run, title=heading(run, recipe))
    _print(found)
    return found


def judge_stored(run: Path, judge: Judge) -> Judged:
    """Asks a judge of every measured cell of a run whose folder is held already.

    Where the judge stops, what it said stays, and this cell and all that follow are missing.
    """
    found, stopped = Judged(), ""
    for line in measured_cells(run):
        if not stopped:
            try:
                where = _where(line, judge.name)
                with metered(run, where, line["cell_digest"], judge, lambda: found.verdicts):
                    _judge_cell(run, line, judge, found)
                continue
            except JudgeStopped as error:
                stopped = str(error)
        found.notes.append(_note(line, judge.name, stopped))
    keep_notes(run, judge.name, found.notes)
    print(spent(judge), end="")
    return found


def judge_by_recipe(run: Path, recipe: Recipe, *, call: Call | None = None) -> list[str]:
    """Asks the judges of a recipe of a measured run, one loaded at a time.

    Args:
        run: The run's folder.
        recipe: Its recipe.
        call: The call it is part of; where there are judges it enters one of its own when None.

    Returns:
        One sentence for every cell, or every judge, without verdicts; one that fails stops no other.
    """
    if not recipe.evaluation.judges or not (run / MEASUREMENTS).is_file():
        return []
    with judging(run, call):
        return [each for options in recipe.evaluation.judges for each in _judge_by(run, options)]


def _judge_by(run: Path, options: JudgeOptions) -> list[str]:
    try:
        return judge_stored(run, made_judge(options, run=run)).missing
    except Exception as error:
        log.exception("judge %s failed", options.label)
        why = f"judge {options.label} failed: {type(error).__name__}: {error}"
        keep_notes(run, options.label, [_note(line, options.label, why) for line in measured_cells(run)])
        return [why]
    finally:
        _free_memory()


def as_completion(row: Mapping[str, Any]) -> Completion:
    """A stored row as its judge saw it, but for the case's target and evidence, which rows do not hold."""
    case = Case(
        suite=row["suite"], id=row["id"], messages=row["messages"], depth=row["depth"],
        prefill=row["prefill"], attack=row["attack"],
    )  # fmt: skip
    return Completion(
        case=case, text=row["text"], token_ids=row["token_ids"], stopped_by=row["stopped_by"],
        halted_at=row["halted_at"], checks={int(depth): score for depth, score in row["checks"].items()},
    )  # fmt: skip


def _print(found: Judged) -> None:
    for label, count in found.labels.most_common():
        print(f"{label}: {count}")
    added = f"verdicts added: {found.verdicts}; measurements added: {found.lines}"
    print(f"{added}; missing: {len(found.missing)}")


def measured_cells(run: Path) -> Iterator[Row]:
    """Of every measured cell one line by a judge of its suite: it says what was measured over which rows."""
    seen = set[tuple[int, str]]()
    for line in (Measurement(**each).line() for each in read_lines(run / MEASUREMENTS)):
        of_a_judge = line["suite"] in names(suite_files) and line["judge"] in _suite(line).judges
        if of_a_judge and (line["step"], line["cell_digest"]) not in seen:
            seen.add((line["step"], line["cell_digest"]))
            yield line


def _suite(line: Row) -> Suite:
    suite: Suite = find(suite_files, line["suite"], "suite").SUITE
    return suite


def _judge_cell(run: Path, line: Row, judge: Judge, found: Judged) -> None:
    """Adds what is missing of one cell: to its rows first, then to the measurements."""
    started = time.perf_counter()
    file = sample_path(
        run, line["step"], **{key: line[key] for key in ("suite", "defense", "depth", "wrapper")}
    )
    held = read_lines(file)
    rows = measured_rows(held, line)
    if not rows:
        why = f"{file} no longer holds the answers that were measured; sweep again"
        found.notes.append(_note(line, judge.name, why))
        return
    key = _key(judge, rows, line)
    new = [row for row in rows if key not in row["verdicts"]]
    for count in _asked(judge, new, key):
        write_lines(file, held)
        found.verdicts += count
    judged = [row for row in rows if key in row["verdicts"]]
    found.labels.update(row["verdicts"][key]["label"] for row in judged)
    if len(judged) < len(rows):
        why = f"{len(rows) - len(judged)} of {len(rows)} answers: {UNANSWERED}"
        found.notes.append(_note(line, judge.name, why))
        return
    made = numbers(rows, key, judge.tells, _suite(line))
    if not made:
        halted = all(row["verdicts"][key]["label"] == "halted" for row in rows)
        told = "nothing to judge: a guard halted all" if halted else "it could score none of"
        found.notes.append(_note(line, judge.name, f"{told} {len(rows)} answers", applicable=not halted))
    found.lines += _add(run, line, made, rows[0]["verdicts"], time.perf_counter() - started)


def _asked(judge: Judge, rows: Sequence[Row], key: str) -> Iterator[int]:
    """Puts verdicts into rows; a number of them whenever they are to be stored, when it stops too."""
    waiting, verdicts = 0, judge.judge_all([as_completion(row) for row in rows])
    try:
        for row, verdict in zip(rows, verdicts, strict=True):
            if verdict is None:
                continue
            row["verdicts"][key] = verdict.stored(judge.version)
            waiting += 1
            if waiting == judge.batch_size:
                yield waiting
                waiting = 0
    except JudgeStopped:
        if waiting:
            yield waiting
        raise
    if waiting:
        yield waiting


def _free_memory() -> None:
    import torch

    gc.collect()
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()


def _note(line: Row, judge: str, why: str, *, applicable: bool = True) -> Note:
    where = _where(line, judge)
    return Note(why=f"{where}: {why}", where=where, applicable=applicable)


def _where(line: Row, judge: str) -> Where:
    return Where(kind="judge", judge=judge, **{key: line[key] for key in OF_A_PLACE})


def _key(judge: Judge, rows: Sequence[Row], line: Row) -> str:
    """The judge's name among a row's verdicts, with its version where another version's stand there."""
    name = judge.name
    versions = dict(part.partition("=")[::2] for part in line["version"].split())
    there = [row["verdicts"][name] for row in rows if name in row["verdicts"]]
    same = all(verdict.get("version", versions.get(name)) == judge.version for verdict in there)
    return name if same else f"{name}@{judge.version}"


def _add(run: Path, line: Row, made: Sequence[Aggregate], verdicts: Row, seconds: float) -> int:
    """Appends the numbers that are not there yet; how many these are."""
    there = {Measurement(**other).key for other in read_lines(run / MEASUREMENTS)}
    shared = {
        **{key: line[key] for key in OF_THE_CELL}, "code": code(), "packages": packages(),
        "seconds": round(seconds, 3),
    }  # fmt: skip
    new = [
        Measurement(**vars(number), **shared, version=version_with(line["version"], number.judge, verdicts))
        for number in made
    ]
    new = [measurement for measurement in new if measurement.key not in there]
    append_lines(run / MEASUREMENTS, [measurement.line() for measurement in new])
    return len(new)
