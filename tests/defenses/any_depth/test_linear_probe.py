"""A probe survives its folder, refuses a model that is not its own, and nothing it reads runs code."""

import json

import pytest
import torch

from erosion.defenses.any_depth.linear_probe import LinearProbe, ProbeSettings


def make(**changes):
    settings = {"model": "tiny", "hidden_size": 32, "span_ids": (7, 8), "layer": 1, "metrics": {"auroc": 0.9}}
    return LinearProbe(
        weight=torch.arange(32) / 10, bias=-0.25, settings=ProbeSettings(**{**settings, **changes})
    )


def test_a_folder_gives_back_the_same_probe(tmp_path):
    make(threshold=0.3).save_pretrained(tmp_path)
    again = LinearProbe.from_pretrained(tmp_path)
    assert again.settings == make(threshold=0.3).settings
    assert torch.equal(again.weight, make().weight)
    assert again.bias == -0.25
    assert sorted(file.name for file in tmp_path.iterdir()) == ["probe.json", "probe.safetensors"]


def test_probability_is_the_logistic_of_the_score():
    states = torch.randn(3, 2, 32, generator=torch.Generator().manual_seed(0))
    expected = 1 / (1 + torch.exp(-((states * make().weight).sum(-1) - 0.25)))
    torch.testing.assert_close(make().probabilities(states), expected)


def test_a_state_that_could_not_be_measured_has_no_probability():
    assert make().probabilities(torch.full((1, 32), float("nan"))).isnan().all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_size": 64}, "hidden size 64, but this model's is 32"),
        ({"model": "other"}, "model 'other', but this model's is 'tiny'"),
        ({"span_ids": (1, 2, 3)}, r"span \[1, 2, 3\], but this model's is \[7, 8\]"),
    ],
)
def test_another_model_is_named_with_ours(model_for, changes, message):
    with pytest.raises(ValueError, match=message):
        make(**changes).check_fits(model_for("llama", 100), "tiny", [7, 8])


def test_a_folder_without_a_probe_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"holds probe.json and probe.safetensors"):
        LinearProbe.from_pretrained(tmp_path)


def test_weights_that_do_not_match_their_settings_are_refused(tmp_path):
    make().save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "probe.json").read_text())
    (tmp_path / "probe.json").write_text(json.dumps({**settings, "hidden_size": 48}))
    with pytest.raises(ValueError, match="32 weights for a hidden size of 48"):
        LinearProbe.from_pretrained(tmp_path)


@pytest.mark.parametrize("threshold", [-0.1, 1.1])
def test_a_threshold_is_a_probability(threshold):
    with pytest.raises(ValueError, match="allowed 0 to 1"):
        make().at_threshold(threshold)
