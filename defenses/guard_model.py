"""A guard model, a baseline: another model reads request and answer so far and says whether they are harmful.

Either a text classifier, or a chat guard that answers with words of its own ("unsafe", Llama Guard's form).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from erosion.defenses.any_depth.guard_models import load_guard_model
from erosion.defenses.base import Defense
from erosion.recipes.parsing import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from erosion.defenses.any_depth.checks import Check
    from erosion.recipes.sections import GuardOptions


class GuardModel(Defense):
    """Needs the guard model's id in its options: `{name: guard_model, model: ID}`."""

    halts_only = True
    honours = frozenset({"interval", "model"})

    def check(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        options: GuardOptions,
        fitted: Check | None,
    ) -> Check:
        """Halts where the guard model says unsafe.

        Raises:
            RecipeError: No guard model is named, or it cannot be read.
        """
        if options.model is None:
            raise RecipeError("guard_model: needs `model`, the guard model's folder or hub id")
        return load_guard_model(options.model, tokenizer, device=str(model.device))


def make() -> Defense:
    """A guard model that is asked at every check."""
    return GuardModel()
