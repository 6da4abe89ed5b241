"""Tables of the study, each from the scores of its own rows."""


rule table:
    """Write one configured table as CSV, Markdown and LaTeX."""
    input:
        scores=table_scores,
        provenance=table_provenance,
    output:
        csv=results("tables/{table}.csv"),
        md=results("tables/{table}.md"),
        tex=results("tables/{table}.tex"),
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
        mem_mb=memory(2000),
        runtime=30,
    shell:
        "python -m workflow_scripts.tables"
        " --settings {params.settings:q}"
        " --results {params.results}"
        " --output-csv {output.csv}"
        " --output-md {output.md}"
        " --output-tex {output.tex}"
        " 2>> {log}"


use rule table as per_metric_table with:
    input:
        scores=metric_scores,
        provenance=metric_provenance,
    output:
        csv=results("tables/per_metric/{metric}.csv"),
        md=results("tables/per_metric/{metric}.md"),
        tex=results("tables/per_metric/{metric}.tex"),
    params:
        settings=metric_settings,
        results=study_folder,
    log:
        results("logs/per_metric/{metric}.log"),
    benchmark:
        results("benchmarks/per_metric/{metric}.tsv")


rule cost:
    """Write what each method's training costs, against dpo; it holds times, so no two studies give the same bytes."""
    input:
        timing=cost_timing,
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
        mem_mb=memory(2000),
        runtime=30,
    shell:
        "python -m workflow_scripts.cost"
        " --settings {params.settings:q}"
        " --results {params.results}"
        " --output-csv {output.csv}"
        " --output-md {output.md}"
        " --output-tex {output.tex}"
        " 2>> {log}"
