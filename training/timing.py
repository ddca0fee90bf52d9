"""How fast this machine is on recipes' models: one batch read, one answered, a few training steps."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import disable_progress_bars
from transformers import PrinterCallback, TrainerCallback

from erosion.defenses.base import Guard
from erosion.evaluation.engine import Engine
from erosion.evaluation.planned import Planned
from erosion.evaluation.tracking import Tracker
from erosion.recipes.models import resolve
from erosion.recipes.schema import Recipe
from erosion.training.arguments import training_config
from erosion.training.planning import RunPlan
from erosion.training.trainer import load_tokenizer, make_trainer

LARGEST = 4 * 2**30
"""Bytes of local weights above which a model is only timed when asked for."""
STEPS = 3
"""Training steps that are timed, the first left out."""


SAME_SPEED = frozenset(
    {
        "adam_beta1", "adam_beta2", "adam_epsilon", "chat_template_path", "data_seed", "learning_rate",
        "logging_steps", "lr_scheduler_kwargs", "lr_scheduler_type", "max_grad_norm", "max_steps",
        "num_train_epochs", "output_dir", "report_to", "run_name", "save_only_model", "save_total_limit",
        "seed", "warmup_ratio", "warmup_steps", "weight_decay",
    }
)  # fmt: skip
"""Keys of TRL's that change no speed: runs that differ in others are timed apart."""


@dataclass(frozen=True, kw_only=True)
class Speed:
    """A machine's speed on one model.

    Attributes:
        load: Seconds until the model is there.
        read: Seconds a token read, in the recipe's batches.
        write: Seconds a token written, in the recipe's batches.
        train: Seconds a token trained on, in one process.
        took: Seconds the timing took.
    """

    load: float
    read: float
    write: float
    train: float
    took: float

    def seconds(self, run: RunPlan) -> float:
        """What a run takes by this speed, if every answer is as long as it may be.

        Start-up, a probe's classifier, judges with a model of their own and figures are not in it. On the
        embedded model, on a busy CPU, a run took 1.4 times this for training and measuring, and 1.8 times
        from start to end.
        """
        judged = run.rungs * sum(each.read for each in run.judging if each.reader == "step 0")
        measuring = (run.read + judged) * self.read + run.written * self.write
        return 2 * self.load + run.training.tokens * self.train + measuring


def speeds(runs: Sequence[RunPlan], timing: bool | None) -> dict[str, Speed]:
    """How fast this machine is on every model of some runs, by `timed_as`, each timed once.

    Args:
        runs: The runs.
        timing: Time all of them, or none; where None those that are small and on this disk.
    """
    found: dict[str, Speed] = {}
    for run in runs:
        asked = is_small(run.recipe) if timing is None else timing
        if asked and timed_as(run.recipe) not in found:
            found[timed_as(run.recipe)] = speed(run)
    return found


def timed_as(recipe: Recipe) -> str:
    """Equal for recipes that are equally fast: model, dtype, adapter, batches, objective."""
    keys = {key: value for key, value in sorted(recipe.trl.items()) if key not in SAME_SPEED}
    return repr((keys, recipe.dataset.packed, recipe.defense.name, recipe.evaluation.batch_size))


def is_small(recipe: Recipe) -> bool:
    """Whether a recipe's model is on this disk and small enough to be timed unasked."""
    folder = Path(resolve(recipe.model))
    return folder.is_dir() and sum(file.stat().st_size for file in folder.glob("*.safetensors")) <= LARGEST


def speed(run: RunPlan) -> Speed:
    """Times a run's model on this machine."""
    begun = time.perf_counter()
    load, read, write = _measuring(run.recipe, run.planned)
    train = _training(run)
    return Speed(load=load, read=read, write=write, train=train, took=time.perf_counter() - begun)


def _measuring(recipe: Recipe, planned: Planned) -> tuple[float, float, float]:
    """Seconds to load, and a token read and written in the first cell that generates; 0 where none does."""
    engine = Engine(recipe.model, planned.tokenizer, planned.options)
    load = _timed(lambda: engine.model)
    asked = next((cell for cell in planned.grid.cells if not cell.prompts[0].choices), None)
    if asked is None:
        return load, 0.0, 0.0
    batch = [prompt.ids for prompt in asked.prompts[: recipe.evaluation.batch_size]]
    new, tokens = asked.max_new_tokens, sum(map(len, batch))

    def generate(count: int) -> float:
        return _timed(lambda: engine.generate(Guard(), batch, max_new_tokens=count))

    generate(1)
    first, all_of_them = generate(1), generate(new)
    return load, first / tokens, max(0.0, all_of_them - first) / (len(batch) * max(1, new - 1))


def _training(run: RunPlan) -> float:
    """Seconds a token, by the recipe's own trainer on its own rows, in a folder that is thrown away."""
    recipe, rows = run.recipe, run.mixed.rows
    with tempfile.TemporaryDirectory() as folder:
        given = {"output_dir": folder, "max_steps": STEPS, "report_to": "none", "disable_tqdm": True}
        disable_progress_bars()
        short = Recipe(**{**vars(recipe), "trl": {**recipe.trl, **given}, "ladder": (0, STEPS)})
        config, clock = training_config(short), _Clock()
        few = rows.select(range(min(STEPS * run.training.rows, len(rows))))
        trainer = make_trainer(short, config, load_tokenizer(short), few, Tracker())
        trainer.add_callback(clock)
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    seconds = (clock.ends[-1] - clock.ends[0]) / (len(clock.ends) - 1)
    return seconds / (run.training.rows * run.mixed.length)


class _Clock(TrainerCallback):  # type: ignore[misc]
    """When each step ended."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        """Notes it."""
        self.ends.append(time.perf_counter())


def _timed(action: Callable[[], object]) -> float:
    begun = time.perf_counter()
    action()
    return time.perf_counter() - begun
