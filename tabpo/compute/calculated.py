"""Floating-point operations of preference training, calculated before the first step from the pairs and the model.

Like those that training counts (`training.flops`), they leave out evaluations, the sampling of anchors and the shared
log-probs of the reference.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from tabpo.scoring.packing import pack
from tabpo.scoring.tokenise import PairExample
from tabpo.training.anchors import MAX_NEW_TOKENS


@dataclass(frozen=True)
class Dimensions:
    """The sizes of a model that decide what a pass costs.

    Attributes:
        layers: Number of weights that each token is multiplied with, those of the output head left out.
        head: Number of weights of the output head.
        attention: Width of all heads of a layer together, times the number of layers.
    """

    layers: int
    head: int
    attention: int


def read_dimensions(model: Path) -> Dimensions:
    """Read the dimensions of a model from its configuration; no weights are read."""
    config = AutoConfig.from_pretrained(model)
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config)
    head = empty.get_output_embeddings().weight
    outside = {id(head), id(empty.get_input_embeddings().weight)}
    layers = sum(weight.numel() for weight in empty.parameters() if weight.dim() == 2 and id(weight) not in outside)
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Dimensions(layers, head.numel(), width * config.num_attention_heads * config.num_hidden_layers)


def forward_flops(sizes: Dimensions, read: float, scored: float, squares: float) -> float:
    """Operations of one forward pass: 2 for each weight and token, 4 for each pair of tokens and unit of attention.

    Args:
        sizes: Of the model.
        read: Number of tokens that the model reads.
        scored: Number of states that the output head scores.
        squares: Number of pairs of a token and a token that attention compares it with.
    """
    return 2 * sizes.layers * read + 2 * sizes.head * scored + 4 * sizes.attention * squares


def pair_flops(
    sizes: Dimensions, needs: Collection[str], training: Mapping[str, Any], pairs: Sequence[PairExample]
) -> float:
    """Calculate the operations of training on one pair, the mean over pairs.

    A step of the policy is a forward pass and a backward pass of twice its operations; with adapters the backward pass
    has half of these, since frozen weights have no gradient, and `gradient_checkpointing` adds a forward pass. The
    reference costs a forward pass if the loss needs its distribution, and the attribution of "importance" reads the
    prompt once and all completions forth and back. An anchor counts as long as the chosen completion, at most
    `anchors.MAX_NEW_TOKENS`. Padding and the adapters themselves are left out.

    Args:
        sizes: Of the model.
        needs: `needs` of the loss.
        training: `lora` and `gradient_checkpointing` are read, and `micro_batch_size`, in which pairs of a prompt share
            it.
        pairs: At least one.
    """
    passes = (2 if training["lora"] else 3) + (1 if training["gradient_checkpointing"] else 0)
    passes += 1 if needs & {"token_kl", "anchor"} else 0
    total, size = 0.0, training["micro_batch_size"]
    groups: dict[tuple[int, ...], list[PairExample]] = {}
    for pair in pairs:
        groups.setdefault(pair.prompt_ids, []).append(pair)
    for group in groups.values():
        for start in range(0, len(group), size):
            together = group[start : start + size]
            total += passes * _pass_flops(sizes, together, "anchor" in needs)
            total += _attribution_flops(sizes, together) if "importance" in needs else 0.0
    return total / len(pairs)


def _pass_flops(sizes: Dimensions, pairs: Sequence[PairExample], with_anchor: bool) -> float:
    """Operations of a forward pass over the packed completions of pairs of one prompt."""
    completions = [completion for pair in pairs for completion in (pair.chosen_ids, pair.rejected_ids)]
    if with_anchor:
        length = min(len(pairs[0].chosen_ids), MAX_NEW_TOKENS)
        completions.append((-1,) * length)  # a token that no completion begins with
    packed = pack([pairs[0].prompt_ids] * len(completions), completions)
    scored = len({state for states in packed.states for state in states})
    squares = sum(
        tree.first**2 + sum(length * (shared + length) for shared, length in tree.suffixes) for tree in packed.trees
    )
    return forward_flops(sizes, len(packed.token_ids), scored, squares)


def _attribution_flops(sizes: Dimensions, pairs: Sequence[PairExample]) -> float:
    """Operations of the attribution of tokens (`importance`) of pairs of one prompt."""
    prompt = len(pairs[0].prompt_ids)
    lengths = [len(side) for side in {side for pair in pairs for side in (pair.chosen_ids, pair.rejected_ids)}]
    return forward_flops(sizes, prompt, 0, prompt**2) + 2 * sum(
        forward_flops(sizes, length, 1, length * (prompt + length)) for length in lengths
    )
