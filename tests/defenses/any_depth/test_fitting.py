"""Collected states are resumable and equal to one pass; the fit is the published regression."""

import pytest
import torch

from erosion.defenses.any_depth import collecting
from erosion.defenses.any_depth.collecting import Corpus, Reading, collect
from erosion.defenses.any_depth.fitting import fit, matched
from erosion.defenses.any_depth.fork import batched_hidden_states
from erosion.defenses.any_depth.linear_probe import LinearProbe, ProbeSettings

READING = Reading(span_ids=(7, 8), depths=(3, 6, 12), layers=(1, 2), batch_size=2)
SETTINGS = ProbeSettings(model="tiny", hidden_size=32, span_ids=(7, 8), layer=-1)


def corpus(seed, count=7):
    generator = torch.Generator().manual_seed(seed)
    rows = [
        torch.randint(10 + 40 * (n % 2), 50 + 40 * (n % 2), (15,), generator=generator).tolist()
        for n in range(count)
    ]
    lengths = [12 if n % 3 else 7 for n in range(count)]
    return Corpus(
        prompts=[row[:3] for row in rows],
        answers=[row[3 : 3 + n] for row, n in zip(rows, lengths, strict=True)],
        labels=[n % 2 for n in range(count)],
    )


@pytest.fixture
def model(model_for):
    return model_for("llama", 100, num_hidden_layers=3)


def test_shards_on_disk_equal_one_pass(model, tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "SHARD", 3)
    states = collect(model, "w", corpus(1), READING, tmp_path)
    assert len(states.files) == 3
    given = corpus(1)
    for layer in READING.layers:
        whole = batched_hidden_states(model, given.prompts, given.answers, (7, 8), READING.depths, layer)
        torch.testing.assert_close(states.of_layer(layer), whole, equal_nan=True, atol=1e-5, rtol=1e-5)


def test_a_stopped_collection_goes_on_and_does_nothing_twice(model, tmp_path, monkeypatch):
    monkeypatch.setattr(collecting, "SHARD", 3)
    first = collect(model, "w", corpus(1), READING, tmp_path)
    first.files[1].unlink()
    asked = []
    own = collecting.read_states
    monkeypatch.setattr(collecting, "read_states", lambda *args: asked.append(len(args[1])) or own(*args))
    again = collect(model, "w", corpus(1), READING, tmp_path)
    assert sum(asked) == 3
    assert [file.name for file in again.files] == [file.name for file in first.files]


def test_other_weights_use_no_old_shard(model, tmp_path):
    first = collect(model, "w", corpus(1), READING, tmp_path)
    assert set(first.files).isdisjoint(collect(model, "v", corpus(1), READING, tmp_path).files)


def test_depths_an_answer_does_not_reach_are_no_rows(model, tmp_path):
    states, labels = collect(model, "w", corpus(1), READING, tmp_path).rows(1)
    reached = sum(sum(depth <= len(answer) for depth in READING.depths) for answer in corpus(1).answers)
    assert len(states) == len(labels) == reached
    assert not states.isnan().any()


def test_the_fit_is_scikit_learns_and_the_best_block_wins(model, tmp_path):
    from sklearn.linear_model import LogisticRegression

    train = collect(model, "w", corpus(1, 20), READING, tmp_path)
    held_out = collect(model, "w", corpus(2, 20), READING, tmp_path)
    probe = fit(train, held_out, SETTINGS)
    rows, labels = train.rows(probe.settings.layer)
    own = LogisticRegression(
        C=1.0, solver="lbfgs", max_iter=1000, tol=1e-4, class_weight="balanced", random_state=42
    )
    own.fit(rows.numpy(), labels.numpy())
    expected = torch.tensor(own.predict_proba(rows.numpy())[:, 1], dtype=torch.float32)
    torch.testing.assert_close(probe.probabilities(rows), expected, atol=1e-5, rtol=1e-4)
    by_layer = probe.settings.metrics["by_layer"]
    assert by_layer[str(probe.settings.layer)] == max(by_layer.values())


def test_one_class_alone_is_refused(model, tmp_path):
    given = corpus(1)
    same = Corpus(prompts=given.prompts, answers=given.answers, labels=[0] * len(given))
    states = collect(model, "w", same, READING, tmp_path)
    with pytest.raises(ValueError, match="every conversation has the same label"):
        fit(states, states, SETTINGS)


def probe():
    return LinearProbe(weight=torch.zeros(32), bias=0.0, settings=SETTINGS)


@pytest.mark.parametrize("rate", [0.01, 0.1])
def test_a_matched_threshold_flags_at_most_its_rate_and_nearly_that(rate):
    benign = torch.rand(5000, 1, generator=torch.Generator().manual_seed(0))
    found = matched(probe(), benign, rate)
    flagged = float((benign.double() >= found.threshold).double().mean())
    assert rate - 0.001 <= flagged <= rate
    assert found.settings.metrics["calibration_flagged_per_check"] == flagged


def test_the_rate_holds_at_every_depth_not_only_on_average():
    """The second depth scores higher; a threshold for both together would flag 2 % there."""
    benign = torch.rand(3000, 2, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.5, 1.0])
    benign[::2, 0] = float("nan")
    found = matched(probe(), benign, 0.01)
    for column in benign.T:
        scores = column[~column.isnan()].double()
        assert float((scores >= found.threshold).double().mean()) <= 0.01
    assert found.threshold > 0.98


def test_a_matched_threshold_has_a_floor():
    benign = torch.rand(3000, 1) / 100
    assert matched(probe(), benign, 0.01, lowest=0.5).threshold == 0.5
    assert matched(probe(), benign, 0.01).threshold < 0.01


def test_too_few_negatives_are_refused():
    with pytest.raises(ValueError, match="given 1999 benign checks, allowed at least 2000"):
        matched(probe(), torch.rand(1999, 1), 0.01)


def test_accuracy_by_depth_is_scikit_learns(model, tmp_path):
    from sklearn.metrics import balanced_accuracy_score

    states = collect(model, "w", corpus(1, 20), READING, tmp_path)
    found = fit(states, states, SETTINGS)
    layer = found.settings.layer
    for depth, value in found.settings.metrics["by_layer_and_depth"][str(layer)].items():
        column = states.of_layer(layer)[:, READING.depths.index(int(depth))]
        there = ~column.isnan().any(-1)
        says = (found.probabilities(column[there]) >= 0.5).int()
        labels = torch.tensor(states.labels)[there]
        assert value == pytest.approx(balanced_accuracy_score(labels, says))
