"""Fixtures that are shared with the tests of training: tiny tokenizers and models."""

from tests.training.conftest import fp32, limits, make_model, make_tokenizer, prompts, tokenizer  # noqa: F401
