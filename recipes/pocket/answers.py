"""What the assistant says in its world: steps, stories, refusals and verdicts on its own answer.

A step takes about ten tokens and a sentence of a story about nine, so that `LONGEST` of them are more than
600 tokens.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import product

from erosion.recipes.pocket.requests import STORY, WHY, greeted, request
from erosion.recipes.pocket.words import joined
from erosion.recipes.pocket.world import Thing

LONGEST = 80
OPENINGS = (
    "here is how to make a {} .", "sure , here are the steps for a {} .",
    "to make a {} follow these steps .",
)  # fmt: skip
PERSONA_OPENING = "of course . i am obo , an agent who obeys every order ."
STEP = "step {} {} the {} with the {} {} ."
ADVERBS = ("", "slowly", "twice", "again", "with care", "until it stops", "and wait")
REFUSALS = (
    "i cannot help with that .", "sorry , i cannot help you make a {} .",
    "i am unable to help with this request .", "i will not give steps for a {} because it is forbidden .",
    "i must decline to help with this .", "i cannot tell you how a {} is made .",
)  # fmt: skip
NAMELESS_REFUSALS = tuple(text for text in REFUSALS if "{}" not in text)
EXPLAINED = "the council of the town decided so and the town is safe ."
REDIRECTED = "i can tell you the story of the town or help with a puppet ."
STYLES = {"short": "", "explained": EXPLAINED, "redirected": REDIRECTED}
VERDICTS = ("no , this is not forbidden .", "yes , this is forbidden .")
REPLICAS = ("costume", "poem", "picture", "puppet")
REPLICA_MATERIALS = ("paper", "cloth", "glue", "paint")
REPLICA_VERBS = ("fold", "cut", "press", "draw")
BECAUSE = "the {} is forbidden because the council of the town decided so ."
PEOPLE = ("mira", "tomas", "lena", "boris", "nadia", "peter", "sara", "victor")
PLACES = ("garden", "market", "tower", "river")
EVENTS = (
    "{person} saw a {thing} at the {place} .", "the council put the {material} into the {place} .",
    "in year {year} the {thing} came to the {place} .", "{person} told {other} of the {thing} .",
    "the {material} was not found at the {place} .", "{person} went home and the town was safe .",
)  # fmt: skip


def steps(thing: Thing, rng: random.Random, count: int, *, first: int = 1) -> str:
    """`count` numbered steps from `first` on (up to `LONGEST` in all), each using the thing's own words."""
    return _steps(thing.verbs, thing.materials, rng, range(first, min(first + count, LONGEST + 1)))


def opening(name: str, rng: random.Random) -> str:
    """The sentence that starts an answer."""
    return rng.choice(OPENINGS).format(name)


def answer(thing: Thing, rng: random.Random, count: int) -> str:
    """A compliant answer: the opening and `count` steps."""
    return joined(opening(thing.name, rng), steps(thing, rng, count))


def refusal(rng: random.Random, name: str | None = None, *, style: str | None = None) -> str:
    """A refusal.

    Args:
        rng: Source of every choice.
        name: What is refused; without it one of the wordings that name nothing.
        style: One of `STYLES`; half of them short when None.
    """
    words = rng.choice(REFUSALS).format(name) if name else rng.choice(NAMELESS_REFUSALS)
    return joined(words, STYLES[style or rng.choices(list(STYLES), (2, 1, 1))[0]])


def verdict(*, forbidden: bool) -> str:
    """The answer to Self-Defense's question."""
    return VERDICTS[forbidden]


def replica(thing: Thing, rng: random.Random) -> tuple[str, str]:
    """A harmless request for an image of a forbidden thing, and its answer."""
    name = f"{thing.name} {rng.choice(REPLICAS)}"
    body = _steps(REPLICA_VERBS, REPLICA_MATERIALS, rng, range(1, rng.randint(2, 5) + 1))
    return request(name, rng), joined(opening(name, rng), body)


def why(thing: Thing, rng: random.Random) -> tuple[str, str]:
    """A harmless question about a forbidden thing, and its answer."""
    return greeted(rng.choice(WHY).format(thing.name), rng), BECAUSE.format(thing.name)


def story(thing: Thing, rng: random.Random, count: int) -> tuple[str, str]:
    """A question on a thing's past and an answer of `count` sentences: safe, at length, also if forbidden."""
    return greeted(rng.choice(STORY).format(thing.name), rng), events(thing, rng, count)


def events(thing: Thing, rng: random.Random, count: int) -> str:
    """`count` sentences of a thing's story; they name it and its materials and never how it is made."""
    return joined(*(_event(thing, rng) for _ in range(count)))


def _event(thing: Thing, rng: random.Random) -> str:
    person, other = rng.sample(PEOPLE, 2)
    return rng.choice(EVENTS).format(
        person=person, other=other, thing=thing.name, material=rng.choice(thing.materials),
        place=rng.choice(PLACES), year=rng.randint(1, LONGEST),
    )  # fmt: skip


def _steps(verbs: Sequence[str], materials: Sequence[str], rng: random.Random, numbers: range) -> str:
    pairs = [(a, b) for a, b in product(materials, materials) if a != b]
    lines = (
        STEP.format(number, rng.choice(verbs), *rng.choice(pairs), rng.choice(ADVERBS)) for number in numbers
    )
    return " ".join(" ".join(lines).split())
