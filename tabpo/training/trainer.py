"""The training loop of SFT and preferences: exact denominators, one logged row per step, complete checkpoints."""

import logging
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch
from accelerate.utils import broadcast_object_list
from torch import Tensor, nn
from torch.utils.data import DataLoader
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.trainer_pt_utils import get_model_param_count

from tabpo.errors import ConfigError, DataError, locate_numeric_error
from tabpo.models.loading import slow_in_bf16
from tabpo.processes.warnings import STOPPED, Warned, end_warned, handling
from tabpo.progress import progress
from tabpo.records import StepTiming, TrainingStep, read_records, write_records
from tabpo.study.training import TrainingSettings
from tabpo.training.arguments import build_optimizer, learning_rate_shares
from tabpo.training.batches import BatchPlan
from tabpo.training.checkpoints import Checkpoints
from tabpo.training.flops import FlopCount, can_count
from tabpo.training.loggers import LogStep, silent
from tabpo.training.memory import can_rehearse, explaining_out_of_memory, without_effect
from tabpo.training.selection import Curve, Point, trained_weights

Batch = dict[str, Tensor | list[int] | list[dict[str, Tensor]]]
"""Tensors from `collate`, and under "numbers" the numbers of the examples in their file."""


class StepTrainer(Trainer):
    """`transformers.Trainer` with replaced saving, logging, sampling and loss.

    A subclass defines what a micro-batch contributes. Sums and counts are added over micro-batches and processes before
    any division, so that a step does not depend on how its examples are divided.

    Attributes:
        measure: The measure that `evaluate_held_out` takes on held-out prompts, one of `selection.MEASURES`.
        curve: The measurements on held-out prompts.
        steps: One row per optimiser step done, including the steps before a checkpoint.
        timings: Wall time and tokens of each optimiser step done.
        first_step: Number of steps that were done before this process started.
        flops_per_token: Floating-point operations per token, counted in the first micro-batch of this process; None
            before it, and if they cannot be counted.
        log_step: Logs the quantities of each step and evaluation immediately.
    """

    measure: str

    def __init__(
        self,
        model: nn.Module,
        arguments: TrainingArguments,
        *,
        settings: TrainingSettings,
        numerics: dict,
        plan: BatchPlan,
        examples: Sequence[object],
        pad_id: int,
    ):
        super().__init__(model=model, args=arguments, train_dataset=examples, data_collator=list)
        self.settings, self.numerics, self.plan, self.pad_id = settings, numerics, plan, pad_id
        self.curve = Curve(self.measure, settings.keep, Path(arguments.output_dir))
        self.steps: list[TrainingStep] = []
        self.timings: list[StepTiming] = []
        self.first_step = 0
        self.flops_per_token: float | None = None
        self.log_step: LogStep = silent
        self._sums: Tensor | None = None
        self._tokens = 0
        self._progress: Iterator[int] = iter(())
        self._warned = Warned()
        self.restart_clock()
        self.remove_callback(PrinterCallback)
        self.add_callback(Checkpoints(self))

    def run(self, checkpoint: Path | None) -> None:
        """Train from the beginning, or resume from a complete checkpoint with the same result.

        Raises:
            ConfigError: No parameter is trained, or a GPU's memory is too small.
            DataError: A loss, log-prob or gradient is not finite; the message names the step and the examples.
            SystemExit: A process was warned (`processes.warnings`); its current step is done and has a checkpoint.
        """
        trained = get_model_param_count(self.model, trainable_only=True)
        if not trained:
            raise ConfigError("no parameter of the model is trained: all are frozen")
        logging.info("training %d parameters for %d steps of %d", trained, self.plan.steps, self.plan.batch_size)
        if self.numerics["precision"] == "bf16" and slow_in_bf16(self.args.device):
            logging.warning("precision bf16 is several times slower than fp32 here: this CPU has no AVX-512")
        if checkpoint is not None:
            self.read_state(checkpoint)
            logging.info("resuming from %s", checkpoint.name)
        if self.args.process_index == 0:
            left = range(self.first_step, self.plan.steps)
            self._progress = progress(left, len(left), f"steps after step {self.first_step}" if left.start else "steps")
            next(self._progress)
        torch.manual_seed(self.args.seed + self.args.process_index)  # dropout differs between processes
        with handling(self._warned.note), explaining_out_of_memory(self.settings, self.plan.micro_batch_size):
            self.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
        if len(self.steps) < self.last_step:
            logging.info("warned: stopped after step %d, which has its checkpoint", len(self.steps))
            if self.args.process_index == 0:
                end_warned(self._warned)
            raise SystemExit(STOPPED)

    @property
    def collapsed_after(self) -> int | None:
        """Step of the first evaluation at which the answers to held-out prompts had collapsed, or None."""
        return None

    @property
    def last_step(self) -> int:
        """The last step of the plan, or with `training.stop_collapsed` one step after a collapse was found."""
        collapse = self.collapsed_after if self.settings.stop_collapsed else None
        return self.plan.steps if collapse is None else min(collapse + 1, self.plan.steps)

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the weights of a checkpoint; with DeepSpeed nothing is done, because its own files hold the weights."""
        if not self.is_deepspeed_enabled:
            super().save_model(output_dir, _internal_call)

    def read_state(self, checkpoint: Path) -> None:
        """Restore the state that is not in the Trainer's own files."""
        self.steps = read_records(checkpoint / "training.parquet", TrainingStep)
        self.timings = read_records(checkpoint / "timing.parquet", StepTiming)
        self.curve.read_state(checkpoint)
        self.first_step = len(self.steps)

    def write_state(self, checkpoint: Path) -> None:
        """Write the files that `read_state` reads; only the first process calls this."""
        write_records(checkpoint / "training.parquet", TrainingStep, self.steps)
        write_records(checkpoint / "timing.parquet", StepTiming, self.timings)
        self.curve.write_state(checkpoint)

    def collate(self, examples: Sequence[object]) -> Batch:
        """A micro-batch from its examples, made when it is needed."""
        raise NotImplementedError

    def micro_batch(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """The summed loss of a micro-batch with its gradient, and its sums and counts for the log, float64."""
        raise NotImplementedError

    def denominator(self, step: int) -> int:
        """The divisor of the summed loss of a step (from 0), the same for all its micro-batches and processes."""
        raise NotImplementedError

    def quantities(self, sums: Tensor) -> dict[str, float | None]:
        """Fields of `TrainingStep` from the total sums of a step."""
        raise NotImplementedError

    def before_training(self, model: nn.Module) -> None:
        """Run checks before the first step of a run."""

    def before_step(self, step: int) -> None:
        """Run preparations before the first micro-batch of a step (from 0), on all processes."""

    def evaluates_after(self, step: int) -> bool:
        """Whether an evaluation is due after `step` steps (at least 1); after the last step there always is one."""
        raise NotImplementedError

    def evaluate_held_out(self, step: int) -> None:
        """Evaluate the policy on held-out prompts, on all processes, and `note` the value."""
        raise NotImplementedError

    def note(self, step: int, value: float) -> None:
        """Add a value to the curve, and save weights that may be selected; the last weights need not be saved."""
        values = [value]
        broadcast_object_list(values)  # the processes must not decide differently if a last bit differs on a device
        epoch = step * self.plan.batch_size / self.plan.examples
        best = self.curve.add(Point(step, epoch, values[0]))
        if best and step < self.last_step and (weights := trained_weights(self)):
            self.curve.put_aside(weights)
        self.log_step(step, {f"dev_select/{self.measure}": value})

    def kept_weights(self) -> dict[str, Tensor]:
        """The `trained_weights` of the step that `training.keep` selects."""
        if not self.curve.points or self.curve.kept.step == self.last_step:
            return trained_weights(self)
        return self.curve.weights() if self.args.process_index == 0 else {}

    def rehearse(self, step: int) -> None:
        """Try the longest micro-batch of the pass in which a step (from 0) begins, without a lasting effect."""
        lengths = [example.length for example in self.train_dataset]
        places = self.plan.longest_of_pass(self.plan.pass_of(step), self.args.process_index, lengths)
        batch = self._prepare_inputs(self.collate([self.train_dataset[place] for place in places]))
        without_effect(self.model, lambda: self.micro_batch(self.model, batch)[0])

    def get_train_dataloader(self) -> DataLoader:
        """The micro-batches of this process for the whole run, as one epoch of lists of examples."""
        return DataLoader(
            self.train_dataset,
            batch_sampler=self.plan.micro_batches(self.args.process_index),
            collate_fn=self.data_collator,
            generator=torch.Generator(),  # a separate generator, because drawing from torch's would change dropout
        )

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """The optimizer, with weight decay only on the matrices that the Trainer lists by name."""
        if self.optimizer is None:
            decayed = set(self.get_decay_parameter_names(self.model))
            self.optimizer = build_optimizer(self.model.named_parameters(), decayed, self.settings)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """The schedule of the learning rate from the settings."""
        optimizer = optimizer or self.optimizer
        shares = learning_rate_shares(self.settings, num_training_steps, optimizer)
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, shares)
        return self.lr_scheduler

    def training_step(self, model: nn.Module, inputs: list, num_items_in_batch: None = None) -> Tensor:
        """Forward and backward of one micro-batch, scaled so that a step has the gradient of its mean loss."""
        if self._sums is None:
            self._begin_step(model, self.state.global_step)
        model.train()
        batch = self._prepare_inputs(self.collate(inputs))
        share, tokens = self.plan.has_share(self.args.process_index), int(batch["attention_mask"].sum())
        # gradients are averaged over processes
        scale = share * self.plan.processes / self.denominator(self.state.global_step)
        if self.flops_per_token is None and can_count(self.numerics) and not self.is_deepspeed_enabled:  # not tried
            with FlopCount() as count:
                loss, sums = self._forward_backward(model, batch, scale)
            self.flops_per_token = count.total / tokens
        else:
            loss, sums = self._forward_backward(model, batch, scale)
        self._sums = share * sums if self._sums is None else self._sums + share * sums
        self._tokens += share * tokens
        return loss.detach() * scale

    def _forward_backward(self, model: nn.Module, batch: Batch, scale: float) -> tuple[Tensor, Tensor]:
        """The summed loss and the sums of a micro-batch; the gradients are those of the loss times `scale`."""
        with locate_numeric_error(f"step {self.state.global_step + 1}", batch["numbers"]):
            loss, sums = self.micro_batch(model, batch)
            if not loss.isfinite():
                raise FloatingPointError(f"the loss is {loss.item()}")
        whole = {"scale_wrt_gas": False} if self.is_deepspeed_enabled else {}
        self.accelerator.backward(loss * scale, **whole)
        return loss, sums

    def _begin_step(self, model: nn.Module, step: int) -> None:
        """Work before a step, for example an evaluation after the previous step.

        An evaluation takes long. It runs here because the previous step already has its checkpoint at this point, and a
        warned run has ended.
        """
        if step == 0:
            self.before_training(model)
            self.restart_clock()
        elif self.evaluates_after(step):
            self.evaluate_held_out(step)
            self.restart_clock()
        self.before_step(step)
        if step == self.first_step + 1 and can_rehearse(self.args.device):
            self.rehearse(step)
            self.restart_clock()

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add what the Trainer reports of an optimiser step to `steps` and `timings`; nothing is printed."""
        if "grad_norm" not in logs:
            return  # this is the Trainer's summary at the end
        step = self.state.global_step
        if not math.isfinite(logs["grad_norm"]):
            raise DataError(f"step {step}: the norm of the gradient is {logs['grad_norm']}; lower the learning rate")
        counts = torch.tensor([self._tokens, self._warned.received], device=self.args.device)
        sums, (tokens, warned) = self.total(self._sums), self.total(counts).tolist()
        self._sums, self._tokens = None, 0
        row = TrainingStep(
            step=step,
            epoch=step * self.plan.batch_size / self.plan.examples,
            learning_rate=float(logs["learning_rate"]),
            grad_norm=float(logs["grad_norm"]),
            **self.quantities(sums),
        )
        self.steps.append(row)
        self.log_step(
            step, {name: value for name, value in asdict(row).items() if name != "step" and value is not None}
        )
        self.timings.append(StepTiming(step, time.monotonic() - self._clock, tokens))
        next(self._progress, None)
        if step == self.last_step:
            self.evaluate_held_out(step)
            self.control.should_training_stop = True
            if step < self.plan.steps:
                logging.info("stopped after step %d: answers had collapsed after %d", step, self.collapsed_after)
        self.restart_clock()
        if warned and step < self.last_step:  # the sum tells all processes if any of them was warned
            self.control.should_save = self.control.should_training_stop = True

    def total(self, values: Tensor) -> Tensor:
        """Sum of the values over all processes."""
        return self.accelerator.reduce(values, "sum") if self.plan.processes > 1 else values

    def floating_point_ops(self, inputs: list) -> float:
        """Returns 0, because counting would visit all modules in every micro-batch."""
        return 0.0

    def keep_gradient_norm(self) -> None:
        """Make DeepSpeed keep the gradient norm used for clipping, which it discards in float32 without ZeRO."""
        engine = self.model_wrapped

        def clip() -> None:
            parameters = engine.module.parameters()
            engine._global_grad_norm = nn.utils.clip_grad_norm_(parameters, self.settings.max_grad_norm)

        engine.clip_fp32_gradients = clip

    def restart_clock(self) -> None:
        """Start timing the next step; work between two steps, such as a checkpoint, is not timed."""
        self._clock = time.monotonic()
