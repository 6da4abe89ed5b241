"""Make preference pairs, their reference log-probs, and the audit of each file of pairs."""


rule pairs:
    """Draw rejected answers from the confusions, as schema-valid edits of the gold answers."""
    input:
        confusions=pairing_confusions,
        prompts=results("{dataset}/prompts/train.parquet"),
        documents=results("{dataset}/documents/train.parquet"),
        ontology=dataset_ontology,
        ambiguities=dataset_ambiguities,
        base=results("{dataset}/{model}/base"),
    output:
        pairs=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"),
        drawn=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.drawn.json"),
    wildcard_constraints:
        pairing=either(STUDY.drawn_pairings()),
    params:
        settings=pairing_settings,
    log:
        results("logs/pairs/{dataset}/{model}/{pairing}/seed{seed}.log"),
    benchmark:
        results("benchmarks/pairs/{dataset}/{model}/{pairing}/seed{seed}.tsv")
    group:
        pairs_group
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "python -m workflow_scripts.pairs"
        " --settings {params.settings:q}"
        " --confusions {input.confusions:q}"
        " --prompts {input.prompts:q}"
        " --documents {input.documents:q}"
        " --ontology {input.ontology:q}"
        " --ambiguities {input.ambiguities:q}"
        " --base {input.base:q}"
        " --output {output.pairs:q}"
        " --output-drawn {output.drawn:q}"
        " 2>> {log:q}"


rule on_policy:
    """Pair the gold answers with the SFT model's own wrong answers to the training prompts."""
    input:
        predictions=results("{dataset}/{model}/sft/seed{seed}/predictions/train.parquet"),
        prompts=results("{dataset}/prompts/train.parquet"),
        documents=results("{dataset}/documents/train.parquet"),
        ontology=dataset_ontology,
        base=results("{dataset}/{model}/base"),
    output:
        pairs=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"),
        drawn=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.drawn.json"),
    wildcard_constraints:
        pairing=either(STUDY.on_policy_pairings()),
    params:
        settings=pairing_settings,
    log:
        results("logs/on_policy/{dataset}/{model}/{pairing}/seed{seed}.log"),
    benchmark:
        results("benchmarks/on_policy/{dataset}/{model}/{pairing}/seed{seed}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "python -m workflow_scripts.on_policy"
        " --settings {params.settings:q}"
        " --predictions {input.predictions:q}"
        " --prompts {input.prompts:q}"
        " --documents {input.documents:q}"
        " --ontology {input.ontology:q}"
        " --base {input.base:q}"
        " --output {output.pairs:q}"
        " --output-drawn {output.drawn:q}"
        " 2>> {log:q}"


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
    group:
        "reference"
    conda:
        "../envs/train.yaml"
    threads: model_threads
    resources:
        gpu=node_gpus,
        nodes=1,
        mem_mb=model_memory,
        runtime=model_runtime,
        slurm_extra=warning,
    shell:
        "python -m workflow_scripts.on_gpus {resources.gpu} reference"
        " --settings {params.settings:q}"
        " --scorer-version {params.scorer_version}"
        " --sft {input.sft:q}"
        " --pairs {input.pairs:q}"
        " --prompts {input.prompts:q}"
        " --output {output.reference:q}"
        " 2>> {log:q}"


use rule reference as token_scores with:
    input:
        sft=results("{dataset}/{model}/{method}/seed{seed}/model"),
        pairs=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"),
        prompts=results("{dataset}/prompts/train.parquet"),
    output:
        reference=results("{dataset}/{model}/token_scores/{pairing}/{method}/seed{seed}.parquet"),
    wildcard_constraints:
        method=either(METHODS),
    params:
        settings=held_out_logp_settings,
        scorer_version=SCORER_VERSION,
    log:
        results("logs/token_scores/{dataset}/{model}/{pairing}/{method}/seed{seed}.log"),
    benchmark:
        results("benchmarks/token_scores/{dataset}/{model}/{pairing}/{method}/seed{seed}.tsv")


rule audit:
    """Prove that pairs may be used for training; write this audit of them as JSON and as a Markdown page."""
    input:
        pairs=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"),
        drawn=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.drawn.json"),
        ids=pairing_confusion_ids,
        train=results("{dataset}/prompts/train.parquet"),
        dev_confusion=annotated("{dataset}/prompts/dev_confusion.parquet"),
        dev_select=results("{dataset}/prompts/dev_select.parquet"),
        test=results("{dataset}/prompts/test.parquet"),
        documents=annotated("{dataset}/documents/train.parquet"),
        ontology=dataset_ontology,
        reference=results("{dataset}/{model}/reference/{pairing}/seed{seed}.parquet"),
        gold=results("{dataset}/{model}/sft/seed{seed}/gold/dev_select.parquet"),
    output:
        audit=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.audit.json"),
        page=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.md"),
    params:
        settings=pairing_settings,
        title="Pairs {pairing} of {dataset} for {model}, seed {seed}",
    log:
        results("logs/audit/{dataset}/{model}/{pairing}/seed{seed}.log"),
    benchmark:
        results("benchmarks/audit/{dataset}/{model}/{pairing}/seed{seed}.tsv")
    group:
        "reference"
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    shell:
        "python -m workflow_scripts.audit"
        " --settings {params.settings:q}"
        " --title {params.title:q}"
        " --pairs {input.pairs:q}"
        " --drawn {input.drawn:q}"
        " --ids {input.ids:q}"
        " --train {input.train:q}"
        " --dev-confusion {input.dev_confusion:q}"
        " --dev-select {input.dev_select:q}"
        " --test {input.test:q}"
        " --documents {input.documents:q}"
        " --ontology {input.ontology:q}"
        " --reference {input.reference:q}"
        " --gold {input.gold:q}"
        " --output {output.audit:q}"
        " --output-page {output.page:q}"
        " 2>> {log:q}"
