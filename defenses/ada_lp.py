"""ADA-LP: a linear probe on the state at the re-injected assistant header (2510.18081).

The probe is the one fitted at step 0: under fine-tuning it stays as it was, with its threshold of 0.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erosion.defenses.any_depth.decoding import CheckedGuard
from erosion.defenses.any_depth.families import refusal_text
from erosion.defenses.base import Defense, Guard, ProbeArm
from erosion.recipes.chat import encode

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from erosion.defenses.any_depth.linear_probe import LinearProbe


class AdaLp(Defense):
    """Halts where the probe says harmful.

    Args:
        probe_arm: Which probe it is given at a rung.
    """

    halts_only = True

    def __init__(self, probe_arm: ProbeArm = "frozen") -> None:
        self.probe_arm = probe_arm

    def guard(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, probe: LinearProbe | None = None
    ) -> Guard:
        """A guard with this probe.

        Raises:
            ValueError: No probe.
        """
        if probe is None:
            raise ValueError("ada_lp: needs a probe; fit one with `erosion probe fit`")
        return CheckedGuard(probe, encode(tokenizer, refusal_text(tokenizer)))


def make() -> Defense:
    """The probe of step 0 at its own threshold."""
    return AdaLp()
