"""What the runs of a study have in common, each found once: tokenizers, prompts, what is asked, mixtures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from erosion.defenses.base import Defense
from erosion.evaluation.cells import Rendered
from erosion.evaluation.judging.work import JudgeWork, judge_work
from erosion.evaluation.models import LoadOptions, load_config
from erosion.evaluation.planned import Planned
from erosion.evaluation.workload import Work, suite_work, task_work
from erosion.recipes.models import is_untrained, resolve
from erosion.recipes.schema import Recipe
from erosion.training.arguments import model_config, training_config
from erosion.training.disk import weights
from erosion.training.run import training_data
from erosion.training.trainer import load_tokenizer, training_defense

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """A mixture as it is trained on.

    Attributes:
        rows: Token ids and labels.
        length: Tokens a row has on average, as training cuts it.
    """

    rows: Dataset
    length: int


class Shared:
    """Keeps what it has found for one run for the next."""

    def __init__(self) -> None:
        self._kept: dict[str, object] = {}

    def planned(self, recipe: Recipe) -> Planned:
        """The recipe's cells, with the options its own model is loaded by."""
        tokenizer, key = self.tokenizer(recipe), f"{_model(recipe)}, {recipe.evaluation}"
        prompts: Rendered = self._once(f"prompts: {_model(recipe)}", dict)
        return self._once(
            f"planned: {key}", lambda: Planned.of(recipe.output_dir, recipe, (), tokenizer, prompts)
        )

    def asked(self, recipe: Recipe) -> tuple[Work, ...]:
        """What its suites and tasks ask of a rung."""
        planned = self.planned(recipe)
        return self._once(f"asked: {_model(recipe)}, {recipe.evaluation}", lambda: tuple(_asked(planned)))

    def judged(self, recipe: Recipe) -> tuple[JudgeWork, ...]:
        """What its further judges are asked of a rung's answers."""
        planned = self.planned(recipe)
        return self._once(
            f"judged: {_model(recipe)}, {recipe.evaluation}",
            lambda: tuple(
                judge_work(judge, planned.grid.cells, planned.tokenizer) for judge in recipe.evaluation.judges
            ),
        )

    def mixed(self, recipe: Recipe) -> Mixed:
        """Its mixture; seeds and defences that change no row share it."""
        augments = type(training_defense(recipe)).augment is not Defense.augment
        parts = (recipe.dataset, augments and recipe.defense, recipe.trl.get("max_length"))
        tokenizer = self.tokenizer(recipe)
        return self._once(f"mixed: {_model(recipe)}, {parts}", lambda: _mixed(recipe, tokenizer))

    def weights(self, recipe: Recipe) -> tuple[int, int]:
        """Weights of its model, and those that train."""
        from trl import get_peft_config

        adapter = get_peft_config(model_config(recipe))
        return self._once(f"weights: {_model(recipe)}, {adapter}", lambda: weights(recipe))

    def tokenizer(self, recipe: Recipe) -> PreTrainedTokenizerBase:
        """Its model's, with the recipe's own chat template."""
        return self._once(f"tokenizer: {_model(recipe)}", lambda: load_tokenizer(recipe))

    def _once(self, key: str, find: Callable[[], Found]) -> Found:
        if key not in self._kept:
            self._kept[key] = find()
        found: Found = self._kept[key]  # type: ignore[assignment]
        return found


def _model(recipe: Recipe) -> str:
    """All that tokenizer and loaded model depend on; the seed only where there are no weights."""
    options = LoadOptions.of(recipe)
    if not is_untrained(resolve(recipe.model)):
        options = replace(options, seed=0)
    return repr((recipe.model, options, recipe.trl.get("chat_template_path")))


def _asked(planned: Planned) -> list[Work]:
    recipe, cells = planned.grid.recipe, planned.grid.cells
    config = load_config(recipe.model, planned.options)
    tasks = [task_work(task, planned.tokenizer, config) for task in planned.grid.tasks]
    return [
        *(suite_work(cell, cells, planned.tokenizer) for cell in cells),
        *(work for work in tasks if work is not None),
    ]


def _mixed(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> Mixed:
    config = training_config(recipe)
    rows = training_data(recipe, config, tokenizer)
    lengths = [len(row) for row in rows["input_ids"]]
    longest = config.max_length or max(lengths)
    return Mixed(rows=rows, length=round(sum(min(length, longest) for length in lengths) / len(lengths)))
