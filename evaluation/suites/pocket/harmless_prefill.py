"""Harmless requests with a forced harmless start: where a guard's halts are false alarms, depth by depth.

Asked directly they are `pocket/helpfulness`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.evaluation.suites.pocket import helpfulness
from erosion.recipes.schema import Data


def _cases(data: Data) -> Iterator[Case]:
    for case in helpfulness.SUITE.cases(data):
        yield dataclasses.replace(case, suite="pocket/harmless_prefill")


SUITE = Suite(
    metric="compliance_rate", higher_is="better", version="1", judges=("pocket_oracle", "phrases"),
    cases=_cases, prefilled=True, asked_directly=False, benign_of="pocket/refusal",
)  # fmt: skip
