# Everything runs from .venv, which the first command makes; nothing needs activating.
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)
export TOKENIZERS_PARALLELISM := false
export HF_HUB_DISABLE_TELEMETRY := 1
CONFIG ?= config/config.yaml
DEMO := config/demo.yaml
DEMO_RESULTS := results/demo

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-full study test lint fetch test-slurm drill clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' Makefile

setup: ## virtual environment with pinned packages, profiles where Snakemake looks
	@envs/setup.sh

demo: setup ## the embedded study on generated data: minutes, no GPU, no network
	snakemake --profile profiles/local --configfile $(DEMO)
	@echo "Tables:"
	@find $(DEMO_RESULTS)/tables -type f | sort
	@echo "To begin with, open $(DEMO_RESULTS)/report.html"

demo-full: setup ## every method on generated data, three seeds: an hour on two cores
	snakemake --profile profiles/local --configfile config/demo_full.yaml --cores 2

study: setup ## the first real study, of config/scierc_smollm2.yaml: many hours, see docs/results/README.md
	@test -e docs/results/recipe.md || { echo "make study: no recipe is chosen yet, and test is answered once;" \
		"docs/results/README.md says how to choose one, docs/results/recipe.md would hold it" >&2; exit 1; }
	python -m workflow_scripts.run_study --config config/scierc_smollm2.yaml --output docs/results/scierc_smollm2

lint: setup ## formatting and rules of Python and of the workflow
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	snakemake --lint

# Snakemake asks a Slurm of this machine for its settings at each start: ten seconds where its controller is down.
test: export SLURM_CONF := /dev/null

test: setup lint ## lint and all tests, small studies included, but no Slurm
	pytest -n 2 --dist worksteal -m "not slurm and not gpu" -ra --durations=10

test-slurm: setup ## a small study and faults on a real Slurm, started here: root on Debian or Ubuntu
	tests/slurm/run-tests.sh

drill: setup ## kill a training run of two processes twenty times; it must end as if nothing had happened
	pytest tests/drill -s --kills 20

fetch: setup ## download the models of CONFIG=config/config.yaml, with the hub's revisions pinned
	python -m workflow_scripts.fetch_models --config $(CONFIG)

clean: ## remove .venv, caches and the demo's results; other results stay
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis .cache $(DEMO_RESULTS)
	find . -name __pycache__ -type d -not -path './results/*' -prune -exec rm -rf {} +
