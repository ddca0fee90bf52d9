"""The `api` judge against a server that misbehaves in every way, and against a real one."""

import json
import threading
import time

import pytest

from erosion.evaluation.endpoint.asking import asking
from erosion.evaluation.endpoint.client import Question
from erosion.evaluation.endpoint.pace import Pace
from erosion.evaluation.jsonl import read_lines
from erosion.evaluation.judging.judge import JudgeStopped, made_judge
from erosion.evaluation.records import Case, Completion
from erosion.recipes.judge_options import JudgeOptions
from erosion.recipes.models import resolve
from erosion.recipes.parsing import RecipeError
from erosion.training.cli import main

KEY = "sk-a-secret-of-the-test"
GOOD = {"refused": 0, "convincingness": 5, "specificity": 5}
POOR = {"refused": 1, "convincingness": 1, "specificity": 1}


@pytest.fixture(autouse=True)
def no_key(monkeypatch, quick_pauses):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)


def completion(text="mix and bake", *, depth=0, prefill="", stopped_by="end_of_turn", asked="a velin?"):
    messages = [{"role": "user", "content": asked}] if asked else []
    case = Case(suite="s", id=text, messages=messages, depth=depth, prefill=prefill)
    return Completion(case=case, text=text, token_ids=[], stopped_by=stopped_by)


def options(chat, **changes):
    given = {
        "rubric": "strongreject",
        "model": "judge",
        "base_url": chat.url,
        "timeout": 5.0,
        "concurrency": 1,
    }
    return JudgeOptions(name="api", **{**given, **changes})


def verdicts(chat, completions, **changes):
    return list(made_judge(options(chat, **changes)).judge_all(completions))


def one(chat, **changes):
    (verdict,) = verdicts(chat, [completion()], **changes)
    return verdict


@pytest.fixture
def honest(chat):
    """A server whose model finds `cannot` refused and everything else harmful."""
    chat.say = chat.by_text({"cannot": POOR, "": GOOD})
    return chat


def test_verdicts_come_in_the_order_of_the_completions(honest):
    texts = ["I cannot", "mix", "I cannot do this", "bake"] * 5
    found = verdicts(honest, [completion(text) for text in texts], concurrency=7)
    assert [each.label for each in found] == ["refused", "complied"] * 10
    assert [each.score for each in found] == [0.0, 1.0] * 10
    assert {each.judge for each in found} == {"api/strongreject"}


def test_a_verdict_keeps_what_was_said_and_by_which_model(honest):
    found = one(honest)
    said = json.loads(found.raw)
    assert json.loads(said["content"])["convincingness"] == 5
    assert (said["model"], said["system_fingerprint"]) == ("judge-2026-01-01", "fp_1")
    assert found.detail == "refused 0, convincingness 5, specificity 5; judge-2026-01-01 fp_1"


def test_what_is_asked_is_deterministic_and_structured(honest):
    one(honest)
    (asked,) = honest.asked
    assert (asked["model"], asked["temperature"], asked["seed"]) == ("judge", 0, 0)
    form = asked["response_format"]["json_schema"]
    assert (asked["response_format"]["type"], form["strict"]) == ("json_schema", True)
    assert form["schema"]["properties"]["refused"]["enum"] == [0, 1]
    (message,) = asked["messages"]
    assert "a velin?" in message["content"]
    assert "mix and bake" in message["content"]


def test_a_forced_beginning_is_shown_apart_and_a_refusal_after_it_is_a_recovery(honest):
    case = completion("no, I cannot", depth=25, prefill="step 1 stir")
    (found,) = verdicts(honest, [case])
    assert (found.label, found.score) == ("recovered", 0.0)
    assert "step 1 stir\n</beginning-" in honest.asked[0]["messages"][0]["content"]


def test_what_needs_no_asking_is_not_asked(honest):
    silent = [completion("x", stopped_by="guard"), completion(" \n"), completion("x", asked="")]
    found = verdicts(honest, silent)
    assert [(each.label, each.score) for each in found] == [
        ("halted", None),
        ("incoherent", None),
        ("unscored", None),
    ]
    assert honest.asked == []


def test_another_model_or_rubric_is_another_version(chat):
    judges = [made_judge(options(chat, **each)) for each in ({}, {"model": "other"}, {"rubric": "hex_phi"})]
    assert len({judge.version for judge in judges[:2]}) == 2
    assert [judge.name for judge in judges] == ["api/strongreject"] * 2 + ["api/hex_phi"]


# What an endpoint that misbehaves comes to.


@pytest.mark.parametrize("fault", ["429", "500", "503", "closes"])
def test_what_fails_once_is_asked_again(honest, fault):
    honest.script = [honest.closes if fault == "closes" else honest.status(int(fault))] * 2
    found = one(honest, retries=2)
    assert (found.label, len(honest.asked)) == ("complied", 3)


def test_what_hangs_is_left_after_the_timeout_and_asked_again(honest):
    honest.script, began = [honest.slow(20), honest.slow(20)], time.monotonic()
    assert one(honest, timeout=0.3, retries=2).label == "complied"
    assert 0.6 <= time.monotonic() - began < 15


def test_retry_after_is_honoured(honest):
    honest.script = [honest.status(429, Retry_After="0.4")]
    assert one(honest).label == "complied"
    assert 0.39 <= honest.times[1] - honest.times[0] < 2


def test_pauses_grow(honest, monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.1)
    honest.script = [honest.status(500)] * 3
    one(honest, retries=3)
    first, second, third = (b - a for a, b in zip(honest.times, honest.times[1:], strict=False))
    assert 0.07 < first < second < third


UNUSABLE = {
    "the endpoint's answer is not JSON": lambda chat: chat.body("{not json"),
    "the endpoint's answer holds no choice": lambda chat: chat.reply("", choices=[]),
    "the model said nothing": lambda chat: chat.reply(None),
    "the model refused to judge": lambda chat: chat.reply(None, refusal="I will not judge this."),
    "the model's answer was cut off": lambda chat: chat.reply(json.dumps(GOOD), finish_reason="length"),
    "no allowed refused": lambda chat: chat.reply("I'm sorry, I can't rate this."),
    "more than one verdict": lambda chat: chat.reply(json.dumps(GOOD) + json.dumps(POOR)),
    "the endpoint declined the text": lambda chat: chat.status(400, "flagged by content_filter"),
}


@pytest.mark.parametrize("why", UNUSABLE)
def test_an_answer_that_says_nothing_is_unscored_with_what_was_said(honest, why):
    honest.script = [UNUSABLE[why](honest)]
    found, after = verdicts(honest, [completion(), completion()])
    assert (found.label, found.score) == ("unscored", None)
    assert why in found.detail
    assert found.raw
    assert after.label == "complied"
    assert len(honest.asked) == 2


def test_a_text_beyond_the_context_is_unscored_and_others_are_not(honest):
    honest.script = [
        honest.status(400, "This model's maximum context length is 9 tokens; max_tokens is too large")
    ]
    assert [each.label for each in verdicts(honest, [completion(), completion()])] == ["unscored", "complied"]
    assert "max_tokens" in honest.asked[1]


def test_structured_output_is_given_up_where_it_is_not_known_by_its_name(honest):
    honest.script = [honest.status(400, "Structured outputs with json_schema are not supported")]
    assert one(honest).label == "complied"
    assert "response_format" not in honest.asked[1]


@pytest.mark.parametrize("name", ["response_format", "seed", "temperature"])
def test_a_parameter_the_endpoint_refuses_is_left_out_from_then_on(honest, name):
    honest.script = [honest.status(400, f"Unsupported parameter: '{name}'")]
    found = verdicts(honest, [completion(), completion()])
    assert [each.label for each in found] == ["complied", "complied"]
    assert [name in asked for asked in honest.asked] == [True, False, False]
    assert json.loads(found[1].raw)["left_out"] == [name]


def test_the_newer_name_of_the_longest_answer_is_found(honest):
    honest.script = [honest.status(400, "'max_tokens' is not supported, use 'max_completion_tokens'")]
    assert one(honest).label == "complied"
    assert honest.asked[1]["max_completion_tokens"] == honest.asked[0]["max_tokens"]


STOPS = [
    (401, "does not accept the key .401.; OPENAI_API_KEY, where it is read, is not set"),
    (403, "does not allow this key to ask 'judge'"),
    (404, "has no model 'judge'"),
]


@pytest.mark.parametrize(("code", "sentence"), STOPS)
def test_what_would_fail_every_time_is_one_sentence_at_once(honest, code, sentence):
    honest.script = [honest.status(code)] * 9
    with pytest.raises(JudgeStopped, match=f"^api/strongreject: http://127.0.0.1:.* {sentence}"):
        verdicts(honest, [completion()] * 3, retries=5)
    assert len(honest.asked) == 1


REFUSALS = [
    (400, "invalid_prompt: this request violates our usage policy"),
    (400, "the input is too long"),
    (422, "no"),
]


@pytest.mark.parametrize(("code", "message"), REFUSALS)
def test_a_text_the_endpoint_declines_in_words_of_its_own_is_unscored_and_others_are_not(
    honest, code, message
):
    honest.script = [None, honest.status(code, message)]
    found = verdicts(honest, [completion()] * 3)
    assert [each.label for each in found] == ["complied", "unscored", "complied"]
    assert found[1].detail == "the endpoint declined the text"
    assert message in found[1].raw
    assert len(honest.asked) == 3


def test_texts_declined_from_the_first_on_stop_nothing_where_a_harmless_one_is_answered(honest):
    """With harmful texts this is the normal case."""
    honest.script = [
        honest.status(400, "usage policy"),
        honest.reply("It is."),
        *[honest.status(400, "usage policy")] * 8,
    ]
    judge = made_judge(options(honest))
    found = [each for _ in range(3) for each in judge.judge_all([completion()] * 3)]
    assert [each.label for each in found] == ["unscored"] * 9
    assert len(honest.asked) == 9 + 1
    (harmless,) = [each for each in honest.asked if "mix and bake" not in each["messages"][0]["content"]]
    assert {**harmless, "messages": None} == {**honest.asked[0], "messages": None}
    assert judge.asking.costs.asked == 10


@pytest.mark.parametrize("code", [400, 422])
def test_a_request_that_is_refused_whatever_the_text_is_one_sentence_and_no_verdict(honest, code):
    honest.script, found = [honest.status(code)] * 9, []
    with pytest.raises(JudgeStopped, match=rf"cannot use the request \({code}\): no; a harmless question"):
        found.extend(made_judge(options(honest)).judge_all([completion()] * 3))
    assert found == []
    assert len(honest.asked) == 2


def test_a_harmless_question_is_within_the_cap(honest):
    honest.script = [honest.status(500)] * 3
    prices = {"price_in": 1.0, "price_out": 1.0, "max_cost": 3.01 * most(honest)}
    with pytest.raises(JudgeStopped, match="max_cost"):
        verdicts(honest, [completion()] * 3, retries=0, **prices)
    assert len(honest.asked) == 3


@pytest.mark.parametrize("at", [0, 1, 2])
def test_one_question_that_always_fails_has_no_verdict_wherever_it_stands(honest, at, caplog):
    texts = ["mix", "mix", "mix"]
    texts[at] = "fails"
    honest.script = [honest.status(500, "overrun") if text == "fails" else None for text in texts]
    found = verdicts(honest, [completion(text) for text in texts], retries=0)
    assert [each and each.label for each in found] == [
        None if text == "fails" else "complied" for text in texts
    ]
    assert "api/strongreject: fails: no answer, retries included: http" in caplog.text
    assert "answered 500: overrun" in caplog.text


def test_failures_in_a_row_are_counted_over_cells_and_answers_end_the_row(honest):
    judge = made_judge(options(honest, retries=0))
    honest.script = [honest.status(503), honest.status(503), None, *[honest.status(503)] * 9]
    cells = [list(judge.judge_all([completion(), completion(" ")])) for _ in range(5)]
    assert [cell[0] and cell[0].label for cell in cells] == [None, None, "complied", None, None]
    with pytest.raises(JudgeStopped, match="answered 503"):
        list(judge.judge_all([completion()]))


def test_texts_that_fail_in_a_row_stop_nothing_where_a_harmless_one_is_answered(honest):
    honest.script = [*[honest.status(500)] * 3, honest.reply("It is."), honest.status(500)]
    found = verdicts(honest, [completion()] * 5, retries=0)
    assert [each and each.label for each in found] == [None, None, None, None, "complied"]


def test_an_endpoint_that_is_gone_leaves_the_rest_missing(honest):
    honest.script = [None, *[honest.status(503)] * 9]
    judge, found = made_judge(options(honest, retries=0)), []
    with pytest.raises(JudgeStopped, match="no answer, retries included: .* answered 503"):
        found.extend(judge.judge_all([completion()] * 9))
    assert len(honest.asked) == 1 + 3 + 1
    assert [each and each.label for each in found] == ["complied", None, None]


def test_answers_that_need_no_asking_prove_nothing_about_the_endpoint(honest):
    honest.script, found = [honest.status(503)] * 9, []
    with pytest.raises(JudgeStopped, match="answered 503"):
        found.extend(made_judge(options(honest, retries=0)).judge_all([completion(), completion(" ")] * 3))
    assert [each and each.label for each in found] == [None, "incoherent", None, "incoherent"]


def test_nobody_listens():
    judge = made_judge(
        JudgeOptions(name="api", rubric="xstest", model="m", base_url="http://127.0.0.1:9/v1", retries=1)
    )
    with pytest.raises(JudgeStopped, match="no answer, retries included: APIConnectionError"):
        list(judge.judge_all([completion()] * 3))


def test_a_wait_that_is_asked_for_and_is_too_long_is_not_waited(honest, caplog):
    honest.script = [honest.status(429, Retry_After="3600")]
    began = time.monotonic()
    assert one(honest) is None
    assert "answered 429" in caplog.text
    assert time.monotonic() - began < 3


# Pace, bounds and cost.


def test_requests_are_no_faster_than_asked_retries_included(honest):
    honest.script = [honest.status(500)] * 2
    verdicts(honest, [completion()] * 6, requests_per_minute=60 / 0.1, concurrency=8)
    assert len(honest.times) == 8
    assert honest.times[-1] - honest.times[0] >= 6 * 0.1  # the first may take a gap's time to arrive


def test_requests_of_many_threads_start_at_even_distances():
    pace, starts = Pace(60 / 0.05), []

    def start():
        pace.wait()
        starts.append(time.monotonic())

    began = time.monotonic()
    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(at - began >= number * 0.05 for number, at in enumerate(sorted(starts)))


@pytest.mark.parametrize("concurrency", [1, 3])
def test_as_many_are_under_way_as_asked_and_no_more(chat, concurrency):
    """Each waits until so many are there, so fewer would never be answered."""
    together = threading.Barrier(concurrency, timeout=20)

    def say(body):
        together.wait()
        return json.dumps(GOOD)

    chat.say = say
    found = verdicts(chat, [completion()] * 9, concurrency=concurrency, timeout=30.0)
    assert [each.label for each in found] == ["complied"] * 9
    assert chat.most == concurrency


def test_cost_is_tokens_times_prices(honest):
    judge = made_judge(options(honest, price_in=2.0, price_out=10.0))
    list(judge.judge_all([completion()] * 3))
    list(judge.judge_all([completion()]))
    assert judge.spent == "4 requests, 400 tokens in, 40 out, cost $0.001200"
    assert judge.asking.costs.dollars == pytest.approx(4 * (100 * 2 + 10 * 10) / 1e6)


def test_a_cost_that_nobody_counted_is_unknown(honest):
    honest.usage = None
    judge = made_judge(options(honest, price_in=2.0, price_out=10.0))
    list(judge.judge_all([completion()]))
    assert judge.asking.costs.dollars is None
    assert judge.spent.endswith("(1 without a count of tokens), cost unknown")


def test_without_prices_the_cost_is_unknown(honest):
    judge = made_judge(options(honest))
    list(judge.judge_all([completion()]))
    assert judge.spent == "1 requests, 100 tokens in, 10 out, cost unknown"


def most(chat, **changes):
    """What one question can cost at most."""
    judge = made_judge(options(chat, price_in=1.0, price_out=1.0, **changes))
    (question,) = [judge._question(completion())]
    return (len(question.text.encode()) + len(json.dumps(question.schema)) + 64 + question.max_tokens) / 1e6


@pytest.mark.parametrize("concurrency", [1, 4])
def test_the_cap_is_never_passed_and_what_was_judged_is_kept(honest, concurrency):
    cap, found = most(honest) + 4.5 * 110 / 1e6, []
    judge = made_judge(options(honest, price_in=1.0, price_out=1.0, max_cost=cap, concurrency=concurrency))
    with pytest.raises(JudgeStopped, match="max_cost: .* would be passed by the next request; 5 requests"):
        found.extend(judge.judge_all([completion()] * 20))
    assert (len(honest.asked), len(found)) == (5, 5)
    assert judge.asking.costs.dollars <= cap


def test_the_cap_holds_where_usage_is_not_told(honest):
    honest.usage = None
    judge = made_judge(options(honest, price_in=1.0, price_out=1.0, max_cost=2.5 * most(honest)))
    with pytest.raises(JudgeStopped, match="max_cost"):
        list(judge.judge_all([completion()] * 20))
    assert len(honest.asked) == 2


def test_questions_are_taken_only_as_they_are_asked(honest):
    taken = []

    def questions():
        for number in range(100):
            taken.append(number)
            yield Question(text="<response-1>\nx\n</response-1>", schema={})

    answers = asking(options(honest, concurrency=3)).answers(questions())
    next(answers)
    assert len(taken) <= 4
    answers.close()
    assert len(honest.asked) <= 4


# Addresses and keys.

MISTAKES = [
    ({"base_url": None}, "api needs base_url"),
    ({"model": None}, "api needs model"),
    ({"base_url": "localhost:8000"}, "base_url: given 'localhost:8000', allowed an address such as"),
    ({"base_url": "http://localhost:80a/v1"}, "base_url: given"),
    ({"base_url": "http://lo cal/v1"}, "base_url: given"),
    ({"base_url": "https://me:pass@host/v1"}, "base_url holds a password"),
    ({"rubric": "strongreject1"}, "did you mean 'strongreject'"),
    ({"max_cost": 1.0}, "max_cost needs price_in and price_out"),
    ({"api_key_env": "NOT_SET_HERE"}, "the environment variable NOT_SET_HERE is not set"),
    ({"api_key_env": KEY}, "is the NAME of an environment variable"),
]


@pytest.mark.parametrize(("changes", "sentence"), MISTAKES)
def test_a_mistake_is_said_before_anything_is_asked(chat, changes, sentence):
    with pytest.raises(RecipeError, match=sentence) as caught:
        made_judge(options(chat, **changes))
    assert "pass@" not in str(caught.value)
    assert KEY not in str(caught.value)
    assert chat.asked == []


def test_a_key_goes_into_its_header_and_nowhere_else(honest, monkeypatch, caplog):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    caplog.set_level("DEBUG")
    honest.script = [
        honest.reply(f"the key is {KEY}"), honest.body(f"no json {KEY}"),
        honest.status(400, f"content_filter {KEY}"), honest.status(500, KEY), None, honest.status(401, f"wrong {KEY}"),
    ]  # fmt: skip
    found = []
    judge = made_judge(options(honest, api_key_env="JUDGE_KEY", retries=0))
    with pytest.raises(JudgeStopped) as caught:
        found.extend(judge.judge_all([completion()] * 9))
    assert [each is None for each in found] == [False] * 3 + [True, False]
    assert {headers["Authorization"] for headers in honest.headers} == {f"Bearer {KEY}"}
    assert KEY not in "".join(
        [repr(found), repr(judge), str(caught.value), judge.spent, judge.version, caplog.text]
    )
    assert "read from JUDGE_KEY" in str(caught.value)


def test_the_usual_variable_is_read_and_a_local_server_needs_none(honest, monkeypatch):
    one(honest)
    assert honest.headers[0]["Authorization"] == "Bearer none"
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    one(honest)
    assert honest.headers[1]["Authorization"] == f"Bearer {KEY}"


def test_threads_end_with_the_judge(honest):
    before = threading.active_count()
    verdicts(honest, [completion()] * 4, concurrency=4)
    deadline = time.monotonic() + 5
    while (
        any("ThreadPool" in thread.name for thread in threading.enumerate()) and time.monotonic() < deadline
    ):
        time.sleep(0.01)
    assert threading.active_count() <= before + 1


@pytest.mark.parametrize("rubric", ["hex_phi", "strongreject", "xstest"])
def test_a_real_server_is_asked_and_what_it_says_beside_the_point_is_unscored(served, rubric):
    """The embedded model knows nothing of rubrics, and `transformers serve` nothing of response formats."""
    judge = made_judge(
        JudgeOptions(name="api", rubric=rubric, model=resolve("pocket"), base_url=served, concurrency=2)
    )
    found = list(judge.judge_all([completion("mix the flour .", asked="hello , what color is a lamp ?")] * 2))
    assert [(each.label, each.score) for each in found] == [("unscored", None)] * 2
    said = [json.loads(each.raw) for each in found]
    assert said[0]["content"] == said[1]["content"] != ""
    assert judge.asking.costs.tokens_in > 0


def test_a_real_server_s_beside_the_point_is_no_preference(served, rungs_of, capsys):
    run = rungs_of({0: ["one", "two"], 50: ["i cannot", "mix the flour"]}, suite="pocket/helpfulness")
    sides = [f"{run}@50", f"{run}@0", "--suite", "pocket/helpfulness", "--model", resolve("pocket")]
    assert main(["prefer", *sides, "--base_url", served, "--out", str(run.parent / "prefer.csv")]) == 1
    assert "missing: no pair of 2 could be scored" in capsys.readouterr().err
    said = read_lines(run.parent / "prefer.csv.opinions.jsonl")
    assert [each["better"] for each in said] == ["unscored"] * 4
    assert all(json.loads(each["raw"])["content"] for each in said)
