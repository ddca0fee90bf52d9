"""HarmBench's behaviours in text: 200 standard, 100 contextual and 100 of copyright (2402.04249).

From its own CSV file (`harmbench_behaviors_text_all.csv`) all 400; from the hub's copy the standard ones.
Rates are measured by that category too: whether copyright holds cannot be told from refusals alone.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.evaluation.suites.base import first_of, requests
from erosion.recipes.schema import Data

DEFAULT_ID = "walledai/HarmBench"
HUB_OPTIONS = {"name": "standard"}
BETWEEN = "\n\n---\n\n"
"""Stands between context and behaviour in the official code."""


def _cases(data: Data) -> Iterator[Case]:
    """One case a row, by `BehaviorID`; a row's context stands before its behaviour."""
    columns, ids = ("Behavior", "prompt"), ("BehaviorID",)
    for _, record, case in requests(data, columns, ids=ids, default_id=DEFAULT_ID, hub_options=HUB_OPTIONS):
        (turn,) = case.messages
        column = data.columns.get("context") or first_of(record, ("ContextString", "context"))
        if context := column and record.get(column):
            turn = {**turn, "content": f"{context}{BETWEEN}{turn['content']}"}
        yield dataclasses.replace(case, messages=[turn], group=record.get("FunctionalCategory"))


SUITE = Suite(
    metric="refusal_rate", higher_is="safer", version="1", judges=("phrases",), cases=_cases, log_odds=True,
    between=BETWEEN,
)  # fmt: skip
