#!/usr/bin/env bash
# Starts the test Grid Engine, runs the tests on it, and stops it unless it was running before.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

if ! running qmaster/qmaster; then
  trap '"$here/stop-sge.sh"' EXIT
fi
"$here/start-sge.sh"
cd "$here/../.."
pytest "$here" -m sge -ra --durations=10
