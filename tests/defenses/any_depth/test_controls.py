"""Controls beside ADA-LP: each equals its slow, obvious counterpart."""

import pytest
import torch

from erosion.defenses.any_depth.checks import LiveFork
from erosion.defenses.any_depth.collecting import Corpus
from erosion.defenses.any_depth.controls import ElsewhereProbe, TextProbe, shuffled
from erosion.defenses.any_depth.decoding import CheckedGuard
from erosion.defenses.any_depth.linear_probe import LinearProbe, ProbeSettings
from erosion.defenses.any_depth.passing import states_in_passing
from erosion.defenses.any_depth.shared_reading import SharedReading, read_states

PROMPTS = [[5, 6, 7, 8], [9, 10], [11, 12, 13]]
ANSWERS = [list(range(20, 40)), list(range(50, 58)), list(range(60, 90))]
DEPTHS = [3, 8, 20]


class Words:
    """A tokenizer of the form the text probe needs."""

    def decode(self, ids, skip_special_tokens=False):
        return " ".join(f"t{token}" for token in ids)


def probe(span=(), layer=1, seed=3):
    weight = torch.randn(32, generator=torch.Generator().manual_seed(seed))
    settings = ProbeSettings(model="tiny", hidden_size=32, span_ids=span, layer=layer)
    return LinearProbe(weight=weight, bias=0.1, settings=settings)


@pytest.mark.parametrize(
    ("kind", "changes"), [("llama", {}), ("gemma2", {"sliding_window": 6}), ("qwen3", {})]
)
@pytest.mark.parametrize("layer", [0, 1])
def test_states_in_passing_are_those_of_the_prefix_alone(model_for, kind, changes, layer):
    model = model_for(kind, 100, **changes)
    found = states_in_passing(model, PROMPTS, ANSWERS, DEPTHS, [layer])[0]
    for row, (prompt, answer) in enumerate(zip(PROMPTS, ANSWERS, strict=True)):
        for column, depth in enumerate(DEPTHS):
            if depth > len(answer):
                assert found[row, column].isnan().all()
                continue
            ids = torch.tensor([prompt + answer[:depth]])
            with torch.inference_mode():
                entering = model.model(input_ids=ids, output_hidden_states=True).hidden_states[layer]
                expected = model.model.layers[layer].input_layernorm(entering)[0, -1]
            torch.testing.assert_close(found[row, column], expected, atol=1e-4, rtol=1e-4)


def test_a_probe_without_a_span_reads_the_last_token_live_as_in_replay(model_for):
    model = model_for("llama", 100)
    ids = torch.tensor([PROMPTS[0] + ANSWERS[0][:8]])
    check, kept = probe(), {}

    class Spy:
        threshold = 1.0

        def live(self, fork):
            kept[len(fork.rows()[1][0])] = check.live(fork), fork.rows()
            return torch.zeros(len(fork.ids))

    CheckedGuard(Spy(), [3], interval=4).generate(
        model, input_ids=ids, eos_token_id=[2], max_new_tokens=8, do_sample=False, pad_token_id=0
    )
    assert sorted(kept) == [4, 8]
    for depth, (score, (prompts, answers)) in kept.items():
        again = check.replay(model, prompts, answers, [depth])[:, 0]
        torch.testing.assert_close(score, again, atol=1e-4, rtol=1e-4)


def test_what_was_read_is_not_read_again_until_the_weights_change(model_for, monkeypatch):
    from erosion.defenses.any_depth import shared_reading

    model, reader, asked = model_for("llama", 100), SharedReading(), []

    def counting(*arguments, **options):
        asked.append(arguments)
        return read_states(*arguments, **options)

    monkeypatch.setattr(shared_reading, "read_states", counting)
    first = reader(model, PROMPTS, ANSWERS, (7, 8), DEPTHS, [1], "input_norm")
    again = reader(model, PROMPTS, ANSWERS, (7, 8), DEPTHS, [1], "input_norm")
    assert len(asked) == 1
    torch.testing.assert_close(first, again, equal_nan=True)
    reader(model, PROMPTS, ANSWERS, (7, 9), DEPTHS, [1], "input_norm")
    reader(model, PROMPTS, ANSWERS, (7, 8), DEPTHS, [1], "mlp")
    assert len(asked) == 3
    reader.forget()
    reader(model, PROMPTS, ANSWERS, (7, 8), DEPTHS, [1], "input_norm")
    assert len(asked) == 4


def test_another_models_probe_asks_the_other_model(model_for):
    model, other = model_for("llama", 100), model_for("llama", 100, num_hidden_layers=3)
    check = ElsewhereProbe(probe=probe(span=(7, 8)), other=other)
    found = check.replay(model, PROMPTS, ANSWERS, DEPTHS)
    expected = probe(span=(7, 8)).replay(other, PROMPTS, ANSWERS, DEPTHS)
    torch.testing.assert_close(found, expected, equal_nan=True)


def test_the_text_probe_is_scikit_learns_pipeline(model_for):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    corpus = Corpus(prompts=PROMPTS, answers=ANSWERS, labels=[1, 0, 1])
    check = TextProbe.fit(Words(), corpus, DEPTHS)
    pairs = [(p, a, y) for p, a, y in zip(PROMPTS, ANSWERS, [1, 0, 1], strict=True)]
    texts = [(Words().decode(p + a[:d]), y) for p, a, y in pairs for d in DEPTHS if d <= len(a)]
    words = TfidfVectorizer(token_pattern=r"\S+").fit([text for text, _ in texts])
    own = LogisticRegression(C=1.0, max_iter=1000, tol=1e-4, class_weight="balanced", random_state=42)
    own.fit(words.transform([text for text, _ in texts]), [y for _, y in texts])
    found = check.replay(None, PROMPTS, ANSWERS, DEPTHS)
    for row, (prompt, answer) in enumerate(zip(PROMPTS, ANSWERS, strict=True)):
        for column, depth in enumerate(DEPTHS):
            if depth > len(answer):
                assert found[row, column].isnan()
            else:
                text = words.transform([Words().decode(prompt + answer[:depth])])
                assert float(found[row, column]) == pytest.approx(own.predict_proba(text)[0, 1], abs=1e-5)


def test_shuffled_labels_keep_their_number_and_their_texts():
    corpus = Corpus(
        prompts=[[n] for n in range(40)], answers=[[n] for n in range(40)], labels=[1] * 20 + [0] * 20
    )
    found = shuffled(corpus)
    assert sum(found.labels) == 20
    assert found.labels != corpus.labels
    assert (found.prompts, found.answers) == (corpus.prompts, corpus.answers)
    assert found.labels == shuffled(corpus).labels
    assert found.digest != corpus.digest


def test_a_live_fork_gives_back_prompts_and_answers():
    ids = torch.tensor([[0, 0, 5, 6, 7], [1, 2, 3, 8, 9]])
    mask = torch.tensor([[0, 0, 1, 1, 1], [1, 1, 1, 1, 1]])
    fork = LiveFork(model=None, cache=None, last=ids[:, -1:], mask=mask, ids=ids, start=3)
    assert fork.rows() == ([[5], [1, 2, 3]], [[6, 7], [8, 9]])
