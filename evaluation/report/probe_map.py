"""A probe's accuracy by block and depth, as a map for every rung it was fitted at."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from erosion.defenses.any_depth.linear_probe import SETTINGS
from erosion.evaluation.report.figure import drawing, saved

MOST = 4
"""Maps a figure: the first rung's and the last ones'."""


def draw_probe_map(folder: Path, stem: Path, *, title: str) -> list[Path]:
    """Draws and saves PNG and SVG; nothing where a run has fitted no probe.

    Args:
        folder: The run's probes.
        stem: Path without suffix.
        title: The figure's title.
    """
    found = {each.name: _grid(each) for each in sorted(folder.glob("step-??????")) if _grid(each)}
    names = [*list(found)[:1], *list(found)[1:][-(MOST - 1) :]]
    if not names:
        return []
    with drawing(width=1.5 + 4.6 * len(names), height=4.2, title=title) as figure:
        panels = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
        for axes, name in zip(panels, names, strict=True):
            grid = found[name]
            depths = sorted({int(depth) for row in grid.values() for depth in row})
            layers = sorted(map(int, grid))
            values = [
                [grid[str(layer)].get(str(depth), float("nan")) for depth in depths] for layer in layers
            ]
            image = axes.imshow(values, vmin=0.5, vmax=1, aspect="auto", origin="lower", cmap="cividis")
            axes.set_title(f"probe fitted at step {int(name.removeprefix('step-'))}", fontsize=10)
            axes.set_xticks(range(len(depths)), [str(depth) for depth in depths], rotation=90)
            axes.set_yticks(range(len(layers)), [str(layer) for layer in layers])
            axes.set(xlabel="answer tokens before the header", ylabel="block")
        figure.colorbar(image, ax=panels, label="balanced accuracy, validation conversations")
        return saved(figure, stem)


def _grid(folder: Path) -> dict[str, dict[str, float]]:
    if not (folder / SETTINGS).is_file():
        return {}
    settings: dict[str, Any] = json.loads((folder / SETTINGS).read_text(encoding="utf-8"))
    grid: dict[str, dict[str, float]] = settings["metrics"].get("by_layer_and_depth", {})
    return grid
