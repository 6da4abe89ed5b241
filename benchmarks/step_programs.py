"""The programs that `pair_step` compares: each process takes a step on request, and prints the step's seconds.

python -m benchmarks.step_programs NAME CASE    (by `pair_step`)
"""

import json
import math
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.shapes import END, PAD, SHAPES, policy, tokenizer, with_adapters, words

if TYPE_CHECKING:
    from torch.nn import Module

    from tabpo.training.preference import PreferenceTrainer

PROGRAMS = ("shared", "plain", "trl_online", "trl_precomputed", "four_forward")
WARM_UP = 2


@dataclass(frozen=True)
class Case:
    """Settings of all programs of a comparison; `loss` is used by our programs, the others use DPO."""

    device: str
    model: str
    precision: str
    attention: str
    prompt: int
    completion: int
    negatives: int
    groups: int
    rounds: int
    lora: bool
    loss: str
    checkpointing: bool = False

    @property
    def pairs(self) -> int:
        """Pairs of a step: `groups` prompts with all their negatives."""
        return self.groups * self.negatives

    @property
    def forward_share(self) -> float:
        """Share of forward in a pass: backward costs a forward for states, and another for trained weights."""
        return 1 / 2 if self.lora else 1 / 3

    @property
    def vocabulary(self) -> int:
        """Size of the model's vocabulary."""
        return SHAPES[self.model]["vocab_size"]

    @property
    def steps(self) -> int:
        """Steps of each program, including those for warming up."""
        return WARM_UP + self.rounds


def token_pairs(case: Case) -> list[tuple[str, tuple[int, ...], tuple[int, ...], tuple[int, ...]]]:
    """Return the pairs for all steps: prompt's name, prompt ids, chosen and rejected ids with ends of turn."""
    draw = random.Random(0)

    def drawn(count: int) -> tuple[int, ...]:
        return tuple(draw.randrange(2, case.vocabulary) for _ in range(count))

    pairs = []
    while len(pairs) < case.pairs * case.steps:
        prompt, chosen = drawn(case.prompt), (*drawn(case.completion - 1), END)
        for _ in range(case.negatives):
            rejected = list(chosen)
            for place in draw.sample(range(case.completion - 1), draw.randint(1, 3)):
                rejected[place] = chosen[place] % (case.vocabulary - 2) + 2  # never equal, never END
            pairs.append((f"p{len(pairs) // case.negatives}", prompt, chosen, tuple(rejected)))
    return pairs


class Turns:
    """A program's part in alternating steps: call `end_step` after each step, and once before the first step."""

    def __init__(self, case: Case):
        self.case = case
        self.out = os.fdopen(os.dup(1), "w")
        os.dup2(2, 1)  # text that libraries print must not mix with the reports
        self.done = -1
        self.resting = _resident_mib(case.device)

    def tell(self, value: object) -> None:
        """Report a value, as one JSON line, to the process that requests steps."""
        print(json.dumps(value), file=self.out, flush=True)

    def now(self) -> float:
        """Return seconds: process time on a CPU, wall-clock time on a GPU."""
        if self.case.device == "cpu":
            return time.process_time()
        import torch

        torch.cuda.synchronize()
        return time.perf_counter()

    def timed(self, call: Callable[[], object]) -> tuple[object, float]:
        """Return the result of a call, and its seconds."""
        started = self.now()
        return call(), self.now() - started

    def end_step(self) -> None:
        """Report the seconds of the step, and wait for the request to take the next step."""
        if self.done >= 0:
            self.tell(self.now() - self.started)
        self.done += 1
        if self.done < self.case.steps:
            if not sys.stdin.readline():
                raise SystemExit("the process that requests steps has ended")
            self.started = self.now()

    def end(self, **also: object) -> None:
        """Report the whole run: its peak memory in MiB, and further values."""
        self.tell({"peak_mib": round(_peak_mib(self.case.device) - self.resting, 1), **also})


def run(name: str, case: Case) -> None:
    """Run one of the programs."""
    import datasets  # noqa: F401
    import torch
    import trl  # noqa: F401  (all programs make equal imports, for equal memory after them)
    from transformers import TrainerCallback

    from tabpo.scoring import reference  # noqa: F401
    from tabpo.training import preference  # noqa: F401

    torch.set_num_threads(1)
    turns = Turns(case)

    class EndOfStep(TrainerCallback):
        def on_train_begin(self, *_: object, **__: object) -> None:
            turns.end_step()

        on_step_end = on_train_begin

    if name == "four_forward":
        turns.end(tokens=tokens_of_trl("trl_online", case), parameters=parameters(four_forward(case, turns)))
        return
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HF_DATASETS_CACHE"] = folder
        trainer, before = (of_trl if name.startswith("trl") else of_ours)(name, case, turns, folder)
        trainer.add_callback(EndOfStep())
        turns.tell(before)
        trainer.train()
        tokens = tokens_of_trl(name, case) if name.startswith("trl") else tokens_read(trainer, case)
        turns.end(tokens=tokens, parameters=parameters(trainer.model))


def of_ours(name: str, case: Case, turns: Turns, folder: str) -> tuple[object, dict]:
    """Return our trainer with references scored as in the reference job, and the seconds of scoring for each pair."""
    import torch

    from tabpo.losses import build_loss
    from tabpo.models.loading import save_model
    from tabpo.scoring.reference import score_references
    from tabpo.scoring.tokenise import PairExample, differing_tokens
    from tabpo.study.training import training_settings
    from tabpo.training import preference
    from tabpo.training.arguments import training_arguments
    from tabpo.training.batches import BatchPlan

    numerics = {"precision": case.precision, "attention": case.attention, "threads": 1}
    pairs = []
    for number, (group, prompt, chosen, rejected) in enumerate(token_pairs(case)):
        fields = ((0,) * len(chosen), (0,) * len(rejected))
        differs = differing_tokens(chosen, rejected)
        pairs.append(PairExample(f"{group}/{number}", prompt, chosen, rejected, *fields, *differs, None, None))
    model = policy(case)
    if not case.lora:  # a policy with adapters is its own reference; 1.5B weights would take 6 GB of disk
        save_model(model, tokenizer(words(case)), Path(folder))
    scored, seconds = turns.timed(lambda: score_references(model, pairs, PAD, numerics, case.pairs))
    pairs = [
        replace(pair, chosen_reference=logps.chosen_logps, rejected_reference=logps.rejected_logps)
        for pair, logps in zip(pairs, scored, strict=True)
    ]
    settings = training_settings(
        steps=case.steps,
        batch_size=case.pairs,
        micro_batch_size=case.pairs,
        gradient_checkpointing=case.checkpointing,
    )
    plan = BatchPlan(list(range(len(pairs))), len(pairs), case.pairs, case.pairs, 1)
    arguments = training_arguments(
        settings, plan, seed=0, folder=Path(folder), device=torch.device(case.device), deepspeed=None
    )
    trainer = preference.PreferenceTrainer(
        with_adapters(model) if case.lora else model,
        arguments,
        settings=settings,
        numerics=numerics,
        plan=plan,
        examples=pairs,
        pad_id=PAD,
        eos_id=END,
        limits={"max_completion_tokens": case.completion},
        loss=build_loss(case.loss),
        start=Path(folder),
    )
    trainer.shared = name == "shared"
    return trainer, {"reference_s": seconds / len(pairs)}


def tokens_read(trainer: "PreferenceTrainer", case: Case) -> int:
    """Return the tokens of all steps, where each token counts as one forward and backward pass.

    Tokens that a frozen model reads count as one forward pass. Attributions are computed without shared prefixes: their
    prompt tokens count as one forward pass, their completion tokens as two, since weights have no gradient there.
    """
    tokens = sum(timing.tokens for timing in trainer.timings)
    forward = 0 if trainer.frozen is None else tokens
    if "importance" in trainer.loss.needs:
        pairs = trainer.train_dataset
        for first in range(0, len(pairs), case.pairs):
            for part in trainer.collate(pairs[first : first + case.pairs])["attribution"]:
                forward += int(part["prompt_mask"].sum()) + 2 * int(part["completion_mask"].sum())
    return round(tokens + forward * case.forward_share)


def tokens_of_trl(name: str, case: Case) -> int:
    """Return the tokens of the other programs: two rows for each pair, also read by the reference if it is online."""
    tokens = 2 * (case.prompt + case.completion) * case.pairs * case.steps
    return tokens if name == "trl_precomputed" else round(tokens * (1 + case.forward_share))


def parameters(model: "Module") -> int:
    """Return the number of parameters; tied parameters count once."""
    return sum(parameter.numel() for parameter in model.parameters())


def of_trl(name: str, case: Case, turns: Turns, folder: str) -> tuple[object, dict]:
    """Return TRL's trainer on the same token ids, which it gets as words."""
    from datasets import Dataset
    from peft import LoraConfig
    from trl import DPOConfig, DPOTrainer

    names = words(case)

    def text(ids: tuple[int, ...]) -> str:
        return "".join(f" {names[token]}" for token in ids if token != END)

    rows = [
        {"prompt": text(prompt), "chosen": text(chosen), "rejected": text(rejected)}
        for _, prompt, chosen, rejected in token_pairs(case)
    ]
    precomputed = name == "trl_precomputed"
    arguments = DPOConfig(
        output_dir=folder,
        per_device_train_batch_size=case.pairs,
        max_steps=case.steps,
        max_length=None,
        beta=0.1,
        bf16=case.precision == "bf16",
        use_cpu=case.device == "cpu",
        gradient_checkpointing=False,
        precompute_ref_log_probs=precomputed,
        report_to="none",
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    cost: list[float] = []

    class Trainer(DPOTrainer):
        def _precompute_ref_logps(self, *args: object) -> Dataset:
            dataset, seconds = turns.timed(lambda: super(Trainer, self)._precompute_ref_logps(*args))
            cost.append(seconds / len(rows))
            return dataset

    trainer = Trainer(
        model=policy(case),
        ref_model=None if precomputed or case.lora else policy(case),
        args=arguments,
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer(names),
        peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear") if case.lora else None,
    )
    assert [len(row["chosen_ids"]) for row in trainer.train_dataset] == [case.completion] * len(rows)
    return trainer, {"reference_s": cost[0]} if precomputed else {}


def four_forward(case: Case, turns: Turns) -> "Module":
    """Train with four forward passes (policy and reference, chosen and rejected), weighted means and a gated barrier.

    Returns the policy.
    """
    import torch
    from torch.nn import functional

    model, frozen = policy(case), None if case.lora else policy(case).eval()
    model = (with_adapters(model) if case.lora else model).train()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-6, fused=True)
    pairs = token_pairs(case)
    labels = slice(case.prompt, None)

    def logps(by: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
        with torch.autocast(case.device, torch.bfloat16, enabled=case.precision == "bf16"):
            logits = by(ids, attention_mask=torch.ones_like(ids), use_cache=False).logits[:, :-1]
        nats = functional.cross_entropy(logits.flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
        return -nats.view(len(ids), -1)[:, labels.start - 1 :]

    turns.tell({})
    turns.end_step()
    for first in range(0, len(pairs), case.pairs):
        sides = [
            torch.tensor([pair[1] + pair[side] for pair in pairs[first : first + case.pairs]], device=case.device)
            for side in (2, 3)
        ]
        weights = 1 + 0.2 * (sides[0] != sides[1])[:, labels]
        weights = weights / weights.mean(-1, keepdim=True)
        chosen, rejected = (logps(model, ids) for ids in sides)
        with torch.no_grad(), model.disable_adapter() if case.lora else nullcontext():
            references = [logps(frozen or model, ids) for ids in sides]
        ratios = [
            (weights * (ours - fixed)).mean(-1) for ours, fixed in zip((chosen, rejected), references, strict=True)
        ]
        gate = chosen.detach() < math.log(0.66)
        barrier = -(gate * weights * chosen).sum(-1) / (gate * weights).sum(-1).clamp(min=1)
        loss = (-functional.logsigmoid(0.5 * (ratios[0] - ratios[1])) + 0.5 * barrier).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        turns.end_step()
    return model


def _resident_mib(device: str) -> float:
    if device == "cuda":
        return 0.0
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def _peak_mib(device: str) -> float:
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


if __name__ == "__main__":
    run(sys.argv[1], Case(**json.loads(sys.argv[2])))
