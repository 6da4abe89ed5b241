"""Prompts to completions, by `model.generate` or by vLLM."""
