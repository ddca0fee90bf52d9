"""What measuring cost: seconds, prompts and tokens, by run and suite."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from erosion.evaluation.on_disk.costs import read_costs
from erosion.evaluation.report.page.contents import Cell, Part, Table, Text
from erosion.evaluation.report.page.runs import Run
from erosion.evaluation.report.page.wording import NOT_ASKED, guard

NAMES = {
    "seconds": "seconds",
    "prompts": "prompts",
    "prompt_tokens": "tokens read",
    "generated_tokens": "tokens written",
    "guard_tokens": "tokens of guards",
    "gpu_hours": "GPU-hours",
}
Lines = list[Mapping[str, Any]]


def cost_parts(runs: Sequence[Run]) -> list[Part]:
    """A table by run, suite and defence, with sums; seconds alone where a run has kept no more."""
    rows = [row for run in runs for row in _rows(run)]
    if not rows:
        return [Text(says="No costs were kept.", tone="notice")]
    heads = ("run", "suite", "defence", *NAMES.values())
    table = Table(
        caption="Cost of measuring, all rungs together", heads=heads, rows=tuple(rows), sortable=True,
        numeric=frozenset(range(3, len(heads))), folded=len(rows) > 30,
    )  # fmt: skip
    return [_totals(runs), table]


def _totals(runs: Sequence[Run]) -> Table:
    rows = tuple((Cell(says=run.name), *_sums(_lines(run))) for run in runs)
    return Table(
        caption="Cost of measuring, by run", heads=("run", *NAMES.values()), rows=rows, sortable=True,
        numeric=frozenset(range(1, 1 + len(NAMES))),
    )  # fmt: skip


def _lines(run: Run) -> Lines:
    """A line for every cell that was worked on; of older runs, what their measurements say."""
    return [*read_costs(run.path)] or list({line.cell_digest: vars(line) for line in run.measured}.values())


def _rows(run: Run) -> list[tuple[Cell, ...]]:
    found: dict[tuple[str, str], Lines] = {}
    for line in _lines(run):
        judged = f", judged by {line['judge']}" if line.get("kind") == "judge" else ""
        found.setdefault((f"{line['suite']}{judged}", line["defense"]), []).append(line)
    return [
        (Cell(says=run.name), Cell(says=suite), Cell(says=guard(defense)), *_sums(lines))
        for (suite, defense), lines in found.items()
    ]


def _sums(lines: Lines) -> list[Cell]:
    return [_sum([line[key] for line in lines if line.get(key) is not None]) for key in NAMES]


def _sum(values: Sequence[float]) -> Cell:
    if not values:
        return Cell(says=NOT_ASKED, tone="quiet")
    total = math.fsum(values)
    whole = all(isinstance(value, int) for value in values)
    return Cell(
        says=f"{total:,.0f}" if whole else f"{total:,.1f}" if total >= 1 else f"{total:.3g}", order=total
    )
