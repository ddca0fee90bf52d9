"""`erosion pocket check`: measures, prints the table and says what was missed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from erosion.evaluation.engine import Engine
from erosion.evaluation.machine import use_all_cores
from erosion.evaluation.models import LoadOptions, load_model, load_tokenizer
from erosion.evaluation.on_disk.checkpoints import base_digest, rung_at
from erosion.evaluation.on_disk.run_folder import open_run
from erosion.evaluation.pocket.behaviour import Advance
from erosion.evaluation.pocket.check import check
from erosion.evaluation.pocket.header import HeaderProbe
from erosion.evaluation.pocket.properties import HEADINGS, Property, cells, missed
from erosion.recipes.models import speaks_pocket
from erosion.recipes.parsing import RecipeError

WIDEST = 140
"""Columns where the terminal does not say."""


def measured(
    run: Path | None, *, step: int | None = None, limit: int = 1000, file: Path | None = None
) -> list[Property]:
    """Measures the shipped weights, or a rung of a run, and prints the table.

    Args:
        run: A run whose base is the embedded model; None for the shipped weights.
        step: Its rung; the last when None.
        limit: Prompts a property.
        file: Where the numbers go as JSON too.

    Returns:
        The properties whose bar does not hold.

    Raises:
        RecipeError: Not a run of the embedded model, or no such rung.
    """
    use_all_cores()
    started = time.perf_counter()
    engine, digest = opened(run, step)
    frozen = None if run is None else HeaderProbe.fitted(load_model(engine.base), engine.tokenizer)
    with _progress() as advance:
        properties = check(engine, limit=limit, frozen=frozen, advance=advance)
    show(properties, f"{run or 'pocket'}, {limit} prompts a property, {time.perf_counter() - started:.0f} s")
    if file is not None:
        write(file, {"weights_digest": digest, "limit": limit, "properties": lines(properties)})
    return missed(properties)


def opened(run: Path | None, step: int | None) -> tuple[Engine, str]:
    """An engine on the shipped weights or with a rung of a run entered, and those weights' digest."""
    if run is None:
        return Engine("pocket", load_tokenizer("pocket")), base_digest("pocket")
    recipe, rungs = open_run(run)
    if not speaks_pocket(recipe.model):
        raise RecipeError(f"run: {run} was trained on {recipe.model!r}, which is not the embedded model")
    rung = rung_at(rungs, step)
    engine = Engine(recipe.model, load_tokenizer(rung.folder), LoadOptions.of(recipe))
    engine.enter(rung)
    return engine, rung.weights_digest


def show(properties: Sequence[Property], title: str) -> None:
    """Prints the table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*HEADINGS, title=title)
    for row in cells(properties):
        table.add_row(*row)
    Console(width=None if sys.stdout.isatty() else WIDEST).print(table)
    for each in missed(properties):
        print(f"missed: {each.name} is {each.value:.3f} {each.interval}, the bar is {each.bar}")


def lines(properties: Sequence[Property]) -> list[dict[str, Any]]:
    """As JSON."""
    return [{**asdict(each), "verdict": each.verdict} for each in properties]


def write(file: Path, content: dict[str, Any]) -> None:
    """Writes JSON, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.replace(file)


@contextmanager
def _progress() -> Iterator[Advance]:
    from rich.progress import Progress, TextColumn, TimeElapsedColumn

    with Progress(TextColumn("{task.description}"), TimeElapsedColumn(), transient=True) as bar:
        task = bar.add_task("measuring", total=None)
        yield lambda what, count: bar.update(task, description=what, advance=count)
