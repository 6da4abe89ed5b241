"""Models and tokenizers as folders: loading, saving without trace of when and where, and their arithmetic."""

import json
from pathlib import Path

import torch
from accelerate import dispatch_model
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from tabpo.artefacts import sha256_file, sha256_text, write_json
from tabpo.errors import ConfigError
from tabpo.models.hub import fetch_files
from tabpo.models.quantized import check_quantizable, quantized


def load_model(folder: Path, numerics: dict, quantize: str | None = None) -> PreTrainedModel:
    """Load a `base/` or `model/` folder; weights of a hub model come from its cache, and the hub is asked for nothing.

    Parameters are float32 in both precisions: "bf16" means bfloat16 arithmetic inside `autocast`, so
    that the reference job, training and prediction run the same kernels on the same weights. Those that
    are not trained may be held as what the kernels take (`narrow_frozen`).

    Args:
        folder: Hugging Face folder with a `manifest.json`.
        numerics: {"precision": "bf16" | "fp32", "attention": "eager" | "sdpa" | "flex_attention", "threads": n}.
        quantize: "nf4" for a model on this process's GPU with frozen linear layers in four bits.

    Returns:
        The model in the mode that Hugging Face leaves it in (eval); the caller sets its own.

    Raises:
        ConfigError: FlexAttention, or four bits, on a machine without a GPU; four bits without bitsandbytes.
        DataError: A hub model that is not in this machine's cache, and cannot be fetched.
    """
    if quantize is not None:
        check_quantizable()
    if numerics["attention"] == "flex_attention" and device().type == "cpu":
        raise ConfigError("attention flex_attention needs a GPU: on a CPU it has no backward pass; use eager or sdpa")
    manifest = read_manifest(folder)
    return AutoModelForCausalLM.from_pretrained(
        fetch_files(manifest["hub"], manifest["revision"]) if manifest["kind"] == "hub" else folder,
        dtype=torch.float32,
        attn_implementation=numerics["attention"],
        trust_remote_code=False,
        use_safetensors=True,
        **(quantized(numerics) if quantize is not None else {}),
    )


def load_frozen(folder: Path, numerics: dict, quantize: str | None = None) -> PreTrainedModel:
    """A model to read from alone, in eval mode and narrowed: on one GPU, on all where it fills half of one, or the CPU.

    Args:
        folder: As for `load_model`.
        numerics: As for `load_model`.
        quantize: As for `load_model`; such a model is on one GPU.

    Raises:
        ConfigError: As `load_model`; a model for several GPUs whose layers are not those of a decoder.
    """
    model = load_model(folder, numerics, quantize).requires_grad_(False).eval()
    narrow_frozen(model, numerics)
    if quantize is not None:
        return model
    gpus = torch.cuda.device_count()
    if gpus > 1 and 2 * model.get_memory_footprint() > torch.cuda.get_device_properties(0).total_memory:
        return dispatch_model(model, layers_by_gpu(model, gpus), skip_keys=model._skip_keys_device_placement)
    return model.to(device())


def narrow_frozen(model: nn.Module, numerics: dict) -> None:
    """For "bf16", hold the weights of linear layers that are not trained in bfloat16: half the memory, the same bits.

    `autocast` multiplies by these weights rounded to bfloat16 whatever they are held in. All else (norms, embeddings
    and a head that shares their weights) stays float32, and so does the residual stream.
    """
    if numerics["precision"] != "bf16":
        return
    embedded = {id(one.weight) for one in model.modules() if isinstance(one, nn.Embedding)}
    for one in model.modules():
        frozen = isinstance(one, nn.Linear) and not one.weight.requires_grad and id(one.weight) not in embedded
        if frozen and one.weight.dtype == torch.float32:  # and not in four bits
            one.to(torch.bfloat16)


def layers_by_gpu(model: PreTrainedModel, gpus: int) -> dict[str, int]:
    """The GPU of each part: decoder layers in equal runs; embedding, last norm and head, with a batch, on the first.

    Raises:
        ConfigError: A model that is not a decoder with a list of layers.
    """
    decoder = model.get_decoder()
    layers = getattr(decoder, "layers", None)
    if layers is None:
        raise ConfigError(f"a {model.config.model_type} model has no decoder layers to divide among {gpus} GPUs")
    prefix = model.base_model_prefix
    places = {name: 0 for name, _ in model.named_children() if name != prefix}
    places |= {f"{prefix}.{name}": 0 for name, _ in decoder.named_children() if name != "layers"}
    return places | {f"{prefix}.layers.{number}": number * gpus // len(layers) for number in range(len(layers))}


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
