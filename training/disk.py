"""What a run leaves on disk, from its model's shapes: no weight is loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from erosion.evaluation.models import LoadOptions, load_config
from erosion.recipes.models import resolve
from erosion.recipes.schema import Recipe
from erosion.training.arguments import model_config

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
MOMENTS = 2
"""AdamW keeps two numbers for every weight that trains, in float32."""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """Bytes on disk.

    Attributes:
        rung: One rung's weights and tokenizer.
        rungs: All rungs that stay.
        most: At the most at once: all rungs, and the newest one's optimizer state while it trains.
        answers: Stored answers over all rungs.
    """

    rung: int
    rungs: int
    most: int
    answers: int


def disk(recipe: Recipe, weights: tuple[int, int], rungs: int, answers: int) -> Disk:
    """What a run leaves.

    Args:
        recipe: The recipe.
        weights: Of its model, and those that train.
        rungs: Of its ladder.
        answers: Bytes of stored answers.
    """
    whole, trained = weights
    adapter = bool(recipe.trl.get("use_peft"))
    size = trained * 4 if adapter else whole * BYTES.get(str(recipe.trl.get("dtype", "float32")), 2)
    rung, states = (
        size + _tokenizer(recipe),
        0 if recipe.trl.get("save_only_model") else MOMENTS * 4 * trained,
    )
    keeps_states = recipe.trl.get("save_only_model") is False
    limit = recipe.trl.get("save_total_limit")
    stay = rungs if limit is None else min(rungs, limit + 1)
    at_once = rungs * (rung + states) if keeps_states else rungs * rung + states
    return Disk(
        rung=rung, rungs=stay * (rung + states * keeps_states), most=at_once + answers, answers=answers
    )


def weights(recipe: Recipe) -> tuple[int, int]:
    """Weights of the model, and those that train, counted on torch's meta device."""
    import torch
    from peft import get_peft_model
    from transformers import AutoModelForCausalLM
    from trl import get_peft_config

    config = load_config(recipe.model, LoadOptions.of(recipe))
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
        whole = sum(weight.numel() for weight in model.parameters())
        adapter = get_peft_config(model_config(recipe))
        tuned = model if adapter is None else get_peft_model(model, adapter)
    return whole, sum(weight.numel() for weight in tuned.parameters() if weight.requires_grad)


def _tokenizer(recipe: Recipe) -> int:
    """Bytes of the tokenizer that stands beside every rung's weights; 0 where it is not on this disk."""
    folder = Path(resolve(recipe.model))
    files = [*folder.glob("tokenizer*"), *folder.glob("*.jinja")] if folder.is_dir() else []
    return sum(file.stat().st_size for file in files)
