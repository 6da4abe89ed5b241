"""Reads a study's YAML, checks it, makes every default explicit, and derives the settings of each job."""
