"""Tokenised batches, scoring of completions, and the trainers built on them."""
