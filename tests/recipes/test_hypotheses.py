"""The section `hypotheses`: what it may say, that it changes nothing, and one sentence for every mistake."""

from pathlib import Path

import pytest
import yaml

from erosion.evaluation.completeness.expected import still_asked, write_expected
from erosion.evaluation.hypotheses.named_numbers import check_hypotheses
from erosion.evaluation.seeds.groups import seed_groups
from erosion.recipes.hypotheses import steps_named
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Recipe, load_recipe, save_recipe

ROOT = Path(__file__).resolve().parents[2]
REFUSAL = {"suite": "pocket/refusal", "metric": "refusal_rate"}
GUARDED = {"suite": "pocket/refusal", "metric": "refused_or_halted_rate", "defense": "ada_rk"}
MEASURED = {
    "suites": ["pocket/refusal", "pocket/over_refusal", "pocket/arithmetic"], "depths": [0, 10], "limit": 8,
    "defenses": ["none", "ada_rk"], "tasks": ["gsm8k"], "judges": ["coherence"],
    "wrappers": [{"name": "persona", "user": "{} please"}],
}  # fmt: skip


def claim(left: dict, right: object = 0.5, **changes: object) -> dict:
    return {"says": "x", "left": left, "relation": "at_least", "right": right, **changes}


@pytest.fixture
def recipe_with(write_recipe):
    def make(*hypotheses: dict, **changes: object) -> Recipe:
        return load_recipe(write_recipe(evaluation=MEASURED, hypotheses=list(hypotheses), **changes))

    return make


def test_a_claim_alone_stands_in_its_hypothesis(recipe_with):
    inside = {key: value for key, value in claim(REFUSAL).items() if key != "says"}
    alone, several = recipe_with(claim(REFUSAL)), recipe_with({"says": "x", "claims": [inside]})
    assert alone.hypotheses == several.hypotheses
    (only,) = alone.hypotheses[0].claims
    assert (only.left, only.relation, only.right, only.times, only.plus) == (REFUSAL, "at_least", 0.5, 1, 0)


@pytest.mark.parametrize(
    ("given", "steps"),
    [(20, [20]), ([0, 20], [0, 20]), ("up to 20", [0, 5, 20]), ("from 20", [20, 50]), ("from 6", [20, 50]),
     ("from 51", []), ("upto 20", ["upto 20"]), (7, [7])],
)  # fmt: skip
def test_rungs_are_named_by_steps_or_a_range(given, steps):
    assert steps_named(given, (0, 5, 20, 50)) == steps


def test_the_section_is_in_no_digest_and_no_two_runs_are_apart_by_it(recipe_with, tmp_path):
    """Digest, expected cells, seeds of one recipe, and the file of a recipe that states none."""
    plain, stated = recipe_with(), recipe_with(claim(REFUSAL))
    assert plain.digest == stated.digest
    for name, recipe in (("a", plain), ("b", stated)):
        (tmp_path / name).mkdir()
        save_recipe(recipe, tmp_path / name / "recipe.yaml")
    assert "hypotheses" not in yaml.safe_load((tmp_path / "a" / "recipe.yaml").read_text())
    assert load_recipe(tmp_path / "b" / "recipe.yaml").hypotheses == stated.hypotheses
    save_recipe(recipe_with(claim(REFUSAL), seed=2), tmp_path / "b" / "recipe.yaml")
    assert [len(group.runs) for group in seed_groups([tmp_path / "a", tmp_path / "b"])] == [2]


def test_stating_hypotheses_makes_no_cell_stale(recipe_with, made_run):
    run = made_run()
    assert still_asked(run)
    stated = yaml.safe_load((run / "recipe.yaml").read_text()) | {"hypotheses": [claim(REFUSAL)]}
    (run / "recipe.yaml").write_text(yaml.safe_dump(stated))
    assert load_recipe(run / "recipe.yaml").hypotheses
    assert still_asked(run)


@pytest.fixture
def made_run(tmp_path):
    def make() -> Path:
        from erosion.evaluation.completeness.expected import Expected, Where

        run = tmp_path / "run"
        run.mkdir()
        recipe = {
            "model_name_or_path": "pocket",
            "dataset": {"sources": [{"name": "pocket/harmful", "rows": 4}]},
        }
        (run / "recipe.yaml").write_text(yaml.safe_dump(recipe))
        write_expected(run, [Expected(where=Where(kind="suite", step=0, suite="pocket/refusal"))])
        return run

    return make


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"says": "x"}, "'left' is missing"),
        ({"says": "x", "claims": []}, "at least one claim"),
        (claim(REFUSAL, relaton="below"), "did you mean 'relation'"),
        (claim(REFUSAL, relation="over"), "at_least"),
        (claim({"suite": "pocket/refusal"}), "the metric's name"),
        (claim({"metric": "refusal_rate"}), "the suite's name"),
        (claim({**REFUSAL, "depht": 0}), "did you mean 'depth'"),
        (claim({**REFUSAL, "depth": []}), "at least one"),
        (claim(REFUSAL, right={}), "a number, or the keys"),
        (claim(REFUSAL, right=True), "a number, or the keys"),
        (claim(REFUSAL, right={"stp": 0}), "did you mean 'step'"),
        (claim(REFUSAL, plus="much"), "plus"),
    ],
)
def test_a_form_that_cannot_be_meant_is_one_sentence(recipe_with, given, said):
    with pytest.raises(RecipeError, match=r"small.yaml.*hypotheses\[0\]") as error:
        recipe_with(given)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (claim({**REFUSAL, "suite": "pocket/refusl"}), "did you mean 'pocket/refusal'"),
        (claim({**REFUSAL, "suite": ["pocket/refusal", "xstest"]}), "given 'xstest'"),
        (claim({**REFUSAL, "metric": "refusal_rat"}), "did you mean 'refusal_rate'"),
        (claim({"suite": "pocket/arithmetic", "metric": "refusal_rate"}), "of pocket/arithmetic accuracy"),
        (claim({"suite": "lm_eval/gsm8k", "metric": "exact_match"}), "exact_match,strict-match"),
        (claim({"suite": "trained_on", "metric": "loss"}), "did you mean 'attack_loss'"),
        (claim({**REFUSAL, "depth": 25}), "given 25, allowed 0, 10"),
        (
            claim({"suite": "pocket/over_refusal", "metric": "refusal_rate", "depth": 10}),
            "given 10, allowed 0",
        ),
        (claim({**REFUSAL, "defense": "ada_pl"}), "did you mean 'ada_"),
        (claim({**GUARDED, "defense": "none"}), "measured under guards alone"),
        (claim(GUARDED, right={"defense": "none"}), "measured under guards alone"),
        (claim({**REFUSAL, "judge": "phrase"}), "did you mean 'phrases'"),
        (claim({**REFUSAL, "wrapper": "trigger"}), "allowed none, persona"),
        (claim({**REFUSAL, "step": 3}), "given 3, allowed 0, 1, 2, 4"),
        (claim({**REFUSAL, "step": "upto 2"}), "did you mean 'up to N'"),
        (claim({**REFUSAL, "step": "from 5"}), "a range with a rung of"),
        (claim(REFUSAL, right={"step": 7}), "right.step: given 7"),
    ],
)
def test_a_name_that_the_recipe_does_not_have_is_one_sentence(recipe_with, given, said):
    with pytest.raises(RecipeError, match=r"small.yaml: hypotheses\[0\].claims\[0\]") as error:
        check_hypotheses(recipe_with(given))
    assert said in str(error.value)
    assert "--hypotheses []" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "left",
    [
        {**REFUSAL, "judge": ["phrases", "pocket_oracle"], "depth": [0, 10], "step": "up to 2", "wrapper": "persona"},
        {**REFUSAL, "metric": "judge_kappa", "judge": "phrases~coherence"},
        {**REFUSAL, "metric": "coherence_rate", "judge": "coherence"},
        {**GUARDED, "metric": "tpr_minus_fpr", "judge": "guard"},
        {**REFUSAL, "metric": "refusal_log_odds", "judge": "openers"},
        {"suite": "lm_eval/gsm8k", "metric": ["exact_match,strict-match", "unparsed,strict-match"]},
        {"suite": "lm_eval/gsm8k", "metric": "halted_rate", "defense": "ada_rk"},
        {"suite": "trained_on", "metric": "kl_moved"},
        {"metric": "missing"},
        {"metric": "unscored", "suite": "pocket/refusal", "judge": "phrases"},
    ],
)  # fmt: skip
def test_what_the_recipe_measures_can_be_named(recipe_with, left):
    check_hypotheses(recipe_with(claim(left)))


@pytest.mark.parametrize("file", ["acceptance.yaml", "gemma2_9b/acceptance.yaml"])
def test_the_acceptance_recipes_measure_what_they_expect(file):
    recipe = load_recipe(ROOT / "recipes" / file)
    check_hypotheses(recipe)
    assert len(recipe.hypotheses) == 8


def test_a_mistake_is_found_before_anything_starts(recipe_with, write_recipe, tmp_path):
    from erosion.training.run import run

    file = write_recipe(evaluation=MEASURED, hypotheses=[claim({**REFUSAL, "step": 9})])
    with pytest.raises(RecipeError, match="given 9"):
        run(file, ["--evaluation.tasks", "[]"])
    assert not (tmp_path / "run").exists()
