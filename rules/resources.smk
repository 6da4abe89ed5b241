"""Define what jobs request from a scheduler, by the model's class of machines, and which models are temporary."""


def machine(key):
    """Return a resource function: the value of `key` in the model's class of machines."""
    return lambda wildcards: STUDY.machine(wildcards.model)[key]


model_gpus, model_nodes = machine("gpus"), machine("nodes")
model_memory, model_runtime = machine("mem_mb"), machine("runtime")


RULES_OF_CLASSES = set(
    "annotate base complete sft sft_fold sft_trial gold predict predict_fold reference sample token_scores"
    " held_out_logps train train_trial".split()
)


def how_to_raise_memory(job):
    """Say where to write twice the memory of a job that was killed for it; memory never grows by itself."""
    name, mb = job.rule.name, job.resources.mem_mb
    if name in RULES_OF_CLASSES:
        entry = STUDY.models[job.wildcards.model]["resources"]
        return f"Write `resources: {{{entry}: {{mem_mb: {2 * mb}}}}}` into the study (it is {mb}, the class of {job.wildcards.model})"
    return f"Write `set-resources: {{{name}: {{mem_mb: {2 * mb}}}}}` into your profile (it is {mb})"


def model_threads(wildcards):
    """Return the CPU threads of a job on each of its nodes: the threads of all its processes there."""
    return machine("threads")(wildcards) * machine("processes")(wildcards) // model_nodes(wildcards)


def node_gpus(wildcards):
    """Return the GPUs of one node, for jobs of one process."""
    return model_gpus(wildcards) // model_nodes(wildcards)


def on_several_nodes(value):
    """Return a resource function: a value that only jobs of several nodes request."""
    return lambda wildcards: value(wildcards) if model_nodes(wildcards) > 1 else None


# Slurm's plugin normally starts a job's Snakemake in a step of one task on one node. With `mpi` set, it starts
# Snakemake outside of any step, and the program itself starts a step on all nodes. The plugin then needs the number of
# tasks, but no number of tasks for each GPU.
node_starter = on_several_nodes(lambda wildcards: "srun")
node_tasks = on_several_nodes(model_nodes)
no_gpu_tasks = on_several_nodes(lambda wildcards: 0)


def warning(wildcards):
    """Make Slurm warn a job of a model before its time ends: a tenth of its time before, at most ten minutes."""
    return f"--signal=USR1@{min(6 * model_runtime(wildcards), 600)}"


def logging_target(wildcards):
    """Return the logger of training. It is no parameter: it changes no result, so no job runs again because of it."""
    return STUDY.logging


def temporary_model(model):
    """Mark a model from which no run starts: with `keep_models: sft`, Snakemake deletes it after its last use."""
    return temp(model) if STUDY.keep_models == job.SFT else model
