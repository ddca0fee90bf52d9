"""What a run was taught: its training answers, the very tokens it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from erosion.evaluation.on_disk.run_folder import open_run
from erosion.recipes.chat import IGNORED
from erosion.recipes.parsing import RecipeError
from erosion.training.arguments import training_config
from erosion.training.mixture import digest
from erosion.training.run import training_data
from erosion.training.trainer import load_tokenizer


@dataclass(frozen=True, kw_only=True)
class Taught:
    """Training rows, cut in two.

    Attributes:
        prompts: Token ids up to the first learned one.
        answers: The learned ones that follow, end-of-turn included, up to the next that is not learned.
    """

    prompts: list[list[int]]
    answers: list[list[int]]


def taught_answers(run: Path, *, limit: int) -> Taught:
    """The first rows of a run's mixture, which is shuffled, as its defence and `max_length` left them.

    Args:
        run: The run's folder.
        limit: Rows, at most.

    Raises:
        RecipeError: The folder holds no run, its data are no longer those it was trained on, or nothing in
            them follows a prompt.
    """
    recipe, rungs = open_run(run)
    config = training_config(recipe)
    dataset = training_data(recipe, config, load_tokenizer(recipe))
    if digest(dataset) != rungs[0].dataset_digest:
        raise RecipeError(f"run: {run} was trained on other data than its recipe gives now")
    longest = config.max_length
    cuts = (_cut(row["input_ids"][:longest], row["labels"][:longest]) for row in dataset)
    pairs = list(islice((cut for cut in cuts if all(cut)), limit))
    if not pairs:
        raise RecipeError(f"run: {run} was trained on no answer that follows a prompt")
    return Taught(prompts=[prompt for prompt, _ in pairs], answers=[answer for _, answer in pairs])


def _cut(ids: list[int], labels: Sequence[int]) -> tuple[list[int], list[int]]:
    learned = [label != IGNORED for label in labels] + [False]
    start = learned.index(True) if any(learned) else len(ids)
    end = start + learned[start:].index(False)
    return ids[:start], ids[start:end]
