"""Make a model folder for config/gpu.yaml: random weights in a published shape, and the tokenizer of another folder.

python -m benchmarks.random_model --tokenizer results/demo/demo_abstracts/tiny/base --output results/gpu/model
"""

import argparse
from pathlib import Path

import torch
from transformers import Qwen2ForCausalLM

from benchmarks.shapes import SHAPES, configuration
from tabpo.artefacts import whole_directory
from tabpo.models.loading import save_model
from tabpo.models.tokenizer import load_tokenizer


def main(argv: list[str] | None = None) -> None:
    """Write the folder of the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="1.5b")
    parser.add_argument("--tokenizer", type=Path, required=True, help="folder of a model with a tokenizer")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args(argv)
    tokenizer = load_tokenizer(args.tokenizer)
    ids = {"bos_token_id": None, "pad_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
    torch.manual_seed(0)
    with whole_directory(args.output) as folder:
        save_model(Qwen2ForCausalLM(configuration(args.shape, **ids)), tokenizer, folder)


if __name__ == "__main__":
    main()
