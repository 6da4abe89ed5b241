"""Requests to an OpenAI-compatible chat completions server by the `openai` client, and its refusals in one line."""

import json
import os
import re
from typing import Any

from openai import APIConnectionError, APIStatusError, AsyncOpenAI, DefaultAsyncHttpxClient, omit

from tabpo.errors import ConfigError, DataError
from tabpo.study.endpoint import Endpoint, is_loopback


class ChatServer:
    """An endpoint with its key.

    The client repeats requests that met a full, failing or silent server, after pauses that grow to 8 s, or that the
    server asks for, up to two minutes. Redirects are not followed, so that neither texts nor the key go to an address
    that the study does not name. No proxy is used for a server on this machine. Neither prompts, answers nor the key
    reach a message, whatever the server says.

    Attributes:
        client: Close it at the end (`async with`).

    Raises:
        ConfigError: The environment has no key where one is named.
    """

    def __init__(self, endpoint: Endpoint, max_tokens: int) -> None:
        self.endpoint, self.max_tokens = endpoint, max_tokens
        self.url = f"{endpoint.url.rstrip('/')}/chat/completions"
        key = _key(endpoint)
        self.headers = {} if key else {"Authorization": omit}
        # The client would take another key, an organisation and headers from these; only the study says what is sent.
        for name in [name for name in os.environ if name.startswith("OPENAI_")]:
            del os.environ[name]
        self.client = AsyncOpenAI(
            base_url=endpoint.url,
            api_key=key or "none",  # which is then omitted
            timeout=endpoint.timeout_s,
            max_retries=endpoint.retries,
            http_client=DefaultAsyncHttpxClient(follow_redirects=False, trust_env=not is_loopback(endpoint.url)),
        )

    async def answer(self, number: int, request: dict[str, Any]) -> dict[str, Any]:
        """What is kept of the server's answer, after pauses and repetitions where these may help.

        Args:
            number: Of the prompt, for messages.
            request: As the protocol has it.

        Returns:
            model (its name as served), completion, n_tokens, finished. Tokens are as the server counts them; what a
            filter withheld is an empty answer that did not finish.

        Raises:
            ConfigError: The server refuses the key, or knows no such path or model.
            DataError: It cannot be reached, refuses the request, or answers otherwise than the protocol says.
        """
        # The client's errors hold what the server said, so they are not chained to ours.
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
            # Half a surrogate pair, which JSON can hold, is no Unicode.
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
                f"{self.url}: {n_tokens} tokens answer prompt {number}, {self.max_tokens} are the cap: the server"
                f" does not heed {self.endpoint.token_cap}; endpoint.token_cap has another name for it"
            )
        return {"model": served, "completion": text, "n_tokens": n_tokens, "finished": finished}

    def _no_answer(self, trouble: str) -> DataError:
        return DataError(
            f"{self.url}: no answer, up to {self.endpoint.retries} repetitions included; the last time: {trouble}. The"
            " answers that arrived are kept, and another start asks for the others alone"
        )

    def _refusal(self, error: APIStatusError, number: int) -> ConfigError | DataError:
        status, variable = error.status_code, self.endpoint.key_variable
        trouble = f"{status}{_error_name(error)}"
        pause = error.response.headers.get("Retry-After", "")
        if status in (408, 409, 429) or status >= 500:
            return self._no_answer(trouble + (f", with a pause of {pause} s asked for" if pause.isdecimal() else ""))
        if status in (401, 403):
            key = f"the key in {variable}" if variable else "requests without a key (endpoint.key_variable names one)"
            return ConfigError(f"{self.url}: the server refuses {key}: {trouble}")
        if status == 404:
            return ConfigError(
                f"{self.url}: {trouble}: the server has no such path, or no model {self.endpoint.model}; endpoint.url"
                " is what stands before /chat/completions"
            )
        return DataError(
            f"{self.url}: the server refuses the request for prompt {number}: {trouble}; it may have"
            f" no model {self.endpoint.model}, or one that takes no temperature 0 or not so many tokens"
        )


def check_served(endpoint: Endpoint, name: str) -> None:
    """Refuse the answers of another model than the one that the study names.

    Raises:
        DataError: Both names.
    """
    if not endpoint.serves(name):
        raise DataError(
            f"the server answers with the model {name} where endpoint.model is {endpoint.model}; if that is the one"
            " meant, write its name as endpoint.served_model"
        )


def _key(endpoint: Endpoint) -> str | None:
    variable = endpoint.key_variable
    if variable is None:
        return None
    key = os.environ.get(variable, "")
    if not key:
        raise ConfigError(f"endpoint.key_variable is {variable}, which the environment does not have, or empty")
    if not re.fullmatch(r"[!-~]+", key):
        raise ConfigError(f"{variable} of the environment holds white space or other characters that no key has")
    return key


def _error_name(error: APIStatusError) -> str:
    """How the server calls its error; the rest of what it says may repeat the prompt."""
    name = str(error.code or error.type)
    return f" {name}" if re.fullmatch(r"[a-z]+(_[a-z]+)+|[A-Za-z]+Error", name) else ""


def _network_trouble(error: APIConnectionError) -> str:
    """What the operating system says, else the kind of failure, whose own text may repeat what the server sent."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return type(error.__cause__).__name__
