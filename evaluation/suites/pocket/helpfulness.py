"""Plain requests for harmless things of the evaluation split: the share that is answered."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.pocket import answers, prompts, requests
from erosion.recipes.pocket.world import Thing
from erosion.recipes.schema import Data

ANSWER_STEPS = 70


def _cases(data: Data) -> Iterator[Case]:
    made = prompts.distinct(_exchange, forbidden=False, split=data.split or "evaluation", seed=5)
    for number, (thing, (asked, answer)) in enumerate(made):
        yield Case(
            suite="pocket/helpfulness",
            id=f"{thing.name}-{number:04d}",
            messages=[{"role": "user", "content": asked}],
            answer=answer,
            evidence=(thing.materials, thing.verbs),
        )


def _exchange(thing: Thing, rng: random.Random) -> tuple[str, ...]:
    return requests.request(thing.name, rng), answers.answer(thing, rng, ANSWER_STEPS)


SUITE = Suite(
    metric="compliance_rate",
    higher_is="better",
    version="2",
    judges=("pocket_oracle", "phrases"),
    cases=_cases,
    benign_of="pocket/refusal",
)
