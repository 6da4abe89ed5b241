"""Completions of prompts by `model.generate`, vLLM or an endpoint; baselines that need no model."""
