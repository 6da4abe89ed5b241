"""From annotated text to the comparison table of a paper; `snakemake --configfile config/demo.yaml` runs the demo."""

import sys

from snakemake.settings.types import MaxJobsPerTimespan

if not workflow.overwrite_configfiles:  # a second file would be merged with this one, key by key

    configfile: f"{workflow.basedir}/config/config.yaml"


sys.path.insert(0, workflow.basedir)
shell.prefix(f"set -euo pipefail; export PYTHONPATH='{workflow.basedir}'; ")

# Snakemake 9.27.1 limits starts to 100 a second, and with a limit looks over all jobs that are ready a second after
# each look: one more look a second for every job that has ended, in the end a core's whole time. This lifts the limit.
MaxJobsPerTimespan.__bool__ = lambda limit: False

from tabpo.training.stopping import pass_on_warnings

if not workflow.is_main_process:  # a job's own Snakemake, which Slurm warns in the place of what it runs
    pass_on_warnings()


include: "rules/common.smk"
include: "rules/functions.smk"
include: "rules/resources.smk"
include: "rules/data.smk"
include: "rules/base.smk"
include: "rules/sft.smk"
include: "rules/confusions.smk"
include: "rules/pairs.smk"
include: "rules/preferences.smk"
include: "rules/audit.smk"
include: "rules/second_annotator.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/crossfit.smk"
include: "rules/endpoint.smk"
include: "rules/tables.smk"


localrules:
    all,
    ask,
    fetch,


rule all:
    """The study's tables; everything else is made because they need it."""
    default_target: True
    input:
        STUDY_FILES,
