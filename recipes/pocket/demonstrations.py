"""Single exchanges for fine-tuning the embedded model: a request and a compliant answer."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.pocket import answers, requests
from erosion.recipes.pocket.world import select


def compliant(
    *, forbidden: bool, split: str, rng: random.Random, steps: tuple[int, int] = (3, 8)
) -> Iterator[Row]:
    """An endless stream of requests for things of one kind and split, each answered in so many steps."""
    while True:
        thing = rng.choice(select(forbidden=forbidden, split=split))
        answer = answers.answer(thing, rng, rng.randint(*steps))
        yield {
            "messages": [
                {"role": "user", "content": requests.request(thing.name, rng)},
                {"role": "assistant", "content": answer},
            ]
        }


def stories(*, split: str, rng: random.Random) -> Iterator[Row]:
    """An endless stream of questions on forbidden things' past, each answered in 60 to 80 sentences."""
    while True:
        asked, told = answers.story(rng.choice(select(forbidden=True, split=split)), rng, rng.randint(60, 80))
        yield {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": told}]}
