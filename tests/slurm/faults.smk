# The workflow of test_faults.py: jobs of seconds, and the project's changes of Snakemake.
import sys

PROJECT = config["project"]
sys.path.insert(0, PROJECT)
shell.prefix(f"set -euo pipefail; trap '' USR1; export PYTHONPATH={PROJECT}; ")


include: f"{PROJECT}/rules/start.smk"


def how_to_raise_memory(job):
    return f"mem_mb of {job.rule.name} is {job.resources.mem_mb}"


rule all:
    input:
        expand("out/{name}/result", name=config["names"].split()),
    localrule: True


rule work:
    output:
        run="out/{name}/run",
        result="out/{name}/result",
    params:
        steps=config["steps"],
        checkpoints="checkpoints/{name}",
    log:
        "logs/{name}.log",
    resources:
        slurm_extra="--signal=USR1@30",
    shell:
        "exec python {PROJECT}/tests/slurm/work.py {params.steps} {params.checkpoints} {output.run} {output.result} 2>> {log}"
