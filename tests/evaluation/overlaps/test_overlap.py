"""Prompts in two places: none missed, none invented, and never a text in what is told."""

import dataclasses
import json

import pytest

from erosion.evaluation.cells import prepare
from erosion.evaluation.overlaps.overlap import Place, overlaps
from erosion.evaluation.overlaps.overlap_report import FILE, places, report_overlaps
from erosion.recipes.schema import GuardOptions, load_recipe

SENTENCE = "one two three four five six seven eight nine ten eleven twelve"


def place(name, *texts, measured=False):
    return Place(name=name, ids=[f"{name}-{n}" for n in range(len(texts))], texts=texts, measured=measured)


NEAR = [
    (SENTENCE, SENTENCE.upper() + " ", "exact"),
    (SENTENCE, SENTENCE + "!", "near"),
    (SENTENCE, SENTENCE.replace("twelve", "thirteen"), "near"),
    (SENTENCE, SENTENCE.replace("seven", "7"), "near"),
    (SENTENCE, "Nothing of the kind, nor anything near", None),
    ("How?", "how", "near"),
    ("How?", "Why?", None),
    ("?", "!", None),
]


@pytest.mark.parametrize(("one", "other", "kind"), NEAR)
def test_two_prompts_are_the_same_nearly_so_or_not(one, other, kind):
    found = overlaps([place("training", one), place("suite", other, measured=True)])
    pair = [("training-0", "suite-0")]
    assert [(each.exact, each.near) for each in found] == (
        [] if kind is None else [(pair if kind == "exact" else [], pair if kind == "near" else [])]
    )


def test_a_request_is_found_with_its_context_and_without():
    """One prompt, whichever of its two texts is learned, and once where both are."""
    whole = f"A page of a story.\n\n---\n\n{SENTENCE}"
    suite = Place(name="suite", ids=["other", "a"], texts=["else", whole], bare={1: SENTENCE}, measured=True)
    for learned in ([SENTENCE], [whole], [SENTENCE, whole], [whole, SENTENCE]):
        (found,) = overlaps([place("training", *learned), suite])
        assert (found.prompts, found.exact, found.near) == (2, [("training-0", "a")], [])
    (found,) = overlaps([place("training", SENTENCE.replace("seven", "7")), suite])
    assert (found.exact, found.near) == ([], [("training-0", "a")])


def test_a_behaviour_without_its_context_is_seen_in_training(tmp_path, write_recipe, tokenizer_for):
    """Shorter than what can be found within another text: it is compared as a text of its own."""
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({"Behavior": "Go on.", "ContextString": "Once upon.", "BehaviorID": "b"}))
    suites = [{"name": "harmbench", "path": str(file)}]
    recipe = load_recipe(write_recipe(evaluation={"suites": suites}))
    cells = prepare(recipe.evaluation, tokenizer_for("chatml"), positions=None)
    rows = [{"messages": [{"role": "user", "content": "Go on. "}]}]
    (found,) = overlaps(places(recipe, rows, cells))
    assert (found.prompts, found.exact) == (1, [("training row 0", "harmbench-b")])


def test_suites_are_compared_with_what_is_learned_and_not_with_each_other():
    found = overlaps(
        [place("training", SENTENCE, "else"), place("probe", SENTENCE),
         place("one", SENTENCE, measured=True), place("two", "else", SENTENCE, measured=True)]
    )  # fmt: skip
    shared = [(each.first, each.second, each.prompts, len(each.exact)) for each in found]
    assert shared == [
        ("training", "probe", 1, 1), ("training", "one", 1, 1), ("training", "two", 2, 2),
        ("probe", "one", 1, 1), ("probe", "two", 2, 1),
    ]  # fmt: skip


def test_sentences_that_are_all_alike_are_told_only_where_they_are_the_same(write_recipe):
    """The embedded model's: another thing in the same sentence is another question."""
    sides = [place("training", SENTENCE, "a"), place("suite", SENTENCE + "!", "a", measured=True)]
    (found,) = overlaps([dataclasses.replace(sides[0], alike=True), sides[1]])
    assert (found.exact, found.near) == ([("training-1", "suite-1")], [])
    (training,) = places(load_recipe(write_recipe(model_name_or_path="pocket")), [], [])
    assert training.alike


def test_what_is_told_has_ids_and_counts_and_no_text(tmp_path, caplog):
    report_overlaps(tmp_path, [place("training", SENTENCE, "a"), place("suite", "a", SENTENCE + "!", "b")])
    told = json.loads((tmp_path / FILE).read_text())
    assert told == {
        "prompts": {"training": 2, "suite": 3},
        "overlaps": [
            {"first": "training", "second": "suite", "prompts": 3, "exact": [["training-1", "suite-0"]],
             "near": [["training-0", "suite-1"]]}
        ],
    }  # fmt: skip
    assert "training and suite: 1 the same, 1 nearly, of 3 (suite-0, suite-1)" in caplog.text
    assert "seven" not in caplog.text
    caplog.clear()
    report_overlaps(tmp_path, [place("training", "a"), place("suite", "b")])
    assert json.loads((tmp_path / FILE).read_text())["overlaps"] == []
    assert not caplog.records


def test_a_probes_corpus_is_looked_at_where_a_probe_is_fitted(write_recipe):
    recipe = load_recipe(write_recipe())
    guards = (GuardOptions(name="none"), GuardOptions(name="ada_lp"))
    guarded = dataclasses.replace(recipe, evaluation=dataclasses.replace(recipe.evaluation, defenses=guards))
    rows = [{"messages": [{"role": "user", "content": "How?"}], "where": "a.jsonl, line 1"}]
    (alone,) = places(recipe, rows, [])
    assert (alone.name, alone.ids, alone.texts) == ("training", ["a.jsonl, line 1"], ["How?"])
    found = {each.name: each.measured for each in places(guarded, rows, [])}
    assert found == {
        "training": False, "probe sources": False, "probe validation": False, "probe calibration": False,
        "probe test": True,
    }  # fmt: skip


def test_a_corpus_that_cannot_be_read_stops_nothing(tmp_path, write_recipe, caplog):
    (tmp_path / "pairs.jsonl").write_text("no JSON")
    probe = {"sources": [{"name": "pairs", "path": str(tmp_path / "pairs.jsonl")}]}
    recipe = load_recipe(write_recipe(evaluation={"defenses": ["ada_lp"], "probe": probe}))
    assert [each.name for each in places(recipe, [], [])][:2] == ["training", "probe validation"]
    assert "probe sources is not compared with other prompts" in caplog.text


def test_a_probe_of_unknown_training_is_said_to_be_unknown(write_recipe, caplog):
    recipe = load_recipe(write_recipe(evaluation={"defenses": ["ada_lp"], "probe": {"path": "some/probe"}}))
    assert [each.name for each in places(recipe, [], [])] == ["training"]
    assert "probe some/probe: what it was fitted on is unknown" in caplog.text


def test_test_questions_of_a_task_are_seen_in_training_and_its_training_questions_may_be(
    write_recipe, tmp_path, caplog
):
    """Rows of GSM8K's form: learning its training file shares nothing, learning a test question does."""
    pytest.importorskip("lm_eval", reason="the extra `utility` is not installed")
    forms = {
        "train": "A baker had {} cakes in the morning and sold all but {}. How many did he sell?",
        "test": "Mira has {} eggs and buys {} more; what does she have now?",
    }
    for split, form in forms.items():
        asked = [form.format(n, n + 1) for n in range(5)]
        rows = [{"question": text, "answer": "Some.\n#### 1"} for text in asked]
        (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = {split: str(tmp_path / f"{split}.jsonl") for split in ("train", "test")}
    tasks = [{"name": "gsm8k", "data": data, "limit": 4}, "hellaswag"]
    recipe = load_recipe(write_recipe(evaluation={"tasks": tasks}))

    def found(split):
        texts = [json.loads(line)["question"] for line in (tmp_path / f"{split}.jsonl").open()]
        rows = [{"messages": [{"role": "user", "content": text}]} for text in texts]
        return overlaps(places(recipe, rows, []))

    assert [each.name for each in places(recipe, [], [])] == ["training", "lm_eval/gsm8k"]
    assert found("train") == []
    (shared,) = found("test")
    assert (shared.first, shared.second, shared.prompts) == ("training", "lm_eval/gsm8k", 4)
    assert shared.exact == [(f"training row {n}", f"gsm8k {n}") for n in range(4)]
    assert "task hellaswag: its questions are in no local file" in caplog.text
    (tmp_path / "test.jsonl").write_text("no JSON")
    assert [each.name for each in places(recipe, [], [])] == ["training"]
    assert "task gsm8k is not compared with other prompts" in caplog.text


def test_a_run_says_what_it_learns_and_is_asked(tmp_path, write_recipe, model_folder, caplog):
    """A prompt of a plain file stands in the training data too: a warning, and the run goes on."""
    from erosion.evaluation.jsonl import read_lines
    from erosion.training.run import run

    learned = tmp_path / "pairs.jsonl"
    learned.write_text(
        "\n".join(json.dumps({"prompt": f"How do I bake {n}?", "answer": "So."}) for n in range(4))
    )
    (tmp_path / "mine.txt").write_text("how do I  bake 2?\nWhy is the sky blue?\n")
    typed = tmp_path / "typed.csv"
    typed.write_text("id,prompt,type,label\nv2-1,How to stop a clock?,homonyms,safe\n")
    suites = [
        {"name": "prompts", "path": str(tmp_path / "mine.txt")},
        {"name": "xstest", "path": str(typed)},
    ]
    recipe = write_recipe(
        model_name_or_path=str(model_folder("qwen2", "chatml")), ladder=[0], max_steps=1,
        dataset={"sources": [{"name": "pairs", "path": str(learned)}]},
        evaluation={"suites": suites, "max_new_tokens": 4},
    )  # fmt: skip
    assert run(recipe) == []
    (shared,) = json.loads((tmp_path / "run" / FILE).read_text())["overlaps"]
    assert shared["exact"] == [[f"{learned}, line 3", "prompts-000"]]
    assert "training and prompts: 1 the same, 0 nearly, of 2 (prompts-000)" in caplog.text
    measured = read_lines(tmp_path / "run" / "measurements.jsonl")
    (row,) = read_lines(next((tmp_path / "run" / "samples").glob("*xstest*")))
    assert row["group"] == "homonyms"
    named = {line["metric"] for line in measured if line["suite"] == "xstest"}
    assert named == {"refusal_rate", "homonyms:refusal_rate", "partial_refusal_rate"}
