"""The page that a reader of a study opens first."""

from tabpo import report_settings as contents

report_settings = settings(contents.report_settings)
report_selections = run_files(contents.report_settings, "selection.json")
report_provenance = run_files(contents.report_settings, PROVENANCE)


rule report:
    """Write tables, data, pairs, figures and runs of the study as one HTML file; of costs, which hold times, links."""
    input:
        tables=STUDY_TABLE_FILES,
        exhibits=lambda wildcards: [results(file) for one in contents.report_exhibits(STUDY) for file in one["files"]],
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
