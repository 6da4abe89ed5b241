"""What becomes of held-out preferences while a policy is trained: how it ranks them, and what both answers lose."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from peft import PeftModel
from torch import nn
from transformers import PreTrainedTokenizerBase

from tabpo.artefacts import write_json
from tabpo.metrics.ranking import mean_scores, pair_scores
from tabpo.records import Pair, Prompt, Reference, read_records
from tabpo.scoring.reference import score_references
from tabpo.scoring.tokenise import PairExample, encode_pairs
from tabpo.training.watch import BATCH_SIZE, spread


class PairWatch:
    """Looks at a policy now and then, always at the same held-out pairs; all processes look, and see the same.

    Attributes:
        measure: The quantity of `health` that choices are made by.
        every: Steps between two looks; there is one before the first step and one after the last.
        health: A row a look: step, and `pair_scores` against the policy of step 0.
    """

    measure = "reward_accuracy"

    def __init__(self, pairs: Sequence[PairExample], pad_id: int, numerics: dict, every: int):
        """Pairs encoded without references."""
        self.every = every
        self.health: list[dict[str, float]] = []
        self._pairs, self._pad_id, self._numerics = pairs, pad_id, numerics
        self._first: list[Reference] = []

    def look(self, policy: nn.Module, step: int) -> None:
        """Add the row of a step; the policy keeps its mode.

        Args:
            policy: Not wrapped.
            step: Steps done; 0 comes first.
        """
        model = policy.get_base_model() if isinstance(policy, PeftModel) else policy
        training = policy.training
        logps = score_references(model, self._pairs, self._pad_id, self._numerics, BATCH_SIZE)
        policy.train(training)
        if step == 0:
            self._first = logps
        self.health.append({"step": step, **mean_scores(pair_scores(logps, self._first))})

    @property
    def content(self) -> dict[str, list[dict[str, float]]]:
        """What `watch.json` holds."""
        return {"health": self.health}

    def write_state(self, path: Path) -> None:
        """Write what a resumed run goes on from."""
        first = [[one.pair_id, one.chosen_logps, one.rejected_logps] for one in self._first]
        write_json(path, {**self.content, "first": first})

    def read_state(self, path: Path) -> None:
        """Read it again."""
        state = json.loads(path.read_text())
        self.health, self._first = state["health"], [Reference(*one) for one in state["first"]]


def build_pair_watch(tokenizer: PreTrainedTokenizerBase, inputs: Mapping[str, Path], settings: dict) -> PairWatch:
    """The watch of a run on preferences.

    Args:
        tokenizer: Of the policy.
        inputs: Files of the run: held_out_prompts and held_out_pairs.
        settings: As in run.yaml.
    """
    training = settings["training"]
    pairs = spread(read_records(inputs["held_out_pairs"], Pair), training["watch_prompts"])
    prompts = read_records(inputs["held_out_prompts"], Prompt)
    encoded = encode_pairs(tokenizer, prompts, pairs, None, settings["limits"])
    return PairWatch(encoded, tokenizer.pad_token_id, settings["numerics"], training["watch_steps"])
