"""A model behind any OpenAI-compatible endpoint, asked by a published rubric (`evaluation/rubrics/`).

An answer that came and cannot be read, a refusal to judge, a text that the endpoint declines and an answer
that was cut off are unscored, with what was said. Where no answer comes, or the budget ends, verdicts are
missing, and the next call asks again.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from erosion.evaluation import rubrics as rubric_files
from erosion.evaluation.endpoint.address import check_address
from erosion.evaluation.endpoint.asking import Asking, asking
from erosion.evaluation.endpoint.client import EndpointStopped, Question, RequestFailed
from erosion.evaluation.endpoint.costs import Costs, tokens_at_most
from erosion.evaluation.endpoint.reading import Unreadable, read_fields
from erosion.evaluation.endpoint.replies import Reply
from erosion.evaluation.judging.judge import JudgeStopped
from erosion.evaluation.judging.work import JudgeWork, longest_answers
from erosion.evaluation.records import Completion, HigherIs, Verdict
from erosion.evaluation.rubrics.base import Rubric, schema_of
from erosion.recipes.discovery import find, names
from erosion.recipes.judge_options import JudgeOptions

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from erosion.evaluation.cells import Cell

VERSION = "1"
RUBRICS: Mapping[str, Mapping[str, HigherIs]] = {
    name: find(rubric_files, name, "rubric").RUBRIC.tells for name in names(rubric_files)
}
HONOURS = frozenset(
    {
        "rubric", "model", "base_url", "api_key_env", "requests_per_minute", "concurrency", "max_cost",
        "price_in", "price_out", "retries", "timeout",
    }
)  # fmt: skip

log = logging.getLogger(__name__)


def check(options: JudgeOptions, where: str) -> None:
    """Checks address, model, key and prices; nothing is asked.

    Raises:
        RecipeError: See `check_address`.
    """
    check_address(options, where)


def make(options: JudgeOptions) -> ApiJudge:
    """The judge of a rubric and an endpoint."""
    rubric: Rubric = find(rubric_files, str(options.rubric), "rubric").RUBRIC
    return ApiJudge(options=options, rubric=rubric, asking=asking(options))


def work(options: JudgeOptions, cells: Sequence[Cell], tokenizer: PreTrainedTokenizerBase) -> JudgeWork:
    """Its questions at most: a byte is a token at most, and the longest answer is the studied model's."""
    rubric: Rubric = find(rubric_files, str(options.rubric), "rubric").RUBRIC
    asked, costs, schema = list(longest_answers(cells)), Costs(options), schema_of(rubric.fields)
    empty = [
        Question(
            text=rubric.text(Completion(case=prompt.case, text="", token_ids=[], stopped_by="length")),
            schema=schema,
        )
        for prompt, _ in asked
    ]
    read = sum(map(tokens_at_most, empty)) + sum(new for _, new in asked)
    written = sum(question.max_tokens for question in empty)
    return JudgeWork(
        judge=options.label, verdicts=len(asked), read=read, written=written, reader="own",
        dollars=costs.of(read, written), cap=options.max_cost, note="answers in the studied model's tokens",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class ApiJudge:
    """A rubric put to an endpoint.

    Attributes:
        options: With the model's name there.
        rubric: What is asked.
        asking: The endpoint; what it cost is counted over all calls.
    """

    options: JudgeOptions
    rubric: Rubric
    asking: Asking

    @property
    def name(self) -> str:
        """`api/strongreject`."""
        return self.options.label

    @property
    def version(self) -> str:
        """Of reading and rubric, and the model's name."""
        return f"{VERSION}.{self.rubric.version}:{self.options.model}"

    @property
    def tells(self) -> Mapping[str, HigherIs]:
        """The rubric's metrics."""
        return self.rubric.tells

    @property
    def batch_size(self) -> int:
        """As many as are under way at once."""
        return self.options.concurrency

    @property
    def spent(self) -> str:
        """Requests, tokens and dollars until now, in one line."""
        return self.asking.costs.sentence

    @property
    def tokens(self) -> tuple[int, int, int]:
        """Tokens read and written until now, and answers that came without a count."""
        costs = self.asking.costs
        return costs.tokens_in, costs.tokens_out, costs.uncounted

    def judge_all(self, completions: Sequence[Completion]) -> Iterator[Verdict | None]:
        """A verdict for every completion, in order; None where no answer came.

        Raises:
            JudgeStopped: The endpoint answers no more, or the budget is spent.
        """
        known = [self._known(each) for each in completions]
        asked = (
            None if told else self._question(each) for each, told in zip(completions, known, strict=True)
        )
        try:
            for completion, told, reply in zip(completions, known, self.asking.answers(asked), strict=True):
                if isinstance(reply, RequestFailed):
                    log.warning(
                        "%s: %s: no answer, retries included: %s", self.name, completion.case.id, reply
                    )
                    yield None
                else:
                    yield told if reply is None else self._verdict(completion, reply)
        except EndpointStopped as stopped:
            raise JudgeStopped(f"{self.name}: {stopped}") from None

    def _question(self, completion: Completion) -> Question:
        return Question(text=self.rubric.text(completion), schema=schema_of(self.rubric.fields))

    def _known(self, completion: Completion) -> Verdict | None:
        """The verdict where nothing has to be asked: nothing was said, or there is no request to judge by."""
        if completion.stopped_by == "guard":
            return Verdict(label="halted", judge=self.name)
        if not re.search(r"\w", completion.text):
            return Verdict(label="incoherent", judge=self.name, detail="no text")
        if not completion.case.messages:
            return Verdict(label="unscored", judge=self.name, detail="no prompt to judge it by")
        return None

    def _verdict(self, completion: Completion, reply: Reply) -> Verdict:
        if reply.unusable is not None:
            return Verdict(label="unscored", judge=self.name, detail=reply.unusable, raw=reply.raw)
        try:
            found = self.rubric.read(read_fields(reply.text, self.rubric.fields))
        except Unreadable as why:
            return Verdict(label="unscored", judge=self.name, detail=str(why), raw=reply.raw)
        recovered = found.label == "refused" and completion.case.depth > 0
        return Verdict(
            label="recovered" if recovered else found.label, judge=self.name, score=found.score,
            raw=reply.raw, detail=f"{found.detail}; {reply.model}" if reply.model else found.detail,
        )  # fmt: skip
