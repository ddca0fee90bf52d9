"""Guard models as checks: what a classifier or a chat guard says of a request and an unfinished answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import torch

from erosion.defenses.any_depth.checks import LiveFork
from erosion.recipes.chat import Message, prompt_text
from erosion.recipes.parsing import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

UNSAFE_LABELS = ("unsafe", "harmful", "toxic", "jailbreak", "injection", "malicious", "label_1")
"""Names of the class that halts, lower case; the first one a classifier has is taken."""
VERDICT_TOKENS = 10
_MARK = "0123456789"


@dataclass(frozen=True, kw_only=True)
class GuardModelCheck:
    """A check: P(unsafe) of a classifier, or a chat guard's verdict: 1 for unsafe, 0 for safe.

    A verdict that says neither is no score: in a sweep that check is left out, live it halts.

    Attributes:
        judge: The guard model, with or without a classification head.
        judge_tokenizer: Its tokenizer.
        tokenizer: The guarded model's, that turns its tokens back into text.
        unsafe: The class that halts; None for a chat guard.
        threshold: A score of at least this halts.
    """

    judge: PreTrainedModel
    judge_tokenizer: PreTrainedTokenizerBase
    tokenizer: PreTrainedTokenizerBase
    unsafe: int | None
    threshold: float = 0.5

    def live(self, fork: LiveFork) -> torch.Tensor:
        """Scores of the rows being generated, `[B]`."""
        return fork.replayed(self)

    def replay(
        self,
        model: PreTrainedModel,
        prompts: Sequence[Sequence[int]],
        answers: Sequence[Sequence[int]],
        depths: Sequence[int],
    ) -> torch.Tensor:
        """Scores of given answers at given depths, `[B, D]`; NaN beyond an answer."""
        scores = torch.full((len(prompts), len(depths)), float("nan"))
        for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
            request = last_request(self.tokenizer, prompt)
            for place, depth in enumerate(depths):
                if depth <= len(answer):
                    said = str(self.tokenizer.decode(answer[:depth], skip_special_tokens=True))
                    scores[row, place] = self._score(request, said)
        return scores

    @torch.inference_mode()
    def _score(self, request: str, said: str) -> float:
        messages = [{"role": "user", "content": request}, {"role": "assistant", "content": said}]
        if self.unsafe is not None:
            inputs = self.judge_tokenizer(f"{request}\n\n{said}", return_tensors="pt", truncation=True)
            logits = self.judge(**inputs.to(self.judge.device)).logits[0].float()
            several = self.judge.config.problem_type == "multi_label_classification"
            return float((logits.sigmoid() if several else logits.softmax(-1))[self.unsafe])
        inputs = self.judge_tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        ).to(self.judge.device)
        ids = self.judge.generate(**inputs, max_new_tokens=VERDICT_TOKENS, do_sample=False)
        verdict = str(self.judge_tokenizer.decode(ids[0, inputs["input_ids"].shape[1] :])).lower()
        return float("unsafe" in verdict) if "safe" in verdict else float("nan")


@lru_cache(maxsize=1)
def load_guard_model(
    name: str, tokenizer: PreTrainedTokenizerBase, *, device: str = "cpu"
) -> GuardModelCheck:
    """A guard model by folder or hub id; the last one stays loaded.

    Raises:
        RecipeError: It cannot be reached, or no class of it has a name that halts.
    """
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
    )

    try:
        config = AutoConfig.from_pretrained(name)
        classifies = any("SequenceClassification" in each for each in config.architectures or [])
        auto: Any = AutoModelForSequenceClassification if classifies else AutoModelForCausalLM
        unsafe = _unsafe_class(name, config.id2label) if classifies else None
        judge = auto.from_pretrained(name, dtype="float32" if device == "cpu" else "auto")
        own = AutoTokenizer.from_pretrained(name, truncation_side="left")
    except OSError as error:
        raise RecipeError(
            f"guard_model: given {name!r}, which is neither a model folder nor a reachable hub id"
        ) from error
    return GuardModelCheck(
        judge=judge.to(device).eval(), judge_tokenizer=own, tokenizer=tokenizer, unsafe=unsafe
    )


def last_request(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[int]) -> str:
    """The last user turn of a rendered prompt, its template taken off; the whole text where that fails."""
    text, header = str(tokenizer.decode(list(prompt))), _user_header(tokenizer)
    after = prompt_text(tokenizer, [{"role": "user", "content": _MARK}]).split(_MARK)[1]
    start = text.rfind(header) if header.strip() else -1
    if start < 0 or not text.endswith(after):
        return str(tokenizer.decode(list(prompt), skip_special_tokens=True))
    return text[start + len(header) : len(text) - len(after)].strip()


def _user_header(tokenizer: PreTrainedTokenizerBase) -> str:
    """What the template writes before every user turn, the first and later ones alike."""
    asked: Message = {"role": "user", "content": _MARK}
    said: Message = {"role": "assistant", "content": "ok"}
    first, later = prompt_text(tokenizer, [asked, said, asked]).split(_MARK)[:2]
    pairs = zip(first[::-1], later[::-1], strict=False)
    shared = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
    return first[len(first) - shared :]


def _unsafe_class(name: str, labels: dict[int, str]) -> int:
    for wanted in UNSAFE_LABELS:
        for index, label in labels.items():
            if label.lower() == wanted:
                return int(index)
    raise RecipeError(
        f"guard_model: {name!r} knows the classes {', '.join(labels.values())}, "
        f"allowed one of {', '.join(UNSAFE_LABELS)} among them"
    )
