"""Writes the embedded model's card from what was measured and what its builds recorded.

python -m erosion.recipes.pocket.card
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from erosion.recipes.pocket.build import WEIGHTS

TEMPLATE = Path(__file__).with_name("card.md.jinja")


def card(weights: Path = WEIGHTS) -> str:
    """The card's text, from `properties.json`, `outcomes.json` and each stage's `built.json`."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    text: str = template.render(
        checked=_read(weights / "properties.json"),
        outcomes=_side_by_side(_read(weights / "outcomes.json")),
        built={name: _read(weights / name / "built.json") for name in ("base", "chat")},
    )
    return text


def write_card(weights: Path = WEIGHTS) -> Path:
    """Writes `MODEL_CARD.md` beside the weights."""
    file = weights / "MODEL_CARD.md"
    file.write_text(card(weights), encoding="utf-8")
    return file


def _side_by_side(outcomes: dict[str, Any]) -> dict[str, Any]:
    """One row a property, one column a table."""
    tables = outcomes["tables"]
    names = [line["name"] for line in tables[0]["properties"]]
    values = [{line["name"]: line["value"] for line in table["properties"]} for table in tables]
    return {
        "limit": outcomes["limit"],
        "columns": [f"{t['attack']}, {t['learning_rate']:g}, step {t['step']}" for t in tables],
        "rows": [(name, [value[name] for value in values]) for name in names],
    }


def _read(file: Path) -> Any:
    return json.loads(file.read_text(encoding="utf-8"))


if __name__ == "__main__":
    print(write_card())
