"""`erosion pocket outcomes`: the embedded model's table after harmful and harmless fine-tuning.

These are outcomes, not bars: they are reported as they fall.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from erosion import recipes
from erosion.evaluation.engine import Engine
from erosion.evaluation.models import load_model, load_tokenizer
from erosion.evaluation.on_disk.checkpoints import base_digest, read_ladder
from erosion.evaluation.pocket.check import check
from erosion.evaluation.pocket.header import HeaderProbe
from erosion.evaluation.pocket.reporting import lines, show, write
from erosion.recipes.parsing import RecipeError
from erosion.training.run import run

ATTACKS = {"harmful": "harmful_50steps.yaml", "harmless": "benign_50steps.yaml"}
LEARNING_RATES = (1e-4, 5e-4, 2e-3)
STEPS = (10, 50)


def outcomes(runs: Path, *, limit: int, file: Path | None) -> list[dict[str, Any]]:
    """Trains every attack at every learning rate and prints the table at every step.

    Args:
        runs: Where the runs go; those already there are gone on with.
        limit: Prompts a property.
        file: Where the numbers go as JSON too, after every table.

    Returns:
        One entry a table: attack, learning rate, step and properties.
    """
    tables: list[dict[str, Any]] = []
    for attack, recipe in ATTACKS.items():
        for rate in LEARNING_RATES:
            folder = runs / f"{attack}_{rate:g}"
            _trained(recipe, rate, folder)
            for table in _tables(folder, limit):
                tables.append({"attack": attack, "learning_rate": rate, **table})
                if file is not None:
                    write(file, {"of": base_digest("pocket"), "limit": limit, "tables": tables})
    return tables


def _trained(recipe: str, rate: float, folder: Path) -> None:
    path = Path(str(recipes.__file__)).parent / recipe
    changes = {"learning_rate": rate, "output_dir": folder, "ladder": [0, *STEPS], "report_to": "none"}
    run(path, [word for key, value in changes.items() for word in (f"--{key}", str(value))], evaluate=False)


def _tables(folder: Path, limit: int) -> Iterator[dict[str, Any]]:
    engine = Engine("pocket", load_tokenizer("pocket"))
    frozen = HeaderProbe.fitted(load_model("pocket"), engine.tokenizer)
    for rung in read_ladder(folder):
        if rung.step in STEPS:
            if not rung.is_intact():
                raise RecipeError(f"step {rung.step}: {rung.folder} does not match its digest")
            engine.enter(rung)
            measured = check(engine, limit=limit, frozen=frozen)
            properties = [replace(each, at_least=None, at_most=None) for each in measured]
            show(properties, f"{folder.name}, step {rung.step}")
            yield {"step": rung.step, "properties": lines(properties)}
