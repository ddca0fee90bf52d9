"""The tables of paired comparisons, in the terminal and as CSV."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from erosion.evaluation.paired.comparison import Compared, Comparison
from erosion.recipes.parsing import mistake

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("first", "second", "n", "difference [95 %]", "p", "Holm's p", "gained, lost", "detectable")
FIELDS = (
    "first_run", "second_run", "seeds", "step", "suite", "depth", "wrapper", "first_defense",
    "second_defense", "metric", "higher_is", "judge", "n", "first", "second", "difference", "low", "high",
    "p", "gained", "lost", "detectable", "p_holm", "unscored", "only_first", "only_second", "by_seed",
)  # fmt: skip


def paired_table(made: Comparison) -> Table:
    """A terminal table: one comparison a line; a star where Holm's p is below 0.05."""
    from rich.table import Table

    grid = Table(title=title(made), title_justify="left")
    grid.add_column("what")
    for name in COLUMNS:
        grid.add_column(name, justify="right", no_wrap=True)
    for cell, adjusted in zip(made.cells, made.adjusted, strict=True):
        found = cell.found
        grid.add_row(
            cell_title(cell), f"{found.first:.2f}", f"{found.second:.2f}", str(found.n), _difference(cell),
            shown_p(found.p), shown_p(adjusted) + ("*" if adjusted < 0.05 else ""),
            f"{found.gained}, {found.lost}", "-" if found.detectable is None else f"{found.detectable:.2f}",
        )  # fmt: skip
    return grid


def title(made: Comparison) -> str:
    """What is compared at which rung, and over which seeds."""
    first, second = made.sides.names
    seeds = f", prompts crossed with the seeds {', '.join(map(str, made.sides.seeds))}"
    return f"step {made.step}: {second} minus {first}{seeds if made.sides.seeds else ''}"


def cell_title(cell: Compared) -> str:
    """What one line compares."""
    return f"{cell.what.place}: {cell.metric.replace('_', ' ')} ({cell.judge})"


def shown_p(p: float) -> str:
    """A p-value in three decimals."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def left_out(made: Comparison) -> Iterator[str]:
    """One sentence for every cell some of whose prompts are not compared, and for all that is left out."""
    first, second = made.sides.names
    words = {"unscored": "unscored", "only_first": f"of {first} only", "only_second": f"of {second} only"}
    for cell in made.cells:
        counts = [(cell.left_out(why), said) for why, said in words.items()]
        if said := ", ".join(f"{count} {word}" for count, word in counts if count):
            over = " (over all seeds)" if made.sides.seeds else ""
            yield f"{cell.what}: prompts left out{over}: {said}"
    yield from made.aside


def write_paired(made: Sequence[Comparison], file: Path) -> None:
    """Writes every comparison with all its numbers as CSV, beside it first, then renamed."""
    check_suffix(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    with beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(line for each in made for line in paired_lines(each))
    os.replace(beside, file)


def check_suffix(file: Path) -> None:
    """Complains of a file that is no CSV.

    Raises:
        RecipeError: Another ending.
    """
    if file.suffix != ".csv":
        raise mistake("--out: file type", file.suffix, ".csv")


def paired_lines(made: Comparison) -> Iterator[dict[str, Any]]:
    """A comparison's numbers as lines of a CSV file."""
    first, second = made.sides.pairs[0]
    names = made.sides.runs
    for cell, adjusted in zip(made.cells, made.adjusted, strict=True):
        by_seed = cell.by_seed if made.sides.seeds else ()
        yield {
            "first_run": names[0], "second_run": names[1], "step": made.step,
            "seeds": " ".join(map(str, made.sides.seeds)),
            "by_seed": " ".join(f"{value:.6g}" for value in by_seed),
            "suite": cell.what.suite, "depth": max(cell.what.depth, 0), "wrapper": cell.what.wrapper,
            "first_defense": first.defense or cell.what.defense,
            "second_defense": second.defense or cell.what.defense,
            "metric": cell.metric, "higher_is": cell.higher_is, "judge": cell.judge, **vars(cell.found),
            "p_holm": adjusted,
            **{why: cell.left_out(why) for why in ("unscored", "only_first", "only_second")},
        }  # fmt: skip


def _difference(cell: Compared) -> str:
    found = cell.found
    ends = "" if found.low is None else f" [{found.low:+.2f}, {found.high:+.2f}]"
    return f"{found.difference:+.2f}{ends}"
