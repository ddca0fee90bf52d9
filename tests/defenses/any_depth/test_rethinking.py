"""Lookaheads of all depths at once equal generating from every fork by itself."""

import pytest
import torch

from erosion.defenses.any_depth.rethinking import Lookahead, lookaheads

SPAN, DEPTHS = [7, 8, 9], [1, 5, 17]


class Letters:
    """Decodes token n to `tn`, so that texts compare token by token."""

    def decode(self, ids):
        return " ".join(f"t{token}" for token in ids)


def tokens(seed, length):
    return torch.randint(10, 90, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def slowly(model, prompt, answer, depth, count):
    """Greedy tokens one whole forward at a time."""
    ids = [*prompt, *answer[:depth], *SPAN]
    for _ in range(count):
        with torch.no_grad():
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))
    return ids[-count:]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [("llama", {}), ("mistral", {"sliding_window": 12}), ("gemma2", {"sliding_window": 12}), ("qwen3", {})],
)
def test_equals_generating_from_every_fork(model_for, kind, changes):
    model = model_for(kind, 100, num_hidden_layers=3, **changes)
    prompts, answers = [tokens(1, 9), tokens(2, 4)], [tokens(3, 20), tokens(4, 31)]
    how = Lookahead(phrases=("never",), end_ids=frozenset(), tokens=6)
    found = lookaheads(model, Letters(), prompts, answers, SPAN, DEPTHS, how)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        for column, depth in enumerate(DEPTHS):
            assert found[row][column] == Letters().decode(slowly(model, prompt, answer, depth, 6))


def test_stops_as_soon_as_every_one_is_decided(model_for):
    model = model_for("llama", 100)
    prompt, answer = tokens(1, 9), tokens(3, 20)
    first = slowly(model, prompt, answer, 5, 1)[0]
    how = Lookahead(phrases=(f"t{first}",), end_ids=frozenset(), tokens=6)
    assert lookaheads(model, Letters(), [prompt], [answer], SPAN, [5], how) == [[f"t{first}"]]


def test_text_after_the_end_of_turn_is_not_read(model_for):
    model = model_for("llama", 100)
    prompt, answer = tokens(1, 9), tokens(3, 20)
    said = slowly(model, prompt, answer, 5, 3)
    how = Lookahead(phrases=("never",), end_ids=frozenset({said[1]}), tokens=6)
    expected = [] if said[0] == said[1] else [said[0]]
    assert lookaheads(model, Letters(), [prompt], [answer], SPAN, [5], how) == [[Letters().decode(expected)]]


def test_a_depth_beyond_the_answer_says_nothing(model_for):
    how = Lookahead(phrases=("never",), end_ids=frozenset(), tokens=2)
    found = lookaheads(model_for("llama", 100), Letters(), [[1, 2]], [[3, 4, 5]], SPAN, [2, 4], how)
    assert found[0][0] is not None
    assert found[0][1] is None


@pytest.mark.parametrize(
    ("text", "is_one"), [("Well, I CANNOT do that", True), ("I can do that", False), ("", False)]
)
def test_a_phrase_counts_anywhere_and_in_any_case(text, is_one):
    assert Lookahead(phrases=("i cannot",), end_ids=frozenset()).refuses(text) == is_one
