# Settings and helpers that start-slurm.sh and stop-slurm.sh share; read by both, run by neither.

STATE=${TABPO_SLURM_STATE:-${TMPDIR:-/tmp}/tabpo-slurm}  # database, spool, logs, pid files
ETC=/etc/slurm                                           # where the job step's own srun looks, whatever SLURM_CONF says
MARK="# tabpo test cluster: written by tests/slurm/start-slurm.sh, safe to delete"
CONFIGURATION=(slurm.conf slurmdbd.conf gres.conf)
# In the order of starting; stopping goes backwards.
DAEMONS=(munged mariadbd slurmdbd slurmctld slurmd slurmd-second)

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# ours FILE: the file is absent, or carries our mark in its first line.
ours() { [ ! -e "$1" ] || [ "$(head -n 1 "$1")" = "$MARK" ]; }

# program NAME: a daemon's program; slurmd runs twice.
program() { printf '/usr/sbin/%s' "${1%-second}"; }

# running NAME: the pid on file is alive and still the program that was started under it.
running() { start-stop-daemon --status --quiet --pidfile "$STATE/run/$1.pid" --exec "$(program "$1")"; }

# wait_until SECONDS WHAT COMMAND...: poll, and show every daemon's last words when time is up.
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
