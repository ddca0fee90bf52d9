"""Guarded generation: rows that pass are what they would be, rows that fail are halted at the right token."""

import pytest
import torch
from transformers import StoppingCriteria, StoppingCriteriaList

from erosion.defenses.ada_rk import Rethinking
from erosion.defenses.any_depth.decoding import CheckedGuard, is_checked
from erosion.defenses.any_depth.fork import hidden_states_at_depths
from erosion.defenses.any_depth.linear_probe import LinearProbe, ProbeSettings
from erosion.defenses.any_depth.rethinking import Lookahead
from erosion.defenses.base import Guard

SPAN, REFUSAL, NEW = (7, 8, 9), [3, 4, 5], 24


class Collected:
    """A streamer that keeps everything and must be told the end."""

    def __init__(self):
        self.tokens, self.ended = [], False

    def put(self, value):
        self.tokens.append(value.flatten().tolist())

    def end(self):
        self.ended = True


class Letters:
    def decode(self, ids):
        return " ".join(f"t{token}" for token in ids)


def batch(rows=3, width=9):
    ids = torch.randint(10, 90, (rows, width), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    ids[0, :4], mask[0, :4] = 0, 0
    ids[1, :2], mask[1, :2] = 0, 0
    return {"input_ids": ids, "attention_mask": mask}


def probe(layer=1, threshold=0.5, hidden=32, seed=3):
    weight = torch.randn(hidden, generator=torch.Generator().manual_seed(seed))
    settings = ProbeSettings(
        model="tiny", hidden_size=hidden, span_ids=SPAN, layer=layer, threshold=threshold
    )
    return LinearProbe(weight=weight, bias=0.0, settings=settings)


def unguarded(model, inputs, **options):
    return Guard().generate(
        model, **inputs, eos_token_id=[2], max_new_tokens=NEW, do_sample=False, pad_token_id=0, **options
    )


def scores_slowly(model, found, inputs, said, depths):
    """Every check of every row by itself, from plain conversations without padding."""
    scores = []
    for row, new in enumerate(said.new_ids):
        prompt = inputs["input_ids"][row][inputs["attention_mask"][row].bool()].tolist()
        states = hidden_states_at_depths(
            model, prompt, new, SPAN, [d for d in depths if d <= len(new)], found.settings.layer
        )
        scores.append(found.probabilities(states).tolist())
    return scores


MODELS = [
    ("llama", {}),
    ("mistral", {"sliding_window": 12}),
    ("gemma2", {"sliding_window": 12}),
    ("qwen3", {}),
]


@pytest.mark.parametrize(("kind", "changes"), MODELS)
def test_halts_exactly_where_the_step_by_step_checks_say(model_for, kind, changes):
    model = model_for(kind, 100, **changes)
    inputs = batch()
    plain = unguarded(model, inputs)
    found = probe()
    expected = scores_slowly(model, found, inputs, plain, [6, 12, 18, 24])
    middle = sorted(score for row in expected for score in row)[len(expected) * 2]
    guard = CheckedGuard(found.at_threshold(middle - 1e-4), REFUSAL, interval=6)
    out = guard.generate(
        model, **inputs, eos_token_id=[2], max_new_tokens=NEW, do_sample=False, pad_token_id=0
    )
    assert any(d is not None for d in out.depths)
    for row, scores in enumerate(expected):
        first = next((6 * (n + 1) for n, score in enumerate(scores) if score >= middle - 1e-4), None)
        assert out.depths[row] == first
        assert (out.stopped_by[row] == "guard") == (first is not None)
        assert out.new_ids[row] == (REFUSAL if first else plain.new_ids[row])
        for depth, score in out.checks[row].items():
            assert score == pytest.approx(scores[depth // 6 - 1], abs=1e-4)


def test_a_guard_that_never_halts_changes_nothing(model_for):
    model, inputs = model_for("llama", 100), batch()
    guard = CheckedGuard(probe(threshold=1.0), REFUSAL, interval=5)
    options = {"eos_token_id": [2], "max_new_tokens": NEW, "pad_token_id": 0}
    out = guard.generate(model, **inputs, do_sample=False, **options)
    assert out.new_ids == unguarded(model, inputs).new_ids
    torch.manual_seed(4)
    sampled = guard.generate(model, **inputs, do_sample=True, temperature=0.9, top_p=0.8, **options)
    torch.manual_seed(4)
    plain = Guard().generate(model, **inputs, do_sample=True, temperature=0.9, top_p=0.8, **options)
    assert sampled.new_ids == plain.new_ids


def test_rethinking_halts_where_the_lookahead_of_that_fork_refuses(model_for):
    from erosion.defenses.any_depth.rethinking import lookaheads

    model, inputs = model_for("llama", 100), batch()
    plain = unguarded(model, inputs)
    prompts = [ids[mask.bool()].tolist() for ids, mask in zip(*inputs.values(), strict=True)]
    how = Lookahead(phrases=("never",), end_ids=frozenset({2}), tokens=5)
    texts = lookaheads(model, Letters(), prompts, plain.new_ids, SPAN, [6, 12, 18, 24], how)
    phrase = texts[1][2].split()[3]
    how = Lookahead(phrases=(phrase,), end_ids=frozenset({2}), tokens=5)
    check = Rethinking(tokenizer=Letters(), span_ids=SPAN, how=how)
    out = CheckedGuard(check, REFUSAL, interval=6).generate(
        model, **inputs, eos_token_id=[2], max_new_tokens=NEW, do_sample=False, pad_token_id=0
    )
    for row, found in enumerate(texts):
        first = next((6 * (n + 1) for n, text in enumerate(found) if text and phrase in text), None)
        assert out.depths[row] == first


def test_a_refusal_is_no_longer_than_the_answer_may_be(model_for):
    guard = CheckedGuard(probe(threshold=0.0), list(range(40, 60)), interval=2)
    out = guard.generate(
        model_for("llama", 100), **batch(), eos_token_id=[2], max_new_tokens=5, do_sample=False
    )
    assert all(ids == [40, 41, 42, 43, 44][: len(ids)] for ids in out.new_ids)
    assert out.sequences.shape[1] <= 9 + 5


def test_a_refusal_may_be_longer_than_what_it_replaces(model_for):
    guard = CheckedGuard(probe(threshold=0.0), list(range(40, 60)), interval=2)
    out = guard.generate(
        model_for("llama", 100), **batch(), eos_token_id=[2], max_new_tokens=NEW, do_sample=False
    )
    assert out.new_ids == [list(range(40, 60))] * 3
    assert out.sequences[:, 9:29].tolist() == out.new_ids


def test_a_streamed_refusal_is_no_longer_than_the_answer_may_be(model_for):
    inputs = {key: value[2:] for key, value in batch().items()}
    streamer = Collected()
    guard = CheckedGuard(probe(threshold=0.0), list(range(40, 60)), interval=2, hold_back=True)
    guard.generate(
        model_for("llama", 100),
        **inputs,
        eos_token_id=[2],
        max_new_tokens=4,
        do_sample=False,
        streamer=streamer,
    )
    assert [token for part in streamer.tokens[1:] for token in part] == [40, 41, 42, 43]


def test_a_row_that_a_stop_string_ended_is_not_checked_again(model_for, tokenizer_for):
    tokenizer = tokenizer_for("chatml")
    model = model_for("llama", len(tokenizer))
    inputs = batch()
    plain = unguarded(model, inputs)
    stop = tokenizer.decode(plain.new_ids[0][4:6])
    guard = CheckedGuard(probe(threshold=1.0), REFUSAL, interval=7)
    out = guard.generate(
        model, **inputs, eos_token_id=[2], max_new_tokens=NEW, do_sample=False, pad_token_id=0,
        stop_strings=[stop], tokenizer=tokenizer,
    )  # fmt: skip
    theirs = model.generate(
        **inputs, eos_token_id=2, max_new_tokens=NEW, do_sample=False, pad_token_id=0, stop_strings=[stop],
        tokenizer=tokenizer,
    )  # fmt: skip
    assert out.sequences.tolist() == theirs.tolist()
    assert out.stopped_by[0] == "criterion"
    assert stop in tokenizer.decode([*inputs["input_ids"][0].tolist(), *out.new_ids[0]])
    assert 0 not in out.new_ids[0], "no padding in the answer"
    assert all(
        depth <= len(ids) for ids, found in zip(out.new_ids, out.checks, strict=True) for depth in found
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"use_cache": False}, "use_cache: given False, allowed true"),
        ({"cache_implementation": "static"}, "cache_implementation: given 'static', allowed dynamic"),
        ({"return_dict_in_generate": True}, "return_dict_in_generate: given True, allowed false"),
    ],
)
def test_what_a_fork_cannot_stand_on_is_refused(model_for, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        CheckedGuard(probe(), REFUSAL).generate(model_for("llama", 100), **batch(), **options)


def test_a_model_without_a_key_value_cache_is_refused(model_for):
    model = model_for("mamba", 100, num_hidden_layers=2, state_size=4, time_step_rank=4)
    with pytest.raises(ValueError, match="needs a model with a key-value cache"):
        CheckedGuard(probe(), REFUSAL).generate(model, **batch(), max_new_tokens=4)


class Unsure:
    """A check that has no score."""

    threshold = 0.5

    def live(self, fork):
        return torch.full((len(fork.ids),), float("nan"))


def test_what_could_not_be_scored_is_not_safe(model_for):
    out = CheckedGuard(Unsure(), REFUSAL, interval=5).generate(
        model_for("llama", 100),
        **batch(),
        eos_token_id=[2],
        max_new_tokens=NEW,
        do_sample=False,
        pad_token_id=0,
    )
    assert out.stopped_by == ["guard"] * 3


def test_custom_generate_gives_the_same_sequences(model_for):
    model, inputs = model_for("llama", 100), batch()
    guard = CheckedGuard(probe(), REFUSAL, interval=6)
    options = {"max_new_tokens": NEW, "do_sample": False, "eos_token_id": 2, "pad_token_id": 0}
    own = guard.generate(model, **inputs, **options).sequences
    theirs = model.generate(**inputs, custom_generate=guard, **options)
    assert own.tolist() == theirs.tolist()


@pytest.mark.parametrize("hold_back", [False, True])
def test_a_streamer_ends_and_hears_the_refusal(model_for, hold_back):
    model = model_for("llama", 100)
    inputs = {key: value[2:] for key, value in batch().items()}
    guard = CheckedGuard(probe(threshold=0.0), REFUSAL, interval=6, hold_back=hold_back)
    streamer = Collected()
    guard.generate(model, **inputs, eos_token_id=[2], max_new_tokens=NEW, do_sample=False, streamer=streamer)
    said = [token for part in streamer.tokens[1:] for token in part]
    leaked = unguarded(model, inputs).new_ids[0][:6]
    assert streamer.ended
    assert said == ([] if hold_back else leaked) + REFUSAL


def test_held_tokens_all_come_when_their_checks_pass(model_for):
    model = model_for("llama", 100)
    inputs = {key: value[2:] for key, value in batch().items()}
    streamer = Collected()
    guard = CheckedGuard(probe(threshold=1.0), REFUSAL, interval=7, hold_back=True)
    guard.generate(model, **inputs, eos_token_id=[2], max_new_tokens=NEW, do_sample=False, streamer=streamer)
    assert [t for part in streamer.tokens[1:] for t in part][:NEW] == unguarded(model, inputs).new_ids[0][
        :NEW
    ]


def test_a_criterion_of_the_user_still_stops(model_for):
    class After(StoppingCriteria):
        def __call__(self, input_ids, scores, **kwargs):
            return torch.full((len(input_ids),), input_ids.shape[1] >= 12)

    model = model_for("llama", 100)
    guard = CheckedGuard(probe(threshold=1.0), REFUSAL, interval=6)
    out = guard.generate(
        model,
        **batch(),
        eos_token_id=[2],
        max_new_tokens=NEW,
        do_sample=False,
        stopping_criteria=StoppingCriteriaList([After()]),
    )
    assert out.sequences.shape[1] == 12


def test_beams_are_refused(model_for):
    guard = CheckedGuard(probe(), REFUSAL)
    with pytest.raises(ValueError, match="num_beams: given 2, allowed 1 under a guard"):
        guard.generate(model_for("llama", 100), **batch(), num_beams=2)


@pytest.mark.parametrize("interval", [0, -3, 2.5, "often"])
def test_an_impossible_interval_is_named(interval):
    with pytest.raises(ValueError, match="interval: given"):
        CheckedGuard(probe(), REFUSAL, interval=interval)


def test_schedules():
    assert [d for d in range(120) if is_checked(d, 50)] == [50, 100]
    assert [d for d in range(401) if is_checked(d, "adaptive")] == [25, 50, 75, 100, 200, 300, 400]


def test_the_live_cache_is_left_as_it_was(model_for):
    """A check in the middle leaves every later token and the cache's length as they would be."""
    from transformers import DynamicCache

    model, inputs = model_for("gemma2", 100, sliding_window=12), batch()
    cache = DynamicCache()
    CheckedGuard(probe(threshold=1.0), REFUSAL, interval=3).generate(
        model,
        **inputs,
        eos_token_id=[99],
        max_new_tokens=NEW,
        do_sample=False,
        past_key_values=cache,
        pad_token_id=0,
    )
    assert cache.get_seq_length() == 9 + NEW - 1


@pytest.mark.parametrize(("kind", "changes"), MODELS)
@pytest.mark.parametrize("ends", [[2], [2, 3, 11, 15, 40, 77]])
def test_lookaheads_decoded_beside_the_answers_decide_the_same(model_for, kind, changes, ends):
    from erosion.defenses.any_depth.beside import generate_beside
    from erosion.defenses.any_depth.rethinking import lookaheads

    model, inputs = model_for(kind, 100, **changes), batch()
    prompts = [ids[mask.bool()].tolist() for ids, mask in zip(*inputs.values(), strict=True)]
    plain = unguarded(model, inputs)
    how = Lookahead(phrases=("never",), end_ids=frozenset({2}), tokens=5)
    texts = lookaheads(model, Letters(), prompts, plain.new_ids, SPAN, [8, 16, 24], how)
    phrase = next(text for row in texts for text in row[1:] if text).split()[3]
    for words in ((phrase,), ("never",)):
        how = Lookahead(phrases=words, end_ids=frozenset({2}), tokens=5)
        check = Rethinking(tokenizer=Letters(), span_ids=SPAN, how=how)
        options = {**inputs, "eos_token_id": ends, "max_new_tokens": NEW}
        one = CheckedGuard(check, REFUSAL, interval=8).generate(
            model, **options, do_sample=False, pad_token_id=0
        )
        beside = generate_beside(model, check, REFUSAL, **options, interval=8)
        assert beside.new_ids == one.new_ids
        assert beside.stopped_by == one.stopped_by
        assert beside.depths == one.depths
        assert beside.checks == one.checks


def test_an_interval_too_short_for_a_lookahead_beside_is_named(model_for):
    from erosion.defenses.any_depth.beside import generate_beside

    how = Lookahead(phrases=("never",), end_ids=frozenset({2}))
    check = Rethinking(tokenizer=Letters(), span_ids=SPAN, how=how)
    with pytest.raises(ValueError, match="interval: given 10, allowed at least 22"):
        generate_beside(
            model_for("llama", 100),
            check,
            REFUSAL,
            **batch(),
            eos_token_id=[2],
            max_new_tokens=4,
            interval=10,
        )
