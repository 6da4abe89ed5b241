"""Scores of predictions under the stated conventions; nothing here imports torch."""
