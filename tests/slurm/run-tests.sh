#!/usr/bin/env bash
# Starts the test Slurm, runs the files of tests that are named on it, and stops it unless it was running before.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
cd "$here/../.."

if ! running slurmctld; then
  trap '"$here/stop-slurm.sh"' EXIT
fi
"$here/start-slurm.sh"
pytest "${@/#/$here/}" -m slurm -ra --durations=10
