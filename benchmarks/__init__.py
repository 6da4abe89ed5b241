"""Programs that measure this project beside named peers; `page` makes docs/benchmarks.md from their output."""
