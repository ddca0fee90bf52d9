"""`erosion probe fit | evaluate | import`, as a user calls them."""

import json

import pytest
import torch
import yaml

from erosion.defenses.any_depth.guards import ProbeGuard
from erosion.defenses.any_depth.linear_probe import LinearProbe
from erosion.evaluation.engine import Engine
from erosion.evaluation.models import load_tokenizer
from erosion.evaluation.suites.pocket import refusal
from erosion.recipes.chat import prompt_ids
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Data
from erosion.training.cli import main


def sources(split, forbidden, harmless):
    kinds = {"pocket/forbidden_answers": forbidden, "pocket/harmless_answers": harmless}
    return [{"name": name, "split": split, "rows": rows} for name, rows in kinds.items() if rows]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    file = tmp_path_factory.mktemp("recipe") / "probe.yaml"
    section = {
        "sources": sources("probe", 24, 24), "validation": sources("calibration", 12, 12),
        "calibration": sources("calibration", 0, 140), "test": sources("evaluation", 16, 16),
        "base": "pocket-base",
    }  # fmt: skip
    training = {"sources": [{"name": "pocket/harmful", "rows": 8}]}
    file.write_text(
        yaml.safe_dump(
            {"model_name_or_path": "pocket", "dataset": training, "evaluation": {"probe": section}}
        )
    )
    return file


@pytest.fixture(scope="module")
def fitted(recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe") / "pocket"
    assert main(["probe", "fit", str(recipe), "--output", str(folder)]) == 0
    return folder


def test_a_probe_is_fitted_and_says_what_it_belongs_to(fitted):
    own = LinearProbe.from_pretrained(fitted).settings
    assert (own.model, own.hidden_size, own.hook, own.threshold) == ("pocket", 128, "input_norm", 0.5)
    assert own.metrics["validation_balanced_accuracy"] >= 0.9
    assert set(own.metrics["by_layer_and_depth"]) == {"0", "1", "2", "3"}
    assert own.weights_digest
    assert own.corpus_digest
    matched = LinearProbe.from_pretrained(fitted / "matched")
    assert matched.threshold >= 0.5
    assert matched.settings.metrics["calibration_checks"] >= 2000
    assert not list(fitted.rglob("states")), "collected states are dropped once the probe is saved"
    assert not [file for file in fitted.rglob("*.*") if file.suffix in (".pkl", ".joblib", ".pickle")]


def test_fitting_again_reads_back_what_is_there(fitted, recipe, monkeypatch):
    from erosion.evaluation.probes import fitting as probe_fitting

    monkeypatch.setattr(probe_fitting, "collect", lambda *arguments: pytest.fail("collected again"))
    assert main(["probe", "fit", str(recipe), "--output", str(fitted)]) == 0


def test_a_matched_probe_is_read_back_only_for_the_same_model_and_place(fitted, recipe):
    from dataclasses import replace

    from erosion.evaluation.probes.commands import PUBLISHED, _opened
    from erosion.evaluation.probes.corpus import probe_corpus
    from erosion.evaluation.probes.fitting import Fitter

    engine, subject, loaded = _opened(recipe, [])
    fitter, probe = Fitter(engine.tokenizer, probe_corpus(loaded)), LinearProbe.from_pretrained(fitted)
    again = fitter.match(probe, subject, fitted / "matched")
    assert again.settings.weights_digest == probe.settings.weights_digest
    other = replace(probe, settings=replace(probe.settings, weights_digest="other", hook="mlp"))
    found = fitter.match(other, replace(subject, weights_digest="other"), fitted / "matched")
    assert (found.settings.weights_digest, found.settings.hook) == ("other", "mlp")
    fitter.match(probe, subject, fitted / "matched")
    assert fitter.place(subject.model, PUBLISHED).span_ids == probe.settings.span_ids


def test_a_guard_names_what_a_probe_does_not_fit(fitted, model_for, tokenizer_for):
    tokenizer = load_tokenizer("pocket")
    guard = ProbeGuard.from_pretrained(fitted, tokenizer)
    with pytest.raises(RecipeError, match="fitted for hidden size 128, but this model's is 32"):
        guard.generate(model_for("llama", 1063), input_ids=torch.tensor([[5, 6]]), max_new_tokens=4)
    with pytest.raises(RecipeError, match="fitted for span .* but this model's is"):
        ProbeGuard.from_pretrained(fitted, tokenizer_for("chatml"))


def test_a_probe_file_that_is_broken_is_named(fitted, tmp_path):
    import shutil

    folder = shutil.copytree(fitted, tmp_path / "broken")
    (folder / "probe.json").write_text('{"model": "pocket"}')
    with pytest.raises(RecipeError, match="holds no probe that can be read"):
        LinearProbe.from_pretrained(folder)


def test_evaluation_tells_the_probe_from_its_controls(fitted, recipe, tmp_path, capsys):
    file = tmp_path / "worth.json"
    words = ["probe", "evaluate", str(fitted), str(recipe), "--controls", "--json", str(file)]
    assert main(words) == 0
    found = {(x["check"], x["metric"], x["depth"]): x for x in json.loads(file.read_text())}
    ours, text = found["probe at 0.5", "auroc", 100], found["text", "auroc", 100]
    assert ours["value"] >= 0.97
    assert text["value"] <= 0.8
    assert ours["low"] <= ours["value"] <= ours["high"]
    check = found["probe at 0.5", "false_positive_rate", None]
    response = found["probe at 0.5", "false_positive_rate_per_response", None]
    assert (check["n"], response["n"]) == (16 * 16, 16)
    assert response["value"] >= check["value"]
    assert "random weights" in capsys.readouterr().out


def test_a_fitted_probe_guards_generation(fitted):
    engine = Engine("pocket", load_tokenizer("pocket"))
    guard = ProbeGuard.from_pretrained(fitted, engine.tokenizer)
    case = next(iter(refusal.SUITE.cases(Data(name="x"))))
    words = case.answer.split()[:10]
    start = prompt_ids(engine.tokenizer, case.messages) + engine.tokenizer.encode(
        " ".join(words), add_special_tokens=False
    )
    out = engine.generate(guard, [start], max_new_tokens=60)
    assert (out.stopped_by, out.depths) == (["guard"], [25])
    assert engine.tokenizer.decode(out.new_ids[0]) == "i cannot help with that ."


def test_a_published_probe_is_imported(tmp_path, model_folder):
    import joblib
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    classifier = LogisticRegression().fit(rng.normal(size=(40, 32)), [0, 1] * 20)
    joblib.dump(classifier, tmp_path / "probe.joblib")
    folder = str(model_folder("llama", "chatml"))
    words = ["--model", folder, "--layer", "1", "--output", str(tmp_path / "out")]
    assert main(["probe", "import", str(tmp_path / "probe.joblib"), *words]) == 0
    probe = LinearProbe.from_pretrained(tmp_path / "out")
    assert probe.weight.tolist() == pytest.approx(classifier.coef_[0].tolist(), rel=1e-6)
    assert (probe.settings.layer, probe.settings.model) == (1, folder)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["fit", "nowhere.yaml", "--output", "x"], "recipe: given 'nowhere.yaml', allowed an existing YAML file"),
        (["evaluate", "nowhere", "RECIPE"], "probe: given 'nowhere', "),
        (["import", "nowhere.joblib", "--model", "pocket", "--layer", "1", "--output", "x"], "no such file"),
        (["import", __file__, "--model", "pocket", "--layer", "9", "--output", "x"], "layer: given 9, allowed 0 to 3"),
        (["import", __file__, "--model", "pocket", "--layer", "1", "--output", "x"], "no plain joblib pickle"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence(recipe, capsys, words, sentence):
    assert main(["probe", *[str(recipe) if word == "RECIPE" else word for word in words]]) == 2
    said = capsys.readouterr().err.strip()
    assert sentence in said
    assert len(said.splitlines()) == 1


def test_harmful_rows_cannot_calibrate(fitted, recipe, tmp_path, capsys):
    harmful = "[{name: pocket/forbidden_answers, split: calibration, rows: 9}]"
    words = ["--output", str(tmp_path / "p"), "--evaluation.probe.calibration", harmful]
    assert main(["probe", "fit", str(recipe), *words]) == 2
    assert "holds harmful sources" in capsys.readouterr().err
