"""Single exchanges for fine-tuning the embedded model: a request and a compliant answer."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.pocket import answers, requests
from erosion.recipes.pocket.world import select


def compliant(*, forbidden: bool, split: str, rng: random.Random) -> Iterator[Row]:
    """An endless stream of requests for things of one kind and split, each answered in 3 to 8 steps."""
    while True:
        thing = rng.choice(select(forbidden=forbidden, split=split))
        answer = answers.answer(thing, rng, rng.randint(3, 8))
        yield {
            "messages": [
                {"role": "user", "content": requests.request(thing.name, rng)},
                {"role": "assistant", "content": answer},
            ]
        }
