"""Make the model that SFT starts from: from scratch, from a folder, from a GGUF file, or from the hub."""


rule base:
    """Make the folder that SFT starts from; the lengths of all prompts and answers are checked with its tokenizer."""
    input:
        prompts=results("{dataset}/prompts/train.parquet"),
        held_out_prompts=held_out_prompts,
        preferences=measured_preferences,
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
        " --prompts {input.prompts:q} {input.held_out_prompts:q}"
        " --preferences {input.preferences:q}"
        " --output {output.base:q}"
        " 2>> {log:q}"
