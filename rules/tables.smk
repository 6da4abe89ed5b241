"""Make the study's tables and figures, and the report that shows them."""

from tabpo.study import report as contents


rule table:
    """Write one configured table as CSV, Markdown and LaTeX, and the tests of its differences."""
    input:
        scores=table_scores,
        cards=cards_of_table,
    output:
        csv=results("tables/{table}.csv"),
        md=results("tables/{table}.md"),
        tex=results("tables/{table}.tex"),
        tests_csv=results("tables/{table}.tests.csv"),
        tests_md=results("tables/{table}.tests.md"),
        tests_tex=results("tables/{table}.tests.tex"),
    params:
        settings=table_settings,
        results=study_folder,
    log:
        results("logs/table/{table}.log"),
    benchmark:
        results("benchmarks/table/{table}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.tables"
        " --settings {params.settings:q}"
        " --results {params.results:q}"
        " --output-csv {output.csv:q}"
        " --output-md {output.md:q}"
        " --output-tex {output.tex:q}"
        " --output-tests-csv {output.tests_csv:q}"
        " --output-tests-md {output.tests_md:q}"
        " --output-tests-tex {output.tests_tex:q}"
        " 2>> {log:q}"


use rule table as per_metric_table with:
    input:
        tables=metric_tables,
        scores=metric_scores,
        cards=cards_of_metric,
    output:
        csv=results("tables/per_metric/{metric}.csv"),
        md=results("tables/per_metric/{metric}.md"),
        tex=results("tables/per_metric/{metric}.tex"),
        tests_csv=results("tables/per_metric/{metric}.tests.csv"),
        tests_md=results("tables/per_metric/{metric}.tests.md"),
        tests_tex=results("tables/per_metric/{metric}.tests.tex"),
    params:
        settings=metric_settings,
        results=study_folder,
    log:
        results("logs/per_metric_table/{metric}.log"),
    benchmark:
        results("benchmarks/per_metric_table/{metric}.tsv")


rule mechanism:
    """Write a table of what each loss did to the tokens of answers, from the logs of training."""
    input:
        steps=mechanism_steps,
        scores=mechanism_scores,
    output:
        csv=results("tables/{table}.csv"),
        md=results("tables/{table}.md"),
        tex=results("tables/{table}.tex"),
        tests_csv=results("tables/{table}.tests.csv"),
        tests_md=results("tables/{table}.tests.md"),
        tests_tex=results("tables/{table}.tests.tex"),
    wildcard_constraints:
        table=either(STUDY.of_kind("mechanism")),
    params:
        settings=table_settings,
        results=study_folder,
    log:
        results("logs/mechanism/{table}.log"),
    benchmark:
        results("benchmarks/mechanism/{table}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.mechanism"
        " --settings {params.settings:q}"
        " --results {params.results:q}"
        " --output-csv {output.csv:q}"
        " --output-md {output.md:q}"
        " --output-tex {output.tex:q}"
        " --output-tests-csv {output.tests_csv:q}"
        " --output-tests-md {output.tests_md:q}"
        " --output-tests-tex {output.tests_tex:q}"
        " 2>> {log:q}"


rule stability:
    """Write a table of how different sampled answers are, and of how smoothly methods train."""
    input:
        counts=stability_counts,
    output:
        csv=results("tables/{table}.csv"),
        md=results("tables/{table}.md"),
        tex=results("tables/{table}.tex"),
        tests_csv=results("tables/{table}.tests.csv"),
        tests_md=results("tables/{table}.tests.md"),
        tests_tex=results("tables/{table}.tests.tex"),
    wildcard_constraints:
        table=either(STUDY.of_kind("stability")),
    params:
        settings=table_settings,
        results=study_folder,
    log:
        results("logs/stability/{table}.log"),
    benchmark:
        results("benchmarks/stability/{table}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.stability"
        " --settings {params.settings:q}"
        " --results {params.results:q}"
        " --output-csv {output.csv:q}"
        " --output-md {output.md:q}"
        " --output-tex {output.tex:q}"
        " --output-tests-csv {output.tests_csv:q}"
        " --output-tests-md {output.tests_md:q}"
        " --output-tests-tex {output.tests_tex:q}"
        " 2>> {log:q}"


rule macros:
    """Write every number of the study's tables as a LaTeX macro."""
    input:
        tables=[results(f"{table}.csv") for table in STUDY_TABLES],
        tests=[results(f"{table}.tests.csv") for table in STUDY_TABLES],
    output:
        macros=results("tables/macros.tex"),
    params:
        settings=macro_settings,
    log:
        results("logs/macros.log"),
    benchmark:
        results("benchmarks/macros.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    shell:
        "python -m workflow_scripts.macros"
        " --settings {params.settings:q}"
        " --tables {input.tables:q}"
        " --output {output.macros:q}"
        " 2>> {log:q}"


rule cost:
    """Write the steps, pairs, tokens and operations of training of each method, and its GPU seconds."""
    input:
        provenance=cost_provenance,
    output:
        csv=results("tables/cost.csv"),
        md=results("tables/cost.md"),
        tex=results("tables/cost.tex"),
    params:
        settings=cost_settings,
        results=study_folder,
    log:
        results("logs/cost.log"),
    benchmark:
        results("benchmarks/cost.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.cost"
        " --settings {params.settings:q}"
        " --results {params.results:q}"
        " --output-csv {output.csv:q}"
        " --output-md {output.md:q}"
        " --output-tex {output.tex:q}"
        " 2>> {log:q}"


rule score_figure:
    """Draw the scores of one table as dots, with the intervals of their differences."""
    input:
        csv=results("tables/{table}.csv"),
        tests_csv=results("tables/{table}.tests.csv"),
        md=results("tables/{table}.md"),
    output:
        figure=results("figures/scores/{table}.svg"),
    params:
        title=table_title,
    log:
        results("logs/score_figure/{table}.log"),
    benchmark:
        results("benchmarks/score_figure/{table}.tsv")
    localrule: True
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    shell:
        "python -m workflow_scripts.score_figure"
        " --title {params.title:q}"
        " --csv {input.csv:q}"
        " --tests-csv {input.tests_csv:q}"
        " --md {input.md:q}"
        " --output {output.figure:q}"
        " 2>> {log:q}"


rule change_figure:
    """Draw the confusions on test before and after one method, for one model and data set."""
    input:
        before=expand(
            results("{dataset}/{model}/sft/seed{seed}/predictions/test.parquet"), seed=STUDY.seeds, allow_missing=True
        ),
        after=changed_predictions,
        prompts=results("{dataset}/prompts/test.parquet"),
        documents=results("{dataset}/documents/test.parquet"),
        ontology=dataset_ontology,
    output:
        figure=results("figures/changes/{dataset}/{model}.svg"),
    wildcard_constraints:
        dataset=either(STUDY.annotated_datasets()),
    params:
        settings=change_settings,
        title=titled("{dataset}, {model}"),
    log:
        results("logs/change_figure/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/change_figure/{dataset}/{model}.tsv")
    localrule: True
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.change_figure"
        " --settings {params.settings:q}"
        " --title {params.title:q}"
        " --before {input.before:q}"
        " --after {input.after:q}"
        " --prompts {input.prompts:q}"
        " --documents {input.documents:q}"
        " --ontology {input.ontology:q}"
        " --output {output.figure:q}"
        " 2>> {log:q}"


rule training_figure:
    """Draw what each loss logged at each step, for one model and data set."""
    input:
        steps=figure_steps,
    output:
        figure=results("figures/training/{dataset}/{model}.svg"),
    params:
        settings=run_figure_settings,
        results=study_folder,
        title=titled("{dataset}, {model}"),
    log:
        results("logs/training_figure/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/training_figure/{dataset}/{model}.tsv")
    localrule: True
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.training_figure"
        " --settings {params.settings:q}"
        " --results {params.results:q}"
        " --title {params.title:q}"
        " --output {output.figure:q}"
        " 2>> {log:q}"


rule erosion_figure:
    """Draw which held-out gold tokens lost probability under each loss, for one model and data set."""
    input:
        watch=figure_watch,
    output:
        figure=results("figures/erosion/{dataset}/{model}.svg"),
    wildcard_constraints:
        dataset=either(STUDY.annotated_datasets()),
    params:
        settings=run_figure_settings,
        results=study_folder,
        title=titled("{dataset}, {model}"),
    log:
        results("logs/erosion_figure/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/erosion_figure/{dataset}/{model}.tsv")
    localrule: True
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.erosion_figure"
        " --settings {params.settings:q}"
        " --results {params.results:q}"
        " --title {params.title:q}"
        " --output {output.figure:q}"
        " 2>> {log:q}"


rule sensitivity_figure:
    """Draw how scores depend on the value of one setting, for one model and data set."""
    input:
        counts=sensitivity_counts,
    output:
        figure=results("figures/sensitivity/{dataset}/{model}/{table}.svg"),
    wildcard_constraints:
        table=either(STUDY.of_kind("sensitivity", "noise")),
    params:
        settings=sensitivity_figure_settings,
        results=study_folder,
        title=titled("{dataset}, {model}"),
    log:
        results("logs/sensitivity_figure/{dataset}/{model}/{table}.log"),
    benchmark:
        results("benchmarks/sensitivity_figure/{dataset}/{model}/{table}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.sensitivity_figure"
        " --settings {params.settings:q}"
        " --results {params.results:q}"
        " --title {params.title:q}"
        " --output {output.figure:q}"
        " 2>> {log:q}"


rule gradient_figure:
    """Draw which tokens of one pair each loss moves at its first step, for one model and public data set."""
    input:
        sft=of_first_pairing("{dataset}/{model}/sft/seed{seed}/model"),
        prompts=results("{dataset}/prompts/train.parquet"),
        pairs=of_first_pairing("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"),
        reference=of_first_pairing("{dataset}/{model}/reference/{pairing}/seed{seed}.parquet"),
    output:
        figure=results("figures/gradients/{dataset}/{model}.svg"),
    wildcard_constraints:
        dataset=either(STUDY.annotated_datasets()),
    params:
        settings=gradient_settings,
        title=titled("{dataset}, {model}"),
    log:
        results("logs/gradient_figure/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/gradient_figure/{dataset}/{model}.tsv")
    conda:
        "../envs/train.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    shell:
        "python -m workflow_scripts.gradient_figure"
        " --settings {params.settings:q}"
        " --title {params.title:q}"
        " --sft {input.sft:q}"
        " --prompts {input.prompts:q}"
        " --pairs {input.pairs:q}"
        " --reference {input.reference:q}"
        " --output {output.figure:q}"
        " 2>> {log:q}"


report_settings = settings(contents.report_settings)
report_runs = run_files(contents.report_settings, "run.yaml")


rule report:
    """Write tables, data, pairs, figures and runs of the study as one HTML file, with links to the tables of costs."""
    input:
        tables=STUDY_TABLE_FILES,
        exhibits=lambda wildcards: [
            results(file) for exhibit in contents.report_exhibits(STUDY) for file in exhibit["files"]
        ],
        score_figures=list(map(results, job.score_figures(STUDY).values())),
        runs=report_runs,
    output:
        report=results("report.html"),
    params:
        settings=report_settings,
        results=study_folder,
        commands=study_commands,
    log:
        results("logs/report.log"),
    benchmark:
        results("benchmarks/report.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.report"
        " --settings {params.settings:q}"
        " --results {params.results:q}"
        " --commands {params.commands:q}"
        " --output {output.report:q}"
        " 2>> {log:q}"
