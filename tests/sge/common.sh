# Settings and functions that start-sge.sh and stop-sge.sh share. Both scripts source this file; it is not run alone.

STATE=${TABPO_SGE_STATE:-${TMPDIR:-/tmp}/tabpo-sge} # cell, spool folders and logs
export SGE_ROOT=$STATE/root SGE_CELL=tabpo
export SGE_QMASTER_PORT=${TABPO_SGE_PORT:-16444}
export SGE_EXECD_PORT=$((SGE_QMASTER_PORT + 1))

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() {
  say "$*"
  exit 1
}

# running NAME: succeeds if the pid that a daemon has recorded is alive and is a daemon of Grid Engine.
running() {
  local pid
  pid=$(cat "$STATE/spool/$1.pid" 2>/dev/null) && grep -q '^sge_' "/proc/$pid/comm" 2>/dev/null
}

# wait_until SECONDS WHAT COMMAND...: polls the command; after this time prints the end of the daemons' messages.
wait_until() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >/dev/null 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      tail -n 10 "$STATE"/spool/*/messages "$STATE"/spool/execd/*/messages >&2 || true
      die "gave up waiting for $what"
    fi
    sleep 0.3
  done
}
