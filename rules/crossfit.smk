"""SFT models that did not see a fold of train, and their answers to it."""


rule folds:
    """Deal the training prompts to folds, whole groups each."""
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
        mem_mb=memory(2000),
        runtime=30,
    shell:
        "python -m workflow_scripts.folds"
        " --prompts {input.prompts}"
        " --documents {input.documents}"
        " --output-train {output.train}"
        " --output-held-out {output.held_out}"
        " 2>> {log}"


use rule sft as sft_fold with:
    input:
        base=results("{dataset}/{model}/base"),
        prompts=results("{dataset}/prompts/fold{fold}/train.parquet"),
        held_out_prompts=results("{dataset}/prompts/dev_select.parquet"),
    output:
        run=results(f"{FOLD}/run.yaml"),
        model=passing(directory(results(f"{FOLD}/model"))),
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
