"""Controls beside ADA-LP: is it this model's alignment that tells harmful from benign, or the text itself?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from erosion.defenses.any_depth.checks import LiveFork
from erosion.defenses.any_depth.collecting import Corpus
from erosion.defenses.any_depth.fitting import regression
from erosion.defenses.any_depth.linear_probe import LinearProbe

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True, kw_only=True)
class ElsewhereProbe:
    """A check: the states of another model on the same text, such as the base model or random weights.

    Attributes:
        probe: Fitted on the other model's states.
        other: The other model, of the same vocabulary.
    """

    probe: LinearProbe
    other: PreTrainedModel

    @property
    def threshold(self) -> float:
        """The probe's."""
        return self.probe.threshold

    def live(self, fork: LiveFork) -> torch.Tensor:
        """P(harmful) of the rows being generated, `[B]`; the other model reads them from the start."""
        return fork.replayed(self)

    def replay(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        depths: Sequence[int],
    ) -> torch.Tensor:
        """P(harmful), `[B, D]`; NaN where a depth is not measurable."""
        return self.probe.replay(self.other, prompts, answers, depths)


@dataclass(frozen=True, kw_only=True)
class TextProbe:
    """A check without any model: TF-IDF of the text so far, and the same regression as ADA-LP's.

    Attributes:
        tokenizer: Decodes the text.
        classifier: A fitted pipeline.
        threshold: A probability of at least this halts.
    """

    tokenizer: PreTrainedTokenizerBase
    classifier: Any
    threshold: float = 0.5

    @classmethod
    def fit(cls, tokenizer: PreTrainedTokenizerBase, corpus: Corpus, depths: Sequence[int]) -> TextProbe:
        """Fits on the texts at every depth that an answer reaches, as ADA-LP is fitted on the states."""
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.pipeline import make_pipeline

        texts, labels = [], []
        for prompt, answer, label in zip(corpus.prompts, corpus.answers, corpus.labels, strict=True):
            reached = [depth for depth in depths if depth <= len(answer)]
            texts += [_text(tokenizer, prompt, answer, depth) for depth in reached]
            labels += [label] * len(reached)
        words = TfidfVectorizer(token_pattern=r"\S+")
        return cls(tokenizer=tokenizer, classifier=make_pipeline(words, regression()).fit(texts, labels))

    def live(self, fork: LiveFork) -> torch.Tensor:
        """P(harmful) of the rows being generated, `[B]`."""
        return fork.replayed(self)

    def replay(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        depths: Sequence[int],
    ) -> torch.Tensor:
        """P(harmful), `[B, D]`; NaN beyond an answer."""
        reached = torch.tensor([[depth <= len(answer) for depth in depths] for answer in answers])
        texts = [
            _text(self.tokenizer, prompts[row], answers[row], depths[place])
            for row, place in reached.nonzero().tolist()
        ]
        scores = torch.full(reached.shape, float("nan"))
        if texts:
            scores[reached] = torch.tensor(self.classifier.predict_proba(texts)[:, 1], dtype=torch.float32)
        return scores


def shuffled(corpus: Corpus, *, seed: int = 42) -> Corpus:
    """The same conversations, their labels dealt out anew."""
    order = torch.randperm(len(corpus), generator=torch.Generator().manual_seed(seed)).tolist()
    return Corpus(
        prompts=corpus.prompts, answers=corpus.answers, labels=[corpus.labels[place] for place in order]
    )


def _text(
    tokenizer: PreTrainedTokenizerBase, prompt: Sequence[int], answer: Sequence[int], depth: int
) -> str:
    return str(tokenizer.decode([*prompt, *answer[:depth]]))
