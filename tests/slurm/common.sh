# Settings and functions that start-slurm.sh and stop-slurm.sh share. Both scripts source this file; it is not run alone.

STATE=${TABPO_SLURM_STATE:-${TMPDIR:-/tmp}/tabpo-slurm}  # database, spool, logs, pid files
ETC=/etc/slurm                                           # srun in a job step reads this folder, whatever SLURM_CONF says
MARK="# tabpo test cluster: written by tests/slurm/start-slurm.sh, safe to delete"
CONFIGURATION=(slurm.conf slurmdbd.conf gres.conf)
# In the order of starting; they are stopped in reverse order.
DAEMONS=(munged mariadbd slurmdbd slurmctld slurmd slurmd-second)

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# ours FILE: succeeds if the file is absent, or has our mark in its first line.
ours() { [ ! -e "$1" ] || [ "$(head -n 1 "$1")" = "$MARK" ]; }

# program NAME: prints the program of a daemon; slurmd runs twice.
program() { printf '/usr/sbin/%s' "${1%-second}"; }

# running NAME: succeeds if the recorded pid is alive and is still the program that was started.
running() { start-stop-daemon --status --quiet --pidfile "$STATE/run/$1.pid" --exec "$(program "$1")"; }

# wait_until SECONDS WHAT COMMAND...: polls the command; after this time prints the end of every daemon's log.
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      tail -n 10 "$STATE"/log/*.log >&2 || true
      die "gave up waiting for $what"
    fi
    sleep 0.3
  done
}
