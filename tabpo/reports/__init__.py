"""Figures and pages for the readers of a study."""
