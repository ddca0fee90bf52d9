"""ADA-LP, another arm: a probe fitted anew at every rung, to see what the state still holds."""

from __future__ import annotations

from erosion.defenses.ada_lp import AdaLp
from erosion.defenses.base import Defense


def make() -> Defense:
    """ADA-LP with the arm `refit`."""
    return AdaLp("refit")
