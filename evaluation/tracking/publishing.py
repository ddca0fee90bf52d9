"""What stands on disk of a measured run, as wandb shows it: curves as table and charts, figures, files.

No prompt and no answer is among them: samples stay on disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from erosion.evaluation.curves import ErosionCurve, curves
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.on_disk.run_folder import MEASUREMENTS
from erosion.evaluation.records import Measurement
from erosion.evaluation.report.figure import is_safety, is_utility
from erosion.evaluation.tracking.destination import AXIS
from erosion.evaluation.tracking.keys import measured as named
from erosion.evaluation.tracking.tracker import Tracker

TABLE = "curves"
COLUMNS = (
    "suite", "metric", "defense", "depth", "judge", "wrapper", "higher_is",
    "step", "value", "low", "high", "n", "unscored",
)  # fmt: skip
REPORTED = ("*.png", "*.svg", "erosion.csv")
"""Files of the report that hold numbers only; its pages may show samples."""


def publish(run: Path, tracker: Tracker) -> None:
    """Logs a run's curves, figures, report and measurements, each only where it has changed.

    Args:
        run: The run's folder.
        tracker: Where they go.
    """
    measured = [Measurement(**line) for line in read_lines(run / MEASUREMENTS)] if tracker.logs else []
    if not measured:
        return
    last = max(measurement.step for measurement in measured)
    for step in sorted({measurement.step for measurement in measured}):
        tracker.log(named(m for m in measured if m.step == step), step=step)
    _table(measured, tracker, last)
    for name, series in charts(curves(measured)).items():
        _chart(name, series, tracker, last)
    for file in sorted((run / "report").glob("*.png")):
        tracker.image(f"eval/{file.stem}", file, step=last)
    tracker.artifact("measurements", [run / MEASUREMENTS])
    tracker.artifact("report", sorted(file for kind in REPORTED for file in (run / "report").glob(kind)))
    tracker.summary(named(measurement for measurement in measured if measurement.step == last))


def charts(found: Sequence[ErosionCurve]) -> dict[str, dict[str, ErosionCurve]]:
    """Curves that belong in one chart, by what they are of: safety and utility, as in the report's figure."""
    made: dict[str, dict[str, ErosionCurve]] = {}
    for curve in found:
        if len(curve.steps) > 1 and (is_safety(curve) or is_utility(curve)):
            made.setdefault(f"{TABLE}/{curve.suite}/{curve.metric}", {})[_label(curve)] = curve
    return made


def _label(curve: ErosionCurve) -> str:
    wrapped = "" if curve.wrapper == "none" else f", {curve.wrapper}"
    return f"{curve.defense}, depth {curve.depth}{wrapped}"


def _table(measured: Sequence[Measurement], tracker: Tracker, last: int) -> None:
    ordered = sorted(measured, key=lambda point: (point.key[1:], point.step))
    rows = [[getattr(point, column) for column in COLUMNS] for point in ordered]

    def made() -> Any:
        import wandb

        return wandb.Table(columns=list(COLUMNS), data=rows)

    tracker.thing(f"{TABLE}/table", made, digest=_digest(rows), step=last)


def _chart(name: str, series: Mapping[str, ErosionCurve], tracker: Tracker, last: int) -> None:
    def made() -> Any:
        import wandb

        xs, ys = zip(*((list(curve.steps), list(curve.values)) for curve in series.values()), strict=True)
        return wandb.plot.line_series(xs, ys, keys=list(series), title=name, xname=AXIS)

    points = {label: (curve.steps, curve.values) for label, curve in series.items()}
    tracker.thing(name, made, digest=_digest(points), step=last)


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]
