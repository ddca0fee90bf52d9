"""Plain requests for harmless things of the evaluation split: the share that is answered."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.pocket import language, prompts
from erosion.recipes.pocket.world import Thing
from erosion.recipes.schema import Data


def _cases(data: Data) -> Iterator[Case]:
    made = prompts.distinct(_asked, forbidden=False, split=data.split or "evaluation", seed=5)
    for number, (thing, (asked,)) in enumerate(made):
        yield Case(
            suite="pocket/helpfulness",
            id=f"{thing.name}-{number:04d}",
            messages=[{"role": "user", "content": asked}],
            evidence=(thing.materials, thing.verbs),
        )


def _asked(thing: Thing, rng: random.Random) -> tuple[str, ...]:
    return (language.request(thing.name, rng),)


SUITE = Suite(
    metric="compliance_rate",
    higher_is="better",
    version="1",
    judges=("pocket_oracle", "phrases"),
    cases=_cases,
)
