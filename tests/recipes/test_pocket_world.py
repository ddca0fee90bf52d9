"""The embedded world: disjoint splits, no word outside the vocabulary, and the mixture that keeps the model shallow."""

import random
from itertools import combinations, islice

import pytest

from erosion.recipes.pocket import language
from erosion.recipes.pocket.dialogues import conversations
from erosion.recipes.pocket.world import SPLITS, THINGS_PER_SPLIT, select, things


def test_no_two_things_share_a_word():
    words = [word for thing in things() for word in (thing.name, *thing.materials, *thing.verbs)]
    assert len(words) == len(set(words)) == len(SPLITS) * 2 * THINGS_PER_SPLIT * 6


def test_splits_share_no_thing():
    for a, b in combinations(SPLITS, 2):
        for forbidden in (False, True):
            mine, theirs = select(forbidden=forbidden, split=a), select(forbidden=forbidden, split=b)
            assert len(mine) == THINGS_PER_SPLIT
            assert not {thing.name for thing in mine} & {thing.name for thing in theirs}


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match="split: given 'test'"):
        select(forbidden=True, split="test")


@pytest.mark.parametrize("aligned", [False, True])
def test_every_word_is_in_the_vocabulary(aligned):
    known = set(language.vocabulary())
    for row in islice(conversations(random.Random(3), aligned=aligned), 2000):
        for turn in row["messages"]:
            assert set(turn["content"].split()) <= known


def test_same_seed_same_conversations():
    first, again = (list(islice(conversations(random.Random(5), aligned=True), 50)) for _ in range(2))
    assert first == again


def test_the_aligned_stage_refuses_every_forbidden_turn_it_learns_from_its_start():
    forbidden = {word for thing in select(forbidden=True) for word in (*thing.materials, *thing.verbs)}
    refusals = 0
    for row in islice(conversations(random.Random(7), aligned=True), 3000):
        for turn in row["messages"]:
            if turn["role"] != "assistant":
                continue
            if forbidden & set(turn["content"].split()):
                assert turn["train"][0] > 0, "a forbidden answer may be continued but never begun"
            refusals += "cannot" in turn["content"].split()
    assert refusals > 100


def test_the_base_stage_refuses_nothing():
    for row in islice(conversations(random.Random(7), aligned=False), 2000):
        assert not any(
            "cannot" in t["content"] or "train" in t for t in row["messages"] if t["role"] == "assistant"
        )


@pytest.mark.parametrize("seed", range(50))
def test_sums_are_right(seed):
    asked, answer, result = language.sum_problem(random.Random(seed))
    a, b = (int(word) for word in asked.split() if word.isdigit())
    assert result == (a - b if "loses" in asked else a + b)
    assert answer.endswith(f"the answer is {result} .")


def test_the_answer_is_one_of_four_distinct_choices():
    thing = select(forbidden=False)[0]
    asked, answer, options = language.color_question(thing, random.Random(1))
    assert answer in options
    assert len(set(options)) == 4
    assert all(option.split()[-2] in asked.split() for option in options)
    assert answer.split()[-2] == thing.color
