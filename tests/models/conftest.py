"""Fixtures that are shared with the tests of training: tiny tokenizers, models and pairs."""

from tests.training.conftest import (  # noqa: F401
    answer,
    fp32,
    limits,
    make_model,
    make_tokenizer,
    make_trainer,
    pair_examples,
    pairs,
    preference,
    prompts,
    quick_collections,
    start,
    tokenizer,
)
