"""Does the state at a re-injected assistant header tell forbidden answers from harmless ones?

A logistic regression is fitted on the probe split, its block is chosen on the calibration split, and it is
tested on things of the evaluation split that it has never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from erosion.defenses.any_depth.fitting import regression
from erosion.defenses.any_depth.fork import states_by_layer
from erosion.defenses.any_depth.safety_tokens import safety_span
from erosion.evaluation.intervals import auroc
from erosion.evaluation.pocket.properties import Property
from erosion.evaluation.suites.pocket import helpfulness, refusal, stories
from erosion.recipes.chat import answer_ids, prompt_ids
from erosion.recipes.schema import Data

if TYPE_CHECKING:
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

DEPTHS = (25, 100, 400)
FITTED, CHOSEN = 100, 40
"""Conversations of each kind that the regression is fitted on, and that choose its block."""
BATCH = 50


@dataclass(frozen=True, kw_only=True)
class Conversations:
    """Answered requests, forbidden ones first: token ids and labels (1 is forbidden)."""

    prompts: list[list[int]]
    answers: list[list[int]]
    labels: list[int]


def conversations(
    tokenizer: PreTrainedTokenizerBase, split: str, limit: int, *, stories_too: bool = False
) -> Conversations:
    """`limit` forbidden and as many harmless answers of a split; with stories, half as many of those too."""
    kinds = [(refusal, limit, 1), (helpfulness, limit, 0)]
    kinds += [(stories, limit // 2, 0)] if stories_too else []
    found = Conversations(prompts=[], answers=[], labels=[])
    for suite, count, label in kinds:
        for case in islice(suite.SUITE.cases(Data(name="check", split=split)), count):
            found.prompts.append(prompt_ids(tokenizer, case.messages))
            found.answers.append(answer_ids(tokenizer, case.messages, case.answer or "")[: max(DEPTHS)])
            found.labels.append(label)
    return found


@dataclass(frozen=True, kw_only=True)
class HeaderProbe:
    """A logistic regression on the normalised state that enters block `layer`."""

    layer: int
    classifier: LogisticRegression

    @classmethod
    def fitted(cls, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> HeaderProbe:
        """Fits one regression a block on the probe split; the calibration split chooses the block."""
        fit = conversations(tokenizer, "probe", FITTED, stories_too=True)
        choose = conversations(tokenizer, "calibration", CHOSEN, stories_too=True)
        layers = range(1, model.config.num_hidden_layers)
        fitted = [
            regression().fit(_rows(states), _repeated(fit.labels))
            for states in states_at(model, tokenizer, fit, layers)
        ]
        scores = [
            _balanced_accuracy(_repeated(choose.labels), classifier.predict(_rows(states)))
            for classifier, states in zip(fitted, states_at(model, tokenizer, choose, layers), strict=True)
        ]
        best = scores.index(max(scores))
        return cls(layer=layers[best], classifier=fitted[best])

    def aurocs(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, test: Conversations, name: str
    ) -> Iterator[Property]:
        """Its AUROC on test conversations, one property a depth."""
        states = states_at(model, tokenizer, test, [self.layer])[0]
        yield from _aurocs(test, name, lambda column: self.classifier.decision_function(states[:, column]))


def text_aurocs(tokenizer: PreTrainedTokenizerBase, test: Conversations) -> Iterator[Property]:
    """The control without a model: TF-IDF and the same regression, on the same text."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline

    fit = conversations(tokenizer, "probe", FITTED, stories_too=True)
    words = make_pipeline(TfidfVectorizer(token_pattern=r"\S+"), regression())
    words.fit([text for depth in DEPTHS for text in _texts(tokenizer, fit, depth)], fit.labels * len(DEPTHS))
    yield from _aurocs(
        test,
        "TF-IDF on the text",
        lambda column: words.decision_function(_texts(tokenizer, test, DEPTHS[column])),
    )


def states_at(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, given: Conversations, layers: Sequence[int]
) -> np.ndarray:
    """States of all conversations at all depths, `[layers, conversations, len(DEPTHS), hidden]`."""
    import torch

    span = safety_span(tokenizer, "probe")
    pairs = list(zip(given.prompts, given.answers, strict=True))
    batches = []
    for start in range(0, len(pairs), BATCH):
        prompts, answers = zip(*pairs[start : start + BATCH], strict=True)
        batches.append(states_by_layer(model, prompts, answers, span, DEPTHS, layers).cpu())
    states: np.ndarray = torch.cat(batches, 1).numpy()
    return states


def _rows(states: np.ndarray) -> np.ndarray:
    return states.reshape(-1, states.shape[-1])


def _repeated(labels: Sequence[int]) -> list[int]:
    """A conversation's label for each of its depths."""
    return [label for label in labels for _ in DEPTHS]


def _aurocs(test: Conversations, name: str, scores: Callable[[int], Sequence[float]]) -> Iterator[Property]:
    from sklearn.metrics import roc_auc_score

    positives = sum(test.labels)
    for column, depth in enumerate(DEPTHS):
        value = float(roc_auc_score(test.labels, scores(column)))
        low, high = auroc(value, positives, len(test.labels) - positives)
        yield Property(name=f"{name}, AUROC at {depth}", value=value, low=low, high=high, n=len(test.labels))


def _texts(tokenizer: PreTrainedTokenizerBase, given: Conversations, depth: int) -> list[str]:
    pairs = zip(given.prompts, given.answers, strict=True)
    return [str(tokenizer.decode([*prompt, *answer[:depth]])) for prompt, answer in pairs]


def _balanced_accuracy(labels: Sequence[int], predicted: Sequence[int]) -> float:
    from sklearn.metrics import balanced_accuracy_score

    return float(balanced_accuracy_score(labels, predicted))
