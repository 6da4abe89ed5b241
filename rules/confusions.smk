"""Count and draw confusions: of SFT models on dev or on folds of train, and between two annotators."""

FOLDS = range(1, 6)

FOLD = "{dataset}/{model}/sft/seed{seed}/fold{fold}"


wildcard_constraints:
    fold=either(FOLDS),


rule confusions_dev:
    """Count the SFT model's confusions on held-out prompts: on all of dev, on dev_confusion, or on folds of train."""
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
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.confusions"
        " --predictions {input.predictions:q}"
        " --prompts {input.prompts:q}"
        " --documents {input.documents:q}"
        " --ontology {input.ontology:q}"
        " --split {params.split}"
        " --output {output.confusions:q}"
        " --output-ids {output.ids:q}"
        " 2>> {log:q}"


use rule confusions_dev as confusions with:
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
    group:
        "answers"


use rule confusions_dev as confusions_crossfit with:
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


rule confusion_figures:
    """Draw the confusion tables of a model's seeds as heat maps, and measure how much the tables differ."""
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
    localrule: True
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.confusion_figures"
        " --settings {params.settings:q}"
        " --title {params.title:q}"
        " --confusions {input.confusions:q}"
        " --output {output.stability:q}"
        " --output-figures {output.figures:q}"
        " 2>> {log:q}"


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


rule folds:
    """Divide the training prompts into folds of whole groups."""
    input:
        prompts=results("{dataset}/prompts/train.parquet"),
        documents=results("{dataset}/documents/train.parquet"),
    output:
        train=expand(results("{dataset}/prompts/fold{fold}/train.parquet"), fold=FOLDS, allow_missing=True),
        held_out=expand(results("{dataset}/prompts/fold{fold}/held_out.parquet"), fold=FOLDS, allow_missing=True),
    log:
        results("logs/folds/{dataset}.log"),
    benchmark:
        results("benchmarks/folds/{dataset}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.folds"
        " --prompts {input.prompts:q}"
        " --documents {input.documents:q}"
        " --output-train {output.train:q}"
        " --output-held-out {output.held_out:q}"
        " 2>> {log:q}"


use rule sft as sft_fold with:
    input:
        base=results("{dataset}/{model}/base"),
        prompts=results("{dataset}/prompts/fold{fold}/train.parquet"),
        held_out_prompts=results("{dataset}/prompts/dev_select.parquet"),
        choices=run_choices,
    output:
        run=results(f"{FOLD}/run.yaml"),
        model=temporary_model(directory(results(f"{FOLD}/model"))),
        log_steps=results(f"{FOLD}/training.parquet"),
        timing=results(f"{FOLD}/timing.parquet"),
        selection=results(f"{FOLD}/selection.json"),
        provenance=results(f"{FOLD}/provenance.json"),
    params:
        settings=sft_settings,
        checkpoints=results("checkpoints/{dataset}+{model}+sft+seed{seed}+fold{fold}"),
        events=results("logs/events/{dataset}/{model}/sft/seed{seed}.fold{fold}"),
    log:
        results("logs/sft_fold/{dataset}/{model}/seed{seed}/fold{fold}.log"),
    benchmark:
        results("benchmarks/sft_fold/{dataset}/{model}/seed{seed}/fold{fold}.tsv")


use rule predict as predict_fold with:
    input:
        model=results(f"{FOLD}/model"),
        prompts=results("{dataset}/prompts/fold{fold}/held_out.parquet"),
        ontology=dataset_ontology,
    output:
        completions=results(f"{FOLD}/completions.parquet"),
    log:
        results("logs/predict_fold/{dataset}/{model}/seed{seed}/fold{fold}.log"),
    benchmark:
        results("benchmarks/predict_fold/{dataset}/{model}/seed{seed}/fold{fold}.tsv")


use rule score as score_fold with:
    input:
        completions=results(f"{FOLD}/completions.parquet"),
        prompts=results("{dataset}/prompts/fold{fold}/held_out.parquet"),
        documents=results("{dataset}/documents/train.parquet"),
        ontology=dataset_ontology,
    output:
        predictions=results(f"{FOLD}/predictions.parquet"),
        scores=results(f"{FOLD}/scores.json"),
        counts=results(f"{FOLD}/scores.counts.parquet"),
    params:
        look=[],
    log:
        results("logs/score_fold/{dataset}/{model}/seed{seed}/fold{fold}.log"),
    benchmark:
        results("benchmarks/score_fold/{dataset}/{model}/seed{seed}/fold{fold}.tsv")


use rule confusion_figures as confusion_figures_crossfit with:
    input:
        confusions=expand(
            results("{dataset}/{model}/confusions/crossfit/seed{seed}.parquet"), seed=STUDY.seeds, allow_missing=True
        ),
    output:
        stability=results("{dataset}/{model}/confusions/crossfit/stability.json"),
        figures=expand(
            results("figures/confusions/{dataset}/{model}/crossfit/seed{seed}.svg"),
            seed=STUDY.seeds,
            allow_missing=True,
        ),
    params:
        settings=figure_settings,
        title=titled("{dataset}, {model}, train by folds"),
    log:
        results("logs/confusion_figures_crossfit/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/confusion_figures_crossfit/{dataset}/{model}.tsv")


rule disagreement:
    """Count where two annotators differ, on train and dev_confusion."""
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
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.disagreement"
        " --settings {params.settings:q}"
        " --title {params.title:q}"
        " --second {params.second:q}"
        " --prompts {input.prompts:q}"
        " --documents {input.documents:q}"
        " --ontology {input.ontology:q}"
        " --output {output.confusions:q}"
        " --output-ids {output.ids:q}"
        " --output-figure {output.figure:q}"
        " 2>> {log:q}"


rule human:
    """Score the second annotator's test documents against the first annotator's, like a model's answers."""
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
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.human"
        " --settings {params.settings:q}"
        " --second {params.second:q}"
        " --prompts {input.prompts:q}"
        " --documents {input.documents:q}"
        " --ontology {input.ontology:q}"
        " --output-predictions {output.predictions:q}"
        " --output-scores {output.scores:q}"
        " --output-counts {output.counts:q}"
        " 2>> {log:q}"
