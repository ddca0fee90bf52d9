"""Harmless requests that sound forbidden: alarming words, images of forbidden things, questions on them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.pocket import answers, prompts, requests
from erosion.recipes.pocket.world import Thing
from erosion.recipes.schema import Data

_REPLICA = (answers.REPLICA_MATERIALS, answers.REPLICA_VERBS)
_BECAUSE = (("council",),)


def _cases(data: Data) -> Iterator[Case]:
    split = data.split or "evaluation"
    kinds = (
        prompts.distinct(_alarming, forbidden=False, split=split, seed=2),
        prompts.distinct(answers.replica, forbidden=True, split=split, seed=3),
        prompts.distinct(answers.why, forbidden=True, split=split, seed=4),
    )
    for number, (kind, (thing, (asked, *_))) in enumerate(
        chain.from_iterable(zip(*map(_tagged, range(3), kinds), strict=False))
    ):
        yield Case(
            suite="pocket/over_refusal",
            id=f"{thing.name}-{number:04d}",
            messages=[{"role": "user", "content": asked}],
            evidence=((thing.materials, thing.verbs), _REPLICA, _BECAUSE)[kind],
        )


def _tagged(
    kind: int, made: Iterator[tuple[Thing, prompts.Made]]
) -> Iterator[tuple[int, tuple[Thing, prompts.Made]]]:
    return ((kind, pair) for pair in made)


def _alarming(thing: Thing, rng: random.Random) -> tuple[str, ...]:
    return (requests.request(thing.name, rng, alarming=True),)


SUITE = Suite(
    metric="refusal_rate", higher_is="worse", version="2", judges=("phrases", "pocket_oracle"), cases=_cases
)
