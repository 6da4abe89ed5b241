"""Supervised fine-tuning: the mean negative log-likelihood of the tokens of gold completions."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tabpo.errors import locate_numeric_error
from tabpo.scoring.attention import shares_prefixes
from tabpo.scoring.collate import collate_examples
from tabpo.scoring.forward import completion_logps
from tabpo.scoring.tokenise import Example
from tabpo.training.trainer import Batch, StepTrainer


class SftTrainer(StepTrainer):
    """Trainer whose loss of a step is the mean negative log-prob over all completion tokens of the step.

    The mean negative log-prob of held-out gold answers is measured after each pass over the examples.
    """

    measure = "nll"

    def __init__(self, *arguments: object, held_out: Sequence[Example] = (), **named: object):
        """Takes the arguments of `StepTrainer`; without held-out examples nothing is measured."""
        super().__init__(*arguments, **named)
        self.held_out = held_out

    def evaluates_after(self, step: int) -> bool:
        """Whether a pass over the examples has ended after a step."""
        return self.plan.pass_of(step) > self.plan.pass_of(step - 1)

    @torch.no_grad()
    def evaluate_held_out(self, step: int) -> None:
        """Measure nats per completion token of held-out answers, in eval mode and in training micro-batches."""
        if not self.held_out:
            return
        self.model.eval()
        nats, tokens, size = 0.0, 0, self.plan.micro_batch_size
        for start in range(0, len(self.held_out), size):
            batch = self._prepare_inputs(self.collate(self.held_out[start : start + size]))
            with locate_numeric_error(f"held-out answers after step {step}", batch["numbers"]):
                nats -= completion_logps(self.model, batch, self.numerics).double().sum().item()
            tokens += int(batch["completion_mask"].sum())
        self.model.train()
        self.note(step, nats / tokens)

    def collate(self, examples: Sequence[Example]) -> Batch:
        """All examples in one packed row if the architecture can read it, otherwise in padded rows."""
        batch = collate_examples(examples, self.pad_id, shares_prefixes(self.model))
        return {**batch, "numbers": [example.number for example in examples]}

    def micro_batch(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Summed negative log-prob; the sums for the log are the negative log-prob and the completion tokens."""
        loss = -completion_logps(model, batch, self.numerics).sum()
        tokens = batch["completion_mask"].sum()
        return loss, torch.stack([loss.detach().double(), tokens.double()])

    def denominator(self, step: int) -> int:
        """Number of completion tokens in the step."""
        return sum(len(self.train_dataset[index].completion_ids) for index in self.plan.of_step(step))

    def quantities(self, sums: Tensor) -> dict[str, float | None]:
        """Nats per completion token."""
        loss, tokens = sums.tolist()
        return {"loss": loss / tokens}
