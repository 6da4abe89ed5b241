"""Readers of data sets; each module reads one format."""
