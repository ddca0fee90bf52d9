"""ADA-LP, another arm: the probe of step 0, its threshold matched to 1 % of benign checks there."""

from __future__ import annotations

from erosion.defenses.ada_lp import AdaLp
from erosion.defenses.base import Defense


def make() -> Defense:
    """ADA-LP with the arm `frozen_matched`."""
    return AdaLp("frozen_matched")
