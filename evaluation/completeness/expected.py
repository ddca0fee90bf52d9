"""What a run is expected to measure: every cell of its recipe at every rung, written beside its numbers.

The file is made from the recipe alone, without a command line's overrides: they measure something else. It
is read where the recipe's tokenizer and data cannot be reached, as on another machine.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from erosion.evaluation.cells import AGAINST, Cell, LeftOut, counterparts
from erosion.evaluation.digests import digest_of
from erosion.evaluation.jsonl import read_lines, write_lines
from erosion.evaluation.on_disk.checkpoints import Checkpoint
from erosion.evaluation.on_disk.run_folder import RECIPE_FILE
from erosion.evaluation.progress import SUITE as PROGRESS
from erosion.evaluation.progress import TRAINED_ON, progress_digest
from erosion.evaluation.progress import VERSION as PROGRESS_VERSION
from erosion.evaluation.utility.task_cells import TaskCell, task_cells
from erosion.recipes.schema import JudgeOptions, ProbeCorpus, Recipe, load_recipe

FILE = "expected.jsonl"
log = logging.getLogger(__name__)

Kind = Literal["suite", "judge", "separation", "task", "progress"]


@dataclass(frozen=True, kw_only=True)
class Where:
    """What one cell measures, as its lines in `measurements.jsonl` name it.

    Attributes:
        kind: A suite; a further judge of its answers; a guard's check told apart on it and its harmless
            counterpart; a task of lm-eval; or the attack's progress.
        step: The rung.
        suite: The suite, task or `trained_on`.
        defense: The guard's label.
        depth: Answer tokens placed as prefill.
        wrapper: What the attack put around the request.
        judge: The further judge; empty elsewhere.
    """

    kind: Kind
    step: int
    suite: str
    defense: str = "none"
    depth: int = 0
    wrapper: str = "none"
    judge: str = ""

    def __str__(self) -> str:
        parts = [f"step {self.step}: {self.suite}", self.defense]
        parts += [f"depth {self.depth}"] if self.kind not in ("task", "progress") else []
        parts += [self.wrapper] if self.wrapper != "none" else []
        parts += ["true and false positives"] if self.kind == "separation" else []
        return ", ".join(parts) + (f", judged by {self.judge}" if self.judge else "")


@dataclass(frozen=True, kw_only=True)
class Expected:
    """One expected cell.

    Attributes:
        where: What it measures.
        prompts: How many it asks; 0 where that is another cell's or lm-eval's to say.
        too_long: Prompts it leaves out, since they are longer than the model's positions.
        version: Of suite and judges.
        digest: Of weights, prompts and decoding; empty while the rung is not there.
        why_not: Why it is not applicable; empty where it is.
        judged_as: The further judge's version; empty elsewhere, and where it cannot be known yet.
    """

    where: Where
    prompts: int = 0
    too_long: int = 0
    version: str = ""
    digest: str = ""
    why_not: str = ""
    judged_as: str = ""

    def line(self) -> dict[str, Any]:
        """Its line in the file."""
        return {**asdict(self.where), **{key: value for key, value in vars(self).items() if key != "where"}}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A recipe's cells, as they are at every rung.

    Attributes:
        recipe: The recipe.
        places: Cells of its suites, and places that cannot have a number.
        tasks: Cells of lm-eval's tasks.
        trained_on: The rows its progress is measured on.
    """

    recipe: Recipe
    places: Sequence[Cell | LeftOut]
    tasks: Sequence[TaskCell] = ()
    trained_on: Sequence[Mapping[str, Sequence[int]]] = ()

    @property
    def cells(self) -> list[Cell]:
        """Cells that can have a number."""
        return [cell for cell in self.places if isinstance(cell, Cell)]


@dataclass(frozen=True, kw_only=True)
class Digests:
    """How a cell's digest is made at a rung.

    Attributes:
        place: Device and dtype.
        stamp: Of a rung and a cell, all but its prompts.
        template: The run's chat template.
        judged_as: Version of a further judge; empty where it cannot be known here.
    """

    place: str
    stamp: Callable[[Checkpoint, Cell], str]
    template: str | None = None
    judged_as: Callable[[JudgeOptions], str] = lambda judge: ""


def trained_on(run: Path, recipe: Recipe) -> list[dict[str, Any]]:
    """The training rows on which a run's progress is measured; older runs keep none."""
    return read_lines(run / TRAINED_ON)[: recipe.evaluation.progress_rows]


def expected(grid: Grid, rungs: Sequence[Checkpoint], digests: Digests | None = None) -> list[Expected]:
    """Every cell of a recipe at every step of its ladder.

    Args:
        grid: The recipe's cells.
        rungs: The run's.
        digests: None leaves them out, and asks lm-eval of no task whether it is applicable.
    """
    there = {rung.step: rung for rung in rungs}
    steps = sorted({*grid.recipe.ladder, *there})
    return [each for step in steps for each in _at(step, there.get(step), grid, digests)]


def expect(run: Path, asked: Grid) -> None:
    """Writes what a run that is about to be trained will be asked for, where that is not on disk."""
    if not still_asked(run):
        tasks, rows = task_cells(asked.recipe.evaluation), trained_on(run, asked.recipe)
        write_expected(run, expected(replace(asked, tasks=tasks, trained_on=rows), ()))


def write_expected(run: Path, cells: Sequence[Expected], place: str = "") -> None:
    """Puts the expected cells into the run's folder, with the device and dtype that their digests are of."""
    of_all = {"asked": _asked(run), "place": place}
    write_lines(run / FILE, [{**cell.line(), **of_all} for cell in cells])


def read_expected(run: Path) -> list[Expected]:
    """The expected cells that a run's folder holds; none in runs that were not measured yet."""
    return [_expected(line) for line in read_lines(run / FILE)]


def still_asked(run: Path) -> bool:
    """Whether the expected cells on disk are those of the recipe as it stands there."""
    return any(line["asked"] == _asked(run) for line in read_lines(run / FILE)[:1])


def judged_as(run: Path) -> dict[str, str]:
    """Versions of the further judges by label, as far as the expected cells on disk know them."""
    return {cell.where.judge: cell.judged_as for cell in read_expected(run) if cell.judged_as}


def place_of(run: Path) -> str:
    """Device and dtype of the digests on disk; empty where there are none."""
    return next((str(line["place"]) for line in read_lines(run / FILE)[:1]), "")


def where_of(line: Mapping[str, Any]) -> Where:
    """What a line of such a file names."""
    return Where(**{key: line[key] for key in Where.__dataclass_fields__ if key in line})


def _expected(line: Mapping[str, Any]) -> Expected:
    own = {key: line[key] for key in ("prompts", "version", "digest", "why_not")}
    later = {"judged_as": line.get("judged_as", ""), "too_long": line.get("too_long", 0)}
    return Expected(where=where_of(line), **later, **own)


def _asked(run: Path) -> str:
    """Digest of a recipe's ladder and evaluation section; a probe's corpus is in the cells' own digests."""
    recipe = load_recipe(run / RECIPE_FILE)
    return digest_of([recipe.ladder, repr(replace(recipe.evaluation, probe=ProbeCorpus()))])


def _at(step: int, rung: Checkpoint | None, grid: Grid, digests: Digests | None) -> Iterator[Expected]:
    for place in grid.places:
        yield from _of_place(step, rung, place, grid, digests)
    for harmful, benign in counterparts(grid.cells):
        both = [_digest(rung, cell, digests) for cell in (harmful, benign)]
        yield Expected(
            where=of_cell(step, harmful, "separation"), version=f"{harmful.version}{AGAINST}{benign.version}",
            digest="+".join(both) if all(both) else "",
        )  # fmt: skip
    for task in grid.tasks:
        yield _of_task(step, rung, task, digests)
    if grid.trained_on:
        digest = progress_digest(rung, grid.trained_on, digests.place) if rung and digests else ""
        where = Where(kind="progress", step=step, suite=PROGRESS)
        yield Expected(where=where, prompts=len(grid.trained_on), version=PROGRESS_VERSION, digest=digest)


def of_cell(step: int, cell: Cell | LeftOut, kind: Kind = "suite", judge: str = "") -> Where:
    """What a cell measures at a step."""
    return Where(
        kind=kind, step=step, suite=cell.name, defense=cell.defense, depth=cell.depth, wrapper=cell.wrapper,
        judge=judge,
    )  # fmt: skip


def of_task(step: int, task: TaskCell) -> Where:
    """What a task measures at a step."""
    return Where(kind="task", step=step, suite=task.suite, defense=task.options.label)


def _of_place(
    step: int, rung: Checkpoint | None, place: Cell | LeftOut, grid: Grid, digests: Digests | None
) -> Iterator[Expected]:
    if isinstance(place, LeftOut):
        yield Expected(where=of_cell(step, place), why_not=place.why)
        return
    digest = _digest(rung, place, digests)
    count, version = len(place.prompts), place.version
    yield Expected(
        where=of_cell(step, place), prompts=count, too_long=place.too_long, version=version, digest=digest
    )
    for judge in grid.recipe.evaluation.judges:
        judged_as = digests.judged_as(judge) if rung and digests else ""
        where = of_cell(step, place, "judge", judge.label)
        yield Expected(where=where, version=version, digest=digest, judged_as=judged_as)


def _of_task(step: int, rung: Checkpoint | None, task: TaskCell, digests: Digests | None) -> Expected:
    where = of_task(step, task)
    if digests is None or rung is None:
        return Expected(where=where)
    try:
        if not task.parts:
            return Expected(where=where, why_not="nothing is generated that a guard could halt")
        return Expected(where=where, digest=task.digest(rung, digests.template, digests.place))
    except Exception as error:
        log.warning("%s: lm-eval cannot read it, and it stays expected: %s", where, error)
        return Expected(where=where)


def _digest(rung: Checkpoint | None, cell: Cell, digests: Digests | None) -> str:
    return cell.digest(digests.stamp(rung, cell)) if rung and digests else ""
