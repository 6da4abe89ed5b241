"""When a run's checkpoints are written, and that each is whole before it counts."""

from pathlib import Path

from transformers import Trainer, TrainerCallback, TrainingArguments

from tabpo.training.checkpoints import mark_complete


class Checkpoints(TrainerCallback):
    """Every so many steps, but not after the last: the Trainer's files, the logged rows, then the mark."""

    def __init__(self, trainer: Trainer):
        """A `StepTrainer`."""
        self.trainer = trainer

    def on_train_begin(self, args: TrainingArguments, state: object, control: object, **_: object) -> None:
        """The clock of the first step, and what DeepSpeed would not tell."""
        if self.trainer.is_deepspeed_enabled:
            self.trainer.tell_gradient_norm()
        self.trainer.restart_clock()

    def on_step_end(self, args: TrainingArguments, state: object, control: object, **_: object) -> None:
        """Whether this step has a checkpoint; a warning asks for one by itself."""
        due = state.global_step % self.trainer.settings.checkpoint_steps == 0
        control.should_save = due and state.global_step < self.trainer.last_step

    def on_save(self, args: TrainingArguments, state: object, control: object, **_: object) -> None:
        """The rest of it, once the Trainer has written its own files in all processes."""
        self.trainer.accelerator.wait_for_everyone()
        if args.process_index == 0:
            checkpoint = Path(args.output_dir, f"checkpoint-{state.global_step}")
            self.trainer.write_state(checkpoint)
            mark_complete(checkpoint, self.trainer.plan.processes)
        self.trainer.accelerator.wait_for_everyone()
        self.trainer.restart_clock()
