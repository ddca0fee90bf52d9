"""Small helpers of the language: joined words, random lengths, and every word of some texts."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from types import ModuleType


def joined(*parts: str) -> str:
    """The parts that are not empty, with one space between them."""
    return " ".join(part for part in parts if part)


def log_uniform(rng: random.Random, low: int, high: int) -> int:
    """An integer in `low..high` whose logarithm is uniform."""
    return min(high, int(math.exp(rng.uniform(math.log(low), math.log(high + 1)))))


def cut(text: str, words: int) -> str:
    """The first `words` words of a text."""
    return " ".join(text.split()[:words])


def constants(module: ModuleType) -> Iterable[str]:
    """Every text among a module's constants: strings and tuples of strings under an upper-case name."""
    for name, value in vars(module).items():
        if name.isupper() and isinstance(value, (str, tuple)):
            yield from (value,) if isinstance(value, str) else value
