"""Lengths of all splits are measured in one go, and the refusal counts all offenders."""

from dataclasses import replace

import pytest

from tabpo.errors import DataError
from tabpo.records import Message
from tabpo.scoring.lengths import check_lengths, token_lengths
from tabpo.scoring.tokenise import encode_examples


def test_lengths_are_those_of_the_encoded_examples(tokenizer, prompts, limits):
    lengths = token_lengths(tokenizer, {"train": prompts})
    examples = encode_examples(tokenizer, prompts, limits)
    assert lengths["max_prompt_tokens"]["train"] == [len(example.prompt_ids) for example in examples]
    assert lengths["max_completion_tokens"]["train"] == [len(example.completion_ids) for example in examples]


def test_all_offenders_are_counted_and_the_limits_they_need_are_said():
    lengths = {
        "max_prompt_tokens": {"train": [5, 9, 7], "dev_select": [3], "test": [8]},
        "max_completion_tokens": {"train": [2, 2, 4], "dev_select": [4], "test": [1]},
    }
    check_lengths(lengths, {"max_prompt_tokens": 9, "max_completion_tokens": 4})
    with pytest.raises(DataError) as error:
        check_lengths(lengths, {"max_prompt_tokens": 6, "max_completion_tokens": 3})
    assert str(error.value) == (
        "prompts over max_prompt_tokens, which is 6: 2 of train (first: 2), 1 of test (first: 1);"
        " they need max_prompt_tokens: 9; answers over max_completion_tokens, which is 3: 1 of train (first: 3),"
        " 1 of dev_select (first: 1); they need max_completion_tokens: 4;"
        " nothing is truncated; accepted: these limits, or shorter texts"
    )


def test_a_control_token_is_found_before_training_and_its_split_named(tokenizer, prompts):
    with pytest.raises(DataError, match="test: answer of prompt 1 holds <eos>, a control token"):
        token_lengths(tokenizer, {"test": [replace(prompts[0], answer="a<eos>")]})
    asked = replace(prompts[1], messages=(Message("user", "a<sep>"),))
    with pytest.raises(DataError, match=r"^test: prompt 2 holds <sep>, a control token"):
        token_lengths(tokenizer, {"train": prompts, "test": [prompts[0], asked]})
