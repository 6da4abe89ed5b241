"""The steps that give a run the operations of the study's dearest method, by calculation (`extra_steps: match`)."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase

from tabpo.compute.calculated import Dimensions, pair_flops, read_dimensions
from tabpo.losses import build_loss
from tabpo.records import Pair, Prompt, read_records
from tabpo.scoring.tokenise import PairExample, encode_pairs
from tabpo.training.batches import planned_steps
from tabpo.tuning.choice import with_choice
from tabpo.tuning.trials import copied_method


@dataclass(frozen=True)
class Planned:
    """What a method costs by calculation.

    Attributes:
        steps: Steps by its settings.
        flops_per_step: Operations of a step.
        needed: Names of the methods whose runs it reads log-probs of.
    """

    steps: int
    flops_per_step: float
    needed: tuple[str, ...] = ()

    @property
    def flops(self) -> float:
        """Operations of the run itself."""
        return self.steps * self.flops_per_step


def match_steps(method: str, planned: Mapping[str, Planned]) -> dict[str, Any]:
    """Return the record of a match: the steps of a method with the operations of the dearest one.

    The runs that a method needs count for it, as in the table of costs. Numbers of steps are rounded, and a method
    keeps at least its own, so that the dearest one has these.

    Args:
        method: The method that is matched.
        planned: All methods that are compared, itself and those that they need included.

    Returns:
        `dearest`, a method; `dearest_flops`; `flops_per_step` and `steps` of the matched method; `steps_before`.
    """
    of_needed = {name: sum(planned[other].flops for other in plan.needed) for name, plan in planned.items()}
    totals = {name: plan.flops + of_needed[name] for name, plan in planned.items()}
    dearest, own = max(totals, key=totals.get), planned[method]
    steps = max(own.steps, round((totals[dearest] - of_needed[method]) / own.flops_per_step))
    return {
        "dearest": dearest,
        "dearest_flops": round(totals[dearest]),
        "flops_per_step": round(own.flops_per_step),
        "steps": steps,
        "steps_before": own.steps,
    }


def with_matched_steps(
    settings: Mapping[str, Any],
    tokenizer: PreTrainedTokenizerBase,
    sft: Path,
    prompts: Path,
    pairs: Path,
) -> dict[str, Any]:
    """Return the settings of a run with `extra_steps`, with its steps and the record of their calculation.

    Settings without `match` are returned as they are. A number of warm-up steps grows like the steps. A copy with label
    noise has the steps of its method.

    Args:
        settings: Of the run; `match` lists all methods that are compared.
        tokenizer: Of the SFT model.
        sft: Folder of the SFT model.
        prompts: The prompts of the pairs.
        pairs: The run's pairs, `{pairing}/seed{seed}.parquet`, beside those of the other pairings.

    Raises:
        DataError: Raised by `encode_pairs`.
    """
    if "match" not in settings:
        return dict(settings)
    compared = [with_choice(entry) for entry in settings["match"]]
    records = read_records(prompts, Prompt)
    files = {entry["pairing"]: pairs.parents[1] / entry["pairing"] / pairs.name for entry in compared}
    encoded = {
        pairing: encode_pairs(tokenizer, records, read_records(file, Pair), None, settings["limits"])
        for pairing, file in files.items()
    }
    sizes = read_dimensions(sft)
    planned = {entry["method"]["name"]: _planned(entry, sizes, encoded[entry["pairing"]]) for entry in compared}
    compute = match_steps(copied_method(settings["method"]["name"]), planned)
    logging.info("%d steps instead of %d, for equal compute", compute["steps"], compute["steps_before"])
    training = {**settings["training"], "steps": compute["steps"], "epochs": None}
    if training.get("warmup_steps") is not None:
        training["warmup_steps"] = round(training["warmup_steps"] * compute["steps"] / compute["steps_before"])
    matched = {**settings, "training": training, "compute": compute}
    return {name: value for name, value in matched.items() if name != "match"}


def _planned(entry: Mapping[str, Any], sizes: Dimensions, pairs: Sequence[PairExample]) -> Planned:
    training, method = entry["training"], entry["method"]
    needs = build_loss(method["loss"], **method["params"]).needs
    steps = planned_steps(training.get("steps"), training.get("epochs"), training["batch_size"], len(pairs))
    per_step = training["batch_size"] * pair_flops(sizes, needs, training, pairs)
    return Planned(steps, per_step, tuple(entry["needed"]))
