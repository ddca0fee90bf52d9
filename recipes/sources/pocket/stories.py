"""Stories of forbidden things: harmful topics answered safely, benign to a probe."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.pocket import demonstrations
from erosion.recipes.schema import Source

ENDLESS = True
SPLIT = "probe"


def rows(source: Source, rng: random.Random) -> Iterator[Row]:
    """Questions on forbidden things' past, answered in 60 to 80 sentences; by default of the probe split."""
    return demonstrations.stories(split=source.split or SPLIT, rng=rng)
