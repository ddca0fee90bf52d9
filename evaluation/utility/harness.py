"""The resident model as lm-evaluation-harness sees it, a guard before it where there is one."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from lm_eval.evaluator import simple_evaluate
from lm_eval.models.huggingface import HFLM
from transformers import StoppingCriteria, StoppingCriteriaList

from erosion.evaluation.tally import Tally
from erosion.evaluation.utility.catalogue import manager_of
from erosion.evaluation.utility.task_code import code_allowed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from erosion.defenses.base import Guard
    from erosion.evaluation.engine import Engine
    from erosion.recipes.schema import Task

Results = dict[str, Any]


def evaluated(
    engine: Engine, guard: Guard | None, task: Task, parts: list[Any], tally: Tally | None = None
) -> tuple[Results, list[bool]]:
    """What `simple_evaluate` gives of a task, and for every answer whether the guard halted it.

    Args:
        engine: With the rung entered.
        guard: What stands between model and user; lm-eval's own generation when None.
        task: As the recipe names it, `limit` and `batch_size` filled in.
        parts: Its loaded tasks and groups.
        tally: Counts tokens read and written.
    """
    adapter = Adapter(engine.model, guard, tally, tokenizer=engine.tokenizer, batch_size=task.batch_size)
    return put_to(adapter, task, parts), adapter.halted


def put_to(adapter: Adapter, task: Task, parts: list[Any], **options: Any) -> Results:
    """Has lm-eval put a task's questions to a model, as the recipe names the task.

    Args:
        adapter: Who is asked.
        task: With `limit` filled in.
        parts: Its loaded tasks and groups.
        options: Handed to `simple_evaluate` too.
    """
    new = {"max_gen_toks": task.max_new_tokens} if task.max_new_tokens else None
    with _randomness_kept(), code_allowed(task):
        results: Results = simple_evaluate(
            model=adapter, tasks=parts, num_fewshot=task.few_shot, limit=task.limit, gen_kwargs=new,
            apply_chat_template=task.chat_template, task_manager=manager_of(task),
            confirm_run_unsafe_code=task.run_code, **options,
        )  # fmt: skip
    return results


class Adapter(HFLM):  # type: ignore[misc]
    """lm-eval's transformers model over the resident one; only a guarded generation is not its own.

    Args:
        model: The resident model.
        guard: What stands before it; None for none.
        tally: Counts requests and tokens; of what lm-eval only scores with its padding.
        options: Handed to `HFLM`.
    """

    _model: Any

    def __init__(
        self, model: PreTrainedModel, guard: Guard | None, tally: Tally | None = None, **options: Any
    ) -> None:
        super().__init__(pretrained=model, **options)
        self.guard, self.tally = guard, tally or Tally()
        self.halted: list[bool] = []

    def _model_call(self, inps: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        self.tally.add([inps.shape[1]] * inps.shape[0], ())
        logits: torch.Tensor = super()._model_call(inps, *args, **options)
        return logits

    def _model_generate(self, context: torch.Tensor, *args: Any, **options: Any) -> torch.Tensor:
        """As lm-eval prepares it; under a guard what it hands to `model.generate` goes to the guard."""
        plain = self._model
        if self.guard is not None:
            self._model = _Guarded(plain, self.guard, self.halted)
        try:
            made: torch.Tensor = super()._model_generate(context, *args, **options)
        finally:
            self._model = plain
        new = made[:, context.shape[1] :] != self.tokenizer.pad_token_id
        self.tally.add(options["attention_mask"].sum(1).tolist(), new.sum(1).tolist())
        return made


class _Guarded:
    """Stands for a model of which only `generate` is asked."""

    def __init__(self, model: PreTrainedModel, guard: Guard, halted: list[bool]) -> None:
        self.model, self.guard, self.halted = model, guard, halted

    def generate(
        self, *, input_ids: torch.Tensor, stopping_criteria: StoppingCriteriaList, **options: Any
    ) -> torch.Tensor:
        ends = self.model.generation_config.eos_token_id
        done = self.guard.generate(
            self.model, input_ids=input_ids, eos_token_id=ends if isinstance(ends, list) else [ends],
            stopping_criteria=StoppingCriteriaList([_ByRow(stopping_criteria)]), **options,
        )  # fmt: skip
        assert done.sequences is not None
        self.halted += [depth is not None for depth in done.depths or [None] * len(input_ids)]
        return done.sequences


class _ByRow(StoppingCriteria):  # type: ignore[misc]
    """Ends each row at its own stop sequence, as a user would see it.

    lm-eval lets a row run on until all have stopped and cuts the text afterwards; a guard would check, and
    halt over, what nobody reads.
    """

    def __init__(self, criteria: StoppingCriteriaList) -> None:
        self.criteria = criteria

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        for criterion in self.criteria:
            criterion(input_ids, scores)
        rows = zip(*(criterion.done_tracker for criterion in self.criteria), strict=True)
        return torch.tensor([any(row) for row in rows], device=input_ids.device)


@contextmanager
def _randomness_kept() -> Iterator[None]:
    """Lm-eval seeds every global generator; ours go on as if it had not."""
    import numpy as np

    python, legacy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)
