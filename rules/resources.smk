"""What jobs ask a scheduler for, the class of machines that their model names; and which models stay on its disk."""


def machine(key):
    """A resource function: what the model's class of machines has of `key`."""
    return lambda wildcards: STUDY.machine(wildcards.model)[key]


model_gpus, model_nodes, model_runtime = machine("gpus"), machine("nodes"), machine("runtime")


def model_memory(wildcards, attempt):
    """Twice as much at a second attempt: the first may have been killed for memory, which Slurm does not always say."""
    return machine("mem_mb")(wildcards) * attempt


def memory(mb):
    """The same for rules without a model."""
    return lambda wildcards, attempt: mb * attempt


def model_threads(wildcards):
    """CPU threads of a job on each of its nodes: those of all its processes there."""
    return machine("threads")(wildcards) * machine("processes")(wildcards) // model_nodes(wildcards)


def node_gpus(wildcards):
    """For jobs of one process, which takes place on one node."""
    return model_gpus(wildcards) // model_nodes(wildcards)


def on_several_nodes(value):
    """A resource function: a value that only jobs of several nodes ask for."""
    return lambda wildcards: value(wildcards) if model_nodes(wildcards) > 1 else None


# Slurm's plugin starts a job's Snakemake in a step of one task, which has one node; told of MPI it leaves it outside of
# steps, where the program itself starts one on all nodes. It needs a number of tasks then, but not for each GPU.
node_starter = on_several_nodes(lambda wildcards: "srun")
node_tasks = on_several_nodes(model_nodes)
no_gpu_tasks = on_several_nodes(lambda wildcards: 0)


def warning(wildcards):
    """Have Slurm warn a training job: a tenth of its time before the end, ten minutes at most."""
    return f"--signal=USR1@{min(6 * model_runtime(wildcards), 600)}"


def told_where(wildcards):
    """What a training job tells its quantities to: no parameter, since it changes no result and makes no job run again."""
    return STUDY.logging


def passing(model):
    """A run's model that no other run starts from: it goes once it has answered, where the study keeps SFT's alone."""
    return temp(model) if STUDY.keep_models == job.SFT else model
