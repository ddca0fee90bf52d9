"""A control without a model: TF-IDF of the text so far and the same regression as ADA-LP."""

from __future__ import annotations

from erosion.defenses.ada_lp import AdaLp
from erosion.defenses.base import Defense


def make() -> Defense:
    """What the words alone say."""
    return AdaLp("text")
