"""Preference training: any loss of `tabpo.losses` over pairs, from a policy that starts as the reference."""

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

from tabpo.errors import DataError, told_where
from tabpo.losses import LossOutput, Side, check_contract
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
"""Files of a checkpoint."""

STEP0_BATCHES = 2
"""Micro-batches of each process that step 0 is checked on."""


class PreferenceTrainer(StepTrainer):
    """Loss of a step: the mean of the loss over its pairs.

    What a loss lists in its `needs` is computed here, and for no other loss.

    Attributes:
        anchors: Completions sampled from the policy, for losses that need "anchor"; None for others.
        shared: Whether completions of a prompt are read as one tree; not by architectures that cannot.
        watch: Looks at held-out answers; None looks at nothing.
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
        """Rows logged, and what is neither in the model nor in the optimizer: anchors, and the head beside adapters."""
        super().read_state(checkpoint)
        if self.watch is not None:
            self.watch.read_state(checkpoint / WATCH)
        if self.anchors is not None:
            self.anchors.read_state(checkpoint / ANCHORS)
        if self._has_head_beside_adapters:
            getattr(self.model, HEAD).load_state_dict(load_file(checkpoint / BASELINE))

    def write_state(self, checkpoint: Path) -> None:
        """What `read_state` reads."""
        super().write_state(checkpoint)
        if self.watch is not None:
            self.watch.write_state(checkpoint / WATCH)
        if self.anchors is not None:
            self.anchors.write_state(checkpoint / ANCHORS)
        if self._has_head_beside_adapters:
            save_file(getattr(self.model, HEAD).state_dict(), checkpoint / BASELINE)

    def before_training(self, model: nn.Module) -> None:
        """Policy equals reference on the first micro-batches; the first look at held-out answers.

        Raises:
            DataError: They are further apart than `STEP0_BAR`.
        """
        model.eval()
        apart = []
        for pairs in islice(self.get_train_dataloader(), STEP0_BATCHES):
            batch = self._prepare_inputs(collate_pairs(pairs, self.pad_id, shared=self.shared))
            with torch.no_grad(), told_where("step 0", [pair.number for pair in pairs]):
                sides = score_pairs(model, batch, self.numerics)
            apart += [(side.policy_logps - side.reference_logps)[side.completion_mask].abs() for side in sides]
        differences = torch.cat(apart).double()
        total, count = self.total(torch.stack([differences.sum(), differences.new_tensor(len(differences))])).tolist()
        check_step0(total / count, self.accelerator.gather(differences.max()).max().item(), self.numerics["precision"])
        if self.watch is not None:
            self.watch.look(self.model, 0)

    @property
    def collapsed_after(self) -> int | None:
        """Of the watch's looks; those at pairs find none."""
        health = [] if self.watch is None else self.watch.health
        return next((row["step"] for row in health if row.get("collapsed")), None)

    def looks_after(self, step: int) -> bool:
        """As often as the watch asks for."""
        return self.watch is not None and step % self.watch.every == 0

    def look(self, step: int) -> None:
        """The watch's."""
        if self.watch is not None:
            self.watch.look(self.model, step)
            broadcast_object_list(self.watch.health)  # what ends the run of one process ends that of all
            self.note(step, self.watch.health[-1][self.measure])

    def before_step(self, step: int) -> None:
        """The anchors of a pass as its first step begins."""
        number = self.plan.pass_of(step)
        if self.anchors is not None and number != self.anchors.number:
            pairs = [self.train_dataset[index] for index in self.plan.of_pass(number)]
            self.anchors.renew(self.model, pairs, number)

    def collate(self, examples: Sequence[PairExample]) -> Batch:
        """Both completions of each pair, and its anchor where the loss needs it."""
        anchors = None if self.anchors is None else [self.anchors.completions[pair.prompt_id] for pair in examples]
        batch: Batch = collate_pairs(examples, self.pad_id, anchors, self.shared)
        batch["numbers"] = [pair.number for pair in examples]
        if "importance" in self.loss.needs:
            batch["attribution"] = collate_attribution(examples, self.pad_id)
        return batch

    def micro_batch(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """One forward pass for both sides, one call of the loss; sums as `diagnostics.SUMS`.

        Raises:
            ConfigError: At the first micro-batch of a process, a loss that breaks its contract.
        """
        chosen, rejected = self.sides(model, batch)
        if not self._loss_is_checked:
            check_contract(self.loss, chosen, rejected)
            self._loss_is_checked = True
        output = self.loss(chosen, rejected)
        return output.losses.sum(), pair_sums(output, chosen, rejected, batch["completion_ids"])

    def sides(self, model: nn.Module, batch: Batch) -> tuple[Side, Side]:
        """Both sides with all that the loss needs."""
        needs = self.loss.needs
        importance: tuple[Tensor | None, ...] = (None, None)
        if "importance" in needs:  # first: its graph is gone before the one that is trained on is built
            found = token_importance(self.model, batch["attribution"], self.numerics)
            beyond = batch["completion_mask"].shape[-1] - found.shape[-1]  # where an anchor is longer
            importance = nn.functional.pad(found, (0, beyond)).chunk(2)
        scored = needs | {"hidden_states"} if "baseline" in needs else needs
        sides = score_pairs(model, batch, self.numerics, scored, self.frozen)
        sides = tuple(replace(side, importance=own) for side, own in zip(sides, importance, strict=True))
        if "baseline" in needs:
            head = getattr(self.model, HEAD)
            sides = tuple(replace(side, baseline=head(side.hidden_states)) for side in sides)
        return sides

    def denominator(self, step: int) -> int:
        """Pairs of the step."""
        return self.plan.batch_size

    def quantities(self, sums: Tensor) -> dict[str, float | None]:
        """All that a step of preference training logs."""
        return step_quantities(sums)

    @property
    def _has_head_beside_adapters(self) -> bool:
        """Whether there is a head that nobody else keeps: with adapters the Trainer keeps them alone."""
        return "baseline" in self.loss.needs and isinstance(self.model, PeftModel) and not self.is_deepspeed_enabled


def check_step0(mean: float, largest: float, precision: str) -> None:
    """Refuse a policy that is not its reference.

    Args:
        mean: Mean |difference| per completion token, nats.
        largest: The largest.
        precision: Of the run, which sets the bar.

    Raises:
        DataError: Above the bar, or not a number.
    """
    bar = STEP0_BAR[precision]
    if not (mean <= bar["mean"] and largest <= bar["max"]):
        raise DataError(
            f"step 0: policy and reference are {mean:.2g} nats per token apart on average and {largest:.2g} at most;"
            f" accepted in {precision}: {bar['mean']:.2g} and {bar['max']:.2g}. The reference log-probs are of other"
            " weights, token ids or arithmetic than this run starts from: make the reference file again"
        )
