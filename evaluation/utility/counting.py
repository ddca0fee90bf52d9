"""What a task of lm-eval will ask of a model, counted on lm-eval's own path and without the model.

Few-shot examples, chat template, truncation, batches and their padding are those of a measurement. Nothing is
answered, so no metric is computed.
"""

from __future__ import annotations

import contextlib
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from erosion.evaluation.utility.harness import Adapter, put_to

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase

    from erosion.recipes.schema import Task


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a task asks of a model.

    Attributes:
        requests: How many.
        read: Tokens in them; of what is only scored with lm-eval's padding.
        answers: Of every answer that is written, the tokens it may have.
    """

    requests: int
    read: int
    answers: tuple[int, ...]


def counted(
    task: Task, parts: list[Any], tokenizer: PreTrainedTokenizerBase, config: PretrainedConfig
) -> Asked:
    """What a measurement of a task will ask.

    Args:
        task: As the recipe names it, `limit` and `batch_size` filled in.
        parts: Its loaded tasks and groups, which cannot be measured with afterwards: lm-eval takes their
            metrics away.
        tokenizer: The run's.
        config: Of the run's model.
    """
    counter = Counter(_Unloaded(config=config), None, tokenizer=tokenizer, batch_size=task.batch_size)
    with contextlib.redirect_stderr(io.StringIO()):  # lm-eval's progress bars
        put_to(counter, task, parts, predict_only=True, bootstrap_iters=0)
    tally = counter.tally
    return Asked(requests=tally.prompts, read=tally.prompt_tokens, answers=tuple(counter.answers))


class Counter(Adapter):
    """The adapter over a model that is never run: it counts what it is asked and answers nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.answers: list[int] = []

    def _model_call(self, inps: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        self.tally.add([inps.shape[1]] * inps.shape[0], ())
        return torch.zeros(*inps.shape, 1)

    def _select_cont_toks(self, logits: torch.Tensor, contlen: int, inplen: int) -> torch.Tensor:
        """Equal logits for the whole vocabulary, without the memory they would take."""
        return torch.zeros(1, 1).expand(contlen, len(self.tokenizer))

    def _model_generate(self, context: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        self.tally.add(options["attention_mask"].sum(1).tolist(), ())
        self.answers += [options["max_length"] - context.shape[1]] * len(context)
        return context


@dataclass(frozen=True, kw_only=True)
class _Unloaded:
    """What lm-eval asks of a model that it does not run."""

    config: PretrainedConfig
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
