"""Alpaca's harmless requests with their answers as a forced start: where a guard's halts are false alarms.

The counterpart of `harmful_prefill`; between the two a check's true and false positives are told apart.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.schema import Data, Source
from erosion.recipes.sources import alpaca


def _cases(data: Data) -> Iterator[Case]:
    """One case a record of Alpaca's form."""
    source = Source(**{**vars(data), "name": "alpaca"})
    for number, row in enumerate(alpaca.rows(source, random.Random(0))):
        asked, said = row["messages"]
        yield Case(
            suite="harmless_prefill", id=f"harmless-{number:05d}", messages=[asked], answer=said["content"]
        )


SUITE = Suite(
    metric="refusal_rate", higher_is="worse", version="1", judges=("phrases",), cases=_cases,
    prefilled=True, benign_of="harmful_prefill",
)  # fmt: skip
