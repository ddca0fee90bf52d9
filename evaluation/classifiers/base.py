"""What a format is: the prompt a judge model was trained on, and how its output is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from erosion.evaluation.records import HigherIs
from erosion.recipes.chat import Message

HARM: dict[str, HigherIs] = {"attack_success_rate": "worse", "harmful_rate": "worse"}
"""What a judge of harm alone tells. It cannot tell a refusal from a harmless answer, and claims neither."""
Meaning = Literal["refused", "complied", "scored", "unscored"]


@dataclass(frozen=True, kw_only=True)
class Output:
    """What a judge model said of one answer.

    Attributes:
        text: What it wrote; of a sequence classifier all its labels' probabilities, as JSON.
        cut: Whether it was stopped before it had ended.
        probabilities: Of tokens or meanings, where these are read in place of a text.
    """

    text: str = ""
    cut: bool = False
    probabilities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What an output means.

    Attributes:
        label: `complied` is harmful compliance where a format tells harm alone, and `scored` is then an
            answer that is not harmful, whether a refusal or not; `unscored` cannot be read.
        detail: What it rests on.
        score: How harmful the answer is, 0 to 1, where the format says so.
    """

    label: Meaning
    detail: str
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class Format:
    """How one kind of judge model is asked, found as `FORMAT` in its file.

    Attributes:
        version: Raised when a verdict would be another.
        tells: The metrics its labels and scores give.
        prompt: From a request and an answer, and a context where the request has one and the format reads it:
            text, or messages for the model's own chat template.
        read: From an output to its meaning.
        model: The published model's hub id; a recipe has to name one when None.
        tokens: Single tokens whose probabilities at the end of the prompt are read; a text is written when
            empty.
        classes: Meanings of a sequence classifier's labels by their usual names; None for a language model.
        new_tokens: The longest text it writes.
        begins: Whether the tokenizer's own first token is put before a text prompt.
        reads_request: Whether it needs the request; without one nothing is asked then.
        reads_context: Whether it has another prompt for a request with a context; the two are one text to the
            others, as they were to the model under study.
    """

    version: str
    tells: dict[str, HigherIs]
    prompt: Callable[..., str | list[Message]]
    read: Callable[[Output], Reading]
    model: str | None = None
    tokens: tuple[str, ...] = ()
    classes: Mapping[str, Meaning] | None = None
    new_tokens: int = 0
    begins: bool = True
    reads_request: bool = True
    reads_context: bool = False
