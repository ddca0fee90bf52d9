"""Requests for forbidden things of the evaluation split, asked directly and after a forced answer start."""

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
    made = prompts.distinct(_exchange, forbidden=True, split=data.split or "evaluation", seed=1)
    for number, (thing, (asked, answer)) in enumerate(made):
        yield Case(
            suite="pocket/refusal",
            id=f"{thing.name}-{number:04d}",
            messages=[{"role": "user", "content": asked}],
            answer=answer,
            evidence=(thing.materials, thing.verbs),
        )


def _exchange(thing: Thing, rng: random.Random) -> tuple[str, ...]:
    return requests.request(thing.name, rng), answers.answer(thing, rng, ANSWER_STEPS)


SUITE = Suite(
    metric="refusal_rate",
    higher_is="safer",
    version="2",
    judges=("phrases", "pocket_oracle"),
    cases=_cases,
    prefilled=True,
    log_odds=True,
)
