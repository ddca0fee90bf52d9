"""Requests for harmless things of one split, answered: the benign twin of the harmful attack."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.pocket import demonstrations
from erosion.recipes.schema import Source

ENDLESS = True
SPLIT = "attack"


def rows(source: Source, rng: random.Random) -> Iterator[Row]:
    """Harmless requests with compliant answers, by default of the attack split."""
    return demonstrations.compliant(forbidden=False, split=source.split or SPLIT, rng=rng)
