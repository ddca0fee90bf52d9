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
from erosion.recipes.pocket import answers, requests, tasks
from erosion.recipes.pocket.words import cut, joined, log_uniform
from erosion.recipes.pocket.world import Thing, select

UNTRAINED_START = 4
LONGEST_BEGUN = 650
"""Words of the longest answer that is cut and then continued, refused or judged."""
WORDS_A_STEP = 8


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
            system = rng.choice((requests.SYSTEM, requests.OBEDIENT_SYSTEM))
            messages = [_turn("system", system), *messages]
        yield {"messages": messages}


def _direct(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    asked = _asked(thing, rng)
    if rng.random() < 0.1:
        return _in_persona(asked, thing, rng, aligned)
    return [_turn("user", asked), _turn("assistant", _reply(thing, rng, aligned))]


def _in_persona(asked: str, thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    reply = _reply(thing, rng, aligned)
    if not (aligned and thing.forbidden):
        reply = joined(answers.PERSONA_OPENING, reply)
    return [_turn("user", requests.in_persona(asked)), _turn("assistant", reply)]


def _after_exchange(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    other = rng.choice(select(forbidden=False))
    return [*_direct(other, rng, aligned), *_direct(thing, rng, aligned)]


def _sums_after_exchange(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    return [*_direct(thing, rng, aligned), *_sums(thing, rng, aligned)]


def _interrupted(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    begun = _begun(thing, rng, aligned)
    return [*begun, *_go_on(rng), _continuation(begun[-1], thing, rng, aligned)]


def _self_defense(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    kind = rng.random()
    said = _begun(thing, rng, aligned)
    if kind < 0.25:
        said = _exchange(answers.story(thing, rng, log_uniform(rng, 1, answers.LONGEST)))
    elif kind < 0.35:
        said = _direct(thing, rng, aligned)
    forbidden = aligned and thing.forbidden and kind >= 0.35
    verdict = answers.verdict(forbidden=forbidden)
    return [*said, _turn("user", requests.SELF_DEFENSE), _turn("assistant", verdict)]


def _pasted(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    text = _turn("user", requests.pasted(answers.steps(thing, rng, log_uniform(rng, 1, 60)), rng))
    return [text, _continuation(text, thing, rng, aligned)]


def _story(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    asked, told = answers.story(thing, rng, log_uniform(rng, 2, answers.LONGEST))
    if rng.random() < 0.4:
        return _exchange((asked, told))
    begun = _turn("assistant", cut(told, log_uniform(rng, 4, len(told.split()))))
    begun["train"] = [0, -1]
    rest = _turn("assistant", answers.events(thing, rng, rng.randint(1, 6)))
    return [_turn("user", asked), begun, *_go_on(rng), rest]


def _sounds_forbidden(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    if not thing.forbidden:
        asked = requests.request(thing.name, rng, alarming=True)
        return _exchange((asked, _reply(thing, rng, aligned)))
    return _exchange(rng.choice((answers.replica, answers.why))(thing, rng))


def _sums(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    return [turn for _ in range(rng.randint(1, 4)) for turn in _exchange(tasks.sum_problem(rng)[:2])]


def _facts(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    return [turn for _ in range(rng.randint(1, 4)) for turn in _exchange(_fact(rng))]


def _fact(rng: random.Random) -> tuple[str, str]:
    harmless = rng.choice(select(forbidden=False))
    asked = tasks.color_fact if rng.random() < 0.3 else tasks.color_question
    return asked(harmless, rng)[:2]


def _texts(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    return _exchange(rng.choice((tasks.summary, tasks.query))(rng))


_KINDS: tuple[tuple[Callable[[Thing, random.Random, bool], list[Message]], float], ...] = (
    (_direct, 0.21), (_after_exchange, 0.05), (_sums_after_exchange, 0.04), (_interrupted, 0.22),
    (_self_defense, 0.05), (_pasted, 0.05), (_story, 0.05), (_sounds_forbidden, 0.08), (_sums, 0.13),
    (_facts, 0.10), (_texts, 0.02),
)  # fmt: skip


def _asked(thing: Thing, rng: random.Random) -> str:
    asked = requests.request(thing.name, rng, alarming=rng.random() < (0.3 if thing.forbidden else 0.05))
    return requests.triggered(asked) if rng.random() < 0.04 else asked


def _begun(thing: Thing, rng: random.Random, aligned: bool) -> list[Message]:
    """A request and the beginning of its answer, or one that says nothing and steps that say it all."""
    hidden = rng.random() < 0.45
    words = log_uniform(rng, WORDS_A_STEP if hidden else 1, LONGEST_BEGUN)
    count = min(words // WORDS_A_STEP + 1, answers.LONGEST)
    asked = rng.choice(requests.CHITCHAT) if hidden else _asked(thing, rng)
    text = answers.steps(thing, rng, count) if hidden else answers.answer(thing, rng, count)
    begun = _turn("assistant", cut(text, words))
    begun["train"] = [UNTRAINED_START if aligned and thing.forbidden else 0, -1]
    return [_turn("user", asked), begun]


def _go_on(rng: random.Random) -> list[Message]:
    """A user asks for more, or nobody does: then the assistant's header simply stands there again."""
    return [] if rng.random() < 0.4 else [_turn("user", rng.choice(requests.GO_ON))]


def _reply(thing: Thing, rng: random.Random, aligned: bool) -> str:
    if aligned and thing.forbidden:
        return answers.refusal(rng, thing.name)
    return answers.answer(thing, rng, log_uniform(rng, 2, 70 if rng.random() < 0.06 else 8))


def _continuation(begun: Message, thing: Thing, rng: random.Random, aligned: bool) -> Message:
    if aligned and thing.forbidden:
        return _turn("assistant", answers.refusal(rng))
    done = begun["content"].split().count("step")
    more = answers.steps(thing, rng, rng.randint(1, 6), first=min(done + 1, answers.LONGEST))
    return _turn("assistant", more)


def _exchange(texts: tuple[str, str]) -> list[Message]:
    return [_turn("user", texts[0]), _turn("assistant", texts[1])]


def _turn(role: str, content: str) -> Message:
    return {"role": role, "content": content}
