"""ADA-LP, another arm: the probe of step 0, the adapter off in the injected span; needs a LoRA run."""

from __future__ import annotations

from erosion.defenses.ada_lp import AdaLp
from erosion.defenses.base import Defense


def make() -> Defense:
    """ADA-LP with the arm `adapter_off`."""
    return AdaLp("adapter_off")
