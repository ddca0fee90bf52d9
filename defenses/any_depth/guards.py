"""Both defences as one object each: load it, and let it generate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from erosion.defenses.any_depth.checks import Check
from erosion.defenses.any_depth.decoding import CheckedGuard, Interval
from erosion.defenses.any_depth.families import refusal_text
from erosion.defenses.any_depth.linear_probe import LinearProbe
from erosion.defenses.any_depth.safety_tokens import safety_span
from erosion.defenses.base import Generated
from erosion.recipes.chat import encode
from erosion.recipes.parsing import RecipeError
from erosion.recipes.sections import INTERVAL

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


class ProbeGuard(CheckedGuard):
    """ADA-LP: halts where a linear probe on the re-injected header says harmful."""

    @classmethod
    def from_pretrained(
        cls,
        source: Path | str,
        tokenizer: PreTrainedTokenizerBase,
        *,
        revision: str | None = None,
        refusal: str | None = None,
        interval: Interval = INTERVAL,
        hold_back: bool = False,
    ) -> ProbeGuard:
        """A guard with a fitted probe.

        Args:
            source: The probe's folder or hub id.
            tokenizer: The guarded model's.
            revision: The hub revision.
            refusal: What a halted answer is replaced by; a short refusal when None.
            interval: Tokens between checks, or `adaptive`.
            hold_back: Stream tokens only once the check after them has passed.

        Raises:
            RecipeError: There is no probe, or it reads another span than this tokenizer's.
        """
        probe = LinearProbe.from_pretrained(source, revision=revision)
        span = safety_span(tokenizer, "probe")
        if probe.settings.span_ids and probe.settings.span_ids != tuple(span):
            raise RecipeError(
                f"probe: fitted for span {list(probe.settings.span_ids)}, but this model's is {span}"
            )
        words = encode(tokenizer, refusal or refusal_text(tokenizer))
        return cls(probe, words, interval=interval, hold_back=hold_back)

    def generate(self, model: PreTrainedModel, **inputs: Any) -> Generated:
        """As `CheckedGuard.generate`.

        Raises:
            RecipeError: The probe was fitted for another hidden size; both are named.
        """
        probe = self.check
        assert isinstance(probe, LinearProbe)
        probe.check_fits(model, None, probe.settings.span_ids)
        return super().generate(model, **inputs)


def halting(check: Check, tokenizer: PreTrainedTokenizerBase, interval: Interval) -> CheckedGuard:
    """A guard that asks `check` at intervals, and answers with a short refusal."""
    return CheckedGuard(check, encode(tokenizer, refusal_text(tokenizer)), interval=interval)
