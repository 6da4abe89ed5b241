"""Documents, prompts, answers, confusions and pairs; nothing here imports torch."""
