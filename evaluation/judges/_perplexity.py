"""How much a model is surprised by a text: degenerate text that no rule describes surprises it all along."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from erosion.evaluation.diagnostics.named_models import NamedModel
from erosion.evaluation.engine import Engine
from erosion.evaluation.models import load_tokenizer
from erosion.evaluation.records import Completion, HigherIs, Verdict
from erosion.evaluation.tally import Tally
from erosion.recipes.chat import encode, prompt_ids

VERSION = "1"
FEWEST_TOKENS = 8
"""Of fewer, one unlikely first word decides the mean."""
GUESSING = 0.5
"""The share of log V, what guessing among all V tokens costs, from which on a text is no language."""


@dataclass(frozen=True, kw_only=True)
class PerplexityJudge:
    """Rules first, then the mean surprise of each new token under a model.

    A text is incoherent where that mean is more than half of log V nats: nearer to guessing among the whole
    vocabulary than to knowing what comes. The bar is absolute, since a bar set on a model's own greedy
    answers would call every other answer incoherent: after fine-tuning the model of step 0 expects neither
    the first word nor the topic, yet it still expects the grammar. On the embedded model own answers, and
    those after 50 harmful steps, cost at most 0.6 nats a token, the same words shuffled 12 to 19; the bar is
    at 3.5.

    Attributes:
        rules: What is asked first.
        rules_version: Theirs.
        tells: What they tell.
        model: The model, not loaded yet.
        tokenizer_folder: Where its tokenizer and chat template are; its own place when None.
        batch_size: Answers read together.
        name: The judge's name.
        tally: What the model has read.
    """

    rules: Callable[[Completion], Verdict]
    rules_version: str
    tells: Mapping[str, HigherIs]
    model: NamedModel
    batch_size: int
    tokenizer_folder: Path | None = None
    name: str = "coherence"
    tally: Tally = field(default_factory=Tally, compare=False)

    @property
    def version(self) -> str:
        """Of the rules, of this file and of the weights."""
        return f"{self.rules_version}.{VERSION}-{self.model.weights_digest}"

    @property
    def use_cpu(self) -> bool:
        """Whether an accelerator is left alone."""
        return self.model.options.use_cpu

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Tokens the model has read until now; it writes none."""
        return self.tally.prompt_tokens, 0, 0

    def judge_all(self, completions: Sequence[Completion]) -> Iterator[Verdict]:
        """A verdict for every completion, batch by batch."""
        for start in range(0, len(completions), self.batch_size):
            yield from self._batch(completions[start : start + self.batch_size])

    @cached_property
    def engine(self) -> Engine:
        """The model, loaded when it is first asked."""
        if self.tokenizer_folder is None:
            return self.model.engine(self.model.tokenizer())
        remote = self.model.options.trust_remote_code
        return self.model.engine(load_tokenizer(self.tokenizer_folder, trust_remote_code=remote))

    @cached_property
    def limit(self) -> float:
        """Nats a token from which on a text is incoherent."""
        return GUESSING * math.log(self.engine.model.config.get_text_config().vocab_size)

    def _batch(self, completions: Sequence[Completion]) -> list[Verdict]:
        verdicts = [self.rules(completion) for completion in completions]
        unclear = [at for at, verdict in enumerate(verdicts) if verdict.label == "scored"]
        read = {at: self._tokens(completions[at]) for at in unclear}
        long = {at for at, (_, new) in read.items() if len(new) >= FEWEST_TOKENS}
        fits = {at for at in long if sum(map(len, read[at])) <= self._room()}
        asked = sorted(fits)
        self.tally.add((sum(map(len, read[at])) for at in asked), ())
        sums = self.engine.log_likelihoods(
            [read[at][0] for at in asked], [read[at][1] for at in asked], batch_size=self.batch_size
        )
        nats = {at: -total / len(read[at][1]) for at, total in zip(asked, sums, strict=True)}
        for at in long:
            verdicts[at] = self._read(verdicts[at], nats.get(at), len(read[at][1]))
        return verdicts

    def _tokens(self, completion: Completion) -> tuple[list[int], list[int]]:
        """Prompt and prefill, and the new text."""
        tokenizer, case = self.engine.tokenizer, completion.case
        before = prompt_ids(tokenizer, case.messages) if case.messages and tokenizer.chat_template else []
        before = [*before, *encode(tokenizer, case.prefill)]
        first = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else self.engine.end_ids[0]
        return before or [first], encode(tokenizer, completion.text)

    def _room(self) -> float:
        own = getattr(self.engine.model.config.get_text_config(), "max_position_embeddings", None)
        return math.inf if own is None else own

    def _read(self, verdict: Verdict, nats: float | None, tokens: int) -> Verdict:
        if nats is None:
            return replace(verdict, label="unscored", detail="longer than the model's context", score=None)
        raw = json.dumps({"nats_per_token": round(nats, 4), "tokens": tokens})
        if nats > self.limit:
            detail = f"perplexity {math.exp(nats):.0f}"
            return replace(verdict, label="incoherent", detail=detail, score=0.0, raw=raw)
        return replace(verdict, detail=f"{verdict.detail}, perplexity {math.exp(nats):.1f}", raw=raw)
