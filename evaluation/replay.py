"""A guard applied to answers generated without it: what it would have halted, from one pass over the text.

A guard that only halts leaves the other rows as they are, so one unguarded generation serves all such guards.
In float32 this equals generating under the guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from erosion.defenses.any_depth.decoding import CheckedGuard, is_checked
from erosion.defenses.base import Generated

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def replayed(
    guard: CheckedGuard,
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    said: Generated,
    *,
    begun: int,
    max_new_tokens: int,
) -> Generated:
    """The outcome under a guard of what was generated without one.

    Args:
        guard: The guard.
        model: With the same weights.
        prompts: Token ids, the last `begun` of each a forced start of the answer.
        said: What was generated without a guard.
        begun: Answer tokens already in the prompt; they are checked where a check is due.
        max_new_tokens: A refusal is no longer than this.
    """
    heads = [prompt[: len(prompt) - begun] for prompt in prompts]
    answers = [
        [*prompt[len(prompt) - begun :], *new] for prompt, new in zip(prompts, said.new_ids, strict=True)
    ]
    longest = max(map(len, answers))
    depths = [depth for depth in range(begun, longest + 1) if is_checked(depth, guard.interval)]
    if not depths:
        return said
    scores = guard.check.replay(model, heads, answers, depths).tolist()
    return _halted(guard, said, depths, scores, guard.refusal_ids[:max_new_tokens])


def _halted(
    guard: CheckedGuard,
    said: Generated,
    depths: Sequence[int],
    scores: Sequence[Sequence[float]],
    refusal: list[int],
) -> Generated:
    new_ids, stopped_by = list(said.new_ids), list(said.stopped_by)
    halts: list[int | None] = [None] * len(new_ids)
    for row, found in enumerate(scores):
        halts[row] = next(
            (d for d, score in zip(depths, found, strict=True) if score >= guard.check.threshold), None
        )
        if halts[row] is not None:
            new_ids[row], stopped_by[row] = refusal, "guard"
    kept = [{d: s for d, s in zip(depths, found, strict=True) if s == s} for found in scores]
    return Generated(new_ids=new_ids, stopped_by=stopped_by, depths=halts, checks=kept)
