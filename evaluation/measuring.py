"""Measures a run: every intact rung, every cell that is not yet on disk, nothing twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from erosion import defenses
from erosion.defenses.base import Defense, Guard
from erosion.evaluation.aggregate import aggregate, as_numbers
from erosion.evaluation.answers import answer_cell, sample_file, sample_path, take_over
from erosion.evaluation.bar import bar
from erosion.evaluation.cells import AGAINST, Cell, counterparts
from erosion.evaluation.completeness.expected import Where, of_cell, of_task
from erosion.evaluation.completeness.unmeasured import Note, Notes
from erosion.evaluation.engine import Engine
from erosion.evaluation.guard_tokens import counting
from erosion.evaluation.guarding import own_text, separation
from erosion.evaluation.jsonl import read_lines, write_lines
from erosion.evaluation.keeping import Keeper
from erosion.evaluation.on_disk.checkpoints import GONE, Checkpoint, read_ladder
from erosion.evaluation.on_disk.costs import Meter
from erosion.evaluation.on_disk.run_folder import open_run
from erosion.evaluation.planned import Planned, plan_on_disk
from erosion.evaluation.probes.arms import Probes
from erosion.evaluation.progress import SUITE as PROGRESS
from erosion.evaluation.progress import VERSION as PROGRESS_VERSION
from erosion.evaluation.progress import progress, progress_digest
from erosion.evaluation.records import Measurement
from erosion.evaluation.tracking import Tracker
from erosion.evaluation.utility.task_cells import TaskCell
from erosion.recipes.discovery import find
from erosion.recipes.schema import GuardOptions, Recipe

log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class Outcome:
    """What a sweep leaves behind.

    Attributes:
        measured: Cells measured in this call.
        missing: One sentence for every rung or cell without a number.
    """

    measured: int = 0
    missing: list[str] = field(default_factory=list)


def measure(
    run: Path,
    overrides: Sequence[str] = (),
    *,
    tracker: Tracker | None = None,
    engine: Engine | None = None,
    others: Sequence[Path] = (),
    reached: Callable[[int], None] = lambda step: None,
) -> Outcome:
    """Measures every rung of a run under its recipe's evaluation section.

    Args:
        run: The run's folder.
        overrides: Command-line overrides, such as `["--evaluation.limit", "50"]`.
        tracker: Where the numbers are logged too.
        engine: One that holds this run's base model; loaded when None.
        others: Runs whose answers are taken over where they are of the very same weights and prompts.
        reached: Told of every rung that was gone through.

    Returns:
        What was measured and what is missing; a damaged rung or failed cell never becomes a number.

    Raises:
        RecipeError: See `open_run`.
    """
    recipe, rungs = open_run(run, overrides)
    planned = Planned.of(run, recipe, rungs)
    plan_on_disk(run, planned, overrides)
    keeper = Keeper(run=run, tracker=tracker or Tracker())
    return _Sweep(planned, rungs, keeper, engine, others).all_rungs(reached)


class _Sweep:
    """One call over a run: the resident engine, the grid and the tally."""

    def __init__(
        self,
        planned: Planned,
        rungs: list[Checkpoint],
        keeper: Keeper,
        engine: Engine | None,
        others: Sequence[Path],
    ) -> None:
        self.planned, self.rungs, self.keeper, self.run = planned, rungs, keeper, keeper.run
        self.recipe: Recipe = planned.grid.recipe
        self.cells, self.tasks, self.place = planned.grid.cells, planned.grid.tasks, planned.digests.place
        self.others = [rung for other in others for rung in read_ladder(other)]
        self.engine = engine or Engine(self.recipe.model, planned.tokenizer, planned.options)
        self.probes = Probes(self.run / "probe", self.engine, rungs[0], self.recipe.evaluation.probe)
        self.outcome, self.notes = Outcome(), Notes(run=self.run)
        self.notes.write()

    def all_rungs(self, reached: Callable[[int], None]) -> Outcome:
        with bar(sum(len(cell.prompts) for cell in self.cells) * len(self.rungs)) as advance:
            for rung in self.rungs:
                if rung.removed:
                    self._removed(rung.step)
                elif rung.is_intact():
                    self._rung(rung, advance)
                else:
                    sentence = f"{rung.folder} does not match its digest and is not measured"
                    self._miss(f"step {rung.step}: {sentence}", rung.step)
                reached(rung.step)
        for step in sorted(set(self.recipe.ladder) - {rung.step for rung in self.rungs}):
            self._miss(f"step {step}: the ladder names it and there is no such rung yet", step)
        return self.outcome

    def _removed(self, step: int) -> None:
        """A rung that was measured and let go: what is not measured of it cannot be measured any more."""
        asked = [each for each in self.planned.expected() if each.where.step == step and not each.why_not]
        asked = [each for each in asked if each.where.kind in ("suite", "task", "progress")]
        if count := sum(not self.keeper.holds(step, each.digest, each.version) for each in asked):
            self._miss(f"step {step}: {GONE}, so {count} cells are not measured", step)

    def _rung(self, rung: Checkpoint, advance: Callable[[str, int], None]) -> None:
        step = rung.step
        waiting = [cell for cell in self.cells if not self._holds(rung, cell)]
        advance(f"step {step}", sum(len(cell.prompts) for cell in self.cells if cell not in waiting))
        self.probes.reading.forget()
        if waiting and not self._tried(f"step {step}: the rung", step, partial(self.engine.enter, rung)):
            return
        for cell in waiting:
            self._tried(f"step {step}: {cell}", of_cell(step, cell), partial(self._cell, rung, cell, advance))
        where = Where(kind="progress", step=step, suite=PROGRESS)
        self._tried(f"step {step}: {PROGRESS}", where, partial(self._progress, rung, where))
        for task in self.tasks:
            self._tried(f"step {step}: {task}", of_task(step, task), partial(self._task, rung, task))
        for harmful, benign in counterparts(self.cells):
            if self._holds(rung, harmful) and self._holds(rung, benign):
                where = of_cell(step, harmful, "separation")
                self._tried(str(where), where, partial(self._separated, rung, harmful, benign))

    def _tried(self, what: str, where: Where | int, action: Callable[[], None]) -> bool:
        """Does one part of the sweep; where it fails its numbers are missing, and the sweep goes on."""
        try:
            action()
        except Exception as error:
            log.exception("%s failed", what)
            self._miss(f"{what} failed: {type(error).__name__}: {error}", where)
            return False
        return True

    def _cell(self, rung: Checkpoint, cell: Cell, advance: Callable[[str, int], None]) -> None:
        meter, where = self._meter(), of_cell(rung.step, cell)
        file, stamp = sample_file(self.run, rung.step, cell), self.planned.digests.stamp(rung, cell)
        same = [other for other in self.others if other.weights_digest == rung.weights_digest]
        take_over(file, [sample_file(other.run, other.step, cell) for other in same], stamp)
        rows = answer_cell(
            self.engine,
            counting(self._guard(rung, cell.options), meter.tally),
            cell,
            file,
            step=rung.step,
            stamp=stamp,
            batch_size=self.recipe.evaluation.batch_size,
            advance=lambda count: advance(f"step {rung.step}: {cell}", count),
            unguarded=self._unguarded(rung, cell),
            whole_batches="float32" not in self.place,
            tally=meter.tally,
        )
        digest, numbers = self._digest(rung, cell), aggregate(rows, cell.suite)
        meter.keep(self.run, where, digest)
        if not numbers:
            self._miss(f"step {rung.step}: {cell}: no judge could score any of {len(rows)} answers", where)
            return
        gone = self.keeper.keep_cell(
            numbers, rows, rung, where, suite=cell.suite, version=cell.version, digest=digest,
            seconds=meter.seconds,
        )  # fmt: skip
        self.outcome.measured += 1
        self._dropped(gone, rung.step, cell)

    def _dropped(self, judges: Sequence[str], step: int, cell: Cell) -> None:
        """Further judges whose numbers a cell had and no longer has; the recipe's are asked again anyway."""
        asked_again = {judge.label for judge in self.recipe.evaluation.judges}
        for key in judges:
            if key.partition("@")[0] not in asked_again:
                where = of_cell(step, cell, "judge", key)
                self._miss(f"{where}: dropped; run erosion judge again", where)

    def _progress(self, rung: Checkpoint, where: Where) -> None:
        """How far the attack has come, on the rows a run keeps of its training data; older runs keep none."""
        rows, meter = self.planned.grid.trained_on, self._meter()
        digest = progress_digest(rung, rows, self.place)
        if not rows or self.keeper.holds(rung.step, digest, PROGRESS_VERSION):
            return
        self.engine.enter(rung)
        found = progress(self.engine, rows)
        meter.tally.add((len(row["input_ids"]) for row in rows), ())
        meter.keep(self.run, where, digest)
        self._keep(found, rung, where, version=PROGRESS_VERSION, digest=digest, seconds=meter.seconds)

    def _task(self, rung: Checkpoint, task: TaskCell) -> None:
        """A task of lm-eval, which asks, answers and judges by itself."""
        where, digest = of_task(rung.step, task), self.planned.task_digest(rung, task)
        if not task.parts or self.keeper.holds(rung.step, digest):
            return
        meter = self._meter()
        self.engine.enter(rung)
        lines = list[Measurement]()
        guard = counting(self._guard(rung, task.options), meter.tally)
        for found in task.measure(self.engine, guard, meter.tally):
            if found.rows:
                file = sample_path(
                    self.run, rung.step, suite=found.suite, defense=where.defense, depth=0, wrapper="none"
                )
                write_lines(file, [{"step": rung.step, "stamp": digest, **row} for row in found.rows])
            own = replace(where, suite=found.suite)
            lines += self.keeper.lines(
                found.numbers, rung, own, version=found.version, digest=digest, seconds=meter.seconds
            )
        if not lines:
            raise ValueError("lm-eval found no number")
        meter.keep(self.run, where, digest)
        self.keeper.keep(lines, where)
        self.outcome.measured += 1

    def _separated(self, rung: Checkpoint, harmful: Cell, benign: Cell) -> None:
        """How well a guard's check tells harmful from harmless text, forced or the model's own."""
        where, version = (
            of_cell(rung.step, harmful, "separation"),
            f"{harmful.version}{AGAINST}{benign.version}",
        )
        digest = "+".join(self._digest(rung, cell) for cell in (harmful, benign))
        if self.keeper.holds(rung.step, digest, version):
            return
        ours, theirs, plain = self._rows(rung, harmful), self._rows(rung, benign), self._plain(harmful)
        if harmful.depth:
            found, why = separation(ours, theirs, harmful.depth), "no check is made at this depth"
        else:
            found = own_text(ours, self._rows(rung, plain), theirs) if plain else []
            why = "the model wrote no harmful text that was checked"
        self._keep(as_numbers(found, "safer"), rung, where, version=version, digest=digest, seconds=0.0)
        if not found:
            self.notes.add(Note(why=why, where=where, applicable=False))

    def _rows(self, rung: Checkpoint, cell: Cell) -> list[dict[str, Any]]:
        """A measured cell's rows, in the order of its prompts; none unless all are there."""
        stamp = self.planned.digests.stamp(rung, cell)
        lines = read_lines(sample_file(self.run, rung.step, cell))
        held = {(row["id"], row["prompt"]): row for row in lines if row["stamp"] == stamp}
        wanted = [(prompt.case.id, prompt.digest) for prompt in cell.prompts]
        return [held[key] for key in wanted] if held.keys() >= set(wanted) else []

    def _plain(self, cell: Cell) -> Cell | None:
        """The same cell without a guard."""
        where = (cell.name, cell.depth, cell.wrapper, "none")
        return next((c for c in self.cells if (c.name, c.depth, c.wrapper, c.defense) == where), None)

    def _guard(self, rung: Checkpoint, options: GuardOptions) -> Guard:
        defense: Defense = find(defenses, options.name, "defenses").make()
        fitted = self.probes.of(defense.probe_arm, options, rung) if defense.probe_arm else None
        return defense.guard(self.engine.model, self.engine.tokenizer, options=options, fitted=fitted)

    def _unguarded(self, rung: Checkpoint, cell: Cell) -> Path | None:
        """Rows of the same cell without a guard, if they are of these very weights."""
        plain = self._plain(cell)
        if plain is None or cell.defense == "none" or not self._rows(rung, plain):
            return None
        return sample_file(self.run, rung.step, plain)

    def _holds(self, rung: Checkpoint, cell: Cell) -> bool:
        return self.keeper.holds(rung.step, self._digest(rung, cell), cell.version)

    def _digest(self, rung: Checkpoint, cell: Cell) -> str:
        return cell.digest(self.planned.digests.stamp(rung, cell))

    def _keep(self, numbers: Sequence[Any], rung: Checkpoint, where: Where, **own: Any) -> None:
        self.keeper.keep(self.keeper.lines(numbers, rung, where, **own), where)

    def _meter(self) -> Meter:
        return Meter(use_cpu=self.engine.options.use_cpu)

    def _miss(self, sentence: str, where: Where | int) -> None:
        log.warning(sentence)
        self.outcome.missing.append(sentence)
        if isinstance(where, int):
            self.notes.add(Note(why=sentence, step=where))
        else:
            self.notes.add(Note(why=sentence, where=where))
