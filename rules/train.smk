"""Train with preference losses: one run for each loss and seed, starting from the SFT model of that seed."""


rule train:
    """Train one policy with one loss, starting from its SFT reference."""
    input:
        sft=results("{dataset}/{model}/sft/seed{seed}/model"),
        prompts=results("{dataset}/prompts/train.parquet"),
        pairs=run_pairs,
        audit=run_audit,
        reference=run_reference,
        token_scores=run_token_scores,
        held_out_prompts=results("{dataset}/prompts/dev_select.parquet"),
        held_out_documents=annotated("{dataset}/documents/dev.parquet"),
        held_out_pairs=preferred("{dataset}/{model}/pairs/dev_select.parquet"),
        ontology=dataset_ontology,
        choices=run_choices,
        matched=matched_pairs,
    output:
        run=results("{dataset}/{model}/{method}/seed{seed}/run.yaml"),
        model=temporary_model(directory(results("{dataset}/{model}/{method}/seed{seed}/model"))),
        log_steps=results("{dataset}/{model}/{method}/seed{seed}/training.parquet"),
        timing=results("{dataset}/{model}/{method}/seed{seed}/timing.parquet"),
        selection=results("{dataset}/{model}/{method}/seed{seed}/selection.json"),
        watch=results("{dataset}/{model}/{method}/seed{seed}/watch.json"),
        provenance=results("{dataset}/{model}/{method}/seed{seed}/provenance.json"),
    wildcard_constraints:
        method=either(METHODS),
    params:
        settings=run_settings,
        loss_code=loss_code,
        checkpoints=results("checkpoints/{dataset}+{model}+{method}+seed{seed}"),
        events=results("logs/events/{dataset}/{model}/{method}/seed{seed}"),
    log:
        results("logs/train/{dataset}/{model}/{method}/seed{seed}.log"),
    benchmark:
        results("benchmarks/train/{dataset}/{model}/{method}/seed{seed}.tsv")
    conda:
        "../envs/train.yaml"
    threads: model_threads
    resources:
        gpu=model_gpus,
        nodes=model_nodes,
        tasks=node_tasks,
        tasks_per_gpu=no_gpu_tasks,
        mpi=node_starter,
        mem_mb=model_memory,
        runtime=model_runtime,
        slurm_extra=warning,
        logging=logging_target,
    shell:  # exec: a scheduler's warning would end a shell between the two, and thereby the job
        "exec python -m workflow_scripts.launch train"
        " --settings {params.settings:q}"
        " --sft {input.sft:q}"
        " --prompts {input.prompts:q}"
        " --pairs {input.pairs:q}"
        " --reference {input.reference:q}"
        " --token-scores {input.token_scores:q}"
        " --held-out-prompts {input.held_out_prompts:q}"
        " --held-out-documents {input.held_out_documents:q}"
        " --held-out-pairs {input.held_out_pairs:q}"
        " --ontology {input.ontology:q}"
        " --checkpoints {params.checkpoints:q}"
        " --logging {resources.logging}"
        " --events {params.events:q}"
        " --output-run {output.run:q}"
        " --output-model {output.model:q}"
        " --output-log-steps {output.log_steps:q}"
        " --output-timing {output.timing:q}"
        " --output-selection {output.selection:q}"
        " --output-watch {output.watch:q}"
        " --output-provenance {output.provenance:q}"
        " 2>> {log:q}"
