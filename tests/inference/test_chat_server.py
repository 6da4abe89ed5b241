"""One request to a chat completions server: which failures are repeated, and the messages of refusals."""

import asyncio
import socket
import threading

import anyio
import pytest

from tabpo.errors import ConfigError, DataError
from tabpo.inference.chat_server import ChatServer
from tabpo.study.endpoint import Endpoint
from tests.chat_double import chat_double, completion, echo

REQUEST = {"model": "gpt-x", "messages": [{"role": "user", "content": "hello"}]}
HELLO = {"model": "gpt-x", "completion": "HELLO", "n_tokens": 3, "finished": True}


@pytest.fixture
def double():
    with chat_double() as running:
        yield running


@pytest.fixture
def pauses(monkeypatch):
    """The pauses of the client in seconds; it does not really wait."""
    waited = []

    async def note(seconds):
        waited.append(seconds)

    monkeypatch.setattr(anyio, "sleep", note)
    return waited


def ask(url, **settings):
    """The answer to the first prompt."""

    async def answer():
        server = ChatServer(Endpoint(**{"url": url, "model": "gpt-x", "retries": 3, **settings}), max_tokens=9)
        async with server.client:
            return await server.answer(1, REQUEST)

    return asyncio.run(answer())


def in_turn(*answers):
    """A server that gives each of these answers once, then the correct one."""
    left = list(answers)
    return lambda request: left.pop(0) if left else echo(request)


def test_a_full_or_failing_server_is_asked_again_with_growing_pauses(double, pauses):
    double.answer = in_turn((429, {}, {}), (500, {}, b"<html>"), (503, {"Retry-After": "7"}, {}))
    assert ask(double.url) == HELLO
    first, second, third = pauses
    assert first < second < third == 7


def test_repetitions_are_bounded(double, pauses):
    double.answer = lambda request: (429, {}, {"error": {"code": "insufficient_quota"}})
    with pytest.raises(DataError, match="no answer after at most 3 repetitions; last failure: 429 insufficient_quota"):
        ask(double.url)
    assert len(double.requests) == 4


def test_a_pause_of_an_hour_is_not_waited_for(double, pauses):
    double.answer = lambda request: (429, {"Retry-After": "3600"}, {})
    with pytest.raises(DataError, match="last failure: 429, the server asks for a pause of 3600 s"):
        ask(double.url)
    assert pauses == [] and len(double.requests) == 1


def test_a_silent_server_is_asked_again(double, pauses):
    asleep = threading.Lock()

    def answer(request):
        if len(double.requests) == 1:
            with asleep:
                pass
        return echo(request)

    double.answer = answer
    with asleep:
        assert ask(double.url, timeout_s=0.2) == HELLO
    assert len(pauses) == 1


def test_an_answer_that_breaks_off_is_asked_for_again(double, pauses):
    double.answer = in_turn((200, {"Content-Length": "1000"}, completion("cut")))
    assert ask(double.url, timeout_s=0.2) == HELLO
    assert len(pauses) == 1


def test_an_address_without_a_server_is_refused(pauses):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        with pytest.raises(DataError, match="no answer after at most 1 repetitions; last failure: Connect call failed"):
            ask(f"http://127.0.0.1:{taken.getsockname()[1]}/v1", retries=1)


@pytest.mark.parametrize(
    ("status", "settings", "kind", "message"),
    [
        (401, {"key_variable": "A_KEY"}, ConfigError, "the server refuses the key in A_KEY: 401 invalid_api_key"),
        (403, {}, ConfigError, r"refuses requests without a key \(endpoint.key_variable names one\): 403"),
        (404, {}, ConfigError, "404 invalid_api_key: the server has no such path, or no model gpt-x; endpoint.url is"),
        (400, {}, DataError, "the server refuses the request for prompt 1: 400 invalid_api_key; it may have no m"),
    ],
)
def test_a_refusal_is_final_and_its_message_names_the_cause(double, monkeypatch, status, settings, kind, message):
    monkeypatch.setenv("A_KEY", "k")
    double.answer = lambda request: (status, {}, {"error": {"code": "invalid_api_key"}})
    with pytest.raises(kind, match=message):
        ask(double.url, **settings)
    assert len(double.requests) == 1


def test_a_redirect_is_not_followed(double):
    with chat_double() as elsewhere:
        for status in (301, 302, 303, 307, 308):
            double.answer = lambda request, status=status: (
                status,
                {"Location": f"{elsewhere.url}/chat/completions"},
                {},
            )
            with pytest.raises(DataError, match=f"for prompt 1: {status}"):
                ask(double.url)
        assert elsewhere.requests == []


def test_no_proxy_is_used_for_a_server_on_this_machine(double, monkeypatch):
    with chat_double() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        assert ask(double.url) == HELLO
        assert proxy.requests == []


def test_environment_variables_of_the_client_are_not_sent(double, monkeypatch):
    for name, value in (("API_KEY", "k"), ("ORG_ID", "k"), ("PROJECT_ID", "k"), ("CUSTOM_HEADERS", "X-Api-Key: k")):
        monkeypatch.setenv(f"OPENAI_{name}", value)
    monkeypatch.setenv("A_KEY", "secret")
    assert ask(double.url) == HELLO
    assert ask(double.url, key_variable="A_KEY") == HELLO
    keyless, keyed = double.headers
    assert "authorization" not in keyless and keyed["authorization"] == "Bearer secret"
    assert "k" not in keyless.values() and "k" not in keyed.values()


def without(*path):
    """A completion that lacks one field."""
    body = part = completion("hello")
    for step in path[:-1]:
        part = part[step]
    del part[path[-1]]
    return body


@pytest.mark.parametrize(
    "body",
    [
        b"<html>hello</html>",
        b"\xff",
        b"[]",
        b"null",
        {"choices": []},
        completion("hello") | {"choices": completion("hello")["choices"] * 2},
        completion(["hello"]),
        without("model"),
        without("usage"),
        without("choices", 0, "message"),
        without("choices", 0, "finish_reason"),
        completion("hello", tokens=None),
        completion("hello", model="a name with hello"),
        completion("hello", model=None),
    ],
    ids=str,
)
def test_a_malformed_reply_is_refused_and_not_shown(double, body):
    double.answer = lambda request: (200, {}, body)
    with pytest.raises(DataError, match="the answer to prompt 1 is no chat completion; needed: one choice") as refused:
        ask(double.url)
    assert "hello" not in str(refused.value) and len(double.requests) == 1


def test_another_model_is_refused(double):
    double.answer = lambda request: (200, {}, completion("a", model="llama"))
    with pytest.raises(DataError, match=r"with the model llama, but endpoint\.model is gpt-x; if this model is inten"):
        ask(double.url)
    assert ask(double.url, served_model="llama")["model"] == "llama"


def test_an_answer_longer_than_the_cap_is_refused(double):
    double.answer = lambda request: (200, {}, completion("a", tokens=10))
    with pytest.raises(DataError, match="prompt 1 has 10 tokens, but the cap is 9: the server ignores max_tokens; set"):
        ask(double.url)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "endpoint.key_variable is A_KEY, but this environment variable is not set, or empty"),
        ("", "endpoint.key_variable is A_KEY, but this environment variable is not set, or empty"),
        ("sk-secret\n", "the environment variable A_KEY holds white space or other characters that no key has"),
        ("sk-sécret", "the environment variable A_KEY holds white space or other characters that no key has"),
    ],
)
def test_a_missing_or_malformed_key_is_refused(monkeypatch, value, message):
    monkeypatch.delenv("A_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("A_KEY", value)
    with pytest.raises(ConfigError) as refused:
        ask("http://127.0.0.1:1/v1", key_variable="A_KEY")
    assert str(refused.value) == message
