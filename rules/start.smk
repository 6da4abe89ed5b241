"""Change Snakemake at its start: its limit of job starts, what it keeps of a job, and how warnings are handled."""

from rules import other_schedulers, patches

from tabpo.processes.warnings import pass_on_warnings

patches.apply(workflow.is_main_process)
if workflow.is_main_process:
    other_schedulers.apply()

if not workflow.is_main_process:  # the Snakemake inside a job: Slurm warns it and not the program that it runs
    pass_on_warnings()
