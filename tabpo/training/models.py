"""Models and tokenizers as folders: loading, saving without trace of when and where, and their arithmetic."""

import json
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from tabpo.artefacts import sha256_file, sha256_text, write_json
from tabpo.errors import ConfigError


def load_model(folder: Path, numerics: dict) -> PreTrainedModel:
    """Load a `base/` or `model/` folder; weights of a hub model come by id and revision.

    Parameters are float32 in both precisions: "bf16" means bfloat16 arithmetic inside `autocast`, so
    that the reference job, training and prediction run the same kernels on the same weights.

    Args:
        folder: Hugging Face folder with a `manifest.json`.
        numerics: {"precision": "bf16" | "fp32", "attention": "eager" | "sdpa" | "flex_attention", "threads": n}.

    Returns:
        The model in the mode that Hugging Face leaves it in (eval); the caller sets its own.

    Raises:
        ConfigError: FlexAttention on a machine without a GPU.
    """
    if numerics["attention"] == "flex_attention" and device().type == "cpu":
        raise ConfigError("attention flex_attention needs a GPU: on a CPU it has no backward pass; use eager or sdpa")
    manifest = read_manifest(folder)
    hub = manifest["kind"] == "hub"
    return AutoModelForCausalLM.from_pretrained(
        manifest["hub"] if hub else folder,
        revision=manifest["revision"] if hub else "main",
        dtype=torch.float32,
        attn_implementation=numerics["attention"],
        trust_remote_code=False,
        use_safetensors=True,
    )


def load_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """The tokenizer of a `base/` or `model/` folder, chat template included, exactly as its `tokenizer.json` says.

    Not `AutoTokenizer`: beside a Qwen2 `config.json` that one replaces the file's own normalizer and
    pre-tokenizer by Qwen2's, which splits a from-scratch vocabulary otherwise than it was trained.
    """
    return PreTrainedTokenizerFast.from_pretrained(folder)


def save_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    state_dict: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write an ordinary Hugging Face folder and its manifest; nothing in it says where or when it was written.

    Args:
        model: Its configuration, and its weights unless given apart.
        tokenizer: Goes into the same folder.
        folder: Exists.
        state_dict: Weights in the place of the model's own, which may be divided among processes or hold more.
    """
    model.save_pretrained(folder, state_dict=state_dict)
    tokenizer.save_pretrained(folder)
    write_json(folder / "manifest.json", {"kind": "weights", "weights_sha256": weights_sha256(folder)})


def read_manifest(folder: Path) -> dict:
    """The `manifest.json` of a `base/` or `model/` folder: kind, weights_sha256 and, for "hub", hub and revision."""
    return json.loads((folder / "manifest.json").read_text())


def weights_sha256(folder: Path) -> str:
    """One hash over the safetensors files of a model's folder, by name and content."""
    return _files_sha256([folder / name for name in weight_files(folder)])


def weight_files(folder: Path) -> list[str]:
    """Names of the safetensors files that make up a model, sorted: those in the index, or the only one."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        return sorted(set(json.loads(index.read_text())["weight_map"].values()))
    return ["model.safetensors"]


def tokenizer_sha256(folder: Path) -> str:
    """One hash over the tokenizer's files and the chat template of a folder."""
    names = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    return _files_sha256([folder / name for name in names if (folder / name).exists()])


def device() -> torch.device:
    """The first GPU, or the CPU of a machine without."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def set_threads(numerics: dict) -> None:
    """Give torch the run's number of threads: another number gives other bits."""
    torch.set_num_threads(numerics["threads"])


def autocast(numerics: dict, device_type: str = "cpu") -> torch.autocast:
    """Context of a forward pass: bfloat16 matrix products for "bf16", nothing for "fp32"."""
    return torch.autocast(device_type, dtype=torch.bfloat16, enabled=numerics["precision"] == "bf16")


def _files_sha256(paths: list[Path]) -> str:
    return sha256_text("".join(f"{path.name} {sha256_file(path)}\n" for path in paths))
