"""Greedy answers by vLLM on GPUs, written for its documented interface; the tests replace vLLM by a stand-in."""

from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerBase

from tabpo.inference.generate import read_completion
from tabpo.records import Completion
from tabpo.study.generation import check_engine

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


def generate_by_vllm(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[tuple[str, Sequence[int]]],
    *,
    precision: str,
    max_length: int,
    max_new_tokens: int,
    batch_size: int,
) -> list[Completion]:
    """Answer every prompt as `generate` does; unlike there, "bf16" rounds all weights to bfloat16.

    Each matrix is divided among all GPUs of the job.

    Args:
        folder: Folder of the trained model.
        tokenizer: Its end-of-turn token ends an answer.
        prompts: A prompt_id and token ids each; vLLM receives the ids, so that it neither adds nor splits tokens.
        precision: "bf16" or "fp32".
        max_length: Largest number of tokens of prompt and answer together.
        max_new_tokens: Largest number of tokens in an answer.
        batch_size: Number of prompts that are answered at a time.

    Raises:
        ConfigError: vLLM is not installed.
    """
    check_engine("vllm")
    from vllm import LLM, SamplingParams  # not among the requirements

    model = LLM(
        model=str(folder),
        skip_tokenizer_init=True,
        generation_config="vllm",  # otherwise temperature and penalties come from the model's folder
        dtype=DTYPES[precision],
        tensor_parallel_size=torch.cuda.device_count(),
        max_model_len=max_length,
        max_num_seqs=batch_size,
        seed=0,
        trust_remote_code=False,
    )
    settings = SamplingParams(
        temperature=0.0, max_tokens=max_new_tokens, stop_token_ids=[tokenizer.eos_token_id], detokenize=False
    )
    asked = [{"prompt_token_ids": list(ids)} for _, ids in prompts]
    answers = [output.outputs[0].token_ids for output in model.generate(asked, settings)]  # in the order of the prompts
    return [
        read_completion(tokenizer, prompt_id, list(ids)) for (prompt_id, _), ids in zip(prompts, answers, strict=True)
    ]
