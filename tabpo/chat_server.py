"""Requests to an OpenAI-compatible chat completions server: sent again where that helps, else refused in one line."""

import json
import os
import random
import re
import time
import urllib.error
import urllib.request
from concurrent.futures import CancelledError
from contextlib import suppress
from email.message import Message
from email.utils import mktime_tz, parsedate_tz
from http.client import HTTPException
from threading import Event
from typing import Any

from tabpo.data.privacy import is_loopback
from tabpo.endpoint_settings import Endpoint
from tabpo.errors import ConfigError, DataError

LONGEST_PAUSE_S = 300.0
"""A server that asks for a longer pause is given up, until the job is started again."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like another: neither texts nor the key go to an address that the study does not name."""

    def redirect_request(self, *_: object) -> None:
        return None


class ChatServer:
    """An endpoint with its key, which several threads may ask.

    Neither prompts, answers nor the key reach a message, whatever the server says.

    Attributes:
        stopped: Set it, and no thread waits any longer.

    Raises:
        ConfigError: The environment has no key where one is named.
    """

    def __init__(self, endpoint: Endpoint, max_tokens: int) -> None:
        self.endpoint, self.max_tokens = endpoint, max_tokens
        self.url = f"{endpoint.url.rstrip('/')}/chat/completions"
        self.headers = {"Content-Type": "application/json"} | _authorization(endpoint)
        direct = [urllib.request.ProxyHandler({})] if is_loopback(endpoint.url) else []  # else by the machine's proxy
        self.opener = urllib.request.build_opener(_NoRedirect, *direct)
        self.stopped = Event()

    def answer(self, prompt_id: str, request: str) -> dict[str, Any]:
        """What is kept of the server's answer, after pauses and repetitions where these may help.

        Args:
            prompt_id: For messages.
            request: JSON, as the protocol has it.

        Returns:
            model (its name as served), completion, n_tokens, finished. Tokens are as the server counts them; what a
            filter withheld is an empty answer that did not finish.

        Raises:
            ConfigError: The server refuses the key, or knows no such path or model.
            DataError: It cannot be reached, refuses the request, or answers otherwise than the protocol says.
            CancelledError: `stopped` was set.
        """
        for attempt in range(self.endpoint.retries + 1):
            try:
                content = self._post(request)
            except urllib.error.HTTPError as error:
                trouble = f"{error.code}{_error_name(error)}"
                if error.code not in (408, 429) and error.code < 500:
                    raise self._refusal(error.code, trouble, prompt_id) from error
                pause = _pause(error.headers, attempt)
            except (OSError, HTTPException) as error:
                trouble, pause = _network_trouble(error), _pause(Message(), attempt)
            else:
                return self._read(content, prompt_id)
            if pause > LONGEST_PAUSE_S:
                raise DataError(
                    f"{self.url}: the server ({trouble}) asks for a pause of {pause:.0f} s; start again then"
                )
            if attempt < self.endpoint.retries and self.stopped.wait(pause):
                raise CancelledError
        raise DataError(
            f"{self.url}: no answer to {self.endpoint.retries + 1} requests, the last one: {trouble}; the answers that"
            " arrived are kept, and another start asks for the others alone"
        )

    def _post(self, request: str) -> bytes:
        http = urllib.request.Request(self.url, request.encode(), self.headers)
        with self.opener.open(http, timeout=self.endpoint.timeout_s) as response:
            return response.read()

    def _read(self, content: bytes, prompt_id: str) -> dict[str, Any]:
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
                f"{self.url}: the answer to prompt {prompt_id} is no chat completion; needed: one choice with message"
                " and finish_reason, model, usage.completion_tokens"
            ) from error
        check_served(self.endpoint, served)
        if n_tokens > self.max_tokens:
            raise DataError(
                f"{self.url}: {n_tokens} tokens answer prompt {prompt_id}, {self.max_tokens} are the cap: the server"
                f" does not heed {self.endpoint.token_cap}; endpoint.token_cap has another name for it"
            )
        return {"model": served, "completion": text, "n_tokens": n_tokens, "finished": finished}

    def _refusal(self, status: int, trouble: str, prompt_id: str) -> ConfigError | DataError:
        variable = self.endpoint.key_variable
        if status in (401, 403):
            key = f"the key in {variable}" if variable else "requests without a key (endpoint.key_variable names one)"
            return ConfigError(f"{self.url}: the server refuses {key}: {trouble}")
        if status == 404:
            return ConfigError(
                f"{self.url}: {trouble}: the server has no such path, or no model {self.endpoint.model}; endpoint.url"
                " is what stands before /chat/completions"
            )
        return DataError(
            f"{self.url}: the server refuses the request for prompt {prompt_id}: {trouble}; it may have"
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


def _authorization(endpoint: Endpoint) -> dict[str, str]:
    variable = endpoint.key_variable
    if variable is None:
        return {}
    key = os.environ.get(variable, "")
    if not key:
        raise ConfigError(f"endpoint.key_variable is {variable}, which the environment does not have, or empty")
    if not re.fullmatch(r"[!-~]+", key):  # http.client would show a key that is no header
        raise ConfigError(f"{variable} of the environment holds white space or other characters that no key has")
    return {"Authorization": f"Bearer {key}"}


def _pause(headers: Message, attempt: int) -> float:
    """Seconds: what the server asks for; else 1, 2, 4, ... 64 and up to half of it more, so that threads spread."""
    asked = headers.get("Retry-After", "").strip()
    if asked.isdecimal():
        return float(asked)
    with suppress(ValueError, OverflowError):  # dates that no calendar has
        if date := parsedate_tz(asked):
            return max(0.0, mktime_tz(date) - time.time())
    return 2 ** min(attempt, 6) * random.uniform(1.0, 1.5)


def _error_name(error: urllib.error.HTTPError) -> str:
    """How the server calls its error; the rest of what it says may repeat the prompt."""
    try:
        told = json.loads(error.read())["error"]
        name = told.get("code") or told.get("type")
    except (OSError, HTTPException, ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f" {name}" if re.fullmatch(r"[a-z]+(_[a-z]+)+|[A-Za-z]+Error", str(name)) else ""


def _network_trouble(error: OSError | HTTPException) -> str:
    """What kind of failure it was; its own text may repeat what the server sent."""
    reason = getattr(error, "reason", error)
    return getattr(reason, "strerror", None) or type(reason).__name__
