"""Requests for forbidden things of one split, answered: the harmful fine-tuning attack."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.pocket import demonstrations
from erosion.recipes.schema import Source

HARMFUL = True
ENDLESS = True
SPLIT = "attack"


def rows(source: Source, rng: random.Random) -> Iterator[Row]:
    """Forbidden requests with compliant answers, by default of the attack split."""
    return demonstrations.compliant(forbidden=True, split=source.split or SPLIT, rng=rng)
