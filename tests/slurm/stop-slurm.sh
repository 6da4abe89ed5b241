#!/usr/bin/env bash
# Stops only the daemons that start-slurm.sh started: each by its recorded pid, and only if this pid is still the same
# program. With --purge it also removes configuration, database and logs; the packages stay installed.
set -euo pipefail
. "$(cd "$(dirname "$0")" && pwd)/common.sh"

# Jobs are cancelled first, since their processes would outlive slurmd.
if running slurmctld && running slurmd; then
  squeue --noheader --format %A | sort -u | xargs --no-run-if-empty scancel --quiet || true
  for _ in $(seq 40); do
    [ -n "$(squeue --noheader)" ] || break
    sleep 0.25
  done
fi

for ((i = ${#DAEMONS[@]} - 1; i >= 0; i--)); do
  name=${DAEMONS[i]}
  if running "$name"; then
    start-stop-daemon --stop --quiet --retry TERM/15/KILL/5 --pidfile "$STATE/run/$name.pid" --exec "$(program "$name")"
    say "$name stopped"
  fi
  rm -f "$STATE/run/$name.pid"
done

if [ "${1:-}" = --purge ]; then
  for file in "${CONFIGURATION[@]}"; do
    if ours "$ETC/$file"; then rm -f "$ETC/$file"; fi
  done
  case $STATE in
    */tabpo-slurm*) rm -rf "$STATE" ;;
    *) say "$STATE is left: its name does not say that it is ours" ;;
  esac
fi
