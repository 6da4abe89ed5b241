#!/usr/bin/env bash
# The main process of a study as a job of Slurm, which submits itself again before its time ends, until the study is
# complete. Its arguments are those of snakemake. `make submit` calls it; by hand, in the checkout:
#
#     sbatch --account=my_group profiles/slurm/main_process.sh --profile slurm --configfile config/my_study.yaml
#
# Ten minutes before its time ends, Slurm warns it. It then submits its successor, which waits for its end, and asks
# Snakemake to end: no new jobs start, and what ends meanwhile is noted. Jobs that still run after eight minutes go on by
# themselves, and the successor waits for them.
#
# TABPO_SBATCH has options of sbatch for successors (`make submit` sets it). If a job fails for good, the run ends with
# Snakemake's code, and no successor starts.
#SBATCH --job-name=tabpo
#SBATCH --cpus-per-task=2
#SBATCH --mem=4000
#SBATCH --time=1-00:00:00
#SBATCH --signal=B:USR1@600
#SBATCH --output=tabpo-%j.log
set -uo pipefail
cd "${SLURM_SUBMIT_DIR:?is set by sbatch}"
GRACE_S=${TABPO_GRACE_S:-480} # from the warning until Snakemake is killed

own=$SLURM_JOB_ID script=profiles/slurm/main_process.sh # not $0, which is Slurm's copy
# Snakemake's jobs must not inherit the request of this job.
for name in "${!SLURM_@}"; do [ "$name" = SLURM_CONF ] || unset "$name"; done
. .venv/bin/activate

submit_successor() {
  local attempt
  for attempt in 1 2 3 4 5; do
    successor=$(sbatch --parsable --dependency="afterany:$own" ${TABPO_SBATCH:-} "$script" "$@") && return
    sleep 10
  done
  echo "main process: no successor could be submitted; give the same command again" >&2
}

successor=
arguments=("$@")
on_warning() {
  trap '' USR1
  submit_successor "${arguments[@]}"
  echo "main process: its time ends; Slurm job $successor goes on" >&2
  kill -TERM "$main" 2>/dev/null
  # A watch, which ends with the main process.
  (timeout "$GRACE_S" tail --pid="$main" -f /dev/null || kill -KILL "$main") &
}
snakemake "$@" &
main=$!
trap on_warning USR1
# A signal ends `wait`, and its code is then that of the signal.
while wait "$main"; code=$?; kill -0 "$main" 2>/dev/null; do :; done

if [ "$code" = 0 ] && [ -n "$successor" ]; then scancel "$successor"; fi
if [ -n "$successor" ]; then exit 0; fi
exit "$code"
