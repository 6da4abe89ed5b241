"""Anchor completions for TI-DPO (arXiv 2505.19653), sampled from the policy once per pass over the pairs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from accelerate.utils import gather_object
from peft import PeftModel
from torch import nn
from transformers import GenerationConfig

from tabpo.inference.generate import generate_batch, seeded
from tabpo.models.loading import autocast
from tabpo.progress import progress
from tabpo.records import Anchor, read_metadata, read_records, write_records
from tabpo.scoring.tokenise import PairExample

TEMPERATURE = 0.8
TOP_K = 50
TOP_P = 0.95
MAX_NEW_TOKENS = 64
"""Sampling settings of the authors' code, as in its fork github.com/bowenzhaosh/Saliency-Guided-TI-DPO.

That code also samples from the prompt, while Algorithm 1 starts from the preferred answer; but it samples in every
step.
"""

BATCH_SIZE = 16
"""Number of prompts sampled together; it does not depend on the number of processes."""


class Anchors:
    """The anchors of the current pass over the pairs.

    Attributes:
        completions: Token ids by prompt_id.
        number: Number of the pass in which they were sampled; None before the first.
    """

    def __init__(self, sample: Callable[..., dict[str, tuple[int, ...]]], seed: int):
        """`sample` is `sample_anchors` with all arguments bound except policy, prompts and seed."""
        self._sample, self._seed = sample, seed
        self.completions: dict[str, tuple[int, ...]] = {}
        self.number: int | None = None

    def renew(self, policy: nn.Module, pairs: Iterable[PairExample], number: int) -> None:
        """Sample anchors for the prompts of a pass; all processes must call this at the same time."""
        prompts = {pair.prompt_id: pair.prompt_ids for pair in pairs}
        self.completions, self.number = self._sample(policy, prompts, seed=(self._seed, number)), number

    def read_state(self, path: Path) -> None:
        """Restore the anchors of a checkpoint."""
        records = read_records(path, Anchor)
        self.completions = {record.prompt_id: record.token_ids for record in records}
        self.number = int(read_metadata(path)["pass"])

    def write_state(self, path: Path) -> None:
        """Write the anchors for `read_state`."""
        records = [Anchor(*item) for item in self.completions.items()]
        write_records(path, Anchor, records, {"pass": str(self.number)})


def sample_anchors(
    policy: nn.Module,
    prompts: Mapping[str, Sequence[int]],
    numerics: dict,
    *,
    pad_id: int,
    eos_id: int,
    max_new_tokens: int,
    seed: Sequence[int],
    process: int,
    processes: int,
) -> dict[str, tuple[int, ...]]:
    """One completion of each prompt, sampled in eval mode; each has at least the end-of-turn token.

    Every batch has a separate seed, so that the number of processes changes nothing. All processes sample the same
    number of batches, as ZeRO-3 requires.

    Args:
        policy: The policy, not wrapped.
        prompts: Token ids by prompt_id.
        numerics: As for `models.loading.load_model`.
        pad_id: Token id of padding.
        eos_id: Token id that ends a completion.
        max_new_tokens: Largest number of tokens in a completion.
        seed: Whole numbers.
        process: Number of this process; each process samples a share of the batches and sends it to all others.
        processes: Number of processes that call this function at the same time.
    """
    order = sorted(prompts, key=lambda prompt_id: (-len(prompts[prompt_id]), prompt_id))
    batches = [order[start : start + BATCH_SIZE] for start in range(0, len(order), BATCH_SIZE)]
    rounds = -(-len(batches) // processes)
    mine = [place % len(batches) for place in range(process, rounds * processes, processes)]
    completions: list[tuple[str, tuple[int, ...]]] = []
    model = policy.get_base_model() if isinstance(policy, PeftModel) else policy
    training = policy.training
    settings = GenerationConfig(
        do_sample=True,
        temperature=TEMPERATURE,
        top_k=TOP_K,
        top_p=TOP_P,
        max_new_tokens=max_new_tokens,
        eos_token_id=eos_id,
        pad_token_id=pad_id,
    )
    policy.eval()
    for number in progress(mine, rounds, "batches of anchors") if process == 0 else mine:
        batch = batches[number]
        drawn = _sample(model, [prompts[prompt_id] for prompt_id in batch], settings, numerics, [*seed, number])
        completions += [(prompt_id, tuple(ids)) for prompt_id, ids in zip(batch, drawn, strict=True)]
    policy.train(training)
    return dict(gather_object(completions))


def _sample(
    model: nn.Module, prompts: Sequence[Sequence[int]], settings: GenerationConfig, numerics: dict, seed: Sequence[int]
) -> list[list[int]]:
    with seeded(model.device, *seed), autocast(numerics, model.device.type):  # keeps the random state of dropout
        return generate_batch(model, prompts, settings)
