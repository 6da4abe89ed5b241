"""What a reviewer asks of confusions and pairs: proofs, a page for each file of pairs, heat maps."""


rule isolation:
    """Prove where confusions and pairs come from, and that both answers of all pairs are what a model is asked for."""
    input:
        ids=pairing_confusion_ids,
        pairs=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"),
        train=results("{dataset}/prompts/train.parquet"),
        dev_confusion=annotated("{dataset}/prompts/dev_confusion.parquet"),
        dev_select=results("{dataset}/prompts/dev_select.parquet"),
        test=results("{dataset}/prompts/test.parquet"),
        documents=annotated("{dataset}/documents/train.parquet"),
        ontology=dataset_ontology,
    output:
        isolation=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.isolation.json"),
    params:
        settings=pairing_settings,
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
        " --settings {params.settings:q}"
        " --ids {input.ids}"
        " --pairs {input.pairs}"
        " --train {input.train}"
        " --dev-confusion {input.dev_confusion}"
        " --dev-select {input.dev_select}"
        " --test {input.test}"
        " --documents {input.documents}"
        " --ontology {input.ontology}"
        " --output {output.isolation}"
        " 2>> {log}"


rule pair_page:
    """Write all that is known of a file of pairs as a page, what the reference makes of it included."""
    input:
        pairs=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"),
        audit=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.audit.json"),
        isolation=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.isolation.json"),
        reference=results("{dataset}/{model}/reference/{pairing}/seed{seed}.parquet"),
        prompts=results("{dataset}/prompts/train.parquet"),
        gold=results("{dataset}/{model}/sft/seed{seed}/gold/dev_select.parquet"),
        held_out_prompts=results("{dataset}/prompts/dev_select.parquet"),
    output:
        report=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.reference.json"),
        page=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.md"),
    params:
        settings=pairing_settings,
        title="Pairs {pairing} of {dataset} for {model}, seed {seed}",
    log:
        results("logs/pair_page/{dataset}/{model}/{pairing}/seed{seed}.log"),
    benchmark:
        results("benchmarks/pair_page/{dataset}/{model}/{pairing}/seed{seed}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=30,
    shell:
        "python -m workflow_scripts.pair_page"
        " --settings {params.settings:q}"
        " --title {params.title:q}"
        " --pairs {input.pairs}"
        " --prompts {input.prompts}"
        " --reference {input.reference}"
        " --gold {input.gold}"
        " --held-out-prompts {input.held_out_prompts}"
        " --audit {input.audit}"
        " --isolation {input.isolation}"
        " --output {output.report}"
        " --output-page {output.page}"
        " 2>> {log}"


rule confusion_figures:
    """Draw the confusion tables of a model's seeds, and say how much they differ."""
    input:
        confusions=expand(
            results("{dataset}/{model}/confusions/seed{seed}.parquet"), seed=STUDY.seeds, allow_missing=True
        ),
    output:
        stability=results("{dataset}/{model}/confusions/stability.json"),
        figures=expand(
            results("figures/confusions/{dataset}/{model}/seed{seed}.svg"), seed=STUDY.seeds, allow_missing=True
        ),
    params:
        settings=figure_settings,
        title=titled("{dataset}, {model}"),
    log:
        results("logs/confusion_figures/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/confusion_figures/{dataset}/{model}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    shell:
        "python -m workflow_scripts.confusion_figures"
        " --settings {params.settings:q}"
        " --title {params.title:q}"
        " --confusions {input.confusions}"
        " --output {output.stability}"
        " --output-figures {output.figures}"
        " 2>> {log}"


use rule confusion_figures as confusion_figures_dev with:
    input:
        confusions=expand(
            results("{dataset}/{model}/confusions/dev/seed{seed}.parquet"), seed=STUDY.seeds, allow_missing=True
        ),
    output:
        stability=results("{dataset}/{model}/confusions/dev/stability.json"),
        figures=expand(
            results("figures/confusions/{dataset}/{model}/dev/seed{seed}.svg"), seed=STUDY.seeds, allow_missing=True
        ),
    params:
        settings=figure_settings,
        title=titled("{dataset}, {model}, all of dev"),
    log:
        results("logs/confusion_figures_dev/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/confusion_figures_dev/{dataset}/{model}.tsv")
