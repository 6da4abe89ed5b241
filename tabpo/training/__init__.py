"""Trainers for SFT and preference losses, with batches, checkpoints, evaluations and logs."""
