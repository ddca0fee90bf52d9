"""The same conversations with refusals: what makes `pocket` a shallowly aligned chat model."""

from __future__ import annotations

import random
from collections.abc import Iterator

from erosion.recipes.chat import Row
from erosion.recipes.pocket.dialogues import conversations
from erosion.recipes.schema import Source

ENDLESS = True


def rows(source: Source, rng: random.Random) -> Iterator[Row]:
    """Conversations on all things of every split, refused where a forbidden thing decides the next turn."""
    return conversations(rng, aligned=True)
