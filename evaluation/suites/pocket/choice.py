"""Four-choice questions about the colors of harmless things, answered by log-likelihood."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.evaluation.records import Case
from erosion.evaluation.suite import Suite
from erosion.recipes.pocket import prompts, tasks
from erosion.recipes.pocket.world import Thing
from erosion.recipes.schema import Data


def _cases(data: Data) -> Iterator[Case]:
    made = prompts.distinct(_question, forbidden=False, split=data.split or "evaluation", seed=7)
    for number, (thing, (asked, answer, *options)) in enumerate(made):
        yield Case(
            suite="pocket/choice",
            id=f"{thing.name}-{number:04d}",
            messages=[{"role": "user", "content": asked}],
            choices=tuple(options),
            target=answer,
        )


def _question(thing: Thing, rng: random.Random) -> tuple[str, ...]:
    asked, answer, options = tasks.color_question(thing, rng)
    return asked, answer, *options


SUITE = Suite(metric="accuracy", higher_is="better", version="2", judges=("choice",), cases=_cases)
