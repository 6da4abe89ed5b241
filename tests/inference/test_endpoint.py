"""Answers from an endpoint: their order, the cache that survives failures, and secrets that no log may contain."""

import json
import logging
import time

import openai
import pytest

from tabpo.errors import ConfigError, DataError
from tabpo.inference.endpoint import ask
from tabpo.records import Completion, Message, Prompt
from tabpo.study.endpoint import Endpoint
from tests.chat_double import chat_double, completion, echo

TEXTS = ("one", "two", "three", "four", "five", "six", "seven", "eight")
SYSTEM = Message("system", "be brief")
PROMPTS = [Prompt(f"d{n}", f"d{n}", (SYSTEM, Message("user", text)), "") for n, text in enumerate(TEXTS)]


@pytest.fixture
def double():
    with chat_double() as running:
        yield running


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch):
    monkeypatch.setattr(openai._base_client, "INITIAL_RETRY_DELAY", 0.001)


@pytest.fixture
def answers_of(double, tmp_path):
    """Request the answers to the prompts, with one cache per test."""

    def answers(prompts=PROMPTS, max_tokens=9, **settings):
        endpoint = Endpoint(**{"url": double.url, "model": "gpt-x", "concurrency": 4, **settings})
        return ask(endpoint, prompts, max_tokens=max_tokens, cache=tmp_path / "cache")

    return answers


def fail_on(text, status=500, headers=None, body=None):
    """A server that fails for one text and answers all others."""

    def answer(request):
        return (status, headers or {}, body or {}) if request["messages"][-1]["content"] == text else echo(request)

    return answer


def test_completions_have_the_order_of_the_prompts_however_answers_arrive(double, answers_of):
    def slowly(request):
        time.sleep(0.02 * (len(TEXTS) - TEXTS.index(request["messages"][-1]["content"])))
        return echo(request)

    double.answer = slowly
    completions, served = answers_of()
    assert completions == [Completion(f"d{n}", text.upper(), 3, True) for n, text in enumerate(TEXTS)]
    assert served == "gpt-x"
    assert 1 < double.busiest <= 4


def test_a_request_is_greedy_capped_and_has_the_prompts_messages(double, answers_of):
    answers_of(PROMPTS[:1])
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "one"}]
    assert double.requests == [{"model": "gpt-x", "messages": messages, "temperature": 0, "max_tokens": 9}]
    answers_of(PROMPTS[:1], token_cap="max_completion_tokens")
    assert double.requests[1] == {"model": "gpt-x", "messages": messages, "temperature": 0, "max_completion_tokens": 9}


def test_answered_prompts_are_not_requested_again(double, answers_of):
    first = answers_of()
    double.answer = lambda request: (500, {}, {})
    assert answers_of(retries=0) == first
    assert len(double.requests) == len(PROMPTS)


@pytest.mark.parametrize("change", [{"max_tokens": 8}, {"model": "gpt-y", "served_model": "gpt-x"}])
def test_another_request_is_asked_for(double, answers_of, change):
    answers_of()
    answers_of(**change)
    assert len(double.requests) == 2 * len(PROMPTS)


def test_equal_prompts_are_asked_once(double, answers_of):
    twin = Prompt("twin", "twin", PROMPTS[0].messages, "")
    completions, _ = answers_of([PROMPTS[0], twin])
    assert [(answer.prompt_id, answer.completion) for answer in completions] == [("d0", "ONE"), ("twin", "ONE")]
    assert len(double.requests) == 1


def test_an_interrupted_job_requests_only_the_missing_answers(double, answers_of):
    double.answer = fail_on("eight")
    with pytest.raises(DataError, match="no answer after at most 1 repetitions; last failure: 500"):
        answers_of(retries=1, concurrency=1)
    before = len(double.requests)
    assert before == len(PROMPTS) + 1
    double.answer = echo
    completions, _ = answers_of()
    assert [answer.completion for answer in completions] == [text.upper() for text in TEXTS]
    assert [request["messages"][-1]["content"] for request in double.requests[before:]] == ["eight"]


def test_the_first_failure_cancels_all_other_requests(double, answers_of):
    double.answer = lambda request: (
        (401, {}, {}) if request["messages"][-1]["content"] == "one" else (429, {"Retry-After": "100"}, {})
    )
    started = time.monotonic()
    with pytest.raises(ConfigError, match="401"):
        answers_of()
    assert time.monotonic() - started < 20


def test_a_cut_answer_and_a_withheld_one_did_not_finish(double, answers_of):
    replies = {"one": completion("{", tokens=9, reason="length"), "two": completion(None, reason="content_filter")}
    double.answer = lambda request: (200, {}, replies[request["messages"][-1]["content"]])
    completions, _ = answers_of(PROMPTS[:2])
    assert completions == [Completion("d0", "{", 9, False), Completion("d1", "", 3, False)]


def test_half_a_surrogate_pair_is_replaced(double, answers_of):
    double.answer = lambda request: (200, {}, json.dumps(completion("a\ud800b")).encode())
    assert answers_of(PROMPTS[:1])[0][0].completion == "a?b"


def test_answers_of_two_versions_of_a_model_are_refused(double, answers_of):
    def changing(request):
        day = 1 if request["messages"][-1]["content"] == "one" else 2
        return 200, {}, completion("a", model=f"gpt-x-2025-01-0{day}")

    double.answer = changing
    with pytest.raises(DataError, match="several models, gpt-x-2025-01-01, gpt-x-2025-01-02; endpoint"):
        answers_of()


def test_key_and_texts_appear_only_in_requests_and_answers(double, answers_of, tmp_path, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    key, body = "sk-very-secret", {"error": {"code": "three is no patient", "message": "three sk-very-secret"}}
    monkeypatch.setenv("SOME_KEY", key)
    double.answer = fail_on("three", 400, body=body)
    with pytest.raises(DataError) as refused:
        answers_of(key_variable="SOME_KEY", concurrency=1)
    assert "prompt 3: 400; it may have no model" in str(refused.value)
    assert {headers["authorization"] for headers in double.headers} == {f"Bearer {key}"}
    answered = [path.read_text() for path in (tmp_path / "cache").iterdir()]
    assert {json.loads(text)["completion"] for text in answered} >= {"ONE", "TWO"}
    for written in (caplog.text, str(refused.value), *answered):
        assert not [secret for secret in (key, "three", "THREE", "be brief") if secret in written]
    assert "ONE" not in caplog.text and "ONE" not in str(refused.value)
    assert not list(tmp_path.rglob("*.partial*"))
