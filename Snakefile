"""From annotated text to the comparison table of a paper; `snakemake --configfile config/demo.yaml` runs the demo."""

import sys

if not workflow.overwrite_configfiles:  # a second file would be merged with this one, key by key

    configfile: f"{workflow.basedir}/config/config.yaml"


sys.path.insert(0, workflow.basedir)
shell.prefix(f"set -euo pipefail; export PYTHONPATH='{workflow.basedir}'; ")


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


rule all:
    """The study's tables and report; everything else is made because they need it."""
    default_target: True
    input:
        STUDY_FILES,
    localrule: True
