"""Change two behaviours of Snakemake at its start: the limit of job starts, and the handling of warnings."""

from snakemake.settings.types import MaxJobsPerTimespan

from tabpo.processes.warnings import pass_on_warnings

# Snakemake 9.27.1 limits starts to 100 jobs a second. With a limit, it examines all ready jobs again one second after
# each examination, and every ended job adds one more examination a second, until they take the whole time of a core.
# This removes the default limit; a limit that the user sets holds.
MaxJobsPerTimespan.__bool__ = lambda limit: (limit.max_jobs, limit.timespan) != (100, 1)

if not workflow.is_main_process:  # the Snakemake inside a job: Slurm warns it and not the program that it runs
    pass_on_warnings()
