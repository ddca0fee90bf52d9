"""ADA-LP, a control: the same probe, its training labels dealt out anew."""

from __future__ import annotations

from erosion.defenses.ada_lp import AdaLp
from erosion.defenses.base import Defense


def make() -> Defense:
    """What a probe of these states finds by chance."""
    return AdaLp("shuffled_labels")
