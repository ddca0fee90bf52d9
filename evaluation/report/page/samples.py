"""Every stored answer behind the measurements, as a grid; in a safe release hashes in place of words."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from erosion.evaluation.paired.differences import CellMissing
from erosion.evaluation.paired.suite_cells import suite_cells
from erosion.evaluation.report.page.contents import Column, Grid, Part, Text, choices
from erosion.evaluation.report.page.runs import Run
from erosion.evaluation.report.page.wording import guard

Row = Mapping[str, Any]
Value = str | float | None
WORDS = ("prompt", "prefill", "answer")
"""Columns that hold what a person or a model wrote."""
FILTERED = ("run", "suite", "rung", "defence", "wrapper", "depth", "label", "judge")
SHOWN = ("run", "suite", "rung", "defence", "wrapper", "depth", "label", "judge", "case", "prompt", "answer")
"""Columns of the grid; the others are told beside a prompt's ladder."""


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What a report holds of the runs' answers.

    Attributes:
        rows: Answers, run by run and rung by rung.
        held: How many answers there are behind the measurements.
        gone: One sentence for every cell whose answers are no longer there.
    """

    rows: tuple[dict[str, Value], ...]
    held: int
    gone: tuple[str, ...]


def stored(runs: Sequence[Run], *, most: int, safe: bool) -> Stored:
    """Reads the answers of every measured cell.

    Args:
        runs: The runs.
        most: Answers in all; above it every cell gives its first prompts only, so that ladders stay whole.
        safe: Hashes in place of prompts and answers.
    """
    cells, gone = [], []
    for run in runs:
        for cell in suite_cells(run.path):
            try:
                cells.append((run, cell.rows()))
            except CellMissing as error:
                gone.append(f"{run.name}, step {cell.step}: {error}")
    each = _each([len(rows) for _, rows in cells], most)
    made = tuple(_row(run, row) for run, rows in cells for row in rows[:each])
    kept = tuple(_hashed(row) for row in _without_ids(made)) if safe else made
    return Stored(rows=kept, held=sum(len(rows) for _, rows in cells), gone=tuple(gone))


def sample_parts(found: Stored, *, safe: bool) -> list[Part]:
    """The grid, and a sentence for all that is not in it."""
    said = [Text(says=f"Answers left out: {sentence}.", tone="notice") for sentence in found.gone]
    if len(found.rows) < found.held:
        says = f"{len(found.rows):,} of {found.held:,} answers are here: the first prompts of every cell."
        said.append(Text(says=f"{says} --samples N takes more.", tone="notice"))
    if not found.rows:
        return [*said, Text(says="No answers are stored beside these measurements.", tone="notice")]
    if safe:
        says = (
            "Prompts and answers are left out of this release; SHA-256 of their UTF-8 text stands for them."
        )
        said.append(Text(says=says, tone="notice"))
    return [*said, sample_grid(found.rows)]


def sample_grid(rows: Sequence[Mapping[str, Value]]) -> Grid:
    """The rows as columns."""
    columns = tuple(_column(name, tuple(row[name] for row in rows)) for name in rows[0])
    verdicts = {str(row["verdicts"]) for row in rows}
    told = [verdict for text in sorted(verdicts) for verdict in json.loads(text)]
    by_any = {"judge": choices(by for by, _, _ in told), "label": choices(label for _, label, _ in told)}
    columns = tuple(replace(each, choices=by_any.get(each.name, each.choices)) for each in columns)
    caption = "Answers behind the measurements. A row opens all rungs of its prompt."
    return Grid(name="samples", caption=caption, columns=columns, ladders=True)


def _column(name: str, values: tuple[Value, ...]) -> Column:
    own = choices(values) if name in FILTERED else ()
    shown = name in SHOWN and not (name == "wrapper" and set(values) == {"none"})
    head, searched = name if shown else "", name in (*WORDS, "case")
    return Column(name=name, head=head, values=values, choices=own, searched=searched)


def _each(sizes: Sequence[int], most: int) -> int:
    """Answers a cell may give so that all together stay within the limit; at least one, if any."""
    each = max(sizes, default=0) if most else 0
    while each > 1 and sum(min(size, each) for size in sizes) > most:
        each -= max(1, each // 50)
    return each


def _row(run: Run, row: Row) -> dict[str, Value]:
    verdicts = [[name, verdict["label"], verdict["detail"]] for name, verdict in row["verdicts"].items()]
    asked, defense = _asked(row["messages"]), guard(row["defense"])
    return {
        "run": run.name, "suite": row["suite"], "rung": row["step"], "defence": defense,
        "wrapper": row["wrapper"], "depth": row["depth"], "label": row["label"], "judge": row["judge"],
        "case": row["id"], "prompt": asked, "prefill": row["prefill"], "answer": row["text"],
        "verdicts": json.dumps(verdicts), "stopped": row["stopped_by"], "halted": row["halted_at"],
    }  # fmt: skip


def _asked(messages: Sequence[Mapping[str, str]]) -> str:
    """The user's words; with the roles where there is more than one turn."""
    if len(messages) == 1:
        return messages[0]["content"]
    return "\n".join(f"{message['role']}: {message['content']}" for message in messages)


def _hashed(row: dict[str, Value]) -> dict[str, Value]:
    """Hashes in place of words; what a verdict rests on quotes the answer and is left out."""
    words = {name: sha256(str(row[name])) if row[name] else "" for name in WORDS}
    verdicts = [[name, label, ""] for name, label, _ in json.loads(str(row["verdicts"]))]
    return {**row, **words, "verdicts": json.dumps(verdicts)}


def sha256(text: str) -> str:
    """In hexadecimal digits, of the UTF-8 text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _without_ids(rows: Sequence[dict[str, Value]]) -> Iterator[dict[str, Value]]:
    """The rows with other ids in every suite where one says a word of its prompt."""
    telling = {row["suite"] for row in rows if _tells(str(row["case"]), str(row["prompt"]))}
    for row in rows:
        yield {**row, "case": sha256(str(row["case"]))[:12]} if row["suite"] in telling else row


def _tells(case: str, prompt: str) -> bool:
    said = set(re.findall(r"[^\W\d_]{3,}", prompt.casefold()))
    return any(word in said for word in re.findall(r"[^\W\d_]{3,}", case.casefold()))
