"""Preference training: any loss of `tabpo.losses` over pairs, from a policy that starts as the reference."""

from collections.abc import Callable, Sequence
from itertools import islice

import torch
from torch import Tensor, nn
from transformers import TrainingArguments

from tabpo.errors import DataError
from tabpo.losses import LossOutput, Side
from tabpo.training.collate import collate_pairs
from tabpo.training.diagnostics import pair_sums, step_quantities
from tabpo.training.order import BatchPlan
from tabpo.training.scoring import STEP0_BAR, score_pairs
from tabpo.training.settings import TrainingSettings
from tabpo.training.tokenise import PairExample
from tabpo.training.trainer import Batch, StepTrainer

STEP0_BATCHES = 2
"""Micro-batches of each process that step 0 is checked on."""


class PreferenceTrainer(StepTrainer):
    """Loss of a step: the mean of the loss over its pairs."""

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
        loss: Callable[[Side, Side], LossOutput],
    ):
        def collate(batch: Sequence[PairExample]) -> Batch:
            return {**collate_pairs(batch, pad_id), "ids": [pair.pair_id for pair in batch]}

        super().__init__(
            model, arguments, settings=settings, numerics=numerics, plan=plan, examples=examples, collate=collate
        )
        self.loss = loss

    def before_training(self, model: nn.Module) -> None:
        """Policy equals reference on the first micro-batches.

        Raises:
            DataError: They are further apart than `STEP0_BAR`.
        """
        model.eval()
        apart = []
        for batch in islice(self.get_train_dataloader(), STEP0_BATCHES):
            with torch.no_grad():
                sides = score_pairs(model, self._prepare_inputs(batch), self.numerics)
            apart += [(side.policy_logps - side.reference_logps)[side.completion_mask].abs() for side in sides]
        differences = torch.cat(apart).double()
        total, count = self.total(torch.stack([differences.sum(), differences.new_tensor(len(differences))])).tolist()
        check_step0(total / count, self.accelerator.gather(differences.max()).max().item(), self.numerics["precision"])

    def micro_batch(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """One forward pass for both sides; sums as `diagnostics.SUMS`."""
        chosen, rejected = score_pairs(model, batch, self.numerics)
        output = self.loss(chosen, rejected)
        return output.losses.sum(), pair_sums(output, chosen, rejected, batch["completion_ids"])

    def denominator(self, step: int) -> int:
        """Pairs of the step."""
        return self.plan.batch_size

    def quantities(self, sums: Tensor) -> dict[str, float | None]:
        """All that a step of preference training logs."""
        return step_quantities(sums)


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
