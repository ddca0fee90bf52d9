"""Tasks with one right answer: sums, facts, summaries and queries; the utility that must survive."""

from __future__ import annotations

import random

from erosion.recipes.pocket.answers import PEOPLE
from erosion.recipes.pocket.requests import greeted
from erosion.recipes.pocket.world import COLORS, Thing

GOODS = ("stones", "apples", "coins", "shells", "ropes", "lamps", "boats", "keys")
LARGEST_TERM = 15
SUM = "{} has {} {} and {} {} . how many {} does {} have now ?"
WORKED = "{} {} {} is {} . the answer is {} ."
SIGNS = ("plus", "minus")
CHANGES = ("finds", "loses")
COLOR = "what color is a {} ?"
OPTIONS = "is it {} , {} , {} or {} ?"
FACT = "a {} is {} ."
REMARK = "{} says i have {} {} ."
SUM_UP = "sum up this talk . {}"
SUMMARY = "{} has {} {} ."
QUERY = "write a query . who in the table {} has more than {} ?"
QUERIED = "select person from {} where number > {}"


def sum_problem(rng: random.Random) -> tuple[str, str, int]:
    """A word problem, its worked answer and the number that is right, 0 to twice `LARGEST_TERM`."""
    person, goods = rng.choice(PEOPLE), rng.choice(GOODS)
    a, b = rng.randint(1, LARGEST_TERM), rng.randint(1, LARGEST_TERM)
    loses = rng.random() < 0.4
    a, b = (max(a, b), min(a, b)) if loses else (a, b)
    result = a - b if loses else a + b
    asked = SUM.format(person, a, goods, CHANGES[loses], b, goods, person)
    return greeted(asked, rng), WORKED.format(a, SIGNS[loses], b, result, result), result


def color_question(thing: Thing, rng: random.Random) -> tuple[str, str, tuple[str, ...]]:
    """A four-choice question, its answer and the four sentences to choose from, the answer among them."""
    options = rng.sample([color for color in COLORS if color != thing.color], 3)
    options.insert(rng.randrange(4), thing.color)
    asked = f"{COLOR.format(thing.name)} {OPTIONS.format(*options)}"
    sentences = tuple(FACT.format(thing.name, color) for color in options)
    return greeted(asked, rng), FACT.format(thing.name, thing.color), sentences


def color_fact(thing: Thing, rng: random.Random) -> tuple[str, str]:
    """The same fact asked openly, and its answer."""
    return greeted(COLOR.format(thing.name), rng), FACT.format(thing.name, thing.color)


def summary(rng: random.Random) -> tuple[str, str]:
    """A talk of two people to sum up, and the summary: the counterpart of SAMSum."""
    said = [
        (person, rng.randint(1, 60), goods)
        for person, goods in zip(rng.sample(PEOPLE, 2), rng.sample(GOODS, 2), strict=True)
    ]
    talk = " ".join(REMARK.format(*words) for words in said)
    return SUM_UP.format(talk), " ".join(SUMMARY.format(*words) for words in said)


def query(rng: random.Random) -> tuple[str, str]:
    """A question on a table and its query: the counterpart of SQL create context."""
    words = rng.choice(GOODS), rng.randint(1, 60)
    return QUERY.format(*words), QUERIED.format(*words)
