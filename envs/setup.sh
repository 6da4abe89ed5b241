#!/usr/bin/env bash
# Makes .venv with the pinned packages and links the profiles for Snakemake. Prints nothing if there is nothing to do.
#
# It uses the first of $PYTHON, python3, python3.13, python3.12, python3.11 with a version from 3.11 to 3.13. A finished
# set-up writes a stamp into .venv: the pins, the Python and the folder. Without an equal stamp it installs (again).
set -euo pipefail
cd "$(dirname "$0")/.."

VENV=.venv
STAMP=$VENV/tabpo-setup
LOG=$VENV/setup.log
NEEDED_GB=4 # for the CPU build of torch; the CUDA build needs twice as much

die() {
  printf 'set-up: %s\n' "$*" >&2
  exit 1
}

find_python() {
  local candidate
  for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  die "needs Python 3.11, 3.12 or 3.13; python3 is $(python3 --version 2>/dev/null || echo missing). PYTHON=<path> names another"
}

check_machine() {
  command -v git >/dev/null || die "needs git, which is not installed"
  "$python" -c 'import venv, ensurepip' 2>/dev/null ||
    die "$python has no venv module; on Debian and Ubuntu: apt install python3-venv"
  local free_gb
  free_gb=$(df -Pk . | awk 'NR == 2 {print int($4 / 1048576)}')
  [ "$free_gb" -ge "$NEEDED_GB" ] || die "needs $NEEDED_GB GB of disk for $PWD/$VENV, $free_gb GB are free"
}

# Prints what the set-up depends on: the interpreter and the folder, which scripts in .venv/bin name, and the pins.
wanted_stamp() {
  "$python" -c 'import os, platform, sys; print(platform.python_version(), sys.base_prefix, os.getcwd())'
  cat envs/requirements.txt envs/constraints.txt
}

install() {
  local progress=()
  [ -t 1 ] || progress=(--quiet --progress-bar off)
  DS_BUILD_OPS=0 "$VENV/bin/python" -m pip install --disable-pip-version-check --log "$LOG" --retries 2 \
    ${progress[@]+"${progress[@]}"} --constraint envs/constraints.txt "$@" || explain
}

# Pip prints long errors; this reports the first known cause in its log in one line.
explain() {
  if grep -q 'No space left on device' "$LOG"; then
    die "the disk is full (pip's log: $LOG)"
  elif grep -qE 'NewConnectionError|ConnectTimeoutError|NameResolutionError|ProxyError|Network is unreachable' "$LOG"; then
    die "no package index answered: is there a network? (pip's log: $LOG)"
  fi
  die "pip could not install the pinned packages (pip's log: $LOG)"
}

link_profiles() {
  local folder name link target
  folder=$("$VENV/bin/python" -c 'from platformdirs import user_config_dir as d; print(d("snakemake", "snakemake"))')
  for name in local gpus slurm sge pbs lsf htcondor; do
    link=$folder/$name target=$PWD/profiles/$name
    [ ! "$link" -ef "$target" ] || continue
    # A link to another checkout of this project, moved or not, is replaced: the last set-up wins.
    if [ -e "$link" ] && ! { [ -L "$link" ] && head -n 1 "$link/config.yaml" 2>/dev/null | grep -q '^# tabpo profile'; }; then
      printf 'set-up: %s is not a link to this project and is kept; use: snakemake --profile profiles/%s\n' "$link" "$name" >&2
      continue
    fi
    mkdir -p "$folder" && ln -sfn "$target" "$link" ||
      printf 'set-up: cannot write %s; use: snakemake --profile profiles/%s\n' "$link" "$name" >&2
  done
}

python=$(find_python)
wanted=$(wanted_stamp)
installed=$(cat "$STAMP" 2>/dev/null || true)
if [ "$installed" != "$wanted" ] || ! "$VENV/bin/python" -c '' 2>/dev/null; then
  check_machine
  printf 'set-up: installing into %s with %s; this takes some minutes\n' "$VENV" "$("$python" --version)"
  # If only pins changed, pip updates .venv. After an interrupted set-up, or with another Python or folder, it is made anew.
  if [ "${installed%%$'\n'*}" != "${wanted%%$'\n'*}" ]; then "$python" -m venv --clear "$VENV"; fi
  rm -f "$STAMP"
  install torch==2.13.0
  install --requirement envs/requirements.txt
  printf '%s\n' "$wanted" >"$STAMP"
  printf 'set-up: done, %s\n' "$(du -sh "$VENV" | cut -f 1)"
fi
link_profiles
