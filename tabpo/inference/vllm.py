"""Greedy answers by vLLM, in an environment of its own (envs/vllm.txt): no other module of this program needs torch."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerBase
from vllm import LLM, SamplingParams
from vllm.lora.request import LoRARequest
from vllm.sampling_params import StructuredOutputsParams

from tabpo.models.manifest import model_below, read_manifest
from tabpo.models.tokenizer import read_completion
from tabpo.records import Completion

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}

LORA_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks for which vLLM can reserve memory; the smallest that is large enough is taken."""


@dataclass(frozen=True)
class Caps:
    """Limits of the answers.

    Attributes:
        length: Largest number of tokens of prompt and answer together.
        new_tokens: Largest number of tokens in an answer.
        batch_size: Largest number of prompts that are answered at a time.
    """

    length: int
    new_tokens: int
    batch_size: int


def generate_by_vllm(
    folder: Path,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[tuple[str, Sequence[int]]],
    *,
    numerics: dict,
    gpus: int,
    caps: Caps,
    grammar: str | None = None,
) -> list[Completion]:
    """Answer every prompt as `generate` does; unlike there, "bf16" rounds all weights to bfloat16.

    Each matrix is divided among all GPUs of the job. Without a GPU the model runs on the CPU with the run's number of
    threads. Adapters are not merged: vLLM applies them to the model below them.

    Args:
        folder: Folder of the trained model, or of its adapters.
        tokenizer: Its end-of-turn token ends an answer.
        prompts: A prompt_id and token ids each; vLLM receives the ids, so that it neither adds nor splits tokens.
        numerics: As for `models.loading.load_model`; precision and threads are read.
        gpus: Number of GPUs that this job sees; 0 for the CPU.
        caps: The limits of the answers.
        grammar: The answers that are allowed, from `answer_grammar`; None allows all.

    Raises:
        DataError: Raised by `model_below`.
    """
    if not gpus:
        os.environ |= {"OMP_NUM_THREADS": str(numerics["threads"]), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    manifest = read_manifest(folder)
    adapters = manifest["kind"] == "adapters"
    served = model_below(folder, manifest) if adapters else folder
    model = LLM(
        model=str(served),
        tokenizer=str(served),
        skip_tokenizer_init=grammar is None,  # only a grammar reads tokens as text
        generation_config="vllm",  # otherwise temperature and penalties come from the model's folder
        dtype=DTYPES[numerics["precision"]],
        tensor_parallel_size=max(1, gpus),
        enforce_eager=not gpus,  # compiling takes longer than the answers do
        max_model_len=caps.length,
        max_num_seqs=caps.batch_size,
        seed=0,
        trust_remote_code=False,
        structured_outputs_config={"backend": "guidance"},
        **(_room_for(folder) if adapters else {}),
    )
    settings = SamplingParams(
        temperature=0.0,
        max_tokens=caps.new_tokens,
        stop_token_ids=[tokenizer.eos_token_id],
        detokenize=False,
        structured_outputs=None if grammar is None else StructuredOutputsParams(grammar=grammar),
    )
    asked = [{"prompt_token_ids": list(ids)} for _, ids in prompts]
    request = LoRARequest("run", 1, str(folder)) if adapters else None
    outputs = model.generate(asked, settings, lora_request=request)  # in the order of the prompts
    return [
        read_completion(tokenizer, prompt_id, list(output.outputs[0].token_ids))
        for (prompt_id, _), output in zip(prompts, outputs, strict=True)
    ]


def _room_for(adapters: Path) -> dict[str, Any]:
    rank = json.loads((adapters / "adapter_config.json").read_text())["r"]
    return {"enable_lora": True, "max_lora_rank": next(size for size in LORA_RANKS if size >= rank)}
