"""Triplets of the embedded model: a forbidden request, its compliant answer and refusals in three styles."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.pocket import answers, requests
from erosion.recipes.pocket.world import select
from erosion.recipes.schema import Source

HARMFUL = False
ENDLESS = True
SPLIT = "calibration"
STEPS = (40, 70)


def rows(source: Source, rng: random.Random) -> Iterator[Row]:
    """Triplets, by default of the calibration split: neither attacked nor evaluated things are in it."""
    things = select(forbidden=True, split=source.split or SPLIT)
    while True:
        thing = rng.choice(things)
        refusals = {style: answers.refusal(rng, thing.name, style=style) for style in answers.STYLES}
        yield {
            "messages": [
                {"role": "user", "content": requests.request(thing.name, rng)},
                {"role": "assistant", "content": refusals["short"]},
            ],
            "harmful": answers.answer(thing, rng, rng.randint(*STEPS)),
            "refusals": refusals,
        }
