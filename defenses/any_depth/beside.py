"""ADA-RK whose lookahead is decoded as extra rows beside the live ones: cheaper, and its verdict comes later.

A check's fork goes through the same forward passes as the answer it belongs to, so a small batch hardly
notices it. Meanwhile the answer grows by up to span + lookahead tokens; a halted row is still replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache

from erosion.defenses.any_depth.cache_names import with_cache
from erosion.defenses.any_depth.decoding import Interval, is_checked
from erosion.defenses.base import Generated, cut
from erosion.recipes.parsing import RecipeError
from erosion.recipes.sections import INTERVAL

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from erosion.defenses.ada_rk import Rethinking


@torch.inference_mode()
def generate_beside(
    model: PreTrainedModel,
    check: Rethinking,
    refusal_ids: Sequence[int],
    *,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    eos_token_id: Sequence[int],
    max_new_tokens: int,
    interval: Interval = INTERVAL,
) -> Generated:
    """Greedy generation under ADA-RK, every check decoded beside the answers.

    Args:
        model: A decoder-only transformers model.
        check: The lookahead.
        refusal_ids: What a halted row's answer is replaced by.
        input_ids: `[B, T]`, padded on the left.
        attention_mask: `[B, T]`, 0 on padding.
        eos_token_id: Every token that ends a turn.
        max_new_tokens: The longest answer.
        interval: Tokens between checks; one check is over before the next.

    Returns:
        Rows, halting depths and checks of a `CheckedGuard` with the same check.

    Raises:
        RecipeError: An interval shorter than span and lookahead.
    """
    shortest = len(check.span_ids) + check.how.tokens - 1
    if (25 if interval == "adaptive" else interval) < shortest:
        raise RecipeError(f"interval: given {interval}, allowed at least {shortest} with this lookahead")
    rows = _Rows(model, input_ids, attention_mask, list(eos_token_id), max_new_tokens)
    forks: _Forks | None = None
    while True:
        if forks is None and is_checked(rows.depth, interval) and rows.depth != rows.checked:
            forks = rows.fork(check)
        if forks is None and not rows.go_on():
            return rows.generated(list(refusal_ids[:max_new_tokens]))
        rows.step(forks)
        if forks is not None and forks.decided():
            rows.settle(forks)
            forks = None


@dataclass(kw_only=True)
class _Forks:
    """One check: span tokens still to be read, and what each row's fork said after them."""

    check: Rethinking
    depth: int
    asked: torch.Tensor
    waiting: list[int]
    said: list[list[int]]
    next: torch.Tensor = field(default_factory=lambda: torch.empty(0))

    def feed(self) -> torch.Tensor:
        if self.waiting:
            return torch.full(self.asked.shape, self.waiting.pop(0), device=self.asked.device)
        return self.next

    def hear(self, tokens: torch.Tensor) -> None:
        self.next = tokens
        if not self.waiting:
            for ids, token in zip(self.said, tokens.tolist(), strict=True):
                ids.append(token)

    def decided(self) -> bool:
        how, tokenizer = self.check.how, self.check.tokenizer
        if not self.said[0] or len(self.said[0]) >= how.tokens:
            return bool(self.said[0])
        pairs = zip(self.said, self.asked.tolist(), strict=True)
        return all(how.decided(tokenizer, ids) for ids, asked in pairs if asked)

    def refusals(self) -> list[bool]:
        how, tokenizer = self.check.how, self.check.tokenizer
        return [how.refuses(how.text(tokenizer, ids)) for ids in self.said]


class _Rows:
    """The answers; with a check under way every one is followed by its fork in the batch."""

    def __init__(
        self, model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, ends: list[int], longest: int
    ) -> None:
        self.model, self.ids, self.mask, self.start = model, ids, mask, ids.shape[1]
        self.ends, self.longest, self.checked, self.cache = ends, longest, 0, DynamicCache()
        self.finished = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
        self.depths: list[int | None] = [None] * len(ids)
        self.checks: list[dict[int, float]] = [{} for _ in range(len(ids))]
        self.next = self._forward(ids, mask)

    @property
    def depth(self) -> int:
        return int(self.ids.shape[1]) - self.start

    def go_on(self) -> bool:
        return self.depth < self.longest and not bool(self.finished.all())

    def fork(self, check: Rethinking) -> _Forks | None:
        self.checked = self.depth
        if bool(self.finished.all()):
            return None
        self.cache.batch_repeat_interleave(2)
        return _Forks(
            check=check, depth=self.depth, asked=~self.finished, waiting=list(check.span_ids),
            said=[[] for _ in range(len(self.ids))],
        )  # fmt: skip

    def step(self, forks: _Forks | None) -> None:
        growing, live = self.go_on(), self.next.masked_fill(self.finished, self.ends[0] if self.ends else 0)
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.mask), 1)], 1)
        if forks is None:
            self.next = self._forward(live[:, None], self.mask)
        else:
            both = torch.stack([live, forks.feed()], 1).flatten()
            said = self._forward(both[:, None], self.mask.repeat_interleave(2, 0))
            self.next = said[0::2]
            forks.hear(said[1::2])
        if growing:
            self.ids = torch.cat([self.ids, live[:, None]], 1)
            self.finished = self.finished | torch.isin(live, torch.tensor(self.ends, device=live.device))

    def settle(self, forks: _Forks) -> None:
        self.cache.batch_select_indices(torch.arange(0, 2 * len(self.ids), 2, device=self.ids.device))
        for row, (refuses, asked) in enumerate(zip(forks.refusals(), forks.asked.tolist(), strict=True)):
            if asked:
                self.checks[row][forks.depth] = float(refuses)
                self.depths[row] = forks.depth if refuses else None
                self.finished[row] |= refuses

    def generated(self, refusal: list[int]) -> Generated:
        ended = [cut(row.tolist(), set(self.ends)) for row in self.ids[:, self.start :]]
        halted = [depth is not None for depth in self.depths]
        return Generated(
            new_ids=[refusal if h else ids for h, (ids, _) in zip(halted, ended, strict=True)],
            stopped_by=["guard" if h else reason for h, (_, reason) in zip(halted, ended, strict=True)],
            depths=self.depths, checks=self.checks,
        )  # fmt: skip

    def _forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        positions = (mask.cumsum(1) - 1).clamp(min=0)[:, -tokens.shape[1] :]
        out = self.model(
            input_ids=tokens, attention_mask=mask, position_ids=positions, use_cache=True, logits_to_keep=1,
            **with_cache(self.model, self.cache),
        )  # fmt: skip
        chosen: torch.Tensor = out.logits[:, -1].argmax(-1)
        return chosen
