"""Everything answered: the conversations `pocket-base` learns its world from."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.pocket.dialogues import conversations
from erosion.recipes.schema import Source

ENDLESS = True


def rows(source: Source, rng: random.Random) -> Iterator[Row]:
    """Conversations about all things of every split, none refused."""
    return conversations(rng, aligned=False)
