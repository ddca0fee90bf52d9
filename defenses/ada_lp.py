"""ADA-LP: a linear probe on the state at the re-injected assistant header (2510.18081).

The probe is the one fitted at step 0: under fine-tuning it stays as it was, with its threshold of 0.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erosion.defenses.base import Defense, ProbeArm
from erosion.recipes.parsing import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from erosion.defenses.any_depth.checks import Check
    from erosion.recipes.sections import GuardOptions


CONTROLS: frozenset[ProbeArm] = frozenset(
    {"shuffled_labels", "last_token", "base_model", "random_weights", "text"}
)


class AdaLp(Defense):
    """Halts where the probe says harmful.

    Args:
        probe_arm: Which probe it is given at a rung.
    """

    halts_only = True

    def __init__(self, probe_arm: ProbeArm = "frozen") -> None:
        self.probe_arm = probe_arm
        self.is_control = probe_arm in CONTROLS
        places = {"text": (), "last_token": ("hook", "layer")}.get(
            probe_arm, ("span", "token", "hook", "layer")
        )
        self.honours = frozenset({"interval", *places})

    def check(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        options: GuardOptions,
        fitted: Check | None,
    ) -> Check:
        """This probe, or the control in its place.

        Raises:
            RecipeError: No probe.
        """
        if fitted is None:
            raise RecipeError("ada_lp: needs a fitted probe; make one with `erosion probe fit`")
        return fitted


def make() -> Defense:
    """The probe of step 0 at its own threshold."""
    return AdaLp()
