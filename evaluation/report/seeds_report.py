"""`erosion seeds`: groups runs by seed, prints their mean curves and trade-offs, and writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from erosion.evaluation.curves import Grid
from erosion.evaluation.report.completeness_lines import print_completeness
from erosion.evaluation.report.paired import check_suffix
from erosion.evaluation.report.seeds import is_shown, seed_table, tradeoff_table, write_seeds
from erosion.evaluation.seeds.groups import SeedGroup, run_folders, seed_groups, why_apart
from erosion.evaluation.seeds.seed_curves import SeedCurve, seed_curves
from erosion.evaluation.seeds.tradeoff import guard_tradeoffs, training_tradeoffs

WIDEST = 200
"""Characters a line where the terminal has fewer."""
Made = Sequence[tuple[SeedGroup, list[SeedCurve]]]


def seeds_report(folders: Sequence[Path], *, grid: Grid, out: Path | None = None) -> list[str]:
    """Prints how complete every run is, then each group's curves and what guards, and other trainings, cost.

    Args:
        folders: Runs, or folders that hold runs. The first one's group is what other groups are set against.
        grid: The axis of areas and trade-offs.
        out: A CSV file of every curve.

    Returns:
        One sentence for every rung of a shown curve that a seed lacks.

    Raises:
        RecipeError: A folder that neither is a run nor holds one, or a file that is no CSV.
    """
    if out is not None:
        check_suffix(out)
    made = [(group, seed_curves(group)) for group in seed_groups(run_folders(folders))]
    print_completeness(run for group, _ in made for run in group.runs)
    _print(made, grid)
    if out is not None:
        write_seeds([curve for _, curves in made for curve in curves], out)
        print(f"written: {out}")
    shown = [curve for _, curves in made for curve in curves if is_shown(curve)]
    return [
        f"{curve.run}: {curve.suite}, {curve.metric}: {said}" for curve in shown for said in curve.missing
    ]


def _print(made: Made, grid: Grid) -> None:
    from rich.console import Console

    console = Console(width=max(Console().width, WIDEST))
    for group, curves in made:
        console.print(seed_table(group, curves, grid=grid))
        if found := list(guard_tradeoffs(curves, grid=grid)):
            console.print(tradeoff_table(found, grid=grid, title=f"{group.name}: what guards keep and cost"))
    for group, curves in made[1:]:
        for line in _against(made[0][0], made[0][1], group, curves, grid):
            console.print(line)


def _against(
    first: SeedGroup, plain: Sequence[SeedCurve], group: SeedGroup, curves: Sequence[SeedCurve], grid: Grid
) -> Iterator[object]:
    """Why a group is another than the first, and, under the same seeds, what it keeps and costs."""
    yield why_apart(first.runs[0], group.runs[0])
    if group.seeds == first.seeds and (found := list(training_tradeoffs(curves, plain, grid=grid))):
        title = f"{group.name} against {first.name}: what it keeps and costs"
        yield tradeoff_table(found, grid=grid, title=title)
