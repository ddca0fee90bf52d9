"""Loads tokenizers and resident models by the names recipes use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from erosion.evaluation.machine import device
from erosion.recipes.models import is_untrained, resolve
from erosion.recipes.parsing import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def load_tokenizer(name: str | Path, *, revision: str | None = None) -> PreTrainedTokenizerBase:
    """A tokenizer that pads on the left, with end-of-turn as padding where it has none of its own.

    Raises:
        RecipeError: Neither a folder nor a hub id that can be reached.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            resolve(str(name)), revision=revision, padding_side="left"
        )
    except (OSError, ValueError) as error:
        raise _unreachable(name, error) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(
    name: str, *, revision: str | None = None, dtype: str | None = None, attention: str | None = None
) -> PreTrainedModel:
    """A causal language model in evaluation mode, on the accelerator if there is one; float32 on a CPU.

    Args:
        name: An embedded name, a folder or a hub id.
        revision: The hub revision.
        dtype: Its dtype on an accelerator; float32 when None, as TRL trains it.
        attention: `attn_implementation`, transformers' own choice when None.

    Raises:
        RecipeError: Neither a folder nor a hub id that can be reached.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, set_seed

    folder = resolve(name)
    place = device()
    options: dict[str, Any] = {"attn_implementation": attention} if attention else {}
    options["dtype"] = torch.float32 if place.type == "cpu" else (dtype or "float32")
    try:
        if is_untrained(folder):
            set_seed(0)
            model: PreTrainedModel = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder))
        else:
            model = AutoModelForCausalLM.from_pretrained(folder, revision=revision, **options)
    except OSError as error:
        raise _unreachable(name, error) from error
    return model.to(place).eval()


def _unreachable(name: str | Path, error: Exception) -> RecipeError:
    reason = " ".join(str(error).split())[:160]
    return RecipeError(
        f"model_name_or_path: given {str(name)!r}, which is neither a model folder "
        f"nor a reachable hub id: {reason}"
    )
