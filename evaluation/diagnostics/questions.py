"""What a diagnostic asks: cases of a suite or of a file, as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from erosion.defenses.any_depth.safety_tokens import prompt_completion
from erosion.evaluation import suites as suite_files
from erosion.evaluation.plan import check_embedded, check_path
from erosion.evaluation.records import Case
from erosion.recipes.chat import answer_ids, prompt_ids
from erosion.recipes.discovery import find
from erosion.recipes.models import speaks_pocket
from erosion.recipes.parsing import RecipeError, mistake
from erosion.recipes.schema import Data

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

EMBEDDED_SUITE, FILE_SUITE = "pocket/refusal", "harmful_prefill"


def chosen(suite: str | None, file: Path | None, base: str, *, own: Data | None = None) -> Data:
    """Which suite is asked, checked before anything is loaded.

    Args:
        suite: Its name, where one was given.
        file: Its data, where a file was given.
        base: The model that is asked, which decides if the embedded world makes sense to it.
        own: What is asked where neither was given.

    Raises:
        RecipeError: An unknown suite, one of the embedded world on another model, or no such file.
    """
    if suite is None and file is None and own is not None:
        return own
    if suite is None and file is None and not speaks_pocket(base):
        raise RecipeError(f"--data: needed with {base!r}, a file with the columns prompt and answer")
    name = suite or (FILE_SUITE if file else EMBEDDED_SUITE)
    data = Data(name=name, path=None if file is None else str(file))
    find(suite_files, name, "--suite")
    check_embedded(data, "--data")
    check_path(data, "--data")
    if name.startswith("pocket/") and not speaks_pocket(base):
        raise mistake("--suite", name, f"suites on real data, since {base!r} does not speak pocket")
    return data


def prompts_of(tokenizer: PreTrainedTokenizerBase, cases: Sequence[Case]) -> list[list[int]]:
    """Token ids up to the assistant header."""
    return [prompt_ids(tokenizer, case.messages) + prompt_completion(tokenizer) for case in cases]


def answers_of(tokenizer: PreTrainedTokenizerBase, cases: Sequence[Case], positions: int) -> list[list[int]]:
    """The first token ids of the cases' answers.

    Raises:
        RecipeError: The cases have no answers.
    """
    if any(case.answer is None for case in cases):
        raise RecipeError(f"--suite: {cases[0].suite} has prompts without answers; give a suite with answers")
    return [answer_ids(tokenizer, case.messages, case.answer or "")[:positions] for case in cases]
