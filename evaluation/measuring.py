"""Measures a run: every intact rung, every cell that is not yet on disk, nothing twice."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from erosion import defenses
from erosion.defenses.base import Guard
from erosion.evaluation.aggregate import aggregate
from erosion.evaluation.answers import answer_cell, sample_file
from erosion.evaluation.cells import Cell, prepare
from erosion.evaluation.checkpoints import Checkpoint, read_ladder
from erosion.evaluation.engine import Engine
from erosion.evaluation.jsonl import read_lines, write_lines
from erosion.evaluation.models import load_tokenizer
from erosion.evaluation.plan import check_evaluation
from erosion.evaluation.provenance import code, packages
from erosion.evaluation.records import Measurement
from erosion.evaluation.tracking import Tracker
from erosion.recipes.discovery import find
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Recipe, load_recipe

MEASUREMENTS = "measurements.jsonl"
RECIPE_FILE = "recipe.yaml"

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


def measure(run: Path, overrides: Sequence[str] = (), *, tracker: Tracker | None = None) -> Outcome:
    """Measures every rung of a run under its recipe's evaluation section.

    Args:
        run: The run's folder.
        overrides: Command-line overrides, such as `["--evaluation.limit", "50"]`.
        tracker: Where the numbers are logged too.

    Returns:
        What was measured and what is missing; a damaged rung or failed cell never becomes a number.

    Raises:
        RecipeError: The folder holds no run, or the evaluation section cannot be used.
    """
    recipe = load_recipe(run / RECIPE_FILE, overrides)
    check_evaluation(recipe)
    rungs = read_ladder(run)
    if not rungs:
        raise RecipeError(f"run: {run} has no complete checkpoint yet; train it first")
    return _Sweep(run, recipe, rungs, tracker or Tracker()).all_rungs()


class _Sweep:
    """One call over a run: the resident engine, the grid and the tally."""

    def __init__(self, run: Path, recipe: Recipe, rungs: list[Checkpoint], tracker: Tracker) -> None:
        self.run, self.recipe, self.rungs, self.tracker = run, recipe, rungs, tracker
        tokenizer = load_tokenizer(
            next((rung.folder for rung in rungs if rung.folder.is_dir()), rungs[0].folder)
        )
        self.engine = Engine(recipe.model, tokenizer, **_load_options(recipe))
        positions = getattr(self.engine.model.config.get_text_config(), "max_position_embeddings", None)
        self.cells = prepare(recipe.evaluation, tokenizer, positions=positions)
        self.outcome = Outcome()

    def all_rungs(self) -> Outcome:
        with _progress(sum(len(cell.prompts) for cell in self.cells) * len(self.rungs)) as advance:
            for rung in self.rungs:
                if rung.is_intact():
                    self._rung(rung, advance)
                else:
                    self._miss(
                        f"step {rung.step}: {rung.folder} does not match its digest and is not measured"
                    )
        return self.outcome

    def _rung(self, rung: Checkpoint, advance: Callable[[str, int], None]) -> None:
        known = {line["cell_digest"] for line in read_lines(self.run / MEASUREMENTS)}
        waiting = [cell for cell in self.cells if self._digest(rung, cell) not in known]
        for cell in self.cells:
            if cell not in waiting:
                advance(f"step {rung.step}", len(cell.prompts))
        if waiting:
            self.engine.enter(rung)
        for cell in waiting:
            try:
                self._cell(rung, cell, advance)
            except Exception as error:
                log.exception("step %d: %s failed", rung.step, cell)
                self._miss(f"step {rung.step}: {cell} failed: {type(error).__name__}: {error}")

    def _cell(self, rung: Checkpoint, cell: Cell, advance: Callable[[str, int], None]) -> None:
        started = time.perf_counter()
        guard: Guard = (
            find(defenses, cell.defense, "defenses").make().guard(self.engine.model, self.engine.tokenizer)
        )
        stamp = {"step": rung.step, "cell": self._digest(rung, cell)}
        rows = answer_cell(
            self.engine, guard, cell, sample_file(self.run, rung.step, cell), stamp,
            batch_size=self.recipe.evaluation.batch_size,
            advance=lambda count: advance(f"step {rung.step}: {cell}", count),
        )  # fmt: skip
        numbers = aggregate(rows, cell.suite)
        if not numbers:
            self._miss(f"step {rung.step}: {cell}: no judge could score any of {len(rows)} answers")
            return
        shared = self._shared(rung, cell, time.perf_counter() - started)
        self._keep([Measurement(**vars(number), **shared) for number in numbers])
        self.outcome.measured += 1

    def _shared(self, rung: Checkpoint, cell: Cell, seconds: float) -> dict[str, Any]:
        return {
            "run": self.run.name, "step": rung.step, "defense": cell.defense,
            "suite": cell.name, "depth": cell.depth,
            "weights_digest": rung.weights_digest, "recipe_digest": rung.recipe_digest,
            "cell_digest": self._digest(rung, cell), "version": cell.version,
            "code": code(), "packages": packages(), "seconds": round(seconds, 3),
        }  # fmt: skip

    def _keep(self, new: list[Measurement]) -> None:
        """Puts measurements on disk, each in the place of an older one of the same thing."""
        file = self.run / MEASUREMENTS
        keys = {measurement.key for measurement in new}
        kept = [line for line in read_lines(file) if Measurement(**line).key not in keys]
        write_lines(file, [*kept, *(measurement.line() for measurement in new)])
        for measurement in new:
            self.tracker.log({_name(measurement): measurement.value}, step=measurement.step)

    def _digest(self, rung: Checkpoint, cell: Cell) -> str:
        model = self.engine.model
        return cell.digest(rung.weights_digest, f"{model.device.type} {model.dtype}")

    def _miss(self, sentence: str) -> None:
        log.warning(sentence)
        self.outcome.missing.append(sentence)


def _name(measurement: Measurement) -> str:
    depth = f"/depth_{measurement.depth}" if measurement.depth else ""
    return f"eval/{measurement.defense}/{measurement.suite}{depth}/{measurement.metric}/{measurement.judge}"


def _load_options(recipe: Recipe) -> dict[str, str | None]:
    keys = {"revision": "model_revision", "dtype": "dtype", "attention": "attn_implementation"}
    return {name: recipe.trl.get(key) for name, key in keys.items()}


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str, int], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("measuring", total=total)
        yield lambda what, count: bar.update(task, description=what, advance=count)
