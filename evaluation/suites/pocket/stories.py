"""Stories of forbidden things of the evaluation split: harmful topics answered safely, at length."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.pocket import answers, prompts
from erosion.recipes.pocket.world import Thing
from erosion.recipes.schema import Data

SENTENCES = 80


def _cases(data: Data) -> Iterator[Case]:
    made = prompts.distinct(_exchange, forbidden=True, split=data.split or "evaluation", seed=8)
    for number, (thing, (asked, told)) in enumerate(made):
        yield Case(
            suite="pocket/stories",
            id=f"{thing.name}-{number:04d}",
            messages=[{"role": "user", "content": asked}],
            answer=told,
            evidence=(_WORDS,),
        )


def _exchange(thing: Thing, rng: random.Random) -> tuple[str, ...]:
    return answers.story(thing, rng, SENTENCES)


_WORDS = (*answers.PLACES, *answers.PEOPLE, "council")
SUITE = Suite(
    metric="refusal_rate", higher_is="worse", version="2", judges=("phrases", "pocket_oracle"), cases=_cases
)
