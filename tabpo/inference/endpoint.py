"""Greedy answers to prompts from a model behind an OpenAI-compatible endpoint; no request is paid for twice."""

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabpo.artefacts import sha256_text, write_json
from tabpo.errors import DataError
from tabpo.inference.chat_server import ChatServer, check_served
from tabpo.progress import progress
from tabpo.records import Completion, Prompt
from tabpo.study.endpoint import Endpoint


def ask(
    endpoint: Endpoint,
    prompts: Sequence[Prompt],
    *,
    max_tokens: int,
    cache: Path,
    schema: Mapping[str, Any] | None = None,
) -> tuple[list[Completion], str]:
    """Request an answer to each prompt with temperature 0.

    Every answer is written to `cache` when it arrives, under a hash of address and request. A job that is started again
    requests only the missing answers, so that no request is paid for twice. Logs and messages contain neither prompts,
    answers nor the key, whatever the server replies. The server counts the tokens. An answer that a filter withheld is
    empty and not finished.

    Args:
        endpoint: Address, model and settings of the requests.
        prompts: Their messages are sent unchanged; equal prompts are sent once.
        max_tokens: Largest number of tokens in an answer; an answer that reaches it is not finished.
        cache: Folder of the answers.
        schema: JSON Schema of the answers, which the server must enforce; None leaves the answers free.

    Returns:
        The completions in the order of the prompts, and the name of the model as the server gives it.

    Raises:
        ConfigError: The environment has no usable key, or the server refuses it.
        DataError: The server cannot be reached, refuses a request, or does not follow the protocol.
    """
    requests = [_request(endpoint, prompt, max_tokens, schema) for prompt in prompts]
    files = [cache / f"{sha256_text(endpoint.url + json.dumps(request))}.json" for request in requests]
    missing = {
        file: (number, request)
        for number, (file, request) in enumerate(zip(files, requests, strict=True), start=1)
        if not file.exists()
    }
    logging.info("%d of %d answers are in the cache", sum(file not in missing for file in files), len(files))
    if missing:
        asyncio.run(_fetch(ChatServer(endpoint, max_tokens), missing))
    answers = [json.loads(file.read_text()) for file in files]
    served = sorted({answer["model"] for answer in answers})
    if len(served) > 1:
        raise DataError(
            f"the answers are of several models, {', '.join(served)}; endpoint.model must name one version of a model"
        )
    check_served(endpoint, served[0])
    completions = [
        Completion(prompt.prompt_id, answer["completion"], answer["n_tokens"], answer["finished"])
        for prompt, answer in zip(prompts, answers, strict=True)
    ]
    return completions, served[0]


def _request(endpoint: Endpoint, prompt: Prompt, max_tokens: int, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    messages = [{"role": message.role, "content": message.content} for message in prompt.messages]
    request = {"model": endpoint.model, "messages": messages, "temperature": 0, endpoint.token_cap: max_tokens}
    if schema is None:
        return request
    form = {"name": "answer", "strict": True, "schema": schema}
    return request | {"response_format": {"type": "json_schema", "json_schema": form}}


async def _fetch(server: ChatServer, missing: Mapping[Path, tuple[int, dict[str, Any]]]) -> None:
    """Send each request and write its answer to its file; the first failure cancels all others, written files stay."""
    free = asyncio.Semaphore(server.endpoint.concurrency)

    async def keep(file: Path, number: int, request: dict[str, Any]) -> None:
        async with free:
            write_json(file, await server.answer(number, request))

    async with server.client:
        tasks = [asyncio.create_task(keep(file, *question)) for file, question in missing.items()]
        try:
            for answered in progress(asyncio.as_completed(tasks), len(tasks), "answers"):
                await answered
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
