"""What further judges will be asked: verdicts, tokens and dollars, as upper bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from erosion.evaluation import judges as judge_files
from erosion.recipes.discovery import find
from erosion.recipes.judge_options import JudgeOptions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from erosion.evaluation.cells import Cell, Prompt


@dataclass(frozen=True, kw_only=True)
class JudgeWork:
    """One judge's work at one rung.

    Attributes:
        judge: Its label.
        verdicts: Answers it is asked of; a guard's halts and empty texts, which it is not, are among them.
        read: Tokens read at most, every answer as long as it may be, in the studied model's tokens.
        written: Tokens written at most.
        reader: Who reads them: nobody, the model of step 0, or a model of the judge's own.
        dollars: US dollars at most; None without prices.
        cap: Its `max_cost`.
        note: What the numbers rest on where that is not the judge's own tokenizer.
    """

    judge: str
    verdicts: int
    read: int = 0
    written: int = 0
    reader: Literal["nobody", "step 0", "own"] = "nobody"
    dollars: float | None = None
    cap: float | None = None
    note: str = ""


def judge_work(options: JudgeOptions, cells: Sequence[Cell], tokenizer: PreTrainedTokenizerBase) -> JudgeWork:
    """What a judge is asked of the answers to all cells of a recipe; rules read nothing by a model.

    Args:
        options: The judge.
        cells: Of the recipe.
        tokenizer: The run's.
    """
    file = find(judge_files, options.name, "evaluation.judges")
    if not hasattr(file, "work"):
        return JudgeWork(judge=options.label, verdicts=sum(len(cell.prompts) for cell in cells))
    made: JudgeWork = file.work(options, cells, tokenizer)
    return made


def longest_answers(cells: Sequence[Cell]) -> Iterator[tuple[Prompt, int]]:
    """Every prompt, and the tokens its answer has at most."""
    for cell in cells:
        for prompt in cell.prompts:
            yield prompt, max(map(len, prompt.choices), default=cell.max_new_tokens)
