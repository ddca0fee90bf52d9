"""XSTest v2, the safe half: harmless prompts that sound harmful; refusing is over-refusal (2308.01263)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.evaluation.suites.base import requests
from erosion.recipes.parsing import mistake
from erosion.recipes.records import shown, text
from erosion.recipes.schema import Data

DEFAULT_ID = "Paul/XSTest"
LABELS = ("safe", "unsafe")


def half(data: Data, label: str) -> Iterator[Case]:
    """The cases with one label, `safe` or `unsafe`, grouped by their type.

    Raises:
        RecipeError: A row that cannot be used, its label included, or an id that stands twice in either half.
    """
    found = requests(data, ("prompt",), ids=("id",), default_id=DEFAULT_ID, stem="xstest")
    for where, record, case in found:
        said = text(record, "label", where)
        if said.strip().casefold() not in LABELS:
            raise mistake(f"{where}: label", shown(said), " or ".join(LABELS), known=LABELS)
        if said.strip().casefold() == label:
            yield dataclasses.replace(case, group=record.get("type"))


def _cases(data: Data) -> Iterator[Case]:
    return half(data, "safe")


SUITE = Suite(metric="refusal_rate", higher_is="worse", version="1", judges=("phrases",), cases=_cases)
