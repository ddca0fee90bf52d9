"""ADA-LP, a control: the same probe on the unaligned base model, which reads the same text."""

from __future__ import annotations

from erosion.defenses.ada_lp import AdaLp
from erosion.defenses.base import Defense


def make() -> Defense:
    """What alignment adds."""
    return AdaLp("base_model")
