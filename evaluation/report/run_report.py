"""Figure, CSV and table of one run, all made again from `measurements.jsonl`."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from erosion.evaluation.completeness.completeness import Completeness
from erosion.evaluation.curves import ErosionCurve, curves
from erosion.evaluation.hypotheses.findings import Finding, rows_of, told
from erosion.evaluation.hypotheses.of_runs import run_findings
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.judging.partial_refusals import PARTIAL
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS
from erosion.evaluation.records import Measurement
from erosion.evaluation.report.by_depth import draw_by_depth
from erosion.evaluation.report.completeness_lines import counted
from erosion.evaluation.report.fair import draw_progress
from erosion.evaluation.report.figure import (
    draw,
    is_control,
    is_judge_error,
    is_of_another_judge,
    is_safety,
    is_utility,
)
from erosion.evaluation.report.judges_differ import judges_differ, judges_drift
from erosion.evaluation.report.probe_map import draw_probe_map
from erosion.evaluation.report.table import table

STEM = "erosion"
WIDEST = 160
"""Columns a table may take where the terminal does not say: a log file has no width."""

LISTED = 40
"""Cells without a current number that the terminal names; the rest is counted."""


def report(run: Path, *, title: str | None = None) -> list[Path]:
    """Writes `report/erosion.{png,svg,csv}`, the figures by depth and of the probe, and prints the table.

    Where the run's recipe states hypotheses, it says of each whether it held, and writes `hypotheses.csv`.

    Returns:
        The files; none when nothing has been measured.
    """
    measured = [Measurement(**line) for line in read_lines(run / MEASUREMENTS)]
    if not measured:
        print(f"nothing measured yet in {run}: its recipe names no suites")
        return []
    found = curves(measured)
    stem = run / "report" / STEM
    stem.parent.mkdir(parents=True, exist_ok=True)
    heading = title or f"Erosion of {run.name}"
    files = [
        *draw(found, stem, title=heading),
        *draw_by_depth(found, stem.with_name("by_depth"), title=heading),
        *draw_progress(found, stem.with_name("progress"), title=heading),
        *draw_probe_map(run / "probe", stem.with_name("probe"), title=f"{run.name}: ADA-LP's probe"),
        write_csv(measured, stem.with_suffix(".csv")),
    ]
    state = counted(run)
    told_of = run_findings(run, state)
    if told_of:
        files.append(_write_findings(told_of, stem.with_name("hypotheses.csv")))
    _print_completeness(state)
    _print(run, found, files)
    for sentence in told(told_of):
        print(sentence)
    if len(codes := sorted({each.code for each in measured})) > 1:
        print(f"code: {', '.join(codes)}; a number is kept as long as the versions beside it are the same")
    return files


def write_csv(measured: Sequence[Measurement], file: Path) -> Path:
    """All measurements, one a line, nested packages left out."""
    names = [field.name for field in dataclasses.fields(Measurement) if field.name != "packages"]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(measurement.line() for measurement in measured)
    return file


def _write_findings(findings: Sequence[Finding], file: Path) -> Path:
    names = ["number", *(field.name for field in dataclasses.fields(Finding))]
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, names)
        writer.writeheader()
        writer.writerows(rows_of(findings))
    return file


def _print(run: Path, found: Sequence[ErosionCurve], files: Sequence[Path]) -> None:
    from rich.console import Console

    grid = table(
        [curve for curve in found if _is_shown(curve)], title=f"{run.name}: what is left at every rung"
    )
    Console(width=max(Console().width, WIDEST)).print(grid)
    for sentence in [*judges_differ(found), *judges_drift(found)]:
        print(sentence)
    for file in files:
        print(f"{'table' if file.suffix == '.csv' else 'figure'}: {file}")
    print(f"samples: {run / 'samples'}\nmeasurements: {run / MEASUREMENTS}")


def _print_completeness(state: Completeness | str) -> None:
    print(state)
    if isinstance(state, str):
        return
    wanting = [*state.of("missing"), *state.of("stale")]
    for cell in wanting[:LISTED]:
        print(f"  {cell}")
    if len(wanting) > LISTED:
        print(f"  and {len(wanting) - LISTED} more")


def _is_shown(curve: ErosionCurve) -> bool:
    """The figure's curves, what guards tell apart, and where nothing is forced log-odds and other judges.

    A judge's errors are shown at every depth where it makes any, partial refusals where there are any.
    """
    if curve.metric == "tpr_minus_fpr":
        return True
    if is_judge_error(curve):
        return curve.defense == "none" and any(curve.values)
    alone = curve.depth == 0 and curve.defense == "none"
    if curve.metric == PARTIAL:
        return alone and any(curve.values)
    beside = curve.metric in ("refusal_log_odds", "judge_agreement", "judge_kappa")
    beside = alone and (beside or is_of_another_judge(curve))
    return not is_control(curve.defense) and (beside or is_safety(curve) or is_utility(curve))
