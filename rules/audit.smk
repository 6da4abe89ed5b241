"""What a reviewer asks of confusions and pairs: an audit of each file of pairs, heat maps of confusions."""


rule audit:
    """Prove that pairs are fit to train on, and write all that is known of them, as JSON and as a page."""
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
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=memory(4000),
        runtime=30,
    shell:
        "python -m workflow_scripts.audit"
        " --settings {params.settings:q}"
        " --title {params.title:q}"
        " --pairs {input.pairs}"
        " --drawn {input.drawn}"
        " --ids {input.ids}"
        " --train {input.train}"
        " --dev-confusion {input.dev_confusion}"
        " --dev-select {input.dev_select}"
        " --test {input.test}"
        " --documents {input.documents}"
        " --ontology {input.ontology}"
        " --reference {input.reference}"
        " --gold {input.gold}"
        " --output {output.audit}"
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
