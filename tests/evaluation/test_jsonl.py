"""JSON lines survive a kill at any byte."""

import pytest

from erosion.evaluation.jsonl import append_lines, read_lines, write_lines


@pytest.mark.parametrize("cut", range(1, 17))
def test_a_cut_last_line_is_left_out_and_then_replaced(tmp_path, cut):
    file = tmp_path / "a.jsonl"
    append_lines(file, [{"a": 1}, {"a": "zwei"}])
    file.write_bytes(file.read_bytes()[:-cut])
    whole = read_lines(file)
    assert whole == [{"a": 1}] if cut <= 14 else whole == []
    append_lines(file, [{"a": 3}])
    assert read_lines(file) == [*whole, {"a": 3}]


def test_a_missing_file_has_no_lines(tmp_path):
    assert read_lines(tmp_path / "no.jsonl") == []


def test_a_broken_line_in_the_middle_is_an_error(tmp_path):
    file = tmp_path / "a.jsonl"
    file.write_text('{"a": 1}\n{"a"\n{"a": 2}\n')
    with pytest.raises(ValueError, match=r"a.jsonl: a line that is not JSON"):
        read_lines(file)


def test_a_rewrite_leaves_no_other_file(tmp_path):
    file = tmp_path / "deep" / "a.jsonl"
    write_lines(file, [{"a": 1}])
    write_lines(file, [{"a": 2}])
    assert read_lines(file) == [{"a": 2}]
    assert list(file.parent.iterdir()) == [file]


def test_what_is_not_a_number_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        append_lines(tmp_path / "a.jsonl", [{"a": float("nan")}])
    assert read_lines(tmp_path / "a.jsonl") == []


def test_half_a_pair_of_surrogates_is_a_question_mark_and_loses_no_line(tmp_path):
    for write in (append_lines, write_lines):
        write(tmp_path / "a.jsonl", [{"a": "cake \ud83d"}, {"a": "pie \U0001f967"}])
        assert read_lines(tmp_path / "a.jsonl")[-2:] == [{"a": "cake ?"}, {"a": "pie \U0001f967"}]
