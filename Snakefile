"""Make comparison tables from annotated texts; `snakemake --configfile config/demo.yaml` runs the demo."""

import os
import shlex
import sys

if not workflow.overwrite_configfiles:  # Snakemake would merge a second file with this one, key by key

    configfile: f"{workflow.basedir}/config/config.yaml"


sys.path.insert(0, workflow.basedir)
# The shell ignores a scheduler's warning, which is for the program that it runs.
shell.prefix(f"set -euo pipefail; trap '' USR1; export PYTHONPATH={shlex.quote(str(workflow.basedir))}; ")

if image := os.environ.get("TABPO_IMAGE"):  # used with `--sdm apptainer`; docs/cluster.md

    container: image


include: "rules/start.smk"
include: "rules/common.smk"
include: "rules/inputs.smk"
include: "rules/resources.smk"
include: "rules/data.smk"
include: "rules/base.smk"
include: "rules/sft.smk"
include: "rules/evaluate.smk"
include: "rules/pairs.smk"
include: "rules/confusions.smk"
include: "rules/preferences.smk"
include: "rules/train.smk"
include: "rules/tables.smk"
include: "rules/export.smk"
include: "rules/failures.smk"
include: "rules/progress.smk"


if STUDY.tuning:

    include: "rules/tuning.smk"


rule all:
    """Make the tables, figures and report of the study, with everything that they need."""
    default_target: True
    input:
        STUDY_FILES,
    localrule: True
