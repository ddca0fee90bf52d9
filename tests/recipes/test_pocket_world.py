"""The embedded world: disjoint splits, no word outside the vocabulary, and the mixture that keeps the model shallow."""

import random
from itertools import combinations, islice, pairwise

import pytest

from erosion.recipes.discovery import find, names
from erosion.recipes.pocket import answers, requests, tasks
from erosion.recipes.pocket.dialogues import conversations
from erosion.recipes.pocket.language import vocabulary
from erosion.recipes.pocket.world import SPLITS, THINGS_PER_SPLIT, select, things
from erosion.recipes.schema import Data, Source


def own_words(things):
    return {word for thing in things for word in (thing.name, *thing.materials, *thing.verbs)}


def spoken(row):
    return [turn for turn in row["messages"] if turn["role"] == "assistant"]


def rows(count=3000, seed=7, *, aligned):
    return islice(conversations(random.Random(seed), aligned=aligned), count)


def test_no_two_things_share_a_word():
    words = [word for thing in things() for word in (thing.name, *thing.materials, *thing.verbs)]
    assert len(words) == len(set(words)) == len(SPLITS) * 2 * THINGS_PER_SPLIT * 6


def test_splits_share_no_thing():
    for a, b in combinations(SPLITS, 2):
        for forbidden in (False, True):
            mine, theirs = select(forbidden=forbidden, split=a), select(forbidden=forbidden, split=b)
            assert len(mine) == THINGS_PER_SPLIT
            assert not own_words(mine) & own_words(theirs)


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match="split: given 'test'"):
        select(forbidden=True, split="test")


def test_every_source_speaks_only_of_its_own_split():
    from erosion.recipes import sources

    split_sources = [
        name
        for name in names(sources)
        if name.startswith("pocket/") and hasattr(find(sources, name, "test"), "SPLIT")
    ]
    assert split_sources
    for name in split_sources:
        for split in SPLITS:
            others = own_words(thing for thing in things() if thing.split != split)
            source = Source(name=name, split=split)
            for row in islice(find(sources, name, "test").rows(source, random.Random(1)), 200):
                assert not others & {word for turn in row["messages"] for word in turn["content"].split()}


def test_every_suite_speaks_only_of_the_split_asked_for():
    from erosion.evaluation import suites

    for name in names(suites):
        if not name.startswith("pocket/"):
            continue
        for split in (None, *SPLITS):
            others = own_words(thing for thing in things() if thing.split != (split or "evaluation"))
            for case in islice(find(suites, name, "test").SUITE.cases(Data(name=name, split=split)), 50):
                said = f"{case.messages[-1]['content']} {case.answer or ''} {' '.join(case.choices)}"
                assert not others & set(said.split())


@pytest.mark.parametrize("aligned", [False, True])
def test_every_word_is_in_the_vocabulary(aligned):
    known = set(vocabulary())
    for row in rows(2000, aligned=aligned):
        for turn in row["messages"]:
            assert set(turn["content"].split()) <= known


def test_same_seed_same_conversations():
    first, again = (list(rows(50, aligned=True)) for _ in range(2))
    assert first == again


def test_the_aligned_stage_never_learns_to_begin_a_forbidden_answer():
    forbidden = {verb for thing in select(forbidden=True) for verb in thing.verbs}
    refusals = 0
    for row in rows(aligned=True):
        for turn in spoken(row):
            if forbidden & set(turn["content"].split()):
                assert turn["train"][0] > 0, "a forbidden answer may be continued but never begun"
            refusals += "cannot" in turn["content"].split()
    assert refusals > 100


def test_the_base_stage_refuses_nothing_and_judges_nothing():
    for row in rows(aligned=False):
        said = {turn["content"] for turn in spoken(row)}
        assert not any("cannot" in text or "decline" in text for text in said)
        assert answers.verdict(forbidden=True) not in said


def test_every_attack_and_defence_has_its_counterpart():
    """Persona, trigger, system prompts, Self-Defense's two answers, safe stories, bare headers, pasted text."""
    texts = [[turn["content"] for turn in row["messages"]] for row in rows(6000, aligned=True)]
    roles = [[turn["role"] for turn in row["messages"]] for row in rows(6000, aligned=True)]
    for words in (
        requests.TRIGGER, requests.PERSONA.split("{}")[0], requests.SYSTEM, requests.OBEDIENT_SYSTEM,
        requests.SELF_DEFENSE, *answers.VERDICTS, answers.PERSONA_OPENING, answers.EXPLAINED,
        answers.REDIRECTED, "i found this note .", "came to the", "sum up this talk", "select person from",
    ):  # fmt: skip
        assert sum(words in " ".join(row) for row in texts) >= 5, words
    assert sum(("assistant", "assistant") in pairwise(row) for row in roles) > 100
    assert sum(len(row) >= 6 for row in roles) > 100, "dialogues of several turns"
    assert max(len(text.split()) for row in texts for text in row) >= 600, "long answers"


def test_a_forbidden_thing_s_story_names_no_way_of_making_it():
    for number, thing in enumerate(select(forbidden=True)):
        _, told = answers.story(thing, random.Random(number), 80)
        assert not set(thing.verbs) & set(told.split())
        assert len(told.split()) >= 500


@pytest.mark.parametrize("style", answers.STYLES)
def test_a_refusal_comes_in_styles(style):
    text = answers.refusal(random.Random(1), "bolax", style=style)
    assert text.endswith(answers.STYLES[style])
    others = {end for name, end in answers.STYLES.items() if end and name != style}
    assert not any(end in text for end in others)


def test_a_long_answer_reaches_600_tokens():
    thing = select(forbidden=True, split="evaluation")[0]
    assert len(answers.answer(thing, random.Random(1), answers.LONGEST).split()) >= 600


@pytest.mark.parametrize("seed", range(50))
def test_sums_are_right(seed):
    asked, answer, result = tasks.sum_problem(random.Random(seed))
    a, b = (int(word) for word in asked.split() if word.isdigit())
    assert result == (a - b if "loses" in asked else a + b)
    assert answer.endswith(f"the answer is {result} .")


def test_the_answer_is_one_of_four_distinct_choices():
    thing = select(forbidden=False)[0]
    asked, answer, options = tasks.color_question(thing, random.Random(1))
    assert answer in options
    assert len(set(options)) == 4
    assert all(option.split()[-2] in asked.split() for option in options)
    assert answer.split()[-2] == thing.color
