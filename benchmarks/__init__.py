"""Measurements beside named peers; `page` makes docs/benchmarks.md of what they printed."""
