"""Measure forward and backward passes over a packed row of pairs, with three ways of computing attention.

    blocks_eager one call of the eager kernel of transformers for each first sequence and each suffix
    blocks_sdpa  the same with SDPA
    whole_row    one call of SDPA for the row, with a mask (1, 1, tokens, tokens) of the tokens that each token sees

`train` runs the first with `attention: eager` and the second with `attention: sdpa`. All programs have the same random
weights and, in each round, the same new batch: pairs whose answers share a prompt and differ in one to three tokens.
They alternate in one process with one thread. The measured time is process time, so that other load on the machine has
less influence. A pass goes from the batch to the gradients of all weights; it includes the output head at the
completions' tokens, but not the optimiser.

    ONEDNN_PRIMITIVE_CACHE_CAPACITY=512 python -m benchmarks.attention > benchmarks/results/attention.jsonl
"""

import argparse
import json
import random
import time
from itertools import product
from statistics import median

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tabpo.scoring.attention import Forest
from tabpo.scoring.collate import Batch, collate_pairs
from tabpo.scoring.forward import completion_logps
from tabpo.scoring.tokenise import PairExample

SHAPES = {
    "smollm2": {
        "model_type": "llama",
        "hidden_size": 576,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "intermediate_size": 1536,
        "vocab_size": 49152,
    },
    "demo": {
        "model_type": "qwen2",
        "hidden_size": 128,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "intermediate_size": 384,
        "vocab_size": 2000,
    },
}
BATCHES = {"smollm2": (2, (60, 120), (100, 200)), "demo": (32, (10, 64), (30, 100))}
"""Number of pairs, and the smallest and largest number of tokens of prompts and of completions."""

PROGRAMS = {"blocks_eager": "trees_eager", "blocks_sdpa": "trees_sdpa", "whole_row": "sdpa"}
"""The attention of the model in each program."""


def main() -> None:
    """Print one row for each shape and precision as JSON lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=list(SHAPES))
    parser.add_argument("--precisions", nargs="+", choices=("fp32", "bf16"), default=["fp32", "bf16"])
    parser.add_argument(
        "--rounds", type=int, default=5, help="measured rounds of all programs, after one for warming up"
    )
    args = parser.parse_args()
    torch.set_num_threads(1)
    for shape, precision in product(args.shapes, args.precisions):
        print(json.dumps(compare(shape, precision, args.rounds)), flush=True)


def compare(shape: str, precision: str, rounds: int) -> dict:
    """Return the median seconds of eager by block, and the other programs' time relative to it: median, least, most."""
    sizes = dict(SHAPES[shape])
    torch.manual_seed(0)
    config = AutoConfig.for_model(**sizes, tie_word_embeddings=True, max_position_embeddings=1024)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    draw = random.Random(0)
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    tokens, apart = [], 0.0
    for number in range(1 + rounds):
        batch = collate_pairs(pairs(shape, draw), pad_id=0)
        logps = {}
        for name, values in seconds.items():
            logps[name], passed_s = timed_pass(model, batch, precision, name)
            if number > 0:  # the first round is for warming up
                values.append(passed_s)
        tokens.append(batch["input_ids"].shape[1])
        apart = max(apart, *((values - logps["blocks_eager"]).abs().max().item() for values in logps.values()))
    ratios = {
        name: [other / eager for other, eager in zip(values, seconds["blocks_eager"], strict=True)]
        for name, values in seconds.items()
        if name != "blocks_eager"
    }
    return {
        "shape": shape,
        "precision": precision,
        "rounds": rounds,
        "tokens": round(median(tokens)),
        "eager_s": round(median(seconds["blocks_eager"]), 3),
        "to_eager": {name: [round(of(values), 2) for of in (median, min, max)] for name, values in ratios.items()},
        "apart": float(f"{apart:.1g}"),
    }


def timed_pass(model: PreTrainedModel, batch: Batch, precision: str, name: str) -> tuple[torch.Tensor, float]:
    """Return the log-probs of one forward and backward pass, and its seconds."""
    model.set_attn_implementation(PROGRAMS[name])
    model.zero_grad()
    start = time.process_time()
    logps = completion_logps(model, in_one_call(batch) if name == "whole_row" else batch, {"precision": precision})
    logps.mean().backward()
    return logps.detach(), time.process_time() - start


def in_one_call(batch: Batch) -> Batch:
    """Return the batch with an attention mask over the row instead of the target pairs' structure."""
    places = torch.arange(batch["input_ids"].shape[1])
    sees = Forest(batch["trees"]).sees(None, places.device)
    mask = sees(places, places, places[:, None], places[None])[None, None]
    return {name: value for name, value in batch.items() if name != "trees"} | {"attention_mask": mask}


def pairs(shape: str, draw: random.Random) -> list[PairExample]:
    """Return a batch of random tokens; each rejected completion differs in one to three tokens."""
    number, prompts, completions = BATCHES[shape]
    vocabulary = SHAPES[shape]["vocab_size"]

    def drawn(least: int, most: int) -> tuple[int, ...]:
        return tuple(draw.randrange(1, vocabulary) for _ in range(draw.randint(least, most)))

    made = []
    for index in range(number):
        prompt, chosen = drawn(*prompts), drawn(*completions)
        rejected = list(chosen)
        for place in draw.sample(range(len(chosen)), draw.randint(1, 3)):
            rejected[place] = chosen[place] % (vocabulary - 1) + 1
        nothing = (0,) * len(chosen)
        made.append(
            PairExample(
                pair_id=f"{index}/0",
                prompt_ids=prompt,
                chosen_ids=chosen,
                rejected_ids=tuple(rejected),
                chosen_fields=nothing,
                rejected_fields=nothing,
                chosen_differs=nothing,
                rejected_differs=nothing,
                chosen_reference=None,
                rejected_reference=None,
            )
        )
    return made


if __name__ == "__main__":
    main()
