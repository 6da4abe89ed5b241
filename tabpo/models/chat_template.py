"""Chat templates: checks of a model's template, and the text that it writes for a prompt."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from tabpo.errors import ConfigError, DataError
from tabpo.records import Prompt

_STOPPED_CLOCK = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}"
"""Put before templates that ask for the current date, such as Llama 3.2's, so that prompts are the same on every day.

It is the date that Llama's templates write if they cannot ask for one.
"""

Roles = tuple[str, ...]
"""Roles of a prompt's messages, in order."""


def prepare_template(tokenizer: PreTrainedTokenizerBase, name: str, roles: Iterable[Roles]) -> None:
    """Set the chat template and the end-of-turn token that all stages use, or refuse the model.

    If there are several named templates, `default` is used. The template is made independent of the date. `eos_token`
    becomes the token that the template writes after an assistant's turn, because the model was trained to stop with it.
    If the tokenizer has no padding token, the end-of-turn token is used for padding, which is masked everywhere.

    Args:
        tokenizer: Changed in place.
        name: Name of the model in messages.
        roles: Roles of the study's prompts; the template must write the text of each message.

    Raises:
        ConfigError: There is no template, or none called default; or the template fails, leaves out the text of a
            message, does not end an assistant's turn with a control token, or opens thoughts that it does not close.
    """
    if not tokenizer.chat_template:
        raise ConfigError(f"{name}: its tokenizer has no chat template; take an instruction-tuned model")
    if isinstance(tokenizer.chat_template, dict):
        named = tokenizer.chat_template
        if "default" not in named:
            raise ConfigError(f"{name}: its chat templates are {', '.join(sorted(named))}; one must be called default")
        tokenizer.chat_template = named["default"]
    if "strftime_now" in tokenizer.chat_template:
        tokenizer.chat_template = _STOPPED_CLOCK + tokenizer.chat_template.removeprefix(_STOPPED_CLOCK)
    for sequence in sorted({("user",), *roles}):
        _check_roles(tokenizer, name, sequence)
    tokenizer.eos_token = _end_of_turn(tokenizer, name)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token


def prompt_text(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, what: str) -> str:
    """The text of a prompt as the model reads it, up to the beginning of its answer.

    `what` names the prompt in messages, such as "train: prompt 1"; its id may be a patient's name.

    Raises:
        DataError: The template refuses the messages or changes the text of one, or a message holds a control token,
            which would not be read as text.
    """
    contents = [message.content for message in prompt.messages]
    for content in contents:
        check_control_tokens(tokenizer, content, what)
    roles = [message.role for message in prompt.messages]
    try:
        text = _write(tokenizer, roles, contents, add_generation_prompt=True)
    except TemplateError as error:  # the template's message may contain the text of the prompt
        raise DataError(
            f"{what}: the model's chat template takes no messages of {', '.join(roles)}, in this order"
        ) from error
    missing = _first_missing(text, contents)
    if missing is not None:
        raise DataError(f"{what}: the model's chat template does not write the text of message {missing + 1} unchanged")
    return text


def check_control_tokens(tokenizer: PreTrainedTokenizerBase, text: str, what: str) -> None:
    """Refuse a text that holds a control token of the model, such as `</s>`, which would not be read as text.

    Raises:
        DataError: The message names `what` and the token.
    """
    match = _control_tokens(tokenizer).search(text)
    if match:
        raise DataError(f"{what} holds {match[0]}, a control token of the model; remove it from the text")


@lru_cache(maxsize=4)
def _control_tokens(tokenizer: PreTrainedTokenizerBase) -> re.Pattern[str]:
    special = {token.content for token in tokenizer.added_tokens_decoder.values() if token.special}
    tokens = sorted(special | set(tokenizer.all_special_tokens), key=len, reverse=True)
    return re.compile("|".join(map(re.escape, tokens)) or r"(?!)")


def _write(
    tokenizer: PreTrainedTokenizerBase, roles: Sequence[str], contents: Sequence[str], *, add_generation_prompt: bool
) -> str:
    messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
    return tokenizer.apply_chat_template(messages, add_generation_prompt=add_generation_prompt, tokenize=False)


def _first_missing(text: str, contents: Sequence[str]) -> int | None:
    """Index of the first message that is not found in the text after the previous ones; templates may trim messages."""
    position = 0
    for number, content in enumerate(contents):
        start = text.find(content.strip(), position)
        if start < 0:
            return number
        position = start + len(content.strip())
    return None


def _probe(
    tokenizer: PreTrainedTokenizerBase, name: str, roles: Roles, *, add_generation_prompt: bool
) -> tuple[str, list[str]]:
    """The text that the template writes for test messages of these roles, and the contents of the test messages."""
    contents = [f"message {number}" for number in range(1, len(roles) + 1)]
    try:
        return _write(tokenizer, roles, contents, add_generation_prompt=add_generation_prompt), contents
    except TemplateError as error:
        raise ConfigError(
            f"{name}: its chat template takes no messages of {', '.join(roles)}, in this order: {error}"
        ) from error


def _check_roles(tokenizer: PreTrainedTokenizerBase, name: str, roles: Roles) -> None:
    text, contents = _probe(tokenizer, name, roles, add_generation_prompt=True)
    missing = _first_missing(text, contents)
    if missing is not None:
        raise ConfigError(
            f"{name}: its chat template leaves out the text of message {missing + 1} of {', '.join(roles)}; accepted: a"
            " template that writes each message's content, a text"
        )
    if "<think>" in text.rpartition("</think>")[2]:
        raise ConfigError(
            f"{name}: its chat template opens <think> before each answer, so that answers would be learnt as thoughts;"
            " accepted: a template that opens no thoughts, or closes them"
        )


def _end_of_turn(tokenizer: PreTrainedTokenizerBase, name: str) -> str:
    """The control token that the template writes after an assistant's turn."""
    text, contents = _probe(tokenizer, name, ("user", "assistant"), add_generation_prompt=False)
    _, answer, behind = text.rpartition(contents[-1])
    end = _control_tokens(tokenizer).match(behind.lstrip())
    if not answer or not end:
        raise ConfigError(
            f"{name}: its chat template ends an assistant's turn with no control token of its tokenizer, so that the"
            " end of an answer cannot be learnt; take an instruction-tuned model"
        )
    return end[0]
