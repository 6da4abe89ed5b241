"""Folders of models and tokenizers: loading, reproducible saving, hashes, and the arithmetic that the models run in."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from accelerate import dispatch_model
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerBase

from tabpo.artefacts import sha256_file, sha256_text, write_json
from tabpo.errors import ConfigError
from tabpo.models.hub import fetch_files
from tabpo.models.manifest import model_below, read_manifest
from tabpo.models.quantized import check_quantizable, quantized


def load_model(folder: Path, numerics: dict, quantize: str | None = None) -> PreTrainedModel:
    """Load a `base/` or `model/` folder; the weights of a hub model are read from the cache without a request.

    Adapters are merged into the model below them in float32, so that a run is the same model to the bit whether its
    merged weights were written or its adapters alone.

    Parameters are float32 in both precisions: "bf16" means bfloat16 arithmetic inside `autocast`, so that the reference
    job, training and prediction run the same kernels on the same weights. `narrow_frozen` may store weights that are
    not trained in bfloat16.

    Args:
        folder: Hugging Face folder with a `manifest.json`.
        numerics: {"precision": "bf16" | "fp32", "attention": "eager" | "sdpa" | "flex_attention", "threads": n}.
        quantize: "nf4" for a model on this process's GPU with frozen linear layers in four bits.

    Returns:
        The model in eval mode, as Hugging Face loads it.

    Raises:
        ConfigError: FlexAttention or four bits without a GPU, or four bits without bitsandbytes.
        DataError: A hub model is not in this machine's cache and cannot be fetched, or raised by `model_below`.
    """
    if quantize is not None:
        check_quantizable()
    if numerics["attention"] == "flex_attention" and device().type == "cpu":
        raise ConfigError("attention flex_attention needs a GPU: on a CPU it has no backward pass; use eager or sdpa")
    manifest = read_manifest(folder)
    if manifest["kind"] == "adapters":
        from tabpo.models.adapters import merged_from  # peft takes two seconds to load

        return merged_from(folder, load_model(model_below(folder, manifest), numerics))
    return AutoModelForCausalLM.from_pretrained(
        fetch_files(manifest["hub"], manifest["revision"]) if manifest["kind"] == "hub" else folder,
        dtype=torch.float32,
        attn_implementation=numerics["attention"],
        trust_remote_code=False,
        use_safetensors=True,
        **(quantized(numerics) if quantize is not None else {}),
    )


def load_frozen(folder: Path, numerics: dict, quantize: str | None = None) -> PreTrainedModel:
    """Load a model that is not trained, in eval mode, narrowed by `narrow_frozen`.

    It is placed on one GPU, or spread over all GPUs if it needs at least half of one's memory, or on the CPU if there
    is no GPU.

    Args:
        folder: As for `load_model`.
        numerics: As for `load_model`.
        quantize: As for `load_model`; a quantized model is placed on one GPU.

    Raises:
        ConfigError: As for `load_model`; also if a model to be spread over several GPUs has no list of decoder layers.
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
    """In precision "bf16", store the weights of linear layers that are not trained in bfloat16.

    This halves their memory and changes no bit of a result, because `autocast` rounds these weights to bfloat16 before
    each product anyway. All other weights (norms, embeddings and a head that shares their weights) stay float32, and so
    does the residual stream.
    """
    if numerics["precision"] != "bf16":
        return
    embedded = {id(layer.weight) for layer in model.modules() if isinstance(layer, nn.Embedding)}
    for layer in model.modules():
        frozen = isinstance(layer, nn.Linear) and not layer.weight.requires_grad and id(layer.weight) not in embedded
        if frozen and layer.weight.dtype == torch.float32:  # weights in four bits are left alone
            layer.to(torch.bfloat16)


def layers_by_gpu(model: PreTrainedModel, gpus: int) -> dict[str, int]:
    """The GPU of each part of the model.

    The decoder layers are divided into equal consecutive runs. Embedding, last norm and head are on the first GPU,
    where batches arrive.

    Raises:
        ConfigError: The model is no decoder with a list of layers.
    """
    decoder = model.get_decoder()
    layers = getattr(decoder, "layers", None)
    if layers is None:
        raise ConfigError(f"a {model.config.model_type} model has no decoder layers to divide among {gpus} GPUs")
    prefix = model.base_model_prefix
    places = {name: 0 for name, _ in model.named_children() if name != prefix}
    places |= {f"{prefix}.{name}": 0 for name, _ in decoder.named_children() if name != "layers"}
    return places | {f"{prefix}.layers.{number}": number * gpus // len(layers) for number in range(len(layers))}


def save_model(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    folder: Path,
    state_dict: dict[str, torch.Tensor] | None = None,
) -> None:
    """Write an ordinary Hugging Face folder and its manifest; the files do not depend on place or time of writing.

    Args:
        model: Its configuration is written, and its weights unless `state_dict` is given.
        tokenizer: Written into the same folder.
        folder: An existing folder.
        state_dict: Weights to write instead of the model's weights, for example because the latter are divided among
            processes or include a baseline head.
    """
    model.save_pretrained(folder, state_dict=state_dict)
    tokenizer.save_pretrained(folder)
    write_json(folder / "manifest.json", {"kind": "weights", "weights_sha256": weights_sha256(folder)})


def weights_sha256(folder: Path) -> str:
    """One hash over the names and contents of the safetensors files of a model's folder."""
    return _files_sha256([folder / name for name in weight_files(folder)])


def weight_files(folder: Path) -> list[str]:
    """Sorted names of a model's safetensors files: all that the index names, or the single file."""
    index = folder / "model.safetensors.index.json"
    if index.exists():
        return sorted(set(json.loads(index.read_text())["weight_map"].values()))
    return ["model.safetensors"]


def tokenizer_sha256(folder: Path) -> str:
    """One hash over the tokenizer files and the chat template of a folder."""
    names = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")
    return _files_sha256([folder / name for name in names if (folder / name).exists()])


def device() -> torch.device:
    """The first GPU, or the CPU if there is none."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def slow_in_bf16(where: torch.device) -> bool:
    """Whether bfloat16 products are slower than float32 ones, as on an x86 CPU without AVX-512 (eight times)."""
    return where.type == "cpu" and torch.backends.cpu.get_cpu_capability() == "AVX2"


def set_threads(numerics: dict) -> None:
    """Set torch's number of threads to that of the run, because another number changes the last bits of results."""
    torch.set_num_threads(numerics["threads"])


def autocast(numerics: dict, device_type: str = "cpu") -> torch.autocast:
    """The context of a forward pass: bfloat16 matrix products for "bf16", no change for "fp32"."""
    return torch.autocast(device_type, dtype=torch.bfloat16, enabled=numerics["precision"] == "bf16")


@contextmanager
def naming_less_memory(ways: Sequence[str]) -> Iterator[None]:
    """Report an out-of-memory error within the block as one message.

    Args:
        ways: Settings that need less memory; a class of resources with more or larger GPUs is named after them.

    Raises:
        ConfigError: The GPU's memory is too small.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        less = "; ".join([*ways, "a class of resources with more or larger GPUs"])
        raise ConfigError(f"the memory of the GPU is too small for this job; these need less: {less}") from error


def less_per_pass(key: str, size: int) -> list[str]:
    """The way to need less memory that a size of batches offers, for `naming_less_memory`; none if the size is 1."""
    return [f"{key} below {size}"] if size > 1 else []


def _files_sha256(paths: list[Path]) -> str:
    return sha256_text("".join(f"{path.name} {sha256_file(path)}\n" for path in paths))
