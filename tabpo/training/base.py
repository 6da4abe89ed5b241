"""The folder that SFT starts from, from a model that is built from scratch, lies in a folder, or is on the hub."""

import logging
from collections.abc import Sequence
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from tabpo.artefacts import link_or_copy, write_json
from tabpo.errors import ConfigError, DataError
from tabpo.records import Prompt
from tabpo.training.hub import fetch_files
from tabpo.training.models import load_tokenizer, save_model, weight_files, weights_sha256
from tabpo.training.scratch import ScratchModel, build_model
from tabpo.training.scratch_tokenizer import train_tokenizer

_CONFIGS = ("config.json", "generation_config.json", "model.safetensors.index.json")

_STOPPED_CLOCK = "{% macro strftime_now(format) %}26 Jul 2024{% endmacro %}"
"""Begins templates that ask for the day, as that of Llama 3.2 does: prompts of tomorrow must be those of today.

The day is the one that Llama's templates name where there is none to ask for.
"""


def make_base(source: dict, prompts: Sequence[Prompt], folder: Path) -> None:
    """Fill the empty `folder` with tokenizer, weights (none for the hub: they stay in its cache) and `manifest.json`.

    Args:
        source: {"scratch": {...}}, {"folder": path} or {"hub": id, "revision": commit or None}.
        prompts: The train split; a tokenizer from scratch is trained on them.
        folder: Where to write.

    Raises:
        ConfigError: Impossible settings, no revision, or a tokenizer without chat template or end-of-turn token.
        DataError: A folder that lacks something, or a hub that does not give it.
    """
    if "scratch" in source:
        settings = ScratchModel(**source["scratch"])
        tokenizer = train_tokenizer(prompts, settings.vocab_size)
        model = build_model(settings, tokenizer)
        logging.info("%d tokens, %d parameters", len(tokenizer), model.num_parameters())
        save_model(model, tokenizer, folder)
    elif "folder" in source:
        _from_folder(Path(source["folder"]), folder)
    else:
        _from_hub(source["hub"], source["revision"], folder)


def _from_folder(source: Path, folder: Path) -> None:
    _check_files(source, str(source))
    tokenizer = _chat_tokenizer(source, str(source))
    for name in (*_CONFIGS, *weight_files(source)):
        if (source / name).exists():
            link_or_copy(source / name, folder / name)
    tokenizer.save_pretrained(folder)
    write_json(folder / "manifest.json", {"kind": "weights", "weights_sha256": weights_sha256(folder)})


def _from_hub(hub: str, revision: str | None, folder: Path) -> None:
    if revision is None:
        raise ConfigError(
            f"hub model {hub} has no revision, neither its own nor in config/models.lock.yaml: run `make fetch`"
        )
    snapshot = fetch_files(hub, revision)
    name = f"hub model {hub} at {revision}"
    _check_files(snapshot, name)
    _chat_tokenizer(snapshot, name).save_pretrained(folder)
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


def _chat_tokenizer(source: Path, name: str) -> PreTrainedTokenizerBase:
    """The tokenizer, whose template writes the same on all days.

    Where it has no padding token the end-of-turn token pads, as padding is masked everywhere.
    """
    tokenizer = load_tokenizer(source)
    lacks = [
        what
        for what, value in (("chat template", tokenizer.chat_template), ("end-of-turn token", tokenizer.eos_token))
        if value is None
    ]
    if lacks:
        raise ConfigError(f"{name}: its tokenizer has no {' and no '.join(lacks)}; take an instruction-tuned model")
    if "strftime_now" in tokenizer.chat_template:
        tokenizer.chat_template = _STOPPED_CLOCK + tokenizer.chat_template.removeprefix(_STOPPED_CLOCK)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer
