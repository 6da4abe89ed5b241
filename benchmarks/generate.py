"""Greedy answers of a trained model: ours against `model.generate` in file order, at the same batch size.

Programs alternate in one process with one thread, in float32; on a CPU the time is that of the process, so that other
load on the machine counts less. The texts of both are compared. The demo's model and prompts come from

    snakemake results/demo/demo_abstracts/tiny/sft/seed1/model --profile profiles/local --configfile config/demo.yaml
    python -m benchmarks.generate --model results/demo/demo_abstracts/tiny/sft/seed1/model \\
        --prompts results/demo/demo_abstracts/prompts/test.parquet >> benchmarks/results/generate.jsonl
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import median

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from benchmarks.device import check_device
from tabpo.inference import generate
from tabpo.records import Prompt, read_records
from tabpo.training.models import load_model, load_tokenizer
from tabpo.training.tokenise import encode_prompt


def main() -> None:
    """Print one row as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="folder of a trained model")
    parser.add_argument("--prompts", type=Path, required=True, help="{dataset}/prompts/{split}.parquet of a study")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--max-prompt-tokens", type=int, default=64)
    parser.add_argument("--max-new-tokens", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5, help="of both programs, after one to warm up")
    args = parser.parse_args()
    check_device(args.device)
    torch.set_num_threads(1)
    tokenizer = load_tokenizer(args.model)
    limits = {"max_prompt_tokens": args.max_prompt_tokens, "max_completion_tokens": args.max_new_tokens}
    prompts = [(p.prompt_id, encode_prompt(tokenizer, p, limits)) for p in read_records(args.prompts, Prompt)]
    model = load_model(args.model, {"precision": "fp32", "attention": "sdpa"}).to(args.device).eval()
    programs = {
        name: partial(program, model, tokenizer, prompts, args.max_new_tokens, args.batch_size)
        for name, program in (("ours", of_ours), ("model.generate", in_file_order))
    }
    answers = {name: program() for name, program in programs.items()}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(args.rounds):
        for name, program in programs.items():
            times[name].append(timed(program, args.device))
    seconds = {name: median(values) for name, values in times.items()}
    same = sum(a == b for a, b in zip(*answers.values(), strict=True))
    row = {
        "dataset": args.prompts.resolve().parts[-3],
        "device": args.device,
        "batch_size": args.batch_size,
        "prompts": len(prompts),
        "same_text": same,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "ratio": round(seconds["model.generate"] / seconds["ours"], 2),
    }
    print(json.dumps(row))


def timed(program: Callable[[], list[str]], device: str) -> float:
    """Seconds of one run, which ends with texts on the host: of this process on a CPU, else on the clock."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    start = clock()
    program()
    return clock() - start


Prompts = Sequence[tuple[str, Sequence[int]]]


def of_ours(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Prompts, cap: int, batch_size: int
) -> list[str]:
    """Texts by `tabpo.inference`."""
    completions = generate(model, tokenizer, prompts, max_new_tokens=cap, batch_size=batch_size)
    return [one.completion for one in completions]


@torch.inference_mode()
def in_file_order(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Prompts, cap: int, batch_size: int
) -> list[str]:
    """Texts by the library: batches as the prompts come, padded on the left."""
    eos, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    settings = GenerationConfig(max_new_tokens=cap, do_sample=False, eos_token_id=eos, pad_token_id=pad)
    texts = []
    for start in range(0, len(prompts), batch_size):
        batch = [ids for _, ids in prompts[start : start + batch_size]]
        width = max(map(len, batch))
        ids = torch.tensor([[pad] * (width - len(one)) + list(one) for one in batch], device=model.device)
        mask = torch.tensor([[0] * (width - len(one)) + [1] * len(one) for one in batch], device=model.device)
        answers = model.generate(input_ids=ids, attention_mask=mask, generation_config=settings)[:, width:].tolist()
        ended = [answer[: answer.index(eos)] if eos in answer else answer for answer in answers]
        texts += tokenizer.batch_decode(ended, clean_up_tokenization_spaces=False)
    return texts


if __name__ == "__main__":
    main()
