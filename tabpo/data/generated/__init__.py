"""Texts and annotations that the project generates for the demo."""
