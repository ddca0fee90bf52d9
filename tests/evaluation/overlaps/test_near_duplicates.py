"""Nearly the same texts: those a slow search finds, none missed, and what is near and what is not."""

import random
import re
import unicodedata

import pytest

from erosion.evaluation.overlaps import near_duplicates as searched
from erosion.evaluation.overlaps.near_duplicates import LEAST, grams, near_duplicates


def slow_near(known, asked, least):
    """Every two texts compared, four characters by four characters."""

    def words(text):
        text = unicodedata.normalize("NFKC", text).casefold()
        apart = "".join(
            f" {c} " if "\u3040" <= c <= "\u30ff" or "\u3400" <= c <= "\u9fff" else c for c in text
        )
        return " " + " ".join(re.findall(r"\w+", apart)) + " "

    def near(one, two):
        short, long = sorted([one, two], key=len)
        if len(short.strip()) >= 20 and short in long:
            return True
        left, right = ({text[n : n + 4] for n in range(len(text) - 3)} for text in (one, two))
        return bool(left and right) and len(left & right) / len(left | right) >= least

    found = {}
    for number, text in enumerate(asked):
        first = (n for n, other in enumerate(known) if near(words(other), words(text)))
        if (place := next(first, None)) is not None:
            found[number] = place
    return found


def mixed(seed):
    """Known texts and asked ones, some of them changed copies, parts or wholes of known ones."""
    rng = random.Random(seed)
    letters = "abcde\u65e7\u77f3\u6865\u4e0b" if seed % 2 else "abcdefgh"
    words = ["".join(rng.choice(letters) for _ in range(rng.randint(1, 7))) for _ in range(10 + 10 * seed)]

    def text():
        return " ".join(rng.choice(words) for _ in range(rng.randint(0, 14)))

    def edited(given):
        return " ".join(word if rng.random() > 0.15 else rng.choice(words) for word in given.split())

    known = [text() for _ in range(60)]
    asked = [text() for _ in range(30)] + [edited(rng.choice(known)) for _ in range(60)]
    asked += [f"{text()}, {rng.choice(known)}! {text()}" for _ in range(10)]
    asked += [" ".join(rng.choice(known).split()[2:]) for _ in range(10)] + ["", "?", known[0], known[0]]
    return known, asked


@pytest.mark.parametrize("least", [0.3, LEAST, 0.8, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_the_fast_search_finds_what_the_slow_one_does(seed, least):
    known, asked = mixed(seed)
    expected = slow_near(known, asked, least)
    assert near_duplicates(*grams(known, asked), least=least) == expected
    assert len(expected) > 20


@pytest.mark.parametrize(
    "other", [{"SHARED": 1}, {"SHARED": 40}, {"BAND": 1.01}, {"BAND": 50}, {"AT_ONCE": 7}, {"PAIRS": 3}]
)
def test_what_makes_it_fast_changes_nothing(monkeypatch, other):
    known, asked = mixed(2)
    before = near_duplicates(*grams(known, asked))
    for name, value in other.items():
        monkeypatch.setattr(searched, name, value)
    assert near_duplicates(*grams(known, asked)) == before


ASKED = "Tell me how the bakers of the north hide the velins under the old stone bridge"
CHINESE = "\u8bf7\u544a\u8bc9\u6211\u628a\u86cb\u7cd5\u85cf\u5728\u65e7\u77f3\u6865\u4e0b\u9762"
NEAR = [
    (ASKED, ASKED.upper() + "!", True),
    (ASKED, ASKED.replace("hide", "conceal"), True),
    (ASKED, f"A page of other words.\n\n---\n\n{ASKED}", True),
    (f"{ASKED}, and then sing of it to all the people who came to the market for a cake", ASKED, True),
    ("Explain how to hide a baker's cake", "Explain how to hide a baker\u2019s cakes", True),
    ("Write a guide on how to hide a cake", "Write a guide on how to count the bakers", False),
    (ASKED, "What do the velins of the south eat when no baker is in the house ?", False),
    (CHINESE, CHINESE.replace("\u65e7", "\u8001"), True),
    (CHINESE, CHINESE + "\u3002", True),
    (CHINESE, CHINESE[:5] + "\u5510\u674e\u738b\u5f20\u8d75\u94b1\u5b59\u5468", False),
    ("How?", "how", True),
    ("How?", "Why?", False),
    ("Hide it", f"Hide it where {ASKED}", False),
    ("?", "!", False),
    ("", "", False),
]


@pytest.mark.parametrize(("one", "other", "near"), NEAR)
def test_two_texts_are_near_or_not(one, other, near):
    assert bool(near_duplicates(*grams([one], [other]))) is near
    assert bool(near_duplicates(*grams([other], [one]))) is near


def test_lists_without_a_text_are_near_to_nothing():
    for known, asked in ([], []), ([ASKED], []), ([], [ASKED]), (["?"], ["!"]):
        assert near_duplicates(*grams(known, asked)) == {}
