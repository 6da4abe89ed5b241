"""What is other than Snakemake has it, from its start on."""

from snakemake.settings.types import MaxJobsPerTimespan

from tabpo.processes.warnings import pass_on_warnings

# Snakemake 9.27.1 limits starts to 100 a second, and with a limit looks over all jobs that are ready a second after
# each look: one more look a second for every job that has ended, in the end a core's whole time. This lifts the limit;
# one of the user's own holds.
MaxJobsPerTimespan.__bool__ = lambda limit: (limit.max_jobs, limit.timespan) != (100, 1)

if not workflow.is_main_process:  # a job's own Snakemake, which Slurm warns in the place of what it runs
    pass_on_warnings()
