"""From what SFT confuses on held-out data to preference pairs and their reference log-probs."""


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
        " --split dev_confusion"
        " --output {output.confusions}"
        " --output-ids {output.ids}"
        " 2>> {log}"


rule pairs:
    """Draw rejected answers from the confusions, by schema-valid edits of the gold answers."""
    input:
        confusions=results("{dataset}/{model}/confusions/seed{seed}.parquet"),
        prompts=results("{dataset}/prompts/train.parquet"),
        documents=results("{dataset}/documents/train.parquet"),
        ontology=dataset_ontology,
        ambiguities=dataset_ambiguities,
        base=results("{dataset}/{model}/base"),
    output:
        pairs=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"),
        audit=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.audit.json"),
    params:
        settings=pairing_settings,
    log:
        results("logs/pairs/{dataset}/{model}/{pairing}/seed{seed}.log"),
    benchmark:
        results("benchmarks/pairs/{dataset}/{model}/{pairing}/seed{seed}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=60,
    shell:
        "python -m workflow_scripts.pairs"
        " --settings {params.settings:q}"
        " --confusions {input.confusions}"
        " --prompts {input.prompts}"
        " --documents {input.documents}"
        " --ontology {input.ontology}"
        " --ambiguities {input.ambiguities}"
        " --base {input.base}"
        " --output {output.pairs}"
        " --output-audit {output.audit}"
        " 2>> {log}"


rule isolation:
    """Prove that no dev_select or test record is in confusions or pairs, and no pair stems from outside train."""
    input:
        ids=results("{dataset}/{model}/confusions/seed{seed}.ids.txt"),
        pairs=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"),
        train=results("{dataset}/prompts/train.parquet"),
        dev_confusion=results("{dataset}/prompts/dev_confusion.parquet"),
        dev_select=results("{dataset}/prompts/dev_select.parquet"),
        test=results("{dataset}/prompts/test.parquet"),
    output:
        isolation=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.isolation.json"),
    log:
        results("logs/isolation/{dataset}/{model}/{pairing}/seed{seed}.log"),
    benchmark:
        results("benchmarks/isolation/{dataset}/{model}/{pairing}/seed{seed}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    shell:
        "python -m workflow_scripts.isolation"
        " --ids {input.ids}"
        " --pairs {input.pairs}"
        " --train {input.train}"
        " --dev-confusion {input.dev_confusion}"
        " --dev-select {input.dev_select}"
        " --test {input.test}"
        " --output {output.isolation}"
        " 2>> {log}"


rule reference:
    """Score both completions of every pair once with the frozen SFT model."""
    input:
        sft=results("{dataset}/{model}/sft/seed{seed}/model"),
        pairs=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"),
        prompts=results("{dataset}/prompts/train.parquet"),
    output:
        reference=results("{dataset}/{model}/reference/{pairing}/seed{seed}.parquet"),
    params:
        settings=reference_settings,
        scorer_version=SCORER_VERSION,
    log:
        results("logs/reference/{dataset}/{model}/{pairing}/seed{seed}.log"),
    benchmark:
        results("benchmarks/reference/{dataset}/{model}/{pairing}/seed{seed}.tsv")
    conda:
        "../envs/train.yaml"
    threads: model_threads
    resources:
        gpu=model_gpus,
        nodes=model_nodes,
        mem_mb=model_memory,
        runtime=model_runtime,
    shell:
        "python -m workflow_scripts.reference"
        " --settings {params.settings:q}"
        " --scorer-version {params.scorer_version}"
        " --sft {input.sft}"
        " --pairs {input.pairs}"
        " --prompts {input.prompts}"
        " --output {output.reference}"
        " 2>> {log}"
