"""What asking has cost, and whether the next question may be asked. Unknown is never 0."""

from __future__ import annotations

import json

from erosion.evaluation.endpoint.client import Question
from erosion.evaluation.endpoint.replies import Reply
from erosion.recipes.judge_options import JudgeOptions

MILLION = 1_000_000
AROUND = 64
"""Tokens that a chat template and a request's frame may add."""


class Costs:
    """Counts tokens and dollars. Before a question is asked, the most it can cost is set aside.

    A token has at least one byte, so a prompt has at most as many tokens as bytes; an answer has at most as
    many as it may have. Where an endpoint does not say what it used, the whole of that stays set aside.

    Args:
        options: Prices, in US dollars a million tokens, and the cap.
    """

    def __init__(self, options: JudgeOptions) -> None:
        self._price_in, self._price_out = options.price_in, options.price_out
        self._cap, self._aside = options.max_cost, 0.0
        self.asked = self.uncounted = self.tokens_in = self.tokens_out = 0

    def admits(self, question: Question) -> bool:
        """Whether the cap would hold whatever the answer costs."""
        return self._cap is None or (self._spent or 0.0) + self._aside + self._most(question) <= self._cap

    def begin(self, question: Question) -> None:
        """Sets aside what a question may cost."""
        self.asked += 1
        self._aside += self._most(question)

    def end(self, question: Question, reply: Reply | None) -> None:
        """Counts what it did cost; None where no answer came, which may have been paid for all the same."""
        if reply is None or reply.tokens_in is None or reply.tokens_out is None:
            self.uncounted += 1
            return
        self._aside -= self._most(question)
        self.tokens_in += reply.tokens_in
        self.tokens_out += reply.tokens_out

    @property
    def dollars(self) -> float | None:
        """What has been spent; None without prices, or where an answer came without a count."""
        return None if self.uncounted else self._spent

    @property
    def exhausted(self) -> str:
        """The sentence that says why nothing more is asked."""
        return f"max_cost: ${self._cap:g} would be passed by the next request; {self.sentence}"

    @property
    def sentence(self) -> str:
        """Requests, tokens and dollars in one line."""
        counted = f"{self.asked} requests, {self.tokens_in} tokens in, {self.tokens_out} out"
        unknown = f" ({self.uncounted} without a count of tokens)" if self.uncounted else ""
        cost = "unknown" if self.dollars is None else f"${self.dollars:.6f}"
        return f"{counted}{unknown}, cost {cost}"

    def of(self, read: int, written: int) -> float | None:
        """What so many tokens cost; None without prices."""
        if self._price_in is None or self._price_out is None:
            return None
        return (read * self._price_in + written * self._price_out) / MILLION

    @property
    def _spent(self) -> float | None:
        return self.of(self.tokens_in, self.tokens_out)

    def _most(self, question: Question) -> float:
        return self.of(tokens_at_most(question), question.max_tokens) or 0.0


def tokens_at_most(question: Question) -> int:
    """Tokens that asking a question may take, whoever's tokenizer counts them."""
    return len(question.text.encode()) + len(json.dumps(question.schema)) + AROUND
