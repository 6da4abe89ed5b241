"""Annotated documents: how they are fetched, read, checked, split and made into prompts. Nothing here imports torch."""
