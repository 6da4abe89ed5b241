#!/usr/bin/env bash
# Starts a Grid Engine for tests, with this machine as its only host. It has a cell, ports and spool folders of its own,
# below $TABPO_SGE_STATE (<tmp>/tabpo-sge), so that a Grid Engine that is already here is left alone.
#
# Needs root on Debian or Ubuntu, and installs missing packages. Daemons that already run are not restarted. Afterwards
# `. $TABPO_SGE_STATE/settings.sh` lets qsub find it.
set -euo pipefail
. "$(cd "$(dirname "$0")" && pwd)/common.sh"

install_packages() {
  local package missing=()
  for package in gridengine-master gridengine-exec gridengine-client; do
    dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed ||
      missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  # Packages start their daemons on installation unless this file forbids it; this script starts the daemons itself.
  local policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap "rm -f $policy" EXIT
  fi
  apt-get update -qq || say "apt-get update failed; trying with the package lists there are"
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$STATE/apt.log" 2>&1 ||
    { tail -n 5 "$STATE/apt.log" >&2; die "could not install ${missing[*]}"; }
}

make_cell() {
  [ ! -e "$SGE_ROOT/$SGE_CELL/common/bootstrap" ] || return 0
  local common=$SGE_ROOT/$SGE_CELL/common name
  mkdir -p "$common" "$STATE"/spool/{qmaster/job_scripts,execd,database}
  for name in bin lib util utilbin; do ln -sfn "/var/lib/gridengine/$name" "$SGE_ROOT/$name"; done
  cat >"$common/bootstrap" <<END
admin_user sgeadmin
default_domain none
ignore_fqdn true
spooling_method berkeleydb
spooling_lib libspoolb
spooling_params $STATE/spool/database
binary_path /usr/sbin
qmaster_spool_dir $STATE/spool/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
END
  printf 'localhost %s\n' "$(hostname)" >"$common/host_aliases"
  printf 'localhost\n' >"$common/act_qmaster"
  # Root may submit, and the daemons look for new and ended jobs every second.
  sed -e "s|^execd_spool_dir .*|execd_spool_dir $STATE/spool/execd|" -e 's/^min_[ug]id .*/#/' \
    /usr/share/gridengine/default-configuration | grep -v '^#' >"$STATE/configuration"
  chmod 755 "$STATE"
  chown -R sgeadmin "$SGE_ROOT" "$STATE/spool" "$STATE/configuration"
  local initial=(
    "spoolinit berkeleydb libspoolb $STATE/spool/database init"
    "spooldefaults configuration $STATE/configuration"
    "spooldefaults complexes /usr/share/gridengine/util/resources/centry"
    "spooldefaults usersets /usr/share/gridengine/util/resources/usersets"
    "spooldefaults managers sgeadmin root"
  )
  for name in "${initial[@]}"; do
    su -p -s /bin/sh -c "/usr/lib/gridengine/$name" sgeadmin >>"$STATE/setup.log" 2>&1 || die "$name failed: $STATE/setup.log"
  done
}

# The host has two GPUs, which are only counted, and one queue of four slots.
configure() {
  qconf -sq main >/dev/null 2>&1 && return 0
  qconf -as localhost >/dev/null
  { qconf -sc; echo 'gpu gpu INT <= YES JOB 0 0'; } >"$STATE/complexes"
  qconf -Mc "$STATE/complexes" >/dev/null
  qconf -ssconf | sed -e 's/^schedule_interval .*/schedule_interval 0:0:2/' -e 's/^flush_\(.*\)_sec .*/flush_\1_sec 1/' \
    -e 's/^job_load_adjustments .*/job_load_adjustments NONE/' >"$STATE/scheduler"
  qconf -Msconf "$STATE/scheduler" >/dev/null
  qconf -mattr exechost complex_values gpu=2 localhost >/dev/null
  cat >"$STATE/environment" <<END
pe_name smp
slots 99
user_lists NONE
xuser_lists NONE
start_proc_args NONE
stop_proc_args NONE
allocation_rule \$pe_slots
control_slaves FALSE
job_is_first_task TRUE
urgency_slots min
accounting_summary FALSE
qsort_args NONE
END
  qconf -Ap "$STATE/environment" >/dev/null
  qconf -sq | sed -e 's/^qname .*/qname main/' -e 's/^hostlist .*/hostlist localhost/' -e 's/^slots .*/slots 4/' \
    -e 's/^pe_list .*/pe_list smp/' -e 's/^load_thresholds .*/load_thresholds NONE/' >"$STATE/queue"
  qconf -Aq "$STATE/queue" >/dev/null
}

[ "$(id -u)" = 0 ] || die "must be root: the daemons change users"
command -v apt-get >/dev/null || die "needs Debian or Ubuntu: it installs Grid Engine with apt-get"
mkdir -p "$STATE"
install_packages
make_cell
printf 'export SGE_ROOT=%s SGE_CELL=%s SGE_QMASTER_PORT=%s SGE_EXECD_PORT=%s\n' \
  "$SGE_ROOT" "$SGE_CELL" "$SGE_QMASTER_PORT" "$SGE_EXECD_PORT" >"$STATE/settings.sh"
running qmaster/qmaster || /usr/sbin/sge_qmaster
wait_until 30 sge_qmaster qconf -sh
running "execd/$(hostname -s)/execd" || running execd/localhost/execd || /usr/sbin/sge_execd
wait_until 30 sge_execd sh -c 'qhost | grep -q "^localhost"'
configure
wait_until 30 "the queue" sh -c 'qstat -f | grep -q "^main@localhost .*lx-amd64 *$"'
say "ready: . $STATE/settings.sh"
