"""Supervised fine-tuning: mean negative log-likelihood of the gold completions' tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tabpo.training.attention import shares_prefixes
from tabpo.training.collate import collate_examples
from tabpo.training.scoring import completion_logps
from tabpo.training.tokenise import Example
from tabpo.training.trainer import Batch, StepTrainer


class SftTrainer(StepTrainer):
    """Loss of a step: negative log-prob of its completion tokens, summed, over their number in the whole step."""

    def collate(self, examples: Sequence[Example]) -> Batch:
        """All examples in one row without padding, where the architecture can read it."""
        batch = collate_examples(examples, self.pad_id, shares_prefixes(self.model))
        return {**batch, "ids": [example.prompt_id for example in examples]}

    def micro_batch(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Sums for the log: negative log-prob, completion tokens."""
        loss = -completion_logps(model, batch, self.numerics).sum()
        tokens = batch["completion_mask"].sum()
        return loss, torch.stack([loss.detach().double(), tokens.double()])

    def denominator(self, step: int) -> int:
        """Completion tokens of the step."""
        return sum(len(self.train_dataset[index].completion_ids) for index in self.plan.of_step(step))

    def quantities(self, sums: Tensor) -> dict[str, float | None]:
        """Nats per completion token."""
        loss, tokens = sums.tolist()
        return {"loss": loss / tokens}
