"""Preference pairs: drawn from confusions, and what is known of them."""
