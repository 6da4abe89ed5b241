"""Confusions of a model: gold and predicted spans and relations, aligned and counted."""
