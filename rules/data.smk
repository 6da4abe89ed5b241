"""Make documents and prompts from published, generated or the user's files."""


rule fetch:
    """Copy the published files from TABPO_DATA, or download them, and check their hashes."""
    output:
        train=results("{dataset}/source/train.json"),
        dev=results("{dataset}/source/dev.json"),
        test=results("{dataset}/source/test.json"),
    params:
        source=dataset_source,
    log:
        results("logs/fetch/{dataset}.log"),
    benchmark:
        results("benchmarks/fetch/{dataset}.tsv")
    localrule: True
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    shell:
        "python -m workflow_scripts.fetch --source {params.source} --outputs {output:q} 2>> {log:q}"


use rule fetch as fetch_pubtator with:
    output:
        train=results("{dataset}/source/train.pubtator"),
        dev=results("{dataset}/source/dev.pubtator"),
        test=results("{dataset}/source/test.pubtator"),
    log:
        results("logs/fetch_pubtator/{dataset}.log"),
    benchmark:
        results("benchmarks/fetch_pubtator/{dataset}.tsv")


use rule fetch as fetch_second with:
    output:
        second=results("{dataset}/source/second.json"),
    log:
        results("logs/fetch_second/{dataset}.log"),
    benchmark:
        results("benchmarks/fetch_second/{dataset}.tsv")


use rule fetch as fetch_other with:
    output:
        test=results("{dataset}/source/{other}.json"),
    log:
        results("logs/fetch_other/{dataset}/{other}.log"),
    benchmark:
        results("benchmarks/fetch_other/{dataset}/{other}.tsv")


rule documents:
    """Convert published files or generated texts to documents of one format."""
    input:
        files=dataset_splits,
        ontology=dataset_ontology,
    output:
        train=results("{dataset}/documents/train.parquet"),
        dev=results("{dataset}/documents/dev.parquet"),
        test=results("{dataset}/documents/test.parquet"),
        card=results("{dataset}/card.json"),
        page=results("{dataset}/card.md"),
    wildcard_constraints:
        dataset=either(STUDY.annotated_datasets()),
    params:
        settings=document_settings,
        sources=dataset_splits,
        content=folder_content(dataset_splits),
    log:
        results("logs/documents/{dataset}.log"),
    benchmark:
        results("benchmarks/documents/{dataset}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.documents"
        " --settings {params.settings:q}"
        " --sources {params.sources:q}"
        " --ontology {input.ontology:q}"
        " --output-train {output.train:q}"
        " --output-dev {output.dev:q}"
        " --output-test {output.test:q}"
        " --output-card {output.card:q}"
        " --output-page {output.page:q}"
        " 2>> {log:q}"


rule prompts:
    """Write one prompt and gold answer for each unit, and divide dev into two halves of whole groups."""
    input:
        train=results("{dataset}/documents/train.parquet"),
        dev=results("{dataset}/documents/dev.parquet"),
        test=results("{dataset}/documents/test.parquet"),
        ontology=dataset_ontology,
    output:
        train=results("{dataset}/prompts/train.parquet"),
        dev_confusion=results("{dataset}/prompts/dev_confusion.parquet"),
        dev_select=results("{dataset}/prompts/dev_select.parquet"),
        test=results("{dataset}/prompts/test.parquet"),
    wildcard_constraints:
        dataset=either(STUDY.annotated_datasets()),
    params:
        settings=prompt_settings,
    log:
        results("logs/prompts/{dataset}.log"),
    benchmark:
        results("benchmarks/prompts/{dataset}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.prompts"
        " --settings {params.settings:q}"
        " --train {input.train:q}"
        " --dev {input.dev:q}"
        " --test {input.test:q}"
        " --ontology {input.ontology:q}"
        " --output-train {output.train:q}"
        " --output-dev-confusion {output.dev_confusion:q}"
        " --output-dev-select {output.dev_select:q}"
        " --output-test {output.test:q}"
        " 2>> {log:q}"


use rule prompts as prompts_with_shots with:
    output:
        train=results("{dataset}/prompts/shots{shots}/train.parquet"),
        dev_confusion=results("{dataset}/prompts/shots{shots}/dev_confusion.parquet"),
        dev_select=results("{dataset}/prompts/shots{shots}/dev_select.parquet"),
        test=results("{dataset}/prompts/shots{shots}/test.parquet"),
    wildcard_constraints:
        dataset=either(STUDY.annotated_datasets()),
        shots="[0-9]+",
    params:
        settings=shot_settings,
    log:
        results("logs/prompts_with_shots/{dataset}/{shots}.log"),
    benchmark:
        results("benchmarks/prompts_with_shots/{dataset}/{shots}.tsv")


rule other_test:
    """Convert a further test split to documents and prompts; no text of it may be in another split."""
    input:
        source=other_test,
        documents=expand(results("{dataset}/documents/{split}.parquet"), split=SPLITS, allow_missing=True),
        ontology=dataset_ontology,
    output:
        documents=results("{dataset}/documents/{other}.parquet"),
        prompts=results("{dataset}/prompts/{other}.parquet"),
        card=results("{dataset}/other_tests/{other}.json"),
    params:
        settings=other_test_settings,
        source=other_test,
        content=folder_content(lambda wildcards: [other_test(wildcards)]),
    log:
        results("logs/other_test/{dataset}/{other}.log"),
    benchmark:
        results("benchmarks/other_test/{dataset}/{other}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.other_test"
        " --settings {params.settings:q}"
        " --source {params.source:q}"
        " --documents {input.documents:q}"
        " --ontology {input.ontology:q}"
        " --output-documents {output.documents:q}"
        " --output-prompts {output.prompts:q}"
        " --output-card {output.card:q}"
        " 2>> {log:q}"


rule second_card:
    """Count what a second annotator has annotated of each split, left out, and written in ways that are passed over."""
    input:
        second=second_of_all,
        documents=expand(results("{dataset}/documents/{split}.parquet"), split=SPLITS, allow_missing=True),
        ontology=dataset_ontology,
    output:
        card=results("{dataset}/second_annotator.json"),
    params:
        settings=second_card_settings,
        content=folder_content(second_of_all),
    log:
        results("logs/second_card/{dataset}.log"),
    benchmark:
        results("benchmarks/second_card/{dataset}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.second_card"
        " --settings {params.settings:q}"
        " --documents {input.documents:q}"
        " --ontology {input.ontology:q}"
        " --output {output.card:q}"
        " 2>> {log:q}"
