#!/bin/bash
# properties = {properties}
# The script of a job of Grid Engine or PBS. The program `submit` sets TABPO_WARNING_S, TABPO_ENDED and TABPO_PATH.
export PATH=$TABPO_PATH # which a login shell has replaced
export TABPO_RESTARTS=${{RESTARTED:-0}} # Grid Engine's: whether it has started this job before
job=${{JOB_ID:-$PBS_JOBID}}
warned=
trap 'warned=yes' USR1
# Warn all processes of the job some time before the scheduler ends it. The watch ends with this script.
(
  trap '' USR1
  timeout "$TABPO_WARNING_S" tail --pid=$$ -f /dev/null
  if [ $? = 124 ]; then kill -USR1 0; fi
) &
(
  trap '' USR1
  {exec_job}
)
code=$?
# By this code Grid Engine puts a warned job back into the queue; PBS has no such code, and Snakemake submits it again.
if [ -n "$warned" ] && [ $code != 0 ] && [ -n "${{SGE_ROOT:-}}" ]; then exit 99; fi
echo $code >"$TABPO_ENDED/$job.new" && mv "$TABPO_ENDED/$job.new" "$TABPO_ENDED/$job.code"
exit $code
