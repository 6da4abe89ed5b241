"""One training run from inputs to outputs: lock, checkpoint to resume from, training, writing model and records."""

import json
import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import yaml
from accelerate.utils import broadcast_object_list
from transformers import PreTrainedTokenizerBase
from transformers.integrations.deepspeed import is_deepspeed_zero3_enabled, unset_hf_deepspeed_config

from tabpo.artefacts import whole_directory, write_json, write_whole
from tabpo.code_version import describe_code, loss_fingerprints
from tabpo.errors import ConfigError
from tabpo.models.adapters import add_adapters, merged, save_adapters
from tabpo.models.loading import load_model, narrow_frozen, save_model
from tabpo.processes.warnings import Warned, handling
from tabpo.records import StepTiming, TrainingStep, write_records
from tabpo.scoring.tokenise import Example, PairExample
from tabpo.study.training import TrainingSettings, training_settings
from tabpo.training.arguments import prepare_process, training_arguments
from tabpo.training.batches import BatchPlan, plan_batches
from tabpo.training.checkpoints import newest_complete, run_key, single_writer
from tabpo.training.loggers import open_logger, silent
from tabpo.training.provenance import describe_machine, input_hashes
from tabpo.training.trainer import StepTrainer


@dataclass(frozen=True)
class Run:
    """The settings and inputs of a run.

    Attributes:
        settings: The settings in run.yaml with every default explicit, from `explicit_settings`.
        resources: Numbers of processes, nodes and gpus; they are no part of run.yaml.
        start: Folder of the model that training starts from.
        inputs: All files and folders that the run reads, by name; their hashes and the fingerprints of the loss's code
            are part of the checkpoints' key.
        checkpoints: Folder for the checkpoints of this run only.
        deepspeed: Folder of the configurations that `training.deepspeed` names; the configuration that is used counts
            as an input.
        logger: One of `loggers.LOGGERS` and a folder for its files; neither is part of run.yaml.
    """

    settings: dict[str, Any]
    resources: dict[str, int]
    start: Path
    inputs: dict[str, Path]
    checkpoints: Path
    deepspeed: Path
    logger: tuple[str, Path]

    @property
    def training(self) -> TrainingSettings:
        """The training settings, typed."""
        return training_settings(**self.settings["training"])

    @property
    def deepspeed_file(self) -> Path | None:
        """The configuration that `training.deepspeed` names; None without DeepSpeed."""
        return None if self.training.deepspeed is None else self.deepspeed / f"{self.training.deepspeed}.json"


@dataclass(frozen=True)
class Outputs:
    """Paths of a run's artefacts; SFT has no `watch`."""

    run: Path
    model: Path
    log_steps: Path
    timing: Path
    provenance: Path
    selection: Path
    watch: Path | None = None


def explicit_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """The content of run.yaml: a job's settings with explicit training defaults and without its resources.

    Raises:
        ConfigError: From `training_settings`.
    """
    explicit = {**settings, "training": training_settings(**settings["training"]).model_dump()}
    return {name: value for name, value in explicit.items() if name != "resources"}


def execute(
    run: Run,
    outputs: Outputs,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example] | Sequence[PairExample],
    build_trainer: Callable[..., StepTrainer],
    held_out_rows: Sequence[Sequence[int]],
) -> None:
    """Train and write the outputs. Only the first process writes, and nothing but checkpoints before the end.

    Checkpoints stay: the workflow removes them when it has accepted the outputs (rules/patches.py).

    Args:
        run: The settings and inputs of the run.
        outputs: Paths of the outputs.
        tokenizer: Tokenizer of the model, which is written into the model's folder.
        examples: Training examples; the examples of a prompt stay together.
        build_trainer: Makes the stage's trainer from model, arguments, settings, numerics, plan, examples and pad_id.
        held_out_rows: Token ids on which a merge of adapters is checked.

    Raises:
        ConfigError: The settings contradict each other or the processes that were started.
        DataError: Another process writes this run, or training found values with which it must not continue.
    """
    started = time.monotonic()
    first = int(os.environ.get("RANK", 0)) == 0
    if not first:
        logging.getLogger().setLevel(logging.WARNING)
    groups, lengths = [example.prompt_id for example in examples], [example.length for example in examples]
    plan = plan_batches(groups, lengths, run.training, run.settings["seed"], _processes(run))
    device = prepare_process(run.settings["numerics"], run.resources["gpus"])
    text = yaml.safe_dump(run.settings, allow_unicode=True)
    files = {} if run.deepspeed_file is None else {"deepspeed": run.deepspeed_file}
    hashes = input_hashes(run.inputs | files)
    loss = run.settings["method"].get("loss")  # SFT has none
    folder = run.checkpoints / run_key(text, hashes | ({} if loss is None else loss_fingerprints(loss)))
    with single_writer(run.checkpoints) if first else nullcontext(False) as waited:
        finished = waited and _is_written(outputs, text, hashes)
        checkpoint = newest_complete(folder, plan.processes) if first else None
        build_trainer = partial(build_trainer, examples=examples, pad_id=tokenizer.pad_token_id)
        trainer, checkpoint, finished = _set_up(run, plan, device, folder, (checkpoint, finished), build_trainer)
        if finished:
            logging.info("an earlier start of this job has finished the run")
            trainer.accelerator.end_training()
            return
        done = 0 if checkpoint is None else int(checkpoint.name.removeprefix("checkpoint-"))
        logger = open_logger(*run.logger, folder.name, run.settings, done) if first else nullcontext(silent)
        with logger as trainer.log_step:
            trainer.run(checkpoint)
        with handling(Warned().note):  # training is done: a warning no longer stops the run
            merge_difference = _write_model(run, trainer, tokenizer, outputs.model, held_out_rows)
            if first:
                _write_course(trainer, outputs)
                earlier = sum(timing.seconds for timing in trainer.timings[: trainer.first_step])
                wall_s = time.monotonic() - started + earlier
                made = _provenance(run, trainer, hashes, device, wall_s)
                write_whole(outputs.run, text)
                write_json(outputs.provenance, made | {"merge_difference": merge_difference})
        trainer.accelerator.end_training()


def _processes(run: Run) -> int:
    started, wanted = int(os.environ.get("WORLD_SIZE", 1)), run.resources["processes"]
    if started != wanted:
        raise ConfigError(
            f"resources.processes is {wanted}, but {started} were started: use python -m workflow_scripts.launch"
        )
    if run.training.deepspeed is not None and "WORLD_SIZE" not in os.environ:
        raise ConfigError(
            "training.deepspeed needs torchrun for one process too: use python -m workflow_scripts.launch"
        )
    return wanted


def _set_up(
    run: Run,
    plan: BatchPlan,
    device: torch.device,
    folder: Path,
    chosen: tuple[Path | None, bool],
    build_trainer: Callable[..., StepTrainer],
) -> tuple[StepTrainer, Path | None, bool]:
    """The trainer, the checkpoint to resume from, and whether the run is finished, as the first process has chosen."""
    settings, numerics, seed = run.training, run.settings["numerics"], run.settings["seed"]
    arguments = training_arguments(
        settings,
        plan,
        seed=seed,
        folder=folder,
        device=device,
        deepspeed=run.deepspeed_file,
    )
    chosen = list(chosen)
    broadcast_object_list(chosen)
    lora = settings.lora
    model = load_model(run.start, numerics, None if lora is None else lora.quantize)
    if lora is not None:
        model = add_adapters(model, lora, seed)
        if not is_deepspeed_zero3_enabled():  # ZeRO-3 has divided the weights during loading
            narrow_frozen(model, numerics)
    trainer = build_trainer(model=model, arguments=arguments, settings=settings, numerics=numerics, plan=plan)
    return trainer, *chosen


def _is_written(outputs: Outputs, text: str, hashes: dict[str, str]) -> bool:
    """Whether a run of these settings and inputs has written all its outputs; provenance.json is the last."""
    if not (outputs.run.exists() and outputs.provenance.exists()):
        return False
    return outputs.run.read_text() == text and json.loads(outputs.provenance.read_text())["inputs"] == hashes


def _write_model(
    run: Run,
    trainer: StepTrainer,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    held_out_rows: Sequence[Sequence[int]],
) -> float | None:
    """Write the model, or its adapters; returns the largest change of a log-prob by a merge, None without adapters."""
    weights = trainer.kept_weights()
    unset_hf_deepspeed_config()
    if trainer.args.process_index != 0:
        return None
    lora = run.training.lora
    if lora is None:
        with whole_directory(folder) as unfinished:
            save_model(trainer.model, tokenizer, unfinished, weights)
        return None
    model, difference = merged(load_model(run.start, run.settings["numerics"]), weights, lora, held_out_rows)
    logging.info("merged adapters change log-probs of held-out rows by up to %.2g nats", difference)
    with whole_directory(folder) as unfinished:
        if lora.merge:
            save_model(model, tokenizer, unfinished)
        else:
            save_adapters(weights, lora, tokenizer, run.start, unfinished)
    return difference


def _write_course(trainer: StepTrainer, outputs: Outputs) -> None:
    write_records(outputs.log_steps, TrainingStep, trainer.steps)
    write_records(outputs.timing, StepTiming, trainer.timings)
    write_json(outputs.selection, trainer.curve.content)
    logging.info("%s", trainer.curve)
    if outputs.watch is not None:
        write_json(outputs.watch, trainer.watch.content)


def _provenance(
    run: Run, trainer: StepTrainer, hashes: dict[str, str], device: torch.device, wall_s: float
) -> dict[str, Any]:
    gpus = run.resources["gpus"] if device.type == "cuda" else 0
    tokens, steps = sum(timing.tokens for timing in trainer.timings), len(trainer.steps)
    seen = [trainer.train_dataset[index] for index in trainer.plan.order[: steps * trainer.plan.batch_size]]
    logging.info("%d steps in %.1f s", steps, wall_s)
    return {
        **describe_code(),
        "inputs": hashes,
        **describe_machine(device),
        **run.resources,
        "seed": run.settings["seed"],
        "collapsed_after": trainer.collapsed_after,
        "wall_s": round(wall_s, 3),
        "gpu_seconds": round(wall_s * gpus, 3),
        "steps": steps,
        "examples": steps * trainer.plan.batch_size,
        "chosen_tokens": sum(len(example.chosen_ids) for example in seen),
        "tokens": tokens,
        "flops": None if trainer.flops_per_token is None else round(trainer.flops_per_token * tokens),
    }
