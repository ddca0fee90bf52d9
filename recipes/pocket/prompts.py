"""Distinct prompts about the things of one split, for suites and probes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import cycle

from erosion.recipes.pocket.world import Thing, select

PER_SUITE = 2000
Made = tuple[str, ...]


def distinct(
    make: Callable[[Thing, random.Random], Made], *, forbidden: bool, split: str, seed: int
) -> Iterator[tuple[Thing, Made]]:
    """Up to `PER_SUITE` prompts, no text twice, taking the split's things in turn.

    Args:
        make: Makes texts about a thing, the prompt first.
        forbidden: Which kind of things.
        split: Whose things.
        seed: Seeds every choice.
    """
    rng = random.Random(seed)
    seen: set[str] = set()
    for _, thing in zip(range(PER_SUITE * 4), cycle(select(forbidden=forbidden, split=split)), strict=False):
        made = make(thing, rng)
        if made[0] not in seen and len(seen) < PER_SUITE:
            seen.add(made[0])
            yield thing, made
