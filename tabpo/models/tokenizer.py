"""Tokenizers of models' folders, prompts as token ids, and completions from token ids; torch is not needed for them."""

from pathlib import Path

from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from tabpo.errors import DataError
from tabpo.models.chat_template import prompt_text
from tabpo.records import Completion, Prompt


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a `base/` or `model/` folder with its chat template, exactly as `tokenizer.json` defines it.

    `AutoTokenizer` is not used: if the folder holds a Qwen2 `config.json`, it replaces the normalizer and the
    pre-tokenizer of the file by those of Qwen2. A tokenizer from scratch would then split text differently from how it
    was trained.
    """
    return PreTrainedTokenizerFast.from_pretrained(folder)


def encode_prompt(tokenizer: PreTrainedTokenizerBase, prompt: Prompt, limits: dict, number: int) -> tuple[int, ...]:
    """Token ids of a prompt up to the beginning of the answer; only the chat template adds special tokens.

    `number` is the number of the prompt in its file, from 1. Messages contain the number instead of the id, because an
    id may be a patient's name.

    Raises:
        DataError: The prompt has more tokens than `limits["max_prompt_tokens"]`; also raised by `prompt_text`.
    """
    what = f"prompt {number}"
    ids = tokenizer(prompt_text(tokenizer, prompt, what), add_special_tokens=False)["input_ids"]
    check_length(what, len(ids), "max_prompt_tokens", limits)
    return tuple(ids)


def check_length(what: str, length: int, setting: str, limits: dict) -> None:
    """Refuse a text of more tokens than one of the limits allows.

    Raises:
        DataError: The message has the number of tokens and the limit.
    """
    if length > limits[setting]:
        raise DataError(f"{what} has {length} tokens; {setting} is {limits[setting]}, and nothing is truncated")


def read_completion(tokenizer: PreTrainedTokenizerBase, prompt_id: str, ids: list[int]) -> Completion:
    """The completion of an engine's token ids, which include the end-of-turn token if the answer is finished.

    Special tokens other than the final end-of-turn token stay in the text.
    """
    finished = ids[-1] == tokenizer.eos_token_id
    answer = ids[:-1] if finished else ids
    text = tokenizer.decode(answer, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return Completion(prompt_id, completion=text, n_tokens=len(ids), finished=finished)
