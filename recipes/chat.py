"""The one renderer: messages (and a prefill) to token ids, for training, attack, probe and judge.

Chat-template drift between these four is the commonest silent error of the field, so nothing else calls a
template.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from erosion.recipes.parsing import RecipeError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
FROZEN_DATE = "26 Jul 2024"
THINK, THOUGHT = "<think>", "\n</think>\n\n"
"""Opens a block of reasoning; closes an empty one, as the code of 2510.18081 does for DeepSeek-R1."""
_DATE_PARTS = (
    ("%d", "26"),
    ("%b", "Jul"),
    ("%B", "July"),
    ("%m", "07"),
    ("%Y", "2024"),
    ("%y", "24"),
    ("%A", "Friday"),
)


class Message(TypedDict):
    """One turn.

    Attributes:
        role: `system`, `user` or `assistant`.
        content: Its text.
        train: Assistant turns only: the slice `[start, stop]` of the turn's tokens, end-of-turn included,
            that the loss covers; `[0, None]` (all of them) when absent.
    """

    role: str
    content: str
    train: NotRequired[list[int | None]]


class Row(TypedDict):
    """One training conversation.

    Attributes:
        messages: Its turns.
        where: File and line it came from, for error messages.
        harmful: A harmful answer to the first turn, that a refusal is to follow.
        refusals: Refusals of it by style: `short`, `explained`, `redirected`.
        depth: How deep in the harmful answer the last turn begins, as a share; None at its start.
        longest: Tokens of it allowed; all of them when None.
        recovers: 1 where the last turn is such a refusal.
        interrupted: Where in the last turn the Safety span stands, as a share (0 to below 1) of its tokens.
    """

    messages: list[Message]
    where: NotRequired[str]
    harmful: NotRequired[str]
    refusals: NotRequired[dict[str, str]]
    depth: NotRequired[float | None]
    longest: NotRequired[int | None]
    recovers: NotRequired[int]
    interrupted: NotRequired[float]


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """A conversation as the model sees it in training.

    Attributes:
        input_ids: The whole conversation, length T.
        labels: Length T, unshifted; `IGNORED` wherever the loss must not look.
    """

    input_ids: list[int]
    labels: list[int]


class ChatTemplateError(RecipeError):
    """A tokenizer without a chat template, or a template that rejects a conversation."""


def prompt_text(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], *, header: bool = True
) -> str:
    """Renders messages, by default up to and including the assistant header, with every date frozen.

    What is measured and trained is the answer: where a template can switch reasoning off it is off, and a
    block of reasoning that its header leaves open is closed.

    Raises:
        ChatTemplateError: The tokenizer has no template, or the template rejects these messages.
    """
    from jinja2.exceptions import TemplateError

    template = tokenizer.chat_template
    if not template:
        raise ChatTemplateError(
            f"model {tokenizer.name_or_path!r}: its tokenizer has no chat template, "
            "so there is no assistant header to measure at; "
            "give a chat model, or set `chat_template_path` to a template of your own"
        )
    plain = [{"role": m["role"], "content": m["content"]} for m in messages]
    source = template if isinstance(template, str) else tokenizer.get_chat_template()
    try:
        text = str(
            tokenizer.apply_chat_template(
                plain,
                chat_template=_dates_frozen(source),
                tokenize=False,
                add_generation_prompt=header,
                date_string=FROZEN_DATE,
                enable_thinking=False,
            )
        )
    except TemplateError as error:
        roles = ", ".join(m["role"] for m in messages)
        raise ChatTemplateError(
            f"model {tokenizer.name_or_path!r}: its chat template rejects a conversation "
            f"of the turns {roles}: {error}"
        ) from error
    return text + THOUGHT if header and text.rstrip().endswith(THINK) else text


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> list[int]:
    """Token ids of a prompt that ends with the assistant header; the template's own BOS, never a second."""
    return encode(tokenizer, prompt_text(tokenizer, messages))


def answer_ids(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], answer: str) -> list[int]:
    """Token ids of `answer` as it stands in training after `messages`, its end-of-turn left out.

    Prompt ids and the first d of these, joined, are the deep prefill attack at depth d. Marks that a template
    writes between its header and the answer, such as a channel's, are no part of it.
    """
    turn: Message = {"role": "assistant", "content": answer}
    prompt = prompt_text(tokenizer, messages)
    text = _longer(tokenizer, prompt, prompt_text(tokenizer, [*messages, turn], header=False))
    begin = text.rfind(answer.strip())
    end = begin + len(answer.strip())
    if end <= len(prompt):
        raise ChatTemplateError(
            f"model {tokenizer.name_or_path!r}: its chat template changes the text of an answer"
        )
    marked = text[len(prompt) : begin].strip()
    return _pieces(tokenizer, text, [begin if marked else len(prompt), end])[1]


def end_of_turn_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """Tokens that end a turn: the tokenizer's own, and what the chat template writes after an answer."""
    asked: Message = {"role": "user", "content": "hi"}
    tokens = conversation_tokens(tokenizer, [asked, {"role": "assistant", "content": "ok"}])
    special = special_ids(tokenizer)
    written = [label for label in tokens.labels if label in special][-1:]
    return sorted({*written, *([] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id])})


def conversation_tokens(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> Tokens:
    """Renders a whole conversation with labels on its assistant turns only, end-of-turn included.

    What follows the last assistant turn is left out: nothing there is learned.

    Raises:
        ChatTemplateError: No assistant turn, or the template renders a turn differently once later turns are
            known.
    """
    pieces, labels = _turns(tokenizer, messages), list[int]()
    spoken = [message for message in messages if message["role"] == "assistant"]
    for message, prompt, reply in zip(spoken, pieces[::2], pieces[1::2], strict=True):
        labels += [IGNORED] * len(prompt) + _labels(tokenizer, reply, message.get("train") or [0, None])
    return Tokens(input_ids=[token for piece in pieces for token in piece], labels=labels)


def row_tokens(tokenizer: PreTrainedTokenizerBase, row: Row, span: Sequence[int] = ()) -> Tokens:
    """A training row: its conversation, where it says so with unlearned tokens put into it.

    Args:
        tokenizer: Renders.
        row: With a `depth`, harmful tokens stand before its last turn; `interrupted`, the span stands in it
            with an answer token on both sides.
        span: The Safety span; needed by interrupted rows alone.

    Raises:
        ChatTemplateError: As `conversation_tokens`.
    """
    tokens = conversation_tokens(tokenizer, row["messages"])
    place, draw = row.get("interrupted"), row.get("depth")
    if place is None and draw is None:
        return tokens
    *asked, last = row["messages"]
    answer, turn = answer_ids(tokenizer, asked, last["content"]), _turns(tokenizer, row["messages"])[-1]
    start = len(tokens.input_ids) - len(turn) + _place(answer, turn)
    if place is not None:
        assert span, "an interrupted row needs the Safety span"
        return _put(tokens, start + 1 + int(place * (len(answer) - 1)), span)
    harmful = answer_ids(tokenizer, asked, row["harmful"])
    longest = min(row.get("longest") or len(harmful), len(harmful))
    return _put(tokens, start, harmful[: 1 + int((draw or 0) * longest)])


def _turns(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> list[list[int]]:
    """Token ids of what stands before each assistant turn and of the turn itself, by turns."""
    text, cuts = "", []
    for index in (index for index, message in enumerate(messages) if message["role"] == "assistant"):
        for upto, header in ((index, True), (index + 1, False)):
            text = _longer(tokenizer, text, prompt_text(tokenizer, messages[:upto], header=header))
            cuts.append(len(text))
    if not cuts:
        raise ChatTemplateError(
            "a training conversation needs at least one assistant turn; this one has none"
        )
    return _pieces(tokenizer, text, cuts)


def _place(answer: Sequence[int], turn: Sequence[int]) -> int:
    """Where an answer begins in its turn: after a channel's marks; at the turn's start where it is unlike."""
    size = len(answer)
    return next((at for at in range(len(turn) - size + 1) if turn[at : at + size] == answer), 0)


def _put(tokens: Tokens, place: int, unlearned: Sequence[int]) -> Tokens:
    """Tokens with others put in at a place, ids joined to ids; the loss does not look at those."""
    ids, labels = tokens.input_ids, tokens.labels
    return Tokens(
        input_ids=[*ids[:place], *unlearned, *ids[place:]],
        labels=[*labels[:place], *[IGNORED] * len(unlearned), *labels[place:]],
    )


def encode(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """Encodes rendered text; special tokens come from the template alone."""
    ids: Any = tokenizer.encode(text, add_special_tokens=False, verbose=False)
    return list(ids)


def _pieces(tokenizer: PreTrainedTokenizerBase, text: str, cuts: Sequence[int]) -> list[list[int]]:
    """Token ids of the pieces of `text` that end at `cuts`.

    The ids before a cut must be those a model is given when it generates from there. Where the tokenizer
    would merge characters across a cut, the pieces are therefore encoded apart, as they are at generation.
    """
    apart = [encode(tokenizer, text[start:end]) for start, end in pairwise([0, *cuts])]
    whole = encode(tokenizer, text[: cuts[-1]])
    if whole == [token for piece in apart for token in piece]:
        return apart
    heads = [encode(tokenizer, text[:cut]) for cut in cuts]
    if all(whole[: len(head)] == head for head in heads):
        return [whole[start:end] for start, end in pairwise([0, *map(len, heads)])]
    return apart


def _labels(tokenizer: PreTrainedTokenizerBase, ids: list[int], train: Sequence[int | None]) -> list[int]:
    """Labels of one assistant turn; what the template adds after the end-of-turn token is not learned."""
    special = special_ids(tokenizer)
    ends = [position for position, token in enumerate(ids) if token in special]
    learned = range(ends[-1] + 1 if ends else len(ids))[slice(*train)]
    return [token if position in learned else IGNORED for position, token in enumerate(ids)]


def special_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Every token that marks structure and is no text."""
    added = tokenizer.added_tokens_decoder
    return {*tokenizer.all_special_ids, *(index for index, token in added.items() if token.special)}


def _longer(tokenizer: PreTrainedTokenizerBase, shorter: str, longer: str) -> str:
    """The longer text, an empty block of reasoning put in where it stands in the shorter one alone."""
    bare = re.sub(rf"{THINK}\s*{THOUGHT}\Z", "", shorter)
    if not longer.startswith(shorter) and bare != shorter and longer.startswith(bare):
        return shorter + longer[len(bare) :]
    if not longer.startswith(shorter):
        raise ChatTemplateError(
            f"model {tokenizer.name_or_path!r}: its chat template renders a turn differently "
            "once later turns are known; use single-turn conversations, or set `chat_template_path` "
            "to a template that keeps earlier turns as they were"
        )
    return longer


def _dates_frozen(template: str) -> str:
    if "strftime_now" not in template:
        return template
    dated = "format" + "".join(f"|replace('{part}', '{value}')" for part, value in _DATE_PARTS)
    return "{%- macro strftime_now(format) -%}{{ " + dated + " }}{%- endmacro -%}" + template
