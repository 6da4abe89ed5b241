"""The page that a reader of a study opens first, and the functions for its inputs."""

from tabpo import report_settings as contents

report_settings = settings(contents.report_settings)
report_selections = run_files(contents.report_settings, "selection.json")
report_provenance = run_files(contents.report_settings, PROVENANCE)


def report_exhibits(wildcards):
    """Every page and figure that the report shows or, of other seeds, leads to."""
    return [results(file) for exhibit in contents.report_exhibits(STUDY) for file in exhibit["files"]]


rule report:
    """Write tables, data, pairs, figures and runs of the study as one HTML file; of costs, which hold times, links."""
    input:
        tables=STUDY_TABLE_FILES,
        exhibits=report_exhibits,
        selections=report_selections,
        provenance=report_provenance,
    output:
        report=results("report.html"),
    params:
        settings=report_settings,
        results=study_folder,
    log:
        results("logs/report.log"),
    benchmark:
        results("benchmarks/report.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=memory(2000),
        runtime=30,
    shell:
        "python -m workflow_scripts.report"
        " --settings {params.settings:q}"
        " --results {params.results}"
        " --output {output.report}"
        " 2>> {log}"
