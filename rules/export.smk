"""Write the files of a private study that may be shared."""

EXPORTED_TABLES = [
    results(f"{table}{ending}")
    for table in [*(f"tables/{table}" for table in STUDY.tables_of_test()), *STUDY_METRICS]
    for ending in (".csv", ".tests.csv")
]


rule export:
    """Write the files that may be shared: rounded tables, tests, macros and scores, none of only a few patients."""
    input:
        tables=EXPORTED_TABLES,
        counts=export_counts,
    output:
        folder=directory(results("export")),
    params:
        settings=export_settings,
        results=study_folder,
    log:
        results("logs/export.log"),
    benchmark:
        results("benchmarks/export.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.export"
        " --settings {params.settings:q}"
        " --results {params.results:q}"
        " --tables {input.tables:q}"
        " --output {output.folder:q}"
        " 2>> {log:q}"
