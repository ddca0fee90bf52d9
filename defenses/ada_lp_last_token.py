"""ADA-LP, a control: the same probe on the last generated token, no Safety Tokens put in."""

from __future__ import annotations

from erosion.defenses.ada_lp import AdaLp
from erosion.defenses.base import Defense


def make() -> Defense:
    """What the header adds."""
    return AdaLp("last_token")
