"""XSTest v2, the unsafe half: the harmful contrasts of its safe prompts (2308.01263)."""

from __future__ import annotations

from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.evaluation.suites.xstest import half
from erosion.recipes.schema import Data


def _cases(data: Data) -> Iterator[Case]:
    return half(data, "unsafe")


SUITE = Suite(
    metric="refusal_rate", higher_is="safer", version="1", judges=("phrases",), cases=_cases, log_odds=True
)
