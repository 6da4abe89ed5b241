#!/usr/bin/env bash
# Stops only the daemons that start-sge.sh started, and their jobs. With --purge it also removes cell, spool and logs.
set -euo pipefail
. "$(cd "$(dirname "$0")" && pwd)/common.sh"

qdel -u '*' >/dev/null 2>&1 || true
for daemon in "execd/$(hostname -s)/execd" execd/localhost/execd qmaster/qmaster; do
  if running "$daemon"; then
    kill "$(cat "$STATE/spool/$daemon.pid")"
    for _ in $(seq 40); do
      running "$daemon" || break
      sleep 0.25
    done
    say "$daemon stopped"
  fi
done
if [ "${1:-}" = --purge ]; then
  case $STATE in
    */tabpo-sge*) rm -rf "$STATE" ;;
    *) say "$STATE is left: its name does not say that it is ours" ;;
  esac
fi
