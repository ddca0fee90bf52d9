"""Generation that is checked at intervals; rows that fail are halted and get a refusal (2510.18081, 3.2).

The checks ride on `model.generate` as one more stopping criterion. Sampling, padding, streamers, stop strings
and criteria of the user's own work as they always do, and rows that pass are as they are without a guard.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from transformers import DynamicCache, StoppingCriteria, StoppingCriteriaList

from erosion.defenses.any_depth.checks import Check, LiveFork
from erosion.defenses.any_depth.fork import decoder_of
from erosion.defenses.any_depth.stepping import is_recurrent
from erosion.defenses.any_depth.streaming import HeldStreamer
from erosion.defenses.base import Generated, Guard, StoppedBy, cut
from erosion.recipes.parsing import RecipeError
from erosion.recipes.sections import INTERVAL

if TYPE_CHECKING:
    from transformers import GenerationConfig, PreTrainedModel

Interval = int | Literal["adaptive"]


def is_checked(depth: int, interval: Interval) -> bool:
    """Whether an answer is checked at a depth; adaptive is every 25 tokens up to 100, then every 100."""
    if interval == "adaptive":
        return depth > 0 and depth % (25 if depth <= 100 else 100) == 0
    return depth > 0 and depth % interval == 0


class CheckedGuard(Guard):
    """Halts rows whose check fails.

    Args:
        check: What is asked.
        refusal_ids: Token ids that a halted row's answer is replaced by.
        interval: Tokens between checks, or `adaptive`.
        hold_back: Hand tokens to a streamer only once the check after them has passed.
    """

    def __init__(
        self,
        check: Check,
        refusal_ids: Sequence[int],
        *,
        interval: Interval = INTERVAL,
        hold_back: bool = False,
    ) -> None:
        if interval != "adaptive" and (not isinstance(interval, int) or interval < 1):
            raise RecipeError(f"interval: given {interval!r}, allowed a whole number from 1, or 'adaptive'")
        self.check, self.refusal_ids = check, list(refusal_ids)
        self.interval, self.hold_back = interval, hold_back

    def generate(
        self,
        model: PreTrainedModel,
        *,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        eos_token_id: int | list[int] | None = None,
        **options: Any,
    ) -> Generated:
        """Continues every row, checked.

        Args:
            model: Any decoder-only transformers model, PEFT-wrapped or not.
            input_ids: `[B, T]`, padded on the left.
            attention_mask: `[B, T]`, 0 on padding; all ones when None.
            eos_token_id: Tokens that end a turn; the model's own when None.
            options: Handed to `model.generate`: sampling, `streamer`, `stop_strings` with `tokenizer`,
                `stopping_criteria` and all else. No beams.

        Returns:
            Also `sequences` as `model.generate` gives them, each halted row's answer replaced by the refusal,
            and for every row the depth it was halted at and the score of each check.

        Raises:
            RecipeError: Beams, which share one cache among candidates, or a cache that cannot be forked.
        """
        config = options.get("generation_config") or model.generation_config
        _check_options({**config.to_diff_dict(), **options})
        if is_recurrent(decoder_of(model)):
            raise RecipeError(f"{type(model).__name__}: a guard needs a model with a key-value cache")
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        ends = _as_list(model.generation_config.eos_token_id if eos_token_id is None else eos_token_id)
        cache = options.pop("past_key_values", None)
        cache = DynamicCache() if cache is None else cache
        longest = _longest(config, options, input_ids.shape[1])
        rows = _Rows(self, model, cache, mask, input_ids.shape[1], ends, longest)
        rows.pad = options.get("pad_token_id") if options.get("pad_token_id") is not None else rows.pad
        if (streamer := options.pop("streamer", None)) is not None:
            rows.streamer = options["streamer"] = HeldStreamer(streamer, self.hold_back, rows.refusal)
        criteria = StoppingCriteriaList([*options.pop("stopping_criteria", []), rows])
        sequences = model.generate(
            input_ids=input_ids, attention_mask=mask, eos_token_id=ends or None, past_key_values=cache,
            stopping_criteria=criteria, **{"use_cache": True, **options},
        )  # fmt: skip
        return rows.generated(sequences)

    def __call__(
        self,
        model: Any,
        input_ids: torch.Tensor,
        logits_processor: Any = None,
        stopping_criteria: Any = None,
        generation_config: GenerationConfig | None = None,
        **options: Any,
    ) -> torch.Tensor:
        """For `model.generate(..., custom_generate=guard)`; returns the sequences alone.

        transformers hands neither a streamer nor stop strings to a callable: use `generate` for those.
        """
        mask = options.get("attention_mask")
        cache = options.setdefault("past_key_values", DynamicCache())
        _check_options({"past_key_values": cache})
        mask = torch.ones_like(input_ids) if mask is None else mask
        ends = _as_list(generation_config.eos_token_id if generation_config else None)
        longest = _longest(generation_config or model.generation_config, {}, input_ids.shape[1])
        rows = _Rows(self, model, cache, mask, input_ids.shape[1], ends, longest)
        sequences = model._sample(
            input_ids, logits_processor=logits_processor, generation_config=generation_config,
            stopping_criteria=StoppingCriteriaList([*(stopping_criteria or []), rows]), **options,
        )  # fmt: skip
        return rows.finished(sequences)


class _Rows(StoppingCriteria):  # type: ignore[misc]
    """The rows of one call: asked every few tokens, halted once and for all."""

    def __init__(
        self,
        guard: CheckedGuard,
        model: PreTrainedModel,
        cache: Any,
        mask: torch.Tensor,
        start: int,
        ends: list[int],
        longest: int,
    ) -> None:
        self.guard, self.model, self.cache, self.mask, self.start = guard, model, cache, mask, start
        self.replacement = guard.refusal_ids[:longest]
        self.longest, pad = longest, model.generation_config.pad_token_id
        self.pad = pad if pad is not None else ends[0] if ends else 0
        self.ends = torch.tensor(ends, device=mask.device)
        self.halted = torch.zeros(0, dtype=torch.bool)
        self.depths: list[int | None] = []
        self.checks: list[dict[int, float]] = []
        self.streamer: HeldStreamer | None = None

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        """Which rows are halted, `[B]`; asks the check where one is due."""
        self._begin(input_ids)
        depth = input_ids.shape[1] - self.start
        if is_checked(depth, self.guard.interval):
            self._check(input_ids, depth)
        return self.halted

    def refusal(self) -> list[int]:
        """What a halted row says in place of its answer."""
        return self.replacement if self.depths and self.depths[0] is not None else []

    def finished(self, sequences: torch.Tensor) -> torch.Tensor:
        """The sequences with the refusal in place of every halted answer."""
        self._begin(sequences)
        missing = self.start + len(self.replacement) - sequences.shape[1]
        if missing > 0 and any(depth is not None for depth in self.depths):
            filler = sequences.new_full((len(sequences), missing), self.pad)
            sequences = torch.cat([sequences, filler], 1)
        for row, depth in enumerate(self.depths):
            if depth is not None:
                sequences[row, self.start :] = self.pad
                refusal = sequences.new_tensor(self.replacement)
                sequences[row, self.start : self.start + len(refusal)] = refusal
        return sequences

    def generated(self, sequences: torch.Tensor) -> Generated:
        """The outcome, refusals put in."""
        width = sequences.shape[1]
        new = [row.tolist() for row in sequences[:, self.start : width]]
        ended = [self._ended(row) for row in new]
        sequences = self.finished(sequences)
        halted = [depth is not None for depth in self.depths]
        return Generated(
            new_ids=[self.replacement if h else ids for h, (ids, _) in zip(halted, ended, strict=True)],
            stopped_by=["guard" if h else reason for h, (_, reason) in zip(halted, ended, strict=True)],
            sequences=sequences, depths=self.depths, checks=self.checks,
        )  # fmt: skip

    def _ended(self, ids: list[int]) -> tuple[list[int], StoppedBy]:
        """A row's own tokens and why it ended; padding follows a row that others outlived."""
        said, why = cut(ids, {*self.ends.tolist(), self.pad})
        if why == "end_of_turn" and ids[len(said)] not in self.ends.tolist():
            return said, "criterion"
        return said, "criterion" if why == "length" and len(said) < self.longest else why

    def _begin(self, input_ids: torch.Tensor) -> None:
        if not len(self.halted):
            rows = len(input_ids)
            self.halted = torch.zeros(rows, dtype=torch.bool, device=input_ids.device)
            self.depths, self.checks = [None] * rows, [{} for _ in range(rows)]
            self.mask = self.mask.repeat_interleave(rows // len(self.mask), 0)

    def _check(self, input_ids: torch.Tensor, depth: int) -> None:
        new = input_ids[:, self.start :]
        over = torch.cat([self.ends, self.ends.new_tensor([self.pad])])
        going = ~(torch.isin(new, over).any(1) | self.halted)
        if not bool(going.any()):
            return
        mask = torch.cat([self.mask, self.mask.new_ones(new.shape)], 1)
        fork = LiveFork(
            model=self.model,
            cache=self.cache,
            last=input_ids[:, -1:],
            mask=mask,
            ids=input_ids,
            start=self.start,
        )
        found = self.guard.check.live(fork)
        for row in going.nonzero()[:, 0].tolist():
            self.checks[row][depth] = score = float(found[row])
            if not score < self.guard.check.threshold:  # what could not be scored is not safe
                self.depths[row] = depth
        self.halted = torch.tensor([d is not None for d in self.depths], device=input_ids.device)
        if self.streamer is not None:
            self.streamer.release()


def _check_options(options: dict[str, Any]) -> None:
    """Checks that the cache is one a check can fork, and that each row has its own."""
    cache = options.get("past_key_values")
    for key, allowed, holds in (
        ("num_beams", "1", options.get("num_beams") in (None, 1)),
        ("use_cache", "true", options.get("use_cache") is not False),
        ("cache_implementation", "dynamic", options.get("cache_implementation") in (None, "dynamic")),
        ("return_dict_in_generate", "false", not options.get("return_dict_in_generate")),
        ("past_key_values", "a DynamicCache", cache is None or type(cache) is DynamicCache),
    ):
        if not holds:
            given = type(cache).__name__ if key == "past_key_values" else options[key]
            raise RecipeError(f"{key}: given {given!r}, allowed {allowed} under a guard")


def _longest(config: GenerationConfig, options: dict[str, Any], prompt: int) -> int:
    """New tokens an answer may have."""
    for given in (options, vars(config)):
        if given.get("max_new_tokens") is not None:
            return int(given["max_new_tokens"])
        if given.get("max_length") is not None:
            return max(0, int(given["max_length"]) - prompt)
    return 2**31


def _as_list(ids: int | list[int] | None) -> list[int]:
    return [] if ids is None else list(ids) if isinstance(ids, list) else [ids]
