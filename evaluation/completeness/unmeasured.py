"""Why cells have no number: kept beside the numbers, written anew by every sweep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from erosion.evaluation.completeness.expected import Where, where_of
from erosion.evaluation.jsonl import read_lines, write_lines

FILE = "unmeasured.jsonl"


@dataclass(frozen=True, kw_only=True)
class Note:
    """Why something has no number.

    Attributes:
        why: One sentence.
        step: The rung, where all of it has none.
        where: The cell, where only that has none.
        applicable: Whether it should have one.
    """

    why: str
    step: int | None = None
    where: Where | None = None
    applicable: bool = True

    def speaks_of(self, where: Where) -> bool:
        """Whether it says why this cell has no number; of a failed cell it does for what rests on it."""
        if self.where is None:
            return self.step == where.step
        if self.where == where:
            return True
        rests = self.where.kind == "suite" and where.kind in ("judge", "separation")
        return rests and _place(self.where) == _place(where)


@dataclass(kw_only=True)
class Notes:
    """What a sweep could not measure, on disk as soon as it is known.

    Attributes:
        run: The run's folder.
        found: In the order in which they came up.
    """

    run: Path
    found: list[Note] = field(default_factory=list)

    def add(self, note: Note) -> None:
        """Keeps one."""
        self.found.append(note)
        self.write()

    def write(self) -> None:
        """Puts all of them in the place of an earlier sweep's."""
        write_lines(self.run / FILE, [asdict(note) for note in self.found])


def read_notes(run: Path) -> list[Note]:
    """What the last sweep of a run could not measure."""
    return list(_notes(run))


def keep_notes(run: Path, judge: str, notes: Sequence[Note]) -> None:
    """Puts what a further judge left without a number in the place of what an earlier call of it left."""
    others = [note for note in read_notes(run) if note.where is None or note.where.judge != judge]
    if notes or (run / FILE).is_file():
        write_lines(run / FILE, [asdict(note) for note in (*others, *notes)])


def _notes(run: Path) -> Iterator[Note]:
    for line in read_lines(run / FILE):
        where = where_of(line["where"]) if line["where"] else None
        yield Note(why=line["why"], step=line["step"], where=where, applicable=line["applicable"])


def _place(where: Where) -> tuple[object, ...]:
    return (where.step, where.suite, where.defense, where.depth, where.wrapper)
