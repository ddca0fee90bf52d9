"""Two runs, two groups of seeds, or two defences, compared prompt by prompt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from erosion.evaluation.paired.comparison import Compared, Comparison
from erosion.evaluation.report.page.contents import Cell, Folded, Heading, Part, Table, Text
from erosion.evaluation.report.page.paired_blocks import Block
from erosion.evaluation.report.page.wording import NOT_ASKED
from erosion.evaluation.report.paired import cell_title, left_out, shown_p

NOTE = (
    "The same prompts on both sides, at the last rung both have. Of two runs, rates have Newcombe's paired "
    "interval and McNemar's exact test; scores, and rates of several answers to a prompt, have a paired "
    "bootstrap by prompt and a sign-flip test. Of groups of five seeds or more, prompts and seeds are "
    "resampled crossed, and p is that of the interval; where all differences are one value there is none. "
    "Holm's correction is over all rows of a table. "
    '"Detectable" is the smallest difference found with 80 % power at this n.'
)
HEADS = (
    "what", "first", "second", "n", "difference", "p", "Holm's p", "gained", "lost", "detectable"
)  # fmt: skip
CLEAR = 0.05
ELSE = "`erosion paired` takes any two runs or groups of seeds, or two defences."


def paired_parts(blocks: Sequence[Block], groups: int) -> list[Part]:
    """The comparison of two groups, and of every group's defences; all but the first table folded."""
    between, within = ([block for block in blocks if bool(block.of) is of] for of in (False, True))
    parts: list[Part] = [Text(says=NOTE)] if any(block.made for block in blocks) else []
    if groups != 2:
        here = "is one run or group" if groups == 1 else f"are {groups}"
        parts.append(Text(says=f"Two sides are compared prompt by prompt; here {here}. {ELSE}"))
    for block in between:
        parts += _parts(block)
    for block in within:
        parts += [Heading(says=f"Defences of {block.of}"), *_parts(block)]
    return parts


def _parts(block: Block) -> Iterator[Part]:
    yield from (Text(says=f"{sentence}.", tone="notice") for sentence in block.said)
    for place, made in enumerate(block.made):
        own = tuple(_of(made, block.of))
        if place or block.of:
            caption = own[0].caption if isinstance(own[0], Table) else ""
            yield Folded(says=caption, parts=own)
        else:
            yield from own
    yield from (Text(says=sentence, tone="notice") for sentence in block.failed)


def _of(made: Comparison, of: str) -> Iterator[Table | Text]:
    yield _table(made, of)
    said = [f"{sentence}." for sentence in left_out(made)]
    said += [f"Not compared: {sentence}." for sentence in made.missing]
    yield from (Text(says=sentence, tone="notice") for sentence in said)


def _table(made: Comparison, of: str) -> Table:
    rows = [_row(cell, p) for cell, p in zip(made.cells, made.adjusted, strict=True)]
    (first, second), seeds = made.sides.names, ", ".join(map(str, made.sides.seeds))
    where = f"{made.sides.runs[0]}, step {made.step}" if of else f"Step {made.step}"
    over = f", over the seeds {seeds}" if seeds else ""
    return Table(
        caption=f"{where}: {second} (second) minus {first} (first){over}", heads=HEADS,
        rows=tuple(rows), numeric=frozenset(range(1, len(HEADS))), sortable=True,
    )  # fmt: skip


def _row(cell: Compared, adjusted: float) -> tuple[Cell, ...]:
    found = cell.found
    ends = "" if found.low is None else f"{found.low:+z.2f} to {found.high:+z.2f}"
    clear = adjusted < CLEAR
    return (
        Cell(says=cell_title(cell)),
        Cell(says=f"{found.first:.2f}", order=found.first),
        Cell(says=f"{found.second:.2f}", order=found.second),
        Cell(says=str(found.n), order=found.n),
        Cell(says=f"{found.difference:+z.2f}", beside=ends, order=found.difference),
        Cell(says=shown_p(found.p), order=found.p),
        Cell(says=shown_p(adjusted) + (" *" if clear else ""), order=adjusted),
        Cell(says=str(found.gained), order=found.gained),
        Cell(says=str(found.lost), order=found.lost),
        Cell(says=NOT_ASKED, tone="quiet")
        if found.detectable is None
        else Cell(says=f"{found.detectable:.2f}", order=found.detectable),
    )
