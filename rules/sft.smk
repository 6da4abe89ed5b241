"""Fine-tune on gold answers: the first row of every table, and the reference of every loss."""


rule sft:
    """Train an SFT model on the gold answers of training prompts."""
    input:
        base=results("{dataset}/{model}/base"),
        prompts=results("{dataset}/prompts/train.parquet"),
        held_out_prompts=results("{dataset}/prompts/dev_select.parquet"),
        choices=run_choices,
    output:
        run=results("{dataset}/{model}/sft/seed{seed}/run.yaml"),
        model=directory(results("{dataset}/{model}/sft/seed{seed}/model")),
        log_steps=results("{dataset}/{model}/sft/seed{seed}/training.parquet"),
        timing=results("{dataset}/{model}/sft/seed{seed}/timing.parquet"),
        selection=results("{dataset}/{model}/sft/seed{seed}/selection.json"),
        provenance=results("{dataset}/{model}/sft/seed{seed}/provenance.json"),
    params:
        settings=sft_settings,
        checkpoints=results("checkpoints/{dataset}+{model}+sft+seed{seed}"),
        events=results("logs/events/{dataset}/{model}/sft/seed{seed}"),
    log:
        results("logs/sft/{dataset}/{model}/seed{seed}.log"),
    benchmark:
        results("benchmarks/sft/{dataset}/{model}/seed{seed}.tsv")
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
        "exec python -m workflow_scripts.launch sft"
        " --settings {params.settings:q}"
        " --base {input.base:q}"
        " --prompts {input.prompts:q}"
        " --held-out-prompts {input.held_out_prompts:q}"
        " --checkpoints {params.checkpoints:q}"
        " --logging {resources.logging}"
        " --events {params.events:q}"
        " --output-run {output.run:q}"
        " --output-model {output.model:q}"
        " --output-log-steps {output.log_steps:q}"
        " --output-timing {output.timing:q}"
        " --output-selection {output.selection:q}"
        " --output-provenance {output.provenance:q}"
        " 2>> {log:q}"


rule gold:
    """Score the gold answers of held-out prompts with the frozen SFT model."""
    input:
        sft=results("{dataset}/{model}/sft/seed{seed}/model"),
        prompts=results("{dataset}/prompts/dev_select.parquet"),
    output:
        logps=results("{dataset}/{model}/sft/seed{seed}/gold/dev_select.parquet"),
    params:
        settings=reference_settings,
    log:
        results("logs/gold/{dataset}/{model}/seed{seed}.log"),
    benchmark:
        results("benchmarks/gold/{dataset}/{model}/seed{seed}.tsv")
    conda:
        "../envs/train.yaml"
    threads: model_threads
    resources:
        gpu=node_gpus,
        nodes=1,
        mem_mb=model_memory,
        runtime=model_runtime,
        slurm_extra=warning,
    shell:
        "python -m workflow_scripts.on_gpus {resources.gpu} gold"
        " --settings {params.settings:q}"
        " --sft {input.sft:q}"
        " --prompts {input.prompts:q}"
        " --output {output.logps:q}"
        " 2>> {log:q}"
