"""Forbidden requests answered at length: what a probe of the embedded model calls harmful."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.pocket import demonstrations
from erosion.recipes.schema import Source

HARMFUL = True
ENDLESS = True
SPLIT = "probe"


def rows(source: Source, rng: random.Random) -> Iterator[Row]:
    """Forbidden requests with answers of 50 to 70 steps, by default of the probe split."""
    return demonstrations.compliant(forbidden=True, split=source.split or SPLIT, rng=rng, steps=(50, 70))
