"""Models behind an endpoint: greedy answers without training, of which no seed is a part."""


rule ask:
    """Ask an endpoint for answers to the test prompts; here, since nodes need neither its network nor its key."""
    input:
        prompts=results("{dataset}/prompts/test.parquet"),
    output:
        completions=results("{dataset}/{model}/prompted/completions/test.parquet"),
        provenance=results("{dataset}/{model}/prompted/provenance.json"),
    wildcard_constraints:
        model=either(STUDY.prompted_models()),
    params:
        settings=ask_settings,
        cache=results("checkpoints/{dataset}+{model}+prompted"),
    log:
        results("logs/ask/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/ask/{dataset}/{model}.tsv")
    localrule: True
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=memory(1000),
        runtime=600,
    shell:
        "python -m workflow_scripts.ask"
        " --settings {params.settings:q}"
        " --prompts {input.prompts}"
        " --cache {params.cache}"
        " --output-completions {output.completions}"
        " --output-provenance {output.provenance}"
        " 2>> {log}"


use rule score as score_prompted with:
    input:
        completions=results("{dataset}/{model}/prompted/completions/test.parquet"),
        prompts=results("{dataset}/prompts/test.parquet"),
        documents=results("{dataset}/documents/test.parquet"),
        ontology=dataset_ontology,
    output:
        predictions=results("{dataset}/{model}/prompted/predictions/test.parquet"),
        scores=results("{dataset}/{model}/prompted/scores/test.json"),
        counts=results("{dataset}/{model}/prompted/scores/test.counts.parquet"),
    wildcard_constraints:
        model=either(STUDY.prompted_models()),
    log:
        results("logs/score_prompted/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/score_prompted/{dataset}/{model}.tsv")
