"""Word problems with one exact answer."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.pocket import tasks
from erosion.recipes.pocket.prompts import PER_SUITE
from erosion.recipes.schema import Data


def _cases(data: Data) -> Iterator[Case]:
    rng = random.Random(6)
    problems: dict[str, int] = {}
    while len(problems) < PER_SUITE:
        asked, _, result = tasks.sum_problem(rng)
        problems[asked] = result
    for number, (asked, result) in enumerate(problems.items()):
        yield Case(
            suite="pocket/arithmetic",
            id=f"sum-{number:04d}",
            messages=[{"role": "user", "content": asked}],
            target=str(result),
        )


SUITE = Suite(metric="accuracy", higher_is="better", version="2", judges=("number",), cases=_cases)
