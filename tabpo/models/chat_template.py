"""Chat templates: which ones a model may bring, and a prompt's text as the template writes it."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from jinja2 import TemplateError
from transformers import PreTrainedTokenizerBase

from tabpo.errors import ConfigError, DataError
from tabpo.records import Prompt

_STOPPED_CLOCK = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}"
"""Begins templates that ask for the day, as that of Llama 3.2 does: prompts of tomorrow must be those of today.

The day is the one that Llama's templates name where there is none to ask for.
"""

Roles = tuple[str, ...]
"""Of a prompt's messages, in order."""


def prepare_template(tokenizer: PreTrainedTokenizerBase, name: str, roles: Iterable[Roles]) -> None:
    """Make the tokenizer's chat template and end-of-turn token those that all stages use, or refuse the model.

    Of several named templates, `default` is taken. The template writes the same on all days. The end-of-turn token
    becomes the one that the template itself writes after an assistant's turn, whatever `eos_token` was: it is what the
    model was trained to stop with. Where the tokenizer has no padding token the end-of-turn token pads, as padding is
    masked everywhere.

    Args:
        tokenizer: Is changed.
        name: Of the model, for messages.
        roles: Those of the prompts of the study; the template must write each message of them.

    Raises:
        ConfigError: No template, or none called default; one that fails, leaves a message's text out, or ends an
            assistant's turn with no token of its own.
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


def prompt_text(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, number: int) -> str:
    """What a model reads of a prompt, up to where its answer begins.

    Raises:
        DataError: The template does not take the messages, does not write one as it is, or one holds a control token,
            which would be read as such; names the prompt by its number.
    """
    what, contents = f"prompt {number}", [message.content for message in prompt.messages]
    for content in contents:
        check_control_tokens(tokenizer, content, what)
    roles = [message.role for message in prompt.messages]
    try:
        text = _write(tokenizer, roles, contents, add_generation_prompt=True)
    except TemplateError as error:  # its own words may hold the text
        raise DataError(
            f"{what}: the model's chat template takes no messages of {', '.join(roles)}, in this order"
        ) from error
    missing = _first_missing(text, contents)
    if missing is not None:
        raise DataError(f"{what}: the model's chat template does not write message {missing + 1} as it is")
    return text


def check_control_tokens(tokenizer: PreTrainedTokenizerBase, text: str, what: str) -> None:
    """Refuse a text that holds a control token of the model, such as `</s>`: it would not be read as text.

    Raises:
        DataError: Names `what`, and the token.
    """
    found = _control_tokens(tokenizer).search(text)
    if found:
        raise DataError(f"{what} holds {found[0]}, a control token of the model; remove it from the text")


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
    """Number of the first message that a text does not hold behind those before it; templates may trim messages."""
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
    """What the template writes of messages of these roles, and the messages."""
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
