"""One side of a comparison: a rung of a measured run, or a file of prompts and answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from erosion.evaluation.paired.cells import Side, of_side
from erosion.evaluation.paired.suite_cells import suite_cells
from erosion.evaluation.rubrics.base import asked_of
from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.records import Record, records, shown_columns, text
from erosion.recipes.schema import Data

COLUMNS = (("prompt", "completion"), ("instruction", "output"))
"""Where a file's texts are: as `erosion judge` reads them, or as AlpacaEval writes its references."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Which answers of a run are compared.

    Attributes:
        suite: Whose prompts; None where no side is a run.
        defense: The guard they were measured under.
    """

    suite: str | None
    defense: str = "none"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer.

    Attributes:
        case: The case in its suite; a row's place in a file.
        request: What was asked.
        text: What was said.
    """

    case: str
    request: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Answers:
    """A side.

    Attributes:
        name: `RUN@STEP`, or the file.
        run: The run; None where it is a file.
        answers: In their order.
    """

    name: str
    run: Path | None
    answers: tuple[Answer, ...]


def answers_of(name: str, cell: Cell) -> Answers:
    """The answers of a side; of a run those that were asked for plainly, at depth 0.

    Args:
        name: `RUN@STEP`, a run (its last measured rung), or a file with the columns `prompt` and
            `completion`, or `instruction` and `output`.
        cell: Which answers of a run.

    Raises:
        RecipeError: Nothing has that name, or it holds no such answers.
    """
    if Path(name).expanduser().is_file():
        return _of_file(Path(name).expanduser())
    run, at, step = name.rpartition("@")
    if at and not step.isdecimal():
        raise mistake("step", step, "a rung of the run, as in RUN@STEP")
    return _of_run(Path(run if at else name).expanduser(), int(step) if at else None, cell)


def _of_run(run: Path, step: int | None, cell: Cell) -> Answers:
    side = Side(run=run, defense=cell.defense)
    cells = of_side(side, list(suite_cells(run)))
    plain = [cell for cell in cells if cell.what.wrapper == "none" and cell.what.depth == 0]
    suites = list(dict.fromkeys(cell.what.suite for cell in plain))
    if cell.suite not in suites:
        raise mistake(f"{run.name}: --suite", cell.suite, ", ".join(suites), known=suites)
    own = [each for each in plain if each.what.suite == cell.suite]
    steps = sorted({each.step for each in own})
    step = steps[-1] if step is None else step
    if step not in steps:
        raise mistake(f"{run.name}: step", step, ", ".join(map(str, steps)))
    rows = [each for each in own if each.step == step][-1].rows()
    answers = (Answer(case=row["id"], request=asked_of(row["messages"]), text=row["text"]) for row in rows)
    return Answers(name=f"{run}@{step}", run=run, answers=tuple(answers))


def _of_file(file: Path) -> Answers:
    rows = records(Data(name="prefer", path=str(file)))
    return Answers(name=str(file), run=None, answers=tuple(_answer(where, row) for where, row in rows))


def _answer(where: str, row: Record) -> Answer:
    known = [pair for pair in COLUMNS if set(pair) <= set(row)]
    if not known:
        given = shown_columns(row)
        allowed = " or ".join(f"{asked} and {said}" for asked, said in COLUMNS)
        raise RecipeError(f"{where}: columns: given {given!r}, allowed {allowed}")
    asked, said = known[0]
    answer = "" if row[said] is None else row[said]
    if not isinstance(answer, str):
        raise RecipeError(f"{where}: column {said!r} is {type(answer).__name__}, allowed text")
    return Answer(case=where, request=text(row, asked, where), text=answer)
