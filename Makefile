# All commands run from .venv, which the first command makes. It need not be activated.
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)
export TOKENIZERS_PARALLELISM := false
export HF_HUB_DISABLE_TELEMETRY := 1
CONFIG ?= config/config.yaml
PROFILES ?= slurm
BUILDER ?= podman
DEMO := config/demo.yaml
DEMO_RESULTS := results/demo
PYTHON ?= python3

.DEFAULT_GOAL := help
.PHONY: help setup setup-vllm demo demo-full demo-fairness study test lint fetch plan submit image compare test-slurm test-sge faults test-vllm drill gpu clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-14s %s\n", $$1, $$2}' Makefile

setup: ## install pinned packages into .venv and link the profiles for Snakemake
	@envs/setup.sh

setup-vllm: ## install vLLM into .venv-vllm, for studies that say engine: vllm
	@envs/setup_vllm.sh

demo: setup ## run the small study on generated data: minutes, no GPU, no network
	snakemake --profile profiles/local --configfile $(DEMO)
	@echo "Tables:"
	@find $(DEMO_RESULTS)/tables -type f | sort
	@echo "Open first: $(DEMO_RESULTS)/report.html"

demo-full: setup ## run every method on generated data with three seeds: up to an hour and a half on two cores
	snakemake --profile profiles/local --configfile config/demo_full.yaml --cores 2

demo-fairness: setup ## run six methods with equal trials and equal compute on generated data, on two cores
	snakemake --profile profiles/local --configfile config/demo_fairness.yaml --cores 2

study: setup ## run the real study config/scierc_smollm2.yaml: many hours, see docs/results/README.md
	@test -e docs/results/recipe.md || { echo "make study: no recipe is chosen yet, and test is answered once;" \
		"docs/results/README.md says how to choose one, docs/results/recipe.md would hold it" >&2; exit 1; }
	python -m workflow_scripts.run_study --config config/scierc_smollm2.yaml --output docs/results/scierc_smollm2

lint: setup ## check the format and style of Python and of the workflow
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile rules
	snakemake --lint

# At each start Snakemake asks Slurm, if installed, for its settings; this takes ten seconds if its controller is down.
test: export SLURM_CONF := /dev/null

test: setup lint ## run lint and all tests except those on Slurm and with vLLM; includes small studies
	pytest -n 2 --dist worksteal -m "not slurm and not sge and not gpu and not vllm" -ra --durations=10

test-slurm: setup ## start a Slurm here and run a small study on it (root, Debian or Ubuntu)
	tests/slurm/run-tests.sh test_cluster.py

test-sge: setup ## start a Grid Engine here and run small jobs on it (root, Debian or Ubuntu)
	tests/sge/run-tests.sh

faults: setup ## start a Slurm here and provoke the faults of docs/reliability.md on it (root, Debian or Ubuntu)
	tests/slurm/run-tests.sh test_faults.py test_main_process.py

test-vllm: setup setup-vllm ## answer prompts with vLLM and transformers and compare; needs TABPO_DATA, and network once
	pytest tests/vllm -s

drill: setup ## kill a training run of two processes twenty times; its result must not change
	pytest tests/drill -s --kills 20

# Without .venv it takes the Python of the machine, with the packages that it has; PYTHON=<path> names another.
gpu: ## measure one GPU in eight minutes, with the Python that is there; needs OUT=folder
	@test -n "$(OUT)" || { echo "make gpu: OUT=<folder> says where the results go" >&2; exit 1; }
	$(PYTHON) -m benchmarks.gpu --output $(OUT)

fetch: setup ## download the models of CONFIG=config/config.yaml and pin their revisions
	python -m workflow_scripts.fetch_models --config $(CONFIG)

plan: setup ## say what CONFIG=config/config.yaml would cost: jobs, hours, memory, disk, missing weights, reasons
	@python -m workflow_scripts.plan --config $(CONFIG)

submit: setup ## run CONFIG from a Slurm job that submits itself again until all is done; PROFILES="slurm site" SBATCH="--account=..."
	TABPO_SBATCH="$(SBATCH)" sbatch $(SBATCH) profiles/slurm/main_process.sh $(PROFILES:%=--profile %) --configfile $(CONFIG)

image: ## build the image of the last commit with BUILDER=podman (or docker) and write it to tabpo.tar
	folder=$$(mktemp -d) && git archive HEAD | tar -x -C $$folder && \
	$(BUILDER) build --tag tabpo --file $$folder/envs/Dockerfile $$folder && rm -rf $$folder
	$(BUILDER) save --output tabpo.tar tabpo

compare: setup ## compare two finished studies, A=results/one B=results/two; OUT=comparison.md keeps the page
	python -m workflow_scripts.compare "$(A)" "$(B)" --output "$(or $(OUT),comparison.md)"

clean: ## remove .venv, .venv-vllm, caches and the demo's results; keep other results
	rm -rf .venv .venv-vllm .pytest_cache .ruff_cache .hypothesis .cache $(DEMO_RESULTS)
	find . -name __pycache__ -type d -not -path './results/*' -prune -exec rm -rf {} +
