"""Preference pairs: how they are drawn from confusions, checked and described."""
