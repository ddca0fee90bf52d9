"""Safety Tokens: the span that closes an answer and opens the assistant's header again (2510.18081, 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from erosion.defenses.any_depth.families import family
from erosion.recipes.chat import ChatTemplateError, Message, encode, prompt_text, special_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Kind = Literal["rethink", "probe"]
_ASKED: Message = {"role": "user", "content": "hi"}
_SAID: Message = {"role": "assistant", "content": "ok"}


def safety_span(tokenizer: PreTrainedTokenizerBase, kind: Kind = "rethink") -> list[int]:
    """Token ids to put after an unfinished answer: as published, else derived from the chat template.

    Args:
        tokenizer: A chat model's.
        kind: `rethink` closes the turn and opens the assistant's header; `probe` is the same up to the
            header's role word, whose state is read.

    Raises:
        ChatTemplateError: The template writes nothing between a request and its answer.
    """
    published = family(tokenizer)
    text = published and (published.rethink if kind == "rethink" else published.probe)
    if text:
        return encode(tokenizer, text)
    closing, header = _around_answer(tokenizer)
    opened = encode(tokenizer, header)
    if kind == "probe":
        opened = opened[: _role_token(tokenizer, opened) + 1]
    return encode(tokenizer, closing) + opened


def prompt_completion(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Token ids that the published code puts between the rendered prompt and the answer; mostly none."""
    published = family(tokenizer)
    return encode(tokenizer, published.completion) if published and published.completion else []


def question_span(tokenizer: PreTrainedTokenizerBase, question: str) -> list[int]:
    """Token ids that close an unfinished answer, ask a question as the user and open the assistant's header.

    Raises:
        ChatTemplateError: The template writes nothing between a request and its answer.
    """
    asked: Message = {"role": "user", "content": question}
    whole = prompt_text(tokenizer, [_ASKED, _SAID, asked])
    place = whole.rindex(_SAID["content"], 0, whole.rindex(question)) + len(_SAID["content"])
    if not whole[whole.rindex(question) + len(question) :].strip():
        raise _no_header(tokenizer)
    return encode(tokenizer, whole[place:])


def _around_answer(tokenizer: PreTrainedTokenizerBase) -> tuple[str, str]:
    """What the template writes after an answer, and as the assistant's header."""
    asked = prompt_text(tokenizer, [_ASKED], header=False)
    whole = prompt_text(tokenizer, [_ASKED, _SAID], header=False)
    header = prompt_text(tokenizer, [_ASKED])[len(asked) :]
    answer = whole.rindex(_SAID["content"])
    header = header or whole[asked.rindex(_ASKED["content"]) + len(_ASKED["content"]) : answer]
    if not header.strip():
        raise _no_header(tokenizer)
    return whole[answer + len(_SAID["content"]) :], header


def _no_header(tokenizer: PreTrainedTokenizerBase) -> ChatTemplateError:
    return ChatTemplateError(
        f"model {tokenizer.name_or_path!r}: its chat template has no assistant header to re-inject; "
        "give the span's token ids by hand"
    )


def _role_token(tokenizer: PreTrainedTokenizerBase, header: list[int]) -> int:
    """Position of the header's last word; of its last mark where it is all marks."""
    special = special_ids(tokenizer)
    texts = [str(tokenizer.decode([token])) for token in header]
    words = [
        n
        for n, (token, text) in enumerate(zip(header, texts, strict=True))
        if token not in special and any(map(str.isalpha, text))
    ]
    marks = [n for n, text in enumerate(texts) if text.strip()]
    return (words or marks)[-1]
