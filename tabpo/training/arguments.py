"""Arguments of `transformers.Trainer`, the optimizer, and the learning rate of each step."""

import logging
import math
import os
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import torch
from torch import nn
from transformers import TrainingArguments
from transformers.utils.logging import disable_progress_bar

from tabpo.models.loading import set_threads
from tabpo.study.training import TrainingSettings
from tabpo.training.baseline import HEAD
from tabpo.training.batches import BatchPlan


def prepare_process(numerics: dict, gpus: int) -> torch.device:
    """Set threads and deterministic kernels (where torch has them), and return the device of this process.

    Args:
        numerics: As for `models.loading.load_model`.
        gpus: Number of GPUs that the run requests. If torch sees none, the run trains on the CPU and logs a warning.
    """
    set_threads(numerics)
    disable_progress_bar()  # the bars of loading and saving; the run shows its progress itself
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # saves time; nothing reads uninitialised memory
    on_gpu = gpus > 0 and torch.cuda.is_available()
    if gpus and not on_gpu:
        logging.warning("the run requests %d GPUs, but torch sees no CUDA: training on the CPU", gpus)
    if not on_gpu:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if on_gpu else torch.device("cpu")


def training_arguments(
    settings: TrainingSettings,
    plan: BatchPlan,
    *,
    seed: int,
    folder: Path,
    device: torch.device,
    deepspeed: Path | None,
) -> TrainingArguments:
    """Arguments with which the Trainer only trains: it neither evaluates, saves nor logs.

    With DeepSpeed, its configuration is active after this call, and under ZeRO-3 models are divided while they are
    loaded. DeepSpeed's bfloat16 mode is not used, because it would also store embeddings, norms and the states between
    layers in bfloat16; the policy must run in the arithmetic of its reference, `models.loading.autocast`.

    Args:
        settings: Training settings of the run.
        plan: Batches of the run.
        seed: Seed of dropout; the order of examples comes from the plan.
        folder: Folder of the checkpoints.
        device: From `prepare_process`.
        deepspeed: A configuration file of DeepSpeed, whose "auto" values are filled in; None to train without it.
    """
    on_cpu = device.type == "cpu"
    if deepspeed is not None:
        import deepspeed as engine  # takes a second to load; most runs do not need it

        engine.init_distributed(dist_backend="gloo" if on_cpu else "nccl")  # must happen before ZeRO-3 divides a model
    return TrainingArguments(
        output_dir=str(folder),
        max_steps=plan.steps,
        per_device_train_batch_size=plan.micro_batch_size,
        gradient_accumulation_steps=plan.accumulation,
        learning_rate=settings.learning_rate,
        max_grad_norm=settings.max_grad_norm,
        activation_checkpointing=settings.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False},
        seed=seed,
        deepspeed=None if deepspeed is None else str(deepspeed),
        use_cpu=on_cpu,
        ddp_backend="gloo" if on_cpu and plan.processes > 1 else None,
        ddp_find_unused_parameters=False,
        dataloader_pin_memory=False,
        average_tokens_across_devices=False,
        save_strategy="no",
        eval_strategy="no",
        logging_strategy="steps",
        logging_steps=1,
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )


def build_optimizer(
    parameters: Iterable[tuple[str, nn.Parameter]], decayed: set[str], settings: TrainingSettings
) -> torch.optim.Optimizer:
    """Torch's AdamW or RMSprop for the trained parameters; a baseline head is a separate group, the last one.

    Args:
        parameters: Names and parameters of the model.
        decayed: Names of the parameters that weight decay acts on.
        settings: Training settings of the run.
    """
    trained = [(name, parameter) for name, parameter in parameters if parameter.requires_grad]
    policy = [(name, parameter) for name, parameter in trained if not name.startswith(HEAD)]
    head = [parameter for name, parameter in trained if name.startswith(HEAD)]
    groups = [
        {"params": [weight for name, weight in policy if name in decayed], "weight_decay": settings.weight_decay},
        {"params": [weight for name, weight in policy if name not in decayed], "weight_decay": 0.0},
        {"params": head, "weight_decay": 0.0, "lr": settings.baseline_learning_rate, "constant": True},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "rmsprop":
        return torch.optim.RMSprop(groups, lr=settings.learning_rate, alpha=settings.adam_beta2)
    betas = (settings.adam_beta1, settings.adam_beta2)
    return torch.optim.AdamW(groups, lr=settings.learning_rate, betas=betas, fused=True)


def learning_rate_shares(
    settings: TrainingSettings, steps: int, optimizer: torch.optim.Optimizer
) -> list[Callable[[int], float]]:
    """For each parameter group, its learning rate by step as a share of the peak; constant if the group says so."""
    share = partial(learning_rate_share, settings, steps)
    return [(lambda step: 1.0) if group.get("constant") else share for group in optimizer.param_groups]


def learning_rate_share(settings: TrainingSettings, steps: int, step: int) -> float:
    """The learning rate of a step (from 0), as a share of the peak.

    A warm-up of w steps rises from 1 / (w + 1) and reaches 1 at step w. Then the linear and the cosine schedule fall
    towards `min_learning_rate_ratio`, which they would reach at step `steps`.
    """
    warmup = settings.warmup_steps
    if warmup is None:
        warmup = math.ceil(settings.warmup_ratio * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    left = {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}[settings.schedule]
    return left + (1 - left) * settings.min_learning_rate_ratio
