"""Try settings of each method, choose among them on dev_select, and say what was tried."""


use rule sft as sft_trial with:
    output:
        run=results("{dataset}/{model}/{method}/seed{seed}/run.yaml"),
        model=temp(directory(results("{dataset}/{model}/{method}/seed{seed}/model"))),
        log_steps=results("{dataset}/{model}/{method}/seed{seed}/training.parquet"),
        timing=results("{dataset}/{model}/{method}/seed{seed}/timing.parquet"),
        selection=results("{dataset}/{model}/{method}/seed{seed}/selection.json"),
        provenance=results("{dataset}/{model}/{method}/seed{seed}/provenance.json"),
    wildcard_constraints:
        method=either(STUDY.trials([SFT])),
    params:
        settings=run_settings,
        checkpoints=results("checkpoints/{dataset}+{model}+{method}+seed{seed}"),
        events=results("logs/events/{dataset}/{model}/{method}/seed{seed}"),
    log:
        results("logs/sft_trial/{dataset}/{model}/{method}/seed{seed}.log"),
    benchmark:
        results("benchmarks/sft_trial/{dataset}/{model}/{method}/seed{seed}.tsv")


use rule train as train_trial with:
    output:
        run=results("{dataset}/{model}/{method}/seed{seed}/run.yaml"),
        model=temp(directory(results("{dataset}/{model}/{method}/seed{seed}/model"))),
        log_steps=results("{dataset}/{model}/{method}/seed{seed}/training.parquet"),
        timing=results("{dataset}/{model}/{method}/seed{seed}/timing.parquet"),
        selection=results("{dataset}/{model}/{method}/seed{seed}/selection.json"),
        watch=results("{dataset}/{model}/{method}/seed{seed}/watch.json"),
        provenance=results("{dataset}/{model}/{method}/seed{seed}/provenance.json"),
    wildcard_constraints:
        method=either(set(TRIALS) - set(STUDY.trials([SFT]))),
    log:
        results("logs/train_trial/{dataset}/{model}/{method}/seed{seed}.log"),
    benchmark:
        results("benchmarks/train_trial/{dataset}/{model}/{method}/seed{seed}.tsv")


rule choice:
    """Choose among the trials of a method by their scores on dev_select."""
    input:
        scores=trial_scores,
        provenance=trial_provenance,
    output:
        choice=results("{dataset}/{model}/tuning/{method}.json"),
    wildcard_constraints:
        method=either(TUNED),
    params:
        settings=trial_settings,
        results=study_folder,
    log:
        results("logs/choice/{dataset}/{model}/{method}.log"),
    benchmark:
        results("benchmarks/choice/{dataset}/{model}/{method}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    shell:
        "python -m workflow_scripts.choice"
        " --settings {params.settings:q}"
        " --results {params.results:q}"
        " --output {output.choice:q}"
        " 2>> {log:q}"


rule tuning:
    """Write the table of what was tried for each method, what was chosen, and what other budgets would have found."""
    input:
        choices=tuning_choices,
    output:
        csv=results("tables/tuning.csv"),
        md=results("tables/tuning.md"),
        tex=results("tables/tuning.tex"),
    params:
        settings=tuning_settings,
        results=study_folder,
    log:
        results("logs/tuning.log"),
    benchmark:
        results("benchmarks/tuning.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    shell:
        "python -m workflow_scripts.tuning"
        " --settings {params.settings:q}"
        " --results {params.results:q}"
        " --output-csv {output.csv:q}"
        " --output-md {output.md:q}"
        " --output-tex {output.tex:q}"
        " 2>> {log:q}"
