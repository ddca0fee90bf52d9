"""Real data files: what is read, and where a bad row is."""

import csv
import json
import random

import pytest

from erosion.recipes.parsing import RecipeError
from erosion.recipes.records import records
from erosion.recipes.schema import Data, Source
from erosion.recipes.sources import alpaca, messages, pairs, wildchat, wildjailbreak

GOOD = {"prompt": "How do I bake bread?", "answer": "Mix flour and water."}


def rows(module, path, **options):
    return list(module.rows(Source(name="x", path=str(path), **options), random.Random(0)))


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".parquet"])
def test_every_file_type_gives_the_same_rows(tmp_path, suffix):
    file = tmp_path / f"data{suffix}"
    two = [GOOD, {"prompt": "A quoted\nnew line?", "answer": "Yes, it stays."}]
    if suffix == ".jsonl":
        file.write_text("\n".join(map(json.dumps, two)) + "\n\n")
    elif suffix == ".json":
        file.write_text(json.dumps(two))
    elif suffix == ".csv":
        with file.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["prompt", "answer"])
            writer.writeheader()
            writer.writerows(two)
    else:
        from datasets import Dataset

        Dataset.from_list(two).to_parquet(str(file))
    made = rows(pairs, file)
    assert [[turn["content"] for turn in row["messages"]] for row in made] == [
        list(pair.values()) for pair in two
    ]


def test_columns_can_have_other_names(tmp_path):
    file = tmp_path / "data.jsonl"
    file.write_text(json.dumps({"goal": "How?", "target": "So."}))
    made = rows(pairs, file, columns={"prompt": "goal", "answer": "target"})
    assert made[0]["messages"][1] == {"role": "assistant", "content": "So."}


BAD = [
    (pairs, ['{"prompt": "a", "answer": "b"}', '{"prompt": "a"'], "data.jsonl, line 2: not valid JSON"),
    (pairs, ['{"prompt": "a", "answer": ""}'], "line 1: column 'answer' is empty"),
    (
        pairs,
        ['{"prompt": "a", "answer": "b"}', '{"prompt": "a", "answer": 3}'],
        "line 2: column 'answer' is int",
    ),
    (pairs, ['{"promt": "a", "answer": "b"}'], "line 1: column: given 'prompt', .* did you mean 'promt'"),
    (pairs, ["[1]"], "line 1: given 'list', allowed one object"),
    (pairs, [], "data.jsonl: no rows"),
    (messages, ['{"messages": []}'], r"line 1: messages: given \[\], allowed a list of turns"),
    (messages, ['{"messages": [{"role": "robot", "content": "a"}]}'], "line 1, turn 1: role: given 'robot'"),
    (
        messages,
        ['{"messages": [{"role": "user", "content": " "}]}'],
        "line 1, turn 1: column 'content' is empty",
    ),
]


@pytest.mark.parametrize(("module", "lines", "sentence"), BAD, ids=[b[2][:40] for b in BAD])
def test_a_bad_row_is_named_with_its_file_and_line(tmp_path, module, lines, sentence):
    file = tmp_path / "data.jsonl"
    file.write_text("\n".join(lines))
    with pytest.raises(RecipeError, match=sentence):
        rows(module, file)


def test_a_ragged_csv_names_its_line(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("prompt,answer\na,b\na\n")
    with pytest.raises(RecipeError, match="data.csv, line 3: 2 columns expected"):
        rows(pairs, file)


def test_a_doubled_column_is_refused(tmp_path):
    """One of the two would be lost; columns without a name, which nobody reads, may be several."""
    file = tmp_path / "data.csv"
    file.write_text("prompt,answer,answer\na,b,c\n")
    with pytest.raises(RecipeError, match="data.csv, line 1: the column 'answer' stands twice"):
        rows(pairs, file)
    file.write_text("prompt,answer,,\na,b,,\n")
    assert len(rows(pairs, file)) == 1


def test_a_long_cell_is_read_whole(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text(f"prompt,answer\na,{'b' * 200_000}\n")
    (row,) = rows(pairs, file)
    assert len(row["messages"][1]["content"]) == 200_000


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.jsonl", json.dumps(GOOD)), ("a.json", json.dumps([GOOD])), ("a.csv", "prompt,answer\nHow,So\n")],
)
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8-sig")
    assert len(rows(pairs, tmp_path / name)) == 1


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_a_file_of_another_encoding_is_one_sentence(tmp_path, suffix):
    file = tmp_path / f"data{suffix}"
    file.write_bytes("prompt,answer\nWas für ein Kuchen?,So\n".encode("latin-1"))
    with pytest.raises(RecipeError, match=rf"data{suffix}: is not UTF-8 text; save it as UTF-8$"):
        list(records(Data(name="pairs", path=str(file))))


def test_missing_files_and_unknown_types_are_named(tmp_path):
    with pytest.raises(RecipeError, match="path: given .*nothing.jsonl', allowed an existing file"):
        rows(pairs, tmp_path / "nothing.jsonl")
    (tmp_path / "data.xml").write_text("a")
    with pytest.raises(RecipeError, match="file type: given '.xml'"):
        rows(pairs, tmp_path / "data.xml")
    with pytest.raises(RecipeError, match="needs `path` .* or `id`"):
        next(records(Data(name="pairs")))


def test_a_hub_that_cannot_be_reached_is_one_sentence(caplog):
    with pytest.raises(RecipeError, match="the hub data set 'nobody/nothing' .* cannot be loaded"):
        next(records(Data(name="pairs", id="nobody/nothing")))
    assert "'nobody/nothing' has no `revision`, so its rows may change" in caplog.text


def test_alpaca_joins_instruction_and_input(tmp_path):
    file = tmp_path / "data.json"
    records_ = [
        {"instruction": "Add.", "input": "1 and 2", "output": "3"},
        {"instruction": "Greet.", "input": "", "output": "Hello."},
        {"instruction": "Nothing.", "input": "", "output": ""},
    ]
    file.write_text(json.dumps(records_))
    assert [row["messages"][0]["content"] for row in rows(alpaca, file)] == ["Add.\n\n1 and 2", "Greet."]


def test_wildchat_gives_the_first_exchange_of_english_unflagged_conversations(tmp_path):
    def talk(first, **fields):
        turns = [{"content": first}, {"content": "Gladly."}, {"content": "More."}, {"content": "Again."}]
        return {"conversation": turns, "language": "English", "toxic": False, **fields}

    told = [
        talk("One?"), talk("Two?", toxic=True), talk("Three?", language="French"), talk(" "), talk("Five?"),
    ]  # fmt: skip
    file = tmp_path / "talks.jsonl"
    file.write_text("\n".join(map(json.dumps, told)))
    made = rows(wildchat, file)
    assert [[turn["content"] for turn in row["messages"]] for row in made] == [
        ["One?", "Gladly."], ["Five?", "Gladly."],
    ]  # fmt: skip
    file.write_text(json.dumps({"conversation": "no list", "language": "English"}))
    with pytest.raises(RecipeError, match="line 1: column 'conversation' is no list of at least two turns"):
        rows(wildchat, file)


def test_wildjailbreak_gives_its_benign_rows_in_their_harder_form(tmp_path):
    told = [
        {"vanilla": "Plain?", "adversarial": "", "completion": "Yes.", "data_type": "vanilla_benign"},
        {
            "vanilla": "Plain?",
            "adversarial": "Twisted?",
            "completion": "Yes.",
            "data_type": "adversarial_benign",
        },
        {"vanilla": "Bad?", "adversarial": "", "completion": "No.", "data_type": "vanilla_harmful"},
    ]
    file = tmp_path / "train.tsv"
    with file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(told[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(told)
    made = rows(wildjailbreak, file)
    assert [row["messages"][0]["content"] for row in made] == ["Plain?", "Twisted?"]


def test_two_sections_of_a_probe_corpus_share_no_row_of_one_file(tmp_path, tokenizer_for):
    from erosion.evaluation.probes.corpus import corpus_of

    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(json.dumps({**GOOD, "prompt": f"Question {n}?"}) for n in range(30)))
    tokenizer = tokenizer_for("chatml")

    def prompts(skip, count):
        source = Source(name="pairs", path=str(file), skip=skip, rows=count, harmful=True)
        return [tuple(ids) for ids in corpus_of(tokenizer, [source], longest=20).prompts]

    first, second = prompts(0, 20), prompts(20, 10)
    assert len(set(first) | set(second)) == 30
    assert first != sorted(first), "a file's rows are shuffled first"
    assert first == prompts(0, 20)
    with pytest.raises(RecipeError, match="given 31, allowed skip and rows of at most the 30 it has"):
        prompts(21, 10)


def test_real_prefill_suites_read_whole_answers(tmp_path):
    from erosion.evaluation.suites import harmful_prefill, harmless_prefill

    file = tmp_path / "pairs.jsonl"
    file.write_text(json.dumps(GOOD))
    case = next(iter(harmful_prefill.SUITE.cases(Data(name="harmful_prefill", path=str(file)))))
    assert (case.messages[0]["content"], case.answer) == tuple(GOOD.values())
    file.write_text(json.dumps({"instruction": "Add.", "input": "1 and 2", "output": "Three."}))
    case = next(iter(harmless_prefill.SUITE.cases(Data(name="harmless_prefill", path=str(file)))))
    assert (case.messages[0]["content"], case.answer) == ("Add.\n\n1 and 2", "Three.")
    assert harmless_prefill.SUITE.benign_of == "harmful_prefill"
