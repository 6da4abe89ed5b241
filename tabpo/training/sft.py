"""Supervised fine-tuning: mean negative log-likelihood of the gold completions' tokens."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tabpo.errors import told_where
from tabpo.scoring.attention import shares_prefixes
from tabpo.scoring.collate import collate_examples
from tabpo.scoring.forward import completion_logps
from tabpo.scoring.tokenise import Example
from tabpo.training.trainer import Batch, StepTrainer


class SftTrainer(StepTrainer):
    """Loss of a step: negative log-prob of its completion tokens, summed, over their number in the whole step.

    The same of gold answers to held-out prompts is measured after each pass over the examples.
    """

    measure = "nll"

    def __init__(self, *arguments: object, held_out: Sequence[Example] = (), **named: object):
        """As `StepTrainer`; without held-out prompts nothing is measured."""
        super().__init__(*arguments, **named)
        self.held_out = held_out

    def looks_after(self, step: int) -> bool:
        """When a pass has ended."""
        return self.plan.pass_of(step) > self.plan.pass_of(step - 1)

    @torch.no_grad()
    def look(self, step: int) -> None:
        """Nats per completion token of the held-out prompts, in micro-batches of training's size, in eval mode."""
        if not self.held_out:
            return
        self.model.eval()
        nats, tokens, size = 0.0, 0, self.plan.micro_batch_size
        for start in range(0, len(self.held_out), size):
            batch = self._prepare_inputs(self.collate(self.held_out[start : start + size]))
            with told_where(f"held-out answers after step {step}", batch["numbers"]):
                nats -= completion_logps(self.model, batch, self.numerics).double().sum().item()
            tokens += int(batch["completion_mask"].sum())
        self.model.train()
        self.note(step, nats / tokens)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """All examples in one row without padding, where the architecture can read it."""
        batch = collate_examples(examples, self.pad_id, shares_prefixes(self.model))
        return {**batch, "numbers": [example.number for example in examples]}

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
