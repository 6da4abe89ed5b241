"""A second annotator's documents: where two people differ is a source of confusions, how far they agree a row."""


rule disagreement:
    """Count where two annotators differ on train and on the half of dev that is for confusions."""
    input:
        second=second_of_train_and_dev,
        prompts=expand(results("{dataset}/prompts/{part}.parquet"), part=["train", "dev_confusion"], allow_missing=True),
        documents=expand(results("{dataset}/documents/{split}.parquet"), split=["train", "dev"], allow_missing=True),
        ontology=dataset_ontology,
    output:
        confusions=results("{dataset}/disagreement/confusions.parquet"),
        ids=results("{dataset}/disagreement/confusions.ids.txt"),
        figure=results("figures/confusions/{dataset}/disagreement.svg"),
    params:
        settings=second_settings,
        second=second_of_train_and_dev,
        content=folder_content(second_of_train_and_dev),
        title=titled("{dataset}, two annotators"),
    log:
        results("logs/disagreement/{dataset}.log"),
    benchmark:
        results("benchmarks/disagreement/{dataset}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    shell:
        "python -m workflow_scripts.disagreement"
        " --settings {params.settings:q}"
        " --title {params.title:q}"
        " --second {params.second:q}"
        " --prompts {input.prompts}"
        " --documents {input.documents}"
        " --ontology {input.ontology}"
        " --output {output.confusions}"
        " --output-ids {output.ids}"
        " --output-figure {output.figure}"
        " 2>> {log}"


rule human:
    """Score the second annotator's test documents by what models are scored by."""
    input:
        second=second_of_test,
        prompts=results("{dataset}/prompts/test.parquet"),
        documents=results("{dataset}/documents/test.parquet"),
        ontology=dataset_ontology,
    output:
        predictions=results("{dataset}/human/predictions/test.parquet"),
        scores=results("{dataset}/human/scores/test.json"),
        counts=results("{dataset}/human/scores/test.counts.parquet"),
    params:
        settings=second_settings,
        second=second_of_test,
        content=folder_content(second_of_test),
    log:
        results("logs/human/{dataset}.log"),
    benchmark:
        results("benchmarks/human/{dataset}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    shell:
        "python -m workflow_scripts.human"
        " --settings {params.settings:q}"
        " --second {params.second:q}"
        " --prompts {input.prompts}"
        " --documents {input.documents}"
        " --ontology {input.ontology}"
        " --output-predictions {output.predictions}"
        " --output-scores {output.scores}"
        " --output-counts {output.counts}"
        " 2>> {log}"
