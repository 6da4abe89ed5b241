"""The model that SFT starts from: built from scratch, copied from a folder, dequantised, or named on the hub."""


rule base:
    """Make tokenizer and weights (a manifest for hub models), with one hash over the weights."""
    input:
        prompts=results("{dataset}/prompts/train.parquet"),
        files=model_files,
    output:
        base=directory(results("{dataset}/{model}/base")),
    params:
        settings=base_settings,
    log:
        results("logs/base/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/base/{dataset}/{model}.tsv")
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=model_memory,
        runtime=model_runtime,
    shell:
        "python -m workflow_scripts.base"
        " --settings {params.settings:q}"
        " --prompts {input.prompts}"
        " --output {output.base}"
        " 2>> {log}"
