"""What SFT models confuse: on a half of dev, on all of dev, or on train by models that saw other parts of it."""

FOLDS = range(1, 6)

FOLD = "{dataset}/{model}/sft/seed{seed}/fold{fold}"


wildcard_constraints:
    fold=either(FOLDS),


rule confusions:
    """Count what the SFT model confuses on the half of dev kept for it."""
    input:
        predictions=results("{dataset}/{model}/sft/seed{seed}/predictions/dev_confusion.parquet"),
        prompts=results("{dataset}/prompts/dev_confusion.parquet"),
        documents=results("{dataset}/documents/dev.parquet"),
        ontology=dataset_ontology,
    output:
        confusions=results("{dataset}/{model}/confusions/seed{seed}.parquet"),
        ids=results("{dataset}/{model}/confusions/seed{seed}.ids.txt"),
    params:
        split="dev_confusion",
    log:
        results("logs/confusions/{dataset}/{model}/seed{seed}.log"),
    benchmark:
        results("benchmarks/confusions/{dataset}/{model}/seed{seed}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    shell:
        "python -m workflow_scripts.confusions"
        " --predictions {input.predictions}"
        " --prompts {input.prompts}"
        " --documents {input.documents}"
        " --ontology {input.ontology}"
        " --split {params.split}"
        " --output {output.confusions}"
        " --output-ids {output.ids}"
        " 2>> {log}"


use rule confusions as confusions_dev with:
    input:
        predictions=expand(
            results("{dataset}/{model}/sft/seed{seed}/predictions/{half}.parquet"),
            half=["dev_confusion", "dev_select"],
            allow_missing=True,
        ),
        prompts=expand(
            results("{dataset}/prompts/{half}.parquet"), half=["dev_confusion", "dev_select"], allow_missing=True
        ),
        documents=results("{dataset}/documents/dev.parquet"),
        ontology=dataset_ontology,
    output:
        confusions=results("{dataset}/{model}/confusions/dev/seed{seed}.parquet"),
        ids=results("{dataset}/{model}/confusions/dev/seed{seed}.ids.txt"),
    params:
        split="dev",
    log:
        results("logs/confusions_dev/{dataset}/{model}/seed{seed}.log"),
    benchmark:
        results("benchmarks/confusions_dev/{dataset}/{model}/seed{seed}.tsv")


use rule confusions as confusions_crossfit with:
    input:
        predictions=expand(results(f"{FOLD}/predictions.parquet"), fold=FOLDS, allow_missing=True),
        prompts=results("{dataset}/prompts/train.parquet"),
        documents=results("{dataset}/documents/train.parquet"),
        ontology=dataset_ontology,
    output:
        confusions=results("{dataset}/{model}/confusions/crossfit/seed{seed}.parquet"),
        ids=results("{dataset}/{model}/confusions/crossfit/seed{seed}.ids.txt"),
    params:
        split="crossfit",
    log:
        results("logs/confusions_crossfit/{dataset}/{model}/seed{seed}.log"),
    benchmark:
        results("benchmarks/confusions_crossfit/{dataset}/{model}/seed{seed}.tsv")
