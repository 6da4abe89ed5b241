"""Requests to an OpenAI-compatible chat completions server by the `openai` client, with one-line error messages."""

import json
import os
import re
from typing import Any

from openai import APIConnectionError, APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient, omit

from tabpo.errors import ConfigError, DataError
from tabpo.study.endpoint import Endpoint, is_loopback


class ChatServer:
    """An endpoint with its key.

    If the server is overloaded, fails or does not reply, the client repeats the request. It waits for up to 8 s, or for
    as long as the server asks, up to two minutes. Redirects are not followed, so that neither texts nor the key are
    sent to an address that the study does not name. No proxy is used for a server on this machine. Error messages
    contain neither prompts, answers nor the key, whatever the server replies.

    Attributes:
        client: The caller closes it (`async with`).

    Raises:
        ConfigError: The endpoint names a key variable, but the environment holds no usable key.
    """

    def __init__(self, endpoint: Endpoint, max_tokens: int) -> None:
        self.endpoint, self.max_tokens = endpoint, max_tokens
        self.url = f"{endpoint.url.rstrip('/')}/chat/completions"
        key = _key(endpoint)
        self.headers = {} if key else {"Authorization": omit}
        # From these variables the client would read another key, an organisation and headers. Only the study decides
        # what is sent.
        for name in [name for name in os.environ if name.startswith("OPENAI_")]:
            del os.environ[name]
        self.client = AsyncOpenAI(
            base_url=endpoint.url,
            api_key=key or "none",  # a placeholder: without a key the header is omitted
            timeout=endpoint.timeout_s,
            max_retries=endpoint.retries,
            http_client=DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not is_loopback(endpoint.url)),
        )

    async def answer(self, number: int, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request, repeat it if that may help, and return the parts of the answer that are kept.

        Args:
            number: Number of the prompt in messages.
            request: The body of the request, as the protocol defines it.

        Returns:
            model (the name that the server gives), completion, n_tokens (as the server counts them), finished. An
            answer that a filter withheld is empty and not finished.

        Raises:
            ConfigError: The server refuses the key, or has no such path or model.
            DataError: The server cannot be reached, refuses the request, or does not follow the protocol.
        """
        # The client's errors contain the server's reply, so they are not chained to ours.
        try:
            response = await self.client.chat.completions.with_raw_response.create(
                **request, extra_headers=self.headers
            )
        except APIStatusError as error:
            raise self._refusal(error, number) from None
        except APIConnectionError as error:
            raise self._no_answer(_network_trouble(error)) from None
        return self._read(response.content, number)

    def _read(self, content: bytes, number: int) -> dict[str, Any]:
        try:
            answer = json.loads(content)
            [choice] = answer["choices"]
            text, n_tokens = choice["message"]["content"] or "", answer["usage"]["completion_tokens"]
            finished, served = choice["finish_reason"] == "stop", answer["model"]
            # JSON can contain half a surrogate pair, which is not valid Unicode.
            text = text.encode(errors="replace").decode()
            if type(n_tokens) is not int or not re.fullmatch(r"[\w./:@+-]{1,200}", served):
                raise ValueError("no number of tokens, or no name of a model")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                f"{self.url}: the answer to prompt {number} is no chat completion; needed: one choice with message"
                " and finish_reason, model, usage.completion_tokens"
            ) from error
        check_served(self.endpoint, served)
        if n_tokens > self.max_tokens:
            raise DataError(
                f"{self.url}: the answer to prompt {number} has {n_tokens} tokens, but the cap is {self.max_tokens}:"
                f" the server ignores {self.endpoint.token_cap}; set endpoint.token_cap to the other accepted name"
            )
        return {"model": served, "completion": text, "n_tokens": n_tokens, "finished": finished}

    def _no_answer(self, trouble: str) -> DataError:
        return DataError(
            f"{self.url}: no answer after at most {self.endpoint.retries} repetitions; last failure: {trouble}. The"
            " answers that arrived are kept, and a new start requests only the missing ones"
        )

    def _refusal(self, error: APIStatusError, number: int) -> ConfigError | DataError:
        status, variable = error.status_code, self.endpoint.key_variable
        trouble = f"{status}{_error_name(error)}"
        pause = error.response.headers.get("Retry-After", "")
        if status in (408, 409, 429) or status >= 500:
            asked = f", the server asks for a pause of {pause} s" if pause.isdecimal() else ""
            return self._no_answer(trouble + asked)
        if status in (401, 403):
            key = f"the key in {variable}" if variable else "requests without a key (endpoint.key_variable names one)"
            return ConfigError(f"{self.url}: the server refuses {key}: {trouble}")
        if status == 404:
            return ConfigError(
                f"{self.url}: {trouble}: the server has no such path, or no model {self.endpoint.model}; endpoint.url"
                " is the part of the address before /chat/completions"
            )
        return DataError(
            f"{self.url}: the server refuses the request for prompt {number}: {trouble}; it may have"
            f" no model {self.endpoint.model}, or the model may not accept temperature 0, so many tokens or a JSON"
            " schema"
        )


def check_served(endpoint: Endpoint, name: str) -> None:
    """Refuse answers of a model that the study does not name.

    Raises:
        DataError: The message has both names.
    """
    if not endpoint.serves(name):
        raise DataError(
            f"the server answers with the model {name}, but endpoint.model is {endpoint.model}; if this model is"
            " intended, set endpoint.served_model to its name"
        )


def _key(endpoint: Endpoint) -> str | None:
    variable = endpoint.key_variable
    if variable is None:
        return None
    key = os.environ.get(variable, "")
    if not key:
        raise ConfigError(f"endpoint.key_variable is {variable}, but this environment variable is not set, or empty")
    if not re.fullmatch(r"[!-~]+", key):
        raise ConfigError(f"the environment variable {variable} holds white space or other characters that no key has")
    return key


def _error_name(error: APIStatusError) -> str:
    """The name of the server's error; the rest of its reply is not used because it may repeat the prompt."""
    name = str(error.code or error.type)
    return f" {name}" if re.fullmatch(r"[a-z]+(_[a-z]+)+|[A-Za-z]+Error", name) else ""


def _network_trouble(error: APIConnectionError) -> str:
    """The operating system's message, or else the type of the error, because its text may repeat the server's reply."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error.__cause__).__name__
