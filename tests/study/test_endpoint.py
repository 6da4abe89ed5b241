"""The keys of an endpoint: accepted values, and messages that do not repeat a secret in the wrong place."""

import pytest

from tabpo.errors import ConfigError
from tabpo.study.endpoint import Endpoint
from tabpo.study.shape import checked


def endpoint(**values: object) -> Endpoint:
    return checked(Endpoint, {"url": "http://localhost", "model": "gpt-x", **values}, "models.gpt.endpoint")


@pytest.mark.parametrize(
    "url", ["https://api.example.org/v1", "http://localhost:8000/v1/", "http://[::1]:8000", "http://10.0.0.1/a/b"]
)
def test_an_address_is_accepted(url):
    assert endpoint(url=url).url == url


@pytest.mark.parametrize(
    "url",
    [
        *("api.example.org/v1", "ftp://example.org", "http://", "http://host:port/v1", "http://[::1", "http://a b/"),
        *("https://me:secret@example.org/v1", "https://example.org/v1?key=secret", "https://example.org/v1#secret"),
        *("http://localhost\\@example.org/secret", "file:///secret"),
    ],
)
def test_a_malformed_address_is_refused_and_not_repeated(url):
    with pytest.raises(ConfigError, match="url is no address; accepted: http") as refused:
        endpoint(url=url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("key", ["sk-secret", "secret", "", "1_KEY"])
def test_a_key_instead_of_its_variable_is_not_repeated(key):
    with pytest.raises(ConfigError, match="key_variable is no name of an environment variable") as refused:
        endpoint(key_variable=key)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("model", "served", "name", "serves"),
    [
        ("gpt-x", {}, "gpt-x", True),
        ("gpt-x", {}, "gpt-x-2025-04-14", True),
        ("gpt-x", {}, "gpt-x-0613", True),
        ("gpt-x", {}, "gpt-x-mini", False),
        ("gpt-x", {}, "gpt-x-mini-2025-04-14", False),
        ("gpt.x", {}, "gptxx", False),
        ("gpt-x", {"served_model": "llama"}, "llama", True),
        ("gpt-x", {"served_model": "llama"}, "gpt-x", False),
        ("gpt-x", {"served_model": "llama"}, "llama-2", False),
    ],
)
def test_the_name_in_an_answer_must_be_the_models(model, served, name, serves):
    assert endpoint(model=model, **served).serves(name) is serves
