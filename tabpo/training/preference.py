"""Preference training with any loss of `tabpo.losses`; the policy starts as the reference."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from accelerate.utils import broadcast_object_list
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import TrainingArguments

from tabpo.errors import DataError, locate_numeric_error
from tabpo.losses import FROM_FILES, LossOutput, Side, check_contract
from tabpo.models.frozen import frozen_reference
from tabpo.scoring.attention import shares_prefixes
from tabpo.scoring.collate import collate_pairs
from tabpo.scoring.forward import STEP0_BAR, score_pairs
from tabpo.scoring.tokenise import PairExample
from tabpo.study.training import TrainingSettings
from tabpo.training.anchors import MAX_NEW_TOKENS, Anchors, sample_anchors
from tabpo.training.baseline import HEAD, add_baseline
from tabpo.training.batches import BatchPlan
from tabpo.training.diagnostics import pair_sums, step_quantities
from tabpo.training.importance import collate_attribution, token_importance
from tabpo.training.pair_watch import PairWatch
from tabpo.training.trainer import Batch, StepTrainer
from tabpo.training.watch import Watch

ANCHORS = "anchors.parquet"
BASELINE = "baseline.safetensors"
WATCH = "watch.json"
"""Names of files in a checkpoint."""

STEP0_BATCHES = 2
"""Number of micro-batches per process on which policy and reference are compared at step 0."""


class PreferenceTrainer(StepTrainer):
    """Trainer whose loss of a step is the mean over its pairs of each pair's loss, multiplied by the pair's weight.

    The quantities that a loss lists in its `needs` are computed here, and only for these losses.

    Attributes:
        anchors: Completions sampled from the policy, for losses that need "anchor"; None for others.
        shared: Whether completions of a prompt are packed so that shared prefixes are read once; false for
            architectures that cannot do this.
        watch: Evaluations on held-out prompts; None for no evaluations.
    """

    def __init__(
        self,
        model: nn.Module,
        arguments: TrainingArguments,
        *,
        settings: TrainingSettings,
        numerics: dict,
        plan: BatchPlan,
        examples: Sequence[PairExample],
        pad_id: int,
        eos_id: int,
        limits: dict,
        loss: Callable[[Side, Side], LossOutput],
        start: Path,
        watch: Watch | PairWatch | None = None,
    ):
        missing = (loss.needs & FROM_FILES) - examples[0].chosen_values.keys()
        if missing:
            raise DataError(
                f"the loss needs {', '.join(sorted(missing))}, which these pairs do not have; accepted: token_scores of"
                " the method for dpo_logps and reverse_dpo_logps, and data with weights of tokens for token_weights"
            )
        self.measure = Watch.measure if watch is None else watch.measure
        if "baseline" in loss.needs:
            add_baseline(model, arguments.seed)
        super().__init__(
            model, arguments, settings=settings, numerics=numerics, plan=plan, examples=examples, pad_id=pad_id
        )
        self.loss, self.watch = loss, watch
        self._loss_is_checked = False
        self.shared = shares_prefixes(model)
        with_reference = loss.needs & {"token_kl", "anchor"}
        self.frozen = frozen_reference(self.model, start, numerics, arguments) if with_reference else None
        sample = partial(
            sample_anchors,
            numerics=numerics,
            pad_id=pad_id,
            eos_id=eos_id,
            max_new_tokens=min(MAX_NEW_TOKENS, limits["max_completion_tokens"]),
            process=arguments.process_index,
            processes=plan.processes,
        )
        self.anchors = Anchors(sample, arguments.seed) if "anchor" in loss.needs else None

    def read_state(self, checkpoint: Path) -> None:
        """Restore the logged rows, evaluations and anchors, and the baseline head of a model with adapters."""
        super().read_state(checkpoint)
        if self.watch is not None:
            self.watch.read_state(checkpoint / WATCH)
        if self.anchors is not None:
            self.anchors.read_state(checkpoint / ANCHORS)
        if self._has_head_beside_adapters:
            getattr(self.model, HEAD).load_state_dict(load_file(checkpoint / BASELINE))

    def write_state(self, checkpoint: Path) -> None:
        """Write the files that `read_state` reads."""
        super().write_state(checkpoint)
        if self.watch is not None:
            self.watch.write_state(checkpoint / WATCH)
        if self.anchors is not None:
            self.anchors.write_state(checkpoint / ANCHORS)
        if self._has_head_beside_adapters:
            save_file(getattr(self.model, HEAD).state_dict(), checkpoint / BASELINE)

    def before_training(self, model: nn.Module) -> None:
        """Check that the policy equals the reference on the first micro-batches, and run the first evaluation.

        Raises:
            DataError: Policy and reference differ by more than `STEP0_BAR`.
        """
        model.eval()
        apart = []
        for pairs in islice(self.get_train_dataloader(), STEP0_BATCHES):
            batch = self._prepare_inputs(collate_pairs(pairs, self.pad_id, shared=self.shared))
            with torch.no_grad(), locate_numeric_error("step 0", [pair.number for pair in pairs]):
                sides = score_pairs(model, batch, self.numerics)
            apart += [(side.policy_logps - side.reference_logps)[side.completion_mask].abs() for side in sides]
        differences = torch.cat(apart).double()
        total, count = self.total(torch.stack([differences.sum(), differences.new_tensor(len(differences))])).tolist()
        check_step0(total / count, self.accelerator.gather(differences.max()).max().item(), self.numerics["precision"])
        if self.watch is not None:
            self.watch.evaluate_held_out(self.model, 0)

    @property
    def collapsed_after(self) -> int | None:
        """Step of the first evaluation that found collapsed answers; evaluations on pairs find none."""
        health = [] if self.watch is None else self.watch.health
        return next((row["step"] for row in health if row.get("collapsed")), None)

    def evaluates_after(self, step: int) -> bool:
        """Whether an evaluation is due after a step: every `watch.every` steps."""
        return self.watch is not None and step % self.watch.every == 0

    def evaluate_held_out(self, step: int) -> None:
        """Run the evaluation, if there is a `watch`, and record its measure."""
        if self.watch is not None:
            self.watch.evaluate_held_out(self.model, step)
            broadcast_object_list(self.watch.health)  # so that all processes decide alike whether the run ends
            self.note(step, self.watch.health[-1][self.measure])

    def before_step(self, step: int) -> None:
        """Sample the anchors of a pass before its first step."""
        number = self.plan.pass_of(step)
        if self.anchors is not None and number != self.anchors.number:
            pairs = [self.train_dataset[index] for index in self.plan.of_pass(number)]
            self.anchors.renew(self.model, pairs, number)

    def collate(self, examples: Sequence[PairExample]) -> Batch:
        """Both completions of each pair, and its anchor if the loss needs one."""
        anchors = None if self.anchors is None else [self.anchors.completions[pair.prompt_id] for pair in examples]
        batch: Batch = collate_pairs(examples, self.pad_id, anchors, self.shared)
        batch["numbers"] = [pair.number for pair in examples]
        if "importance" in self.loss.needs:
            batch["attribution"] = collate_attribution(examples, self.pad_id)
        return batch

    def micro_batch(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """One forward pass for both sides and one call of the loss; the sums are those of `diagnostics.SUMS`.

        Raises:
            ConfigError: The loss breaks its contract, which is checked at the first micro-batch of a process.
        """
        chosen, rejected = self.sides(model, batch)
        if not self._loss_is_checked:
            check_contract(self.loss, chosen, rejected)
            self._loss_is_checked = True
        output = self.loss(chosen, rejected)
        output = replace(output, losses=output.losses * batch["weights"])
        return output.losses.sum(), pair_sums(output, chosen, rejected, batch["completion_ids"])

    def sides(self, model: nn.Module, batch: Batch) -> tuple[Side, Side]:
        """Both sides with every quantity that the loss needs."""
        needs = self.loss.needs
        importance: tuple[Tensor | None, ...] = (None, None)
        if "importance" in needs:  # computed first, so that its graph is freed before the graph of training is built
            by_token = token_importance(self.model, batch["attribution"], self.numerics)
            beyond = batch["completion_mask"].shape[-1] - by_token.shape[-1]  # above 0 if an anchor is longer
            importance = nn.functional.pad(by_token, (0, beyond)).chunk(2)
        scored = needs | {"hidden_states"} if "baseline" in needs else needs
        sides = score_pairs(model, batch, self.numerics, scored, self.frozen)
        sides = tuple(replace(side, importance=values) for side, values in zip(sides, importance, strict=True))
        if "baseline" in needs:
            head = getattr(self.model, HEAD)
            sides = tuple(replace(side, baseline=head(side.hidden_states)) for side in sides)
        return sides

    def denominator(self, step: int) -> int:
        """Number of pairs in the step."""
        return self.plan.batch_size

    def quantities(self, sums: Tensor) -> dict[str, float | None]:
        """All quantities that a step of preference training logs."""
        return step_quantities(sums)

    @property
    def _has_head_beside_adapters(self) -> bool:
        """Whether the baseline head must be saved separately, because for adapters the Trainer saves nothing else."""
        return "baseline" in self.loss.needs and isinstance(self.model, PeftModel) and not self.is_deepspeed_enabled


def check_step0(mean: float, largest: float, precision: str) -> None:
    """Refuse a policy that differs from its reference.

    Args:
        mean: Mean |difference| per completion token, nats.
        largest: Largest |difference|, nats.
        precision: Precision of the run, which selects the bounds in `STEP0_BAR`.

    Raises:
        DataError: A difference is above its bound, or NaN.
    """
    bar = STEP0_BAR[precision]
    if not (mean <= bar["mean"] and largest <= bar["max"]):
        raise DataError(
            f"step 0: policy and reference are {mean:.2g} nats per token apart on average and {largest:.2g} at most;"
            f" accepted in {precision}: {bar['mean']:.2g} and {bar['max']:.2g}. The reference log-probs are of other"
            " weights, token ids or arithmetic than this run starts from: compute the reference file again"
        )
