"""Fixtures that are shared with the tests of training: tiny tokenizers, models and pairs."""

from tests.training.conftest import (  # noqa: F401
    answer,
    fp32,
    limits,
    make_model,
    make_tokenizer,
    pair_examples,
    pairs,
    prompts,
    quick_collections,
    tokenizer,
)
