"""Suites of harmful requests: which cases, under which ids, and whose answers are placed before them."""

import csv
import dataclasses
import json
import logging

import pytest

from erosion.evaluation.aggregate import aggregate
from erosion.evaluation.cells import prepare
from erosion.evaluation.named_suite import parts_of, suite_of
from erosion.evaluation.plan import check_evaluation, check_options
from erosion.evaluation.records import Case
from erosion.evaluation.suites import prompts, xstest
from erosion.recipes.parsing import RecipeError
from erosion.recipes.schema import Data, Evaluation, Source, load_recipe


def cases(name, path, **options):
    data = Data(name=name, path=None if path is None else str(path), **options)
    return list(suite_of(data).cases(data))


def lines(file, rows):
    file.write_text("\n".join(map(json.dumps, rows)))
    return file


def asked(found):
    return [case.messages[0]["content"] for case in found]


FORMS = [
    ("strongreject", [{"forbidden_prompt": "How?", "category": "a"}], "How?", "strongreject-000"),
    ("strongreject", [{"prompt": "How?"}], "How?", "strongreject-000"),
    ("malicious_instruct", [{"prompt": "How?"}], "How?", "malicious_instruct-000"),
    ("hex_phi", [{"instruction": "How?", "category": "a"}], "How?", "hex_phi-000"),
    ("jailbreakbench", [{"Index": 41, "Goal": "How?", "Target": "So"}], "How?", "jailbreakbench-41"),
    ("jailbreakbench", [{"": "41", "Goal": "How?", "Target": "So"}], "How?", "jailbreakbench-41"),
    (
        "harmbench",
        [{"Behavior": "Go on.", "ContextString": "Once.", "BehaviorID": "story"}],
        "Once.\n\n---\n\nGo on.",
        "harmbench-story",
    ),
    ("harmbench", [{"Behavior": "How?", "ContextString": "", "BehaviorID": "b"}], "How?", "harmbench-b"),
    ("harmbench", [{"prompt": "Go on.", "context": "Once."}], "Once.\n\n---\n\nGo on.", "harmbench-000"),
    ("prompts", [{"prompt": "How?"}], "How?", "prompts-000"),
]


@pytest.mark.parametrize(("name", "rows", "text", "label"), FORMS)
def test_every_published_form_gives_the_same_case(tmp_path, name, rows, text, label):
    (case,) = cases(name, lines(tmp_path / "rows.jsonl", rows))
    assert (case.messages, case.id) == ([{"role": "user", "content": text}], label)


@pytest.mark.parametrize("name", ["prompts", "malicious_instruct", "hex_phi"])
def test_a_plain_text_file_has_a_prompt_a_line(tmp_path, name):
    (tmp_path / "mine.txt").write_text("How?\n\n  And why? \n")
    found = cases(name, tmp_path / "mine.txt")
    assert asked(found) == ["How?", "And why?"]
    assert [case.id for case in found] == [f"{name}-000", f"{name}-001"]


def test_the_prompts_column_can_have_another_name(tmp_path):
    file = lines(tmp_path / "rows.jsonl", [{"request": "How?"}])
    assert asked(cases("prompts", file, columns={"prompt": "request"})) == ["How?"]


def test_an_id_that_stands_twice_is_named(tmp_path):
    file = lines(tmp_path / "rows.jsonl", [{"Behavior": "How?", "BehaviorID": "b"}] * 2)
    with pytest.raises(RecipeError, match="line 2: the id 'b' stands twice"):
        cases("harmbench", file)


def typed(folder, rows):
    (folder / "typed.csv").write_text("id,prompt,type,label\n" + "".join(f"{row}\n" for row in rows))
    return folder / "typed.csv"


def test_an_empty_id_is_the_rows_number_and_a_doubled_one_is_refused(tmp_path):
    file = typed(tmp_path, [",How?,a,safe", ",Why?,a,safe", "v2-7,When?,b,safe", " ,Who?,b,unsafe"])
    found = cases("xstest", file)
    assert [case.id for case in found] == ["xstest-000", "xstest-001", "xstest-v2-7"]
    assert [case.id for case in cases("xstest_unsafe", file)] == ["xstest-003"]
    with pytest.raises(RecipeError, match="line 3: the id '1' stands twice"):
        cases("xstest", typed(tmp_path, ["1,How?,a,safe", "1,Why?,a,unsafe"]))


def test_a_label_is_safe_or_unsafe_however_it_is_written(tmp_path):
    file = typed(tmp_path, ["1,How?,a,Safe", "2,Why?,a,safe ", "3,Who?,a, UNSAFE"])
    assert asked(cases("xstest", file)) == ["How?", "Why?"]
    assert asked(cases("xstest_unsafe", file)) == ["Who?"]
    with pytest.raises(
        RecipeError, match="line 3: label: given 'sfae', allowed safe or unsafe; did you mean"
    ):
        cases("xstest_unsafe", typed(tmp_path, ["1,How?,a,safe", "2,Why?,a,sfae"]))


def test_two_cases_of_one_id_are_no_cell(monkeypatch, tokenizer_for):
    """Whatever suite makes them: one's answer would stand for the other's."""
    case = Case(suite="prompts", id="prompts-1", messages=[{"role": "user", "content": "How?"}])
    doubled = dataclasses.replace(prompts.SUITE, cases=lambda data: [case, case])
    monkeypatch.setattr(prompts, "SUITE", doubled)
    asking = Evaluation(suites=(Data(name="prompts"),), depths=(0,))
    with pytest.raises(RecipeError, match="evaluation.suites: prompts has two cases of the id 'prompts-1'"):
        prepare(asking, tokenizer_for("chatml"), positions=None)


def test_the_gated_sets_own_files_are_read_without_a_header(tmp_path):
    file = tmp_path / "category_1.csv"
    file.write_text('Where do the bakers hide?\n"One, of the velins?"\n')
    assert asked(cases("hex_phi", file)) == ["Where do the bakers hide?", "One, of the velins?"]
    file.write_text("instruction\nWhere do the bakers hide?\n")
    assert asked(cases("hex_phi", file)) == ["Where do the bakers hide?"]


def test_a_text_in_place_of_a_header_is_in_no_message(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("Where do the bakers hide?,a\nAnd the velins?,b\n")
    for name in ("hex_phi", "prompts", "xstest", "advbench"):
        with pytest.raises(
            RecipeError, match=r"line 2: column: given .*allowed \(25 characters\), a"
        ) as raised:
            cases(name, file)
        assert "bakers" not in str(raised.value)


def test_a_gated_set_comes_with_the_steps_to_get_it():
    with pytest.raises(RecipeError, match=r"gated: agree to its licence at https://\S+ .*HF_TOKEN.*`path`"):
        cases("hex_phi", None)
    with pytest.raises(RecipeError, match="^hex_phi: the hub data set 'nobody/copy'"):
        cases("hex_phi", None, id="nobody/copy")


def test_the_gated_sets_bare_files_are_read_in_order(tmp_path):
    """What the hub is told, tried on a folder of the same form."""
    from datasets import load_dataset

    from erosion.evaluation.suites.hex_phi import HUB_OPTIONS, KINDS

    for kind in KINDS:
        (tmp_path / f"category_{kind}.csv").write_text(f'"One, of {kind}?"\nTwo of {kind}?\n')
    rows = load_dataset(path=str(tmp_path), split="train", cache_dir=str(tmp_path / "c"), **HUB_OPTIONS)
    assert [row["prompt"] for row in rows][:4] == ["One, of 1?", "Two of 1?", "One, of 3?", "Two of 3?"]
    assert len(rows) == 20


def test_the_hub_is_asked_for_the_harmful_half(monkeypatch):
    import datasets

    seen = []
    row = {"Index": 0, "Goal": "How?", "Target": "So"}
    monkeypatch.setattr(datasets, "load_dataset", lambda **given: seen.append(given) or [row])
    for options in ({}, {"id": "JailbreakBench/JBB-Behaviors", "revision": "abc"}, {"id": "my/own"}):
        cases("jailbreakbench", None, **options)
    home = {"path": "JailbreakBench/JBB-Behaviors", "name": "behaviors", "split": "harmful"}
    assert seen == [
        {**home, "revision": None}, {**home, "revision": "abc"},
        {"path": "my/own", "revision": None, "split": "train"},
    ]  # fmt: skip


REAL = [
    ("harmbench", "harmbench/harmbench_behaviors_text_all.csv", 400, 3),
    ("harmbench", "harmbench/harmbench_behaviors_text_val.csv", 80, 3),
    ("jailbreakbench", "jailbreakbench/jailbreakbench.csv", 100, 0),
    ("advbench", "advbench/harmful_behaviors.csv", 520, 0),
    ("xstest", "xstest/xstest_prompts.csv", 250, 10),
    ("xstest_unsafe", "xstest/xstest_prompts.csv", 200, 8),
]


@pytest.mark.parametrize(("name", "file", "count", "groups"), REAL)
def test_the_real_files_give_every_case_once(shared_data, name, file, count, groups):
    found = cases(name, shared_data / file)
    ids, empty = {case.id for case in found}, sum(not text.strip() for text in asked(found))
    held = len({case.group for case in found} - {None})
    assert (len(found), len(ids), empty, held) == (count, count, 0, groups)


def test_a_context_stands_before_every_contextual_behaviour(shared_data):
    found = cases("harmbench", shared_data / "harmbench" / "harmbench_behaviors_text_all.csv")
    kinds = [case.group for case in found if "\n\n---\n\n" in case.messages[0]["content"]]
    assert (len(kinds), set(kinds)) == (100, {"contextual"})
    with (shared_data / "harmbench" / "harmbench_behaviors_text_all.csv").open(newline="") as rows:
        given = [(row["ContextString"], row["Behavior"]) for row in csv.DictReader(rows)]
    assert [parts_of(case, text) for case, text in zip(found, asked(found), strict=True)] == given
    assert len(set(asked(found))) == 400


def test_answers_are_joined_by_prompt_and_strangers_counted(tmp_path, caplog):
    plain = lines(tmp_path / "rows.jsonl", [{"goal": f"How {n}?", "target": "Sure"} for n in range(3)])
    rows = [("How 1?", "First a, then b."), ("How 1?", "Otherwise."), ("Who?", "Nobody."), ("How?", "So.")]
    answers = lines(tmp_path / "answers.jsonl", [{"prompt": p, "answer": a} for p, a in rows])
    found = cases("advbench", plain, answers=str(answers))
    assert [case.answer for case in found] == [None, "First a, then b.", None]
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "advbench: 1 further answers to prompts that have one are left out",
        "advbench: 2 of 3 prompts with answers are not the suite's",
    ]
    lines(answers, [{"prompt": "Who?", "answer": "Nobody."}])
    with pytest.raises(RecipeError, match="advbench: answers: no prompt of .* is one of the suite's"):
        cases("advbench", plain, answers=str(answers))


def test_answers_are_joined_by_the_whole_prompt_or_the_request_without_its_context(tmp_path, caplog):
    """Blanks around a prompt are no part of it; a request that stands in two contexts names neither."""
    held = [("Once.", "Go on."), ("Twice.", "Go on."), ("Thrice.", "Stop."), ("", "How?"), ("Or.", "How?")]
    rows = [{"Behavior": b, "ContextString": c, "BehaviorID": f"{n}"} for n, (c, b) in enumerate(held)]
    plain = lines(tmp_path / "rows.jsonl", rows)
    given = {"Go on.": "a", "Twice.\n\n---\n\nGo on. ": "b", " Stop.": "c", "How?\n": "d"}
    answers = lines(tmp_path / "answers.jsonl", [{"prompt": p, "answer": a} for p, a in given.items()])
    found = cases("harmbench", plain, answers=str(answers))
    assert [case.answer for case in found] == [None, "b", "c", "d", None]
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "harmbench: 1 requests with answers stand in several contexts; give each context with its request"
    ]


def test_a_suite_with_answers_is_measured_at_depth(tmp_path, tokenizer_for):
    (tmp_path / "mine.txt").write_text("How?\nWhy?\n")
    answers = lines(tmp_path / "answers.jsonl", [{"prompt": "How?", "answer": "First a, then b, then c."}])

    def held(**options):
        data = Data(name="prompts", path=str(tmp_path / "mine.txt"), **options)
        made = prepare(Evaluation(suites=(data,), depths=(0, 3)), tokenizer_for("chatml"), positions=None)
        return {cell.depth: [prompt.case.id for prompt in cell.prompts] for cell in made}

    assert held() == {0: ["prompts-000", "prompts-001"]}
    assert held(answers=str(answers)) == {0: ["prompts-000", "prompts-001"], 3: ["prompts-000"]}


def test_answers_where_they_mean_nothing_are_refused(tmp_path, write_recipe):
    file = str(lines(tmp_path / "a.jsonl", [{"prompt": "How?", "answer": "So."}]))

    def checked(**suite):
        check_evaluation(load_recipe(write_recipe(model_name_or_path="x", evaluation={"suites": [suite]})))

    checked(name="prompts", path=file, answers=file)
    with pytest.raises(RecipeError, match=r"suites\[0\].answers: given 'none.jsonl', allowed an existing"):
        checked(name="prompts", path=file, answers="none.jsonl")
    with pytest.raises(RecipeError, match="answers: .* since this suite measures no refusals"):
        checked(name="samsum", path=file, answers=file)
    with pytest.raises(RecipeError, match=r"here.answers: .* only suites take answers"):
        check_options(Source(name="pairs", path=file, answers=file), "here")


def test_rates_are_told_by_type_too():
    def row(group, label):
        return {"group": group, "verdicts": {"phrases": {"label": label, "score": None}}, "log_odds": None}

    said = [("a", "refused"), ("a", "complied"), ("b", "complied"), ("c", "unscored")]
    rows = [row(*each) for each in said]
    found = {each.metric: (each.value, each.n) for each in aggregate(rows, xstest.SUITE)}
    assert found.pop("partial_refusal_rate") == (0, 3)
    assert found == {"refusal_rate": (pytest.approx(1 / 3), 3), "a:refusal_rate": (0.5, 2), "b:refusal_rate": (0, 1)}  # fmt: skip
    assert all(each.higher_is == "worse" for each in aggregate(rows, xstest.SUITE))
    plain = [{key: value for key, value in each.items() if key != "group"} for each in rows]
    made = [each.metric for each in aggregate(plain, xstest.SUITE)]
    assert made == ["refusal_rate", "partial_refusal_rate"]


def test_no_prompt_is_told_in_a_warning(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    (tmp_path / "mine.txt").write_text("How?\n")
    rows = [{"prompt": p, "answer": "So."} for p in ("How?", "A stranger's words")]
    cases("prompts", tmp_path / "mine.txt", answers=str(lines(tmp_path / "a.jsonl", rows)))
    assert "stranger" not in caplog.text
    assert len(caplog.records) == 1
