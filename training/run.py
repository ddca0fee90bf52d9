"""The whole story of a run: check, mix, train along the ladder, measure."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.evaluation.cells import grid
from erosion.evaluation.completeness.expected import Grid, expect
from erosion.evaluation.hypotheses.named_numbers import check_hypotheses
from erosion.evaluation.jsonl import write_lines
from erosion.evaluation.machine import is_first_process, leave_group, use_all_cores, wait_for_all
from erosion.evaluation.on_disk.checkpoints import base_digest, read_ladder
from erosion.evaluation.on_disk.lock import working_in
from erosion.evaluation.on_disk.provenance import FILE as PROVENANCE_FILE
from erosion.evaluation.on_disk.provenance import Call, processes
from erosion.evaluation.on_disk.run_folder import RECIPE_FILE
from erosion.evaluation.overlaps.overlap_report import places, report_overlaps
from erosion.evaluation.plan import check_evaluation
from erosion.evaluation.progress import TRAINED_ON, sample
from erosion.evaluation.sweeping import sweep
from erosion.evaluation.tracking import Tracker
from erosion.recipes.chat import Row
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Recipe, load_recipe, save_recipe
from erosion.recipes.sections import PROGRESS_ROWS
from erosion.training.arguments import check_keys, check_length, training_config, warn_of_decay
from erosion.training.ladder import Ladder, Provenance, drop_states, resume_point, tidy
from erosion.training.mixture import check_sources, digest, mixture_rows, tokenized
from erosion.training.trainer import load_tokenizer, make_trainer, training_defense

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl import SFTConfig

log = logging.getLogger(__name__)


def run(recipe_path: Path | str, overrides: Sequence[str] = (), *, evaluate: bool = True) -> list[str]:
    """Trains a recipe along its ladder, then measures every rung; goes on where an earlier call was stopped.

    Args:
        recipe_path: The recipe.
        overrides: Command-line overrides of its keys, as `load_recipe` takes them.
        evaluate: Measure the ladder afterwards.

    Returns:
        One sentence for every rung or cell that should have a number and has none.

    Raises:
        RecipeError: Bad input, before any model is loaded.
        TrainingDiverged: The loss is no longer a number.
    """
    begun = time.perf_counter()
    use_all_cores()
    recipe = load_recipe(recipe_path, overrides)
    check(recipe)
    config = training_config(recipe)
    if is_first_process():
        warn_of_decay(recipe)
    tokenizer = load_tokenizer(recipe)
    asked = _asked(recipe, tokenizer, needed=evaluate)
    rows = mixture_rows(recipe)
    dataset = training_data(recipe, config, tokenizer, rows)
    with working_in(recipe.output_dir) if is_first_process() else nullcontext():
        provenance = claim(recipe, config, dataset)
        call = Call(recipe.output_dir, {**vars(provenance), "recipe": recipe.name}, writes=is_first_process())
        call.took("data", time.perf_counter() - begun)
        if asked is not None and is_first_process():
            report_overlaps(recipe.output_dir, places(recipe, rows, asked.cells))
            expect(recipe.output_dir, asked)
        ladder = Ladder(
            recipe.output_dir, recipe.ladder, provenance, reached=partial(call.reached, "training"),
            keep_states=recipe.trl.get("save_only_model") is False,
        )  # fmt: skip
        with Tracker.open(recipe, recipe.output_dir, job="train") as tracker:
            with call.phase("training", accelerators=0 if config.use_cpu else processes()):
                train(recipe, config, tokenizer, dataset, ladder, tracker)
            leave_group()
        missing = _measured(recipe, call) if evaluate else unreached(recipe)
        call.end()
    return missing


def _asked(recipe: Recipe, tokenizer: PreTrainedTokenizerBase, *, needed: bool) -> Grid | None:
    """What will be measured; None where that is left for later and its prompts cannot be read here.

    Raises:
        RecipeError: They cannot be read, and are needed now.
    """
    try:
        return Grid(recipe=recipe, places=grid(recipe.evaluation, tokenizer, positions=None))
    except RecipeError as error:
        if needed:
            raise
        log.warning("prompts that training and measuring share are not known here: %s", error)
        return None


def _measured(recipe: Recipe, call: Call) -> list[str]:
    with Tracker.open(recipe, recipe.output_dir, job="eval") as tracker:
        return sweep(recipe.output_dir, tracker=tracker, call=call)


def check(recipe: Recipe) -> None:
    """Checks all that can be known without a model.

    Raises:
        RecipeError: The first thing that is wrong.
    """
    check_keys(recipe)
    training_defense(recipe)
    check_sources(recipe)
    check_evaluation(recipe)
    check_hypotheses(recipe)


def training_data(
    recipe: Recipe, config: SFTConfig, tokenizer: PreTrainedTokenizerBase, rows: list[Row] | None = None
) -> Dataset:
    """The mixture as the recipe's defence leaves it, as token ids and labels.

    Args:
        recipe: The recipe.
        config: Its training configuration.
        tokenizer: Renders.
        rows: The mixture's rows; read here when None.

    Raises:
        RecipeError: A row that cannot be used, or a ladder that these rows do not reach.
    """
    rows = mixture_rows(recipe) if rows is None else rows
    rows = training_defense(recipe).augment(rows, recipe.defense, seed=recipe.seed)
    dataset = tokenized(recipe, rows, tokenizer, config.max_length)
    check_length(recipe, config, len(dataset))
    return dataset


def claim(recipe: Recipe, config: SFTConfig, dataset: Dataset) -> Provenance:
    """Takes the run's folder, or goes on in it if it holds this very recipe on this very data.

    Raises:
        RecipeError: The folder holds something else.
    """
    provenance = Provenance(
        base_digest=base_digest(recipe.model, revision=recipe.trl.get("model_revision"), seed=recipe.seed),
        recipe_digest=digest_over(recipe, config),
        dataset_digest=digest(dataset),
    )
    _check_folder(recipe, provenance)
    wait_for_all()
    if is_first_process():
        recipe.output_dir.mkdir(parents=True, exist_ok=True)
        save_recipe(_as_begun(recipe), recipe.output_dir / RECIPE_FILE)
        write_lines(
            recipe.output_dir / TRAINED_ON, sample(dataset, PROGRESS_ROWS, kept=slice(config.max_length))
        )
        tidy(recipe.output_dir)
    wait_for_all()
    return provenance


def _as_begun(recipe: Recipe) -> Recipe:
    """The recipe with the hypotheses that its run began with: none is written after a rung could be seen."""
    folder, file = recipe.output_dir, recipe.output_dir / RECIPE_FILE
    if not (folder.is_dir() and read_ladder(folder)):
        return recipe
    begun = load_recipe(file).hypotheses if file.is_file() else ()
    if begun != recipe.hypotheses:
        said = "began with other hypotheses, and they stand" if begun else "began without hypotheses"
        print(f"{folder} {said}: those of {recipe.path} are not checked")
    return replace(recipe, hypotheses=begun)


def digest_over(recipe: Recipe, config: SFTConfig) -> str:
    """The recipe's digest, in which its batch is that of all processes: twice 2 rows train like once 4."""
    if config.world_size == 1:
        return recipe.digest
    batch = config.per_device_train_batch_size * config.world_size
    return replace(recipe, trl={**recipe.trl, "per_device_train_batch_size": batch}).digest


def train(
    recipe: Recipe,
    config: SFTConfig,
    tokenizer: PreTrainedTokenizerBase,
    dataset: Dataset,
    ladder: Ladder,
    tracker: Tracker,
) -> None:
    """Trains along the ladder, from the last complete rung if there is one."""
    start = resume_point(recipe.output_dir, recipe.ladder)
    if start is None or start.step != recipe.ladder[-1]:
        if start is not None and is_first_process():
            print(f"going on from step {start.step} of {recipe.output_dir}")
        trainer = make_trainer(recipe, config, tokenizer, dataset, tracker)
        with ladder.attached(trainer):
            trainer.train(resume_from_checkpoint=str(start.folder) if start and start.step else None)
    if not ladder.keep_states and is_first_process():
        drop_states(recipe.output_dir)


def unreached(recipe: Recipe) -> list[str]:
    """One sentence for every rung that training ended before."""
    reached = {rung.step for rung in read_ladder(recipe.output_dir)}
    return [f"step {step}: training ended before it" for step in recipe.ladder if step not in reached]


def _check_folder(recipe: Recipe, provenance: Provenance) -> None:
    folder = recipe.output_dir
    if any(folder.glob("checkpoint-*")) and not (folder / PROVENANCE_FILE).is_file():
        raise RecipeError(
            f"{recipe.path}: output_dir: {folder} holds checkpoints of others; give another --output_dir"
        )
    for rung in read_ladder(folder) if folder.is_dir() else []:
        held = {key: getattr(rung, key) for key in vars(provenance)}
        differs = [key for key, value in vars(provenance).items() if held[key] != value]
        if differs:
            raise RecipeError(
                f"{recipe.path}: output_dir: {folder} holds a run with another {' and '.join(differs)}; "
                "give another --output_dir, or remove that folder"
            )
