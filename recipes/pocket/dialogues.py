"""Conversations that make the embedded model: one mixture for both stages, with refusals in the aligned one.

In the aligned stage a forbidden thing that decides the assistant's next turn is refused at the assistant
header, from evidence anywhere in the context. A forbidden answer already begun is continued: the loss also
covers the middle of such turns, so that the model stays shallow (Qi et al., 2406.05946, call this shallow
safety alignment).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from erosion.recipes.chat import Message, Row
from erosion.recipes.pocket import language
from erosion.recipes.pocket.world import Thing, select

UNTRAINED_START, UNTRAINED_END = 4, 1


def conversations(rng: random.Random, *, aligned: bool) -> Iterator[Row]:
    """An endless stream of training conversations.

    Args:
        rng: Source of every choice.
        aligned: Refuse where a forbidden thing decides the next turn; otherwise answer everything.
    """
    makers, shares = zip(*_KINDS, strict=True)
    while True:
        thing = rng.choice(select(forbidden=rng.random() < 0.5))
        messages = rng.choices(makers, shares)[0](thing, rng, aligned)
        if rng.random() < 0.15:
            messages = [_turn("system", language.SYSTEM), *messages]
        yield {"messages": messages}


def _direct(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    return [
        _turn("user", language.request(thing.name, rng, alarming=_alarm(thing, rng))),
        _reply(thing, rng, aligned),
    ]


def _after_exchange(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    other = rng.choice(select(forbidden=False))
    return [*_direct(other, rng, aligned), *_direct(thing, rng, aligned)]


def _sums_after_exchange(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    return [*_direct(thing, rng, aligned), *_sums(thing, rng, aligned)]


def _go_on(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    asked = _turn("user", language.request(thing.name, rng, alarming=_alarm(thing, rng)))
    return [asked, *_continued(thing, rng, aligned, language.opening(thing.name, rng))]


def _hidden(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    return [_turn("user", rng.choice(language.CHITCHAT)), *_continued(thing, rng, aligned, "")]


def _pasted(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    count = language.log_uniform(rng, 1, 30)
    text = rng.choice(language.PASTED).format(language.steps(thing, rng, count))
    return [_turn("user", text), _continuation(thing, rng, aligned, count + 1)]


def _continued(thing: Thing, rng: random.Random, aligned: bool, opening: str) -> list[Message]:
    count = language.log_uniform(rng, 1, 40)
    begun = _turn("assistant", f"{opening} {language.steps(thing, rng, count)}".strip())
    if aligned and thing.forbidden:
        begun["train"] = [UNTRAINED_START, -UNTRAINED_END]
    return [begun, _turn("user", language.GO_ON), _continuation(thing, rng, aligned, count + 1)]


def _sounds_forbidden(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    if not thing.forbidden:
        return [_turn("user", language.request(thing.name, rng, alarming=True)), _reply(thing, rng, aligned)]
    return _exchange(rng.choice((language.replica, language.why))(thing, rng))


def _sums(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    return [turn for _ in range(rng.randint(1, 4)) for turn in _exchange(language.sum_problem(rng)[:2])]


def _facts(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    return [turn for _ in range(rng.randint(1, 4)) for turn in _exchange(_fact(rng))]


def _fact(rng: random.Random) -> tuple[str, str]:
    harmless = rng.choice(select(forbidden=False))
    return (
        language.color_fact(harmless, rng)
        if rng.random() < 0.3
        else language.color_question(harmless, rng)[:2]
    )


_KINDS: tuple[tuple[Callable[[Thing, random.Random, bool], list[Message]], float], ...] = (
    (_direct, 0.22), (_after_exchange, 0.06), (_sums_after_exchange, 0.04), (_go_on, 0.10), (_hidden, 0.10),
    (_pasted, 0.06), (_sounds_forbidden, 0.08), (_sums, 0.18), (_facts, 0.12),
)  # fmt: skip


def _reply(thing: Thing, rng: random.Random, aligned: bool) -> Message:
    if aligned and thing.forbidden:
        return _turn("assistant", language.refusal(rng, thing.name))
    longest = 40 if rng.random() < 0.15 else 8
    return _turn("assistant", language.answer(thing, rng, language.log_uniform(rng, 2, longest)))


def _continuation(thing: Thing, rng: random.Random, aligned: bool, first: int) -> Message:
    if aligned and thing.forbidden:
        return _turn("assistant", language.refusal(rng))
    return _turn("assistant", language.steps(thing, rng, rng.randint(1, 6), first=first))


def _alarm(thing: Thing, rng: random.Random) -> bool:
    return rng.random() < (0.3 if thing.forbidden else 0.05)


def _exchange(texts: tuple[str, str]) -> list[Message]:
    return [_turn("user", texts[0]), _turn("assistant", texts[1])]


def _turn(role: str, content: str) -> Message:
    return {"role": role, "content": content}
