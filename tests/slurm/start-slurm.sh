#!/usr/bin/env bash
# Starts a Slurm with accounting for tests. This machine acts as both of its nodes; it uses only the loopback interface,
# no systemd and no cgroups.
#
# Needs root on Debian or Ubuntu, and installs missing packages. Daemons that already run are not restarted. It refuses
# to change a Slurm configuration that it did not write. Optional settings from the environment, with defaults:
#   TABPO_SLURM_STATE (<tmp>/tabpo-slurm)   TABPO_SLURM_CPUS (all)   TABPO_SLURM_MEMORY_MB (90 % of all)
#   TABPO_SLURM_GPUS (2, pretended)         TABPO_SLURM_DATABASE_PORT (16821)
#   TABPO_SLURM_SECOND_PORT (16822)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

CPUS=${TABPO_SLURM_CPUS:-$(env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc)}
MEMORY_MB=${TABPO_SLURM_MEMORY_MB:-$(awk '/^MemTotal/ {print int($2 * 0.9 / 1024)}' /proc/meminfo)}
GPUS=${TABPO_SLURM_GPUS:-2}
DATABASE_PORT=${TABPO_SLURM_DATABASE_PORT:-16821}
SECOND_PORT=${TABPO_SLURM_SECOND_PORT:-16822}
NODE=$(hostname -s)
ADDRESS=$(getent ahostsv4 "$NODE" | awk 'NR == 1 {print $1}' || true)

check_machine() {
  [ "$(id -u)" = 0 ] || die "must be root: munge, slurmd and the jobs change users"
  command -v apt-get >/dev/null || die "needs Debian or Ubuntu: it installs Slurm with apt-get"
  case $ADDRESS in
    127.*) ;;
    *) die "host name '$NODE' is '${ADDRESS:-unknown}', not loopback; put '127.0.0.1 $NODE' first in /etc/hosts" ;;
  esac
  local file
  for file in "${CONFIGURATION[@]}"; do
    ours "$ETC/$file" || die "$ETC/$file is not from these tests: this machine has a Slurm of its own, left alone"
  done
}

install_packages() {
  local package missing=()
  for package in munge slurmctld slurmd slurm-client slurmdbd mariadb-server; do
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
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$STATE/log/apt.log" 2>&1 ||
    { tail -n 5 "$STATE/log/apt.log" >&2; die "could not install ${missing[*]}"; }
}

# fill TEMPLATE: replaces @NAME@ by the value of the variable NAME, for all names in templates.
fill() {
  local name script=""
  for name in MARK NODE ADDRESS STATE CPUS MEMORY_MB GPUS DATABASE_PORT SECOND_PORT PASSWORD; do
    script+="s|@$name@|${!name}|g;"
  done
  sed "$script" "$here/$1"
}

write_configuration() {
  mkdir -p "$ETC"
  if [ ! -s "$STATE/password" ]; then
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$STATE/password")
  fi
  PASSWORD=$(<"$STATE/password")
  fill slurm.conf.in >"$ETC/slurm.conf"
  (umask 077 && fill slurmdbd.conf.in >"$ETC/slurmdbd.conf")
  chmod 600 "$ETC/slurmdbd.conf"

  # A pretended GPU is a device node that behaves like /dev/null.
  printf '%s\n' "$MARK" >"$ETC/gres.conf"
  local i
  for ((i = 0; i < GPUS; i++)); do
    [ -e "$STATE/gpu$i" ] || mknod -m 666 "$STATE/gpu$i" c 1 3
    printf 'NodeName=%s,%s-second Name=gpu File=%s\n' "$NODE" "$NODE" "$STATE/gpu$i" >>"$ETC/gres.conf"
  done
}

# start NAME ARGUMENT...: starts a daemon in the background, with its pid and log under $STATE.
start() {
  local name=$1
  shift
  if running "$name"; then
    say "$name is up"
    return
  fi
  start-stop-daemon --start --quiet --background --make-pidfile --pidfile "$STATE/run/$name.pid" \
    --output "$STATE/log/$name.log" "${as_user[@]}" --exec "$(program "$name")" -- "$@"
  as_user=()
}
as_user=()

start_munge() {
  ! munge --no-input >/dev/null 2>&1 || return 0 # a munge daemon runs, perhaps the system's
  install -d -o munge -g munge -m 755 /run/munge
  install -d -o munge -g munge -m 700 /etc/munge /var/lib/munge /var/log/munge
  if [ ! -s /etc/munge/munge.key ]; then
    head -c 1024 /dev/urandom >/etc/munge/munge.key
    chown munge:munge /etc/munge/munge.key
    chmod 400 /etc/munge/munge.key
  fi
  as_user=(--chuid munge:munge)
  start munged --foreground
  wait_until 10 munge munge --no-input
}

sql() { mariadb --no-defaults --user=root --socket="$STATE/database/socket" "$@"; }

start_accounting() {
  if [ ! -d "$STATE/database/data/mysql" ]; then
    install -d -o mysql -g mysql "$STATE/database" "$STATE/database/data"
    mariadb-install-db --no-defaults --user=mysql --datadir="$STATE/database/data" --skip-test-db \
      --auth-root-authentication-method=socket --auth-root-socket-user=root >"$STATE/log/database-setup.log" 2>&1
  fi
  start mariadbd --no-defaults --user=mysql --datadir="$STATE/database/data" --socket="$STATE/database/socket" \
    --pid-file="$STATE/database/own.pid" --bind-address=127.0.0.1 --port="$DATABASE_PORT" \
    --innodb-buffer-pool-size=64M --innodb-lock-wait-timeout=900
  wait_until 30 mariadbd sql --execute 'select 1'
  sql <<SQL
create database if not exists slurm_acct_db;
create or replace user slurm@'127.0.0.1' identified by '$PASSWORD';
create or replace user slurm@localhost identified by '$PASSWORD';
grant all on slurm_acct_db.* to slurm@'127.0.0.1';
grant all on slurm_acct_db.* to slurm@localhost;
SQL
  start slurmdbd -D
  wait_until 30 slurmdbd sacctmgr --noheader list cluster
  # sacctmgr fails if an entry exists already; the next command checks that it exists.
  sacctmgr --immediate add cluster tabpo >/dev/null 2>&1 || true
  sacctmgr --immediate add account tabpo description=tests organization=tabpo >/dev/null 2>&1 || true
  sacctmgr --immediate add user root account=tabpo >/dev/null 2>&1 || true
  sacctmgr --noheader list user root withassoc format=account | grep -qw tabpo || die "sacctmgr knows no account tabpo"
}

nodes_ready() { [ "$(sinfo --noheader --Node --partition both --format %t | grep -cxE 'idle|mix|alloc')" = 2 ]; }

start_scheduler() {
  start slurmctld -D
  wait_until 30 slurmctld sh -c 'scontrol ping | grep -q UP'
  start slurmd -D -N "$NODE"
  start slurmd-second -D -N "$NODE-second"
  scontrol update nodename="$NODE,$NODE-second" state=resume >/dev/null 2>&1 || true # only needed for nodes that were down
  wait_until 60 "the nodes" nodes_ready
}

check_machine
mkdir -p "$STATE"/{run,log,slurmctld,database,"$NODE","$NODE-second"}
install_packages
write_configuration
start_munge
start_accounting
start_scheduler
say "ready: $(sinfo --noheader --format 'partition %P, %D nodes of %c CPUs, %m MB, %G')"
