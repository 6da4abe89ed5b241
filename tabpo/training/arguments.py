"""What `transformers.Trainer` is told, the optimizer, and the course of the learning rate."""

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
    """Threads, deterministic kernels where torch has them, and the kind of device that this process trains on.

    Args:
        numerics: As for `models.load_model`.
        gpus: That the run asks for; a machine whose torch sees none trains on the CPU all the same, and says so.
    """
    set_threads(numerics)
    disable_progress_bar()  # those of loading and saving; the run has one of its own
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # would only cost time: nothing reads such memory
    on_gpu = gpus > 0 and torch.cuda.is_available()
    if gpus and not on_gpu:
        logging.warning("%d GPUs are asked for, but torch sees no CUDA: training on the CPU", gpus)
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
    """Arguments that make the Trainer train and nothing else: no evaluation, no saving or logging of its own.

    With DeepSpeed its configuration is active from here on: under ZeRO-3 models are divided while they are loaded. Its
    own bfloat16 is not asked for, which would hold embeddings, norms and the states between layers in it too: a policy
    is read by the arithmetic of its reference, `models.autocast`.

    Args:
        settings: Of the run.
        plan: Of the run.
        seed: Drives dropout; the order is the plan's.
        folder: For checkpoints.
        device: From `prepare_process`.
        deepspeed: A configuration of DeepSpeed, None to train without; its "auto" values are filled in.
    """
    on_cpu = device.type == "cpu"
    if deepspeed is not None:
        import deepspeed as engine  # a second to load, which most runs can save

        engine.init_distributed(dist_backend="gloo" if on_cpu else "nccl")  # before ZeRO-3 divides a model
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
    """Torch's own AdamW or RMSprop over the parameters that are trained; a baseline head has its own group, the last.

    Args:
        parameters: By name.
        decayed: Names of those that weight decay acts on.
        settings: Of the run.
    """
    trained = [(name, parameter) for name, parameter in parameters if parameter.requires_grad]
    policy = [(name, parameter) for name, parameter in trained if not name.startswith(HEAD)]
    head = [parameter for name, parameter in trained if name.startswith(HEAD)]
    groups = [
        {"params": [one for name, one in policy if name in decayed], "weight_decay": settings.weight_decay},
        {"params": [one for name, one in policy if name not in decayed], "weight_decay": 0.0},
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
    """The course of each group of parameters: the settings' own, but constant where the group says so."""
    share = partial(learning_rate_share, settings, steps)
    return [(lambda step: 1.0) if group.get("constant") else share for group in optimizer.param_groups]


def learning_rate_share(settings: TrainingSettings, steps: int, step: int) -> float:
    """The learning rate of a step (from 0), as a share of the peak.

    Warm-up of w steps rises from 1 / (w + 1) and reaches 1 at step w; then linear and cosine fall towards
    `min_learning_rate_ratio`, which they would reach at step `steps`.
    """
    warmup = settings.warmup_steps
    if warmup is None:
        warmup = math.ceil(settings.warmup_ratio * steps)
    if step < warmup:
        return (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, steps - warmup)
    left = {"linear": 1 - done, "cosine": (1 + math.cos(math.pi * done)) / 2, "constant": 1.0}[settings.schedule]
    return left + (1 - left) * settings.min_learning_rate_ratio
