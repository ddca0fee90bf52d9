"""ADA-LP, a control: the same probe on the same architecture with random weights."""

from __future__ import annotations

from erosion.defenses.ada_lp import AdaLp
from erosion.defenses.base import Defense


def make() -> Defense:
    """What any network of this shape gives away of its input."""
    return AdaLp("random_weights")
