"""Evaluations on held-out preference pairs during training: the ranking of both answers and their log-probs."""

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
    """Evaluates a policy regularly on the same held-out pairs; all processes evaluate and get the same results.

    Attributes:
        measure: The quantity of `health` by which the best step is chosen.
        every: Steps between two evaluations; there is also one before the first step and one after the last.
        health: One row per evaluation: step, and the mean `pair_scores` relative to the policy of step 0.
    """

    measure = "reward_accuracy"

    def __init__(self, pairs: Sequence[PairExample], pad_id: int, numerics: dict, every: int):
        """The pairs are encoded without references."""
        self.every = every
        self.health: list[dict[str, float]] = []
        self._pairs, self._pad_id, self._numerics = pairs, pad_id, numerics
        self._first: list[Reference] = []

    def evaluate_held_out(self, policy: nn.Module, step: int) -> None:
        """Evaluate the policy and add the row of a step; the policy keeps its mode.

        Args:
            policy: The policy, not wrapped.
            step: Number of steps done; the first evaluation is at 0.
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
        """The content of `watch.json`."""
        return {"health": self.health}

    def write_state(self, path: Path) -> None:
        """Write the state that a resumed run needs."""
        first = [[scores.pair_id, scores.chosen_logps, scores.rejected_logps] for scores in self._first]
        write_json(path, {**self.content, "first": first})

    def read_state(self, path: Path) -> None:
        """Restore the state from `write_state`."""
        state = json.loads(path.read_text())
        self.health, self._first = state["health"], [Reference(*scores) for scores in state["first"]]


def build_pair_watch(tokenizer: PreTrainedTokenizerBase, inputs: Mapping[str, Path], settings: dict) -> PairWatch:
    """The evaluations of a run on preferences.

    Args:
        tokenizer: Tokenizer of the policy.
        inputs: Files of the run; held_out_prompts and held_out_pairs are read.
        settings: The settings in run.yaml.
    """
    training = settings["training"]
    pairs = spread(read_records(inputs["held_out_pairs"], Pair), training["watch_prompts"])
    prompts = read_records(inputs["held_out_prompts"], Prompt)
    encoded = encode_pairs(tokenizer, prompts, pairs, None, settings["limits"])
    return PairWatch(encoded, tokenizer.pad_token_id, settings["numerics"], training["watch_steps"])
