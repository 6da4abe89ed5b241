"""Models of the hub: their current commit, and their files in the hub's cache."""

from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HTTPError, LocalEntryNotFoundError

from tabpo.errors import DataError

FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors.index.json",
    "model.safetensors",
    "model-*-of-*.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
)
"""The files that are read: configuration, safetensors weights, fast tokenizer and chat template; never code."""

_FAILURES = (OSError, HTTPError)  # refusals by the hub and failures of the network can be either


def current_commit(hub: str) -> str:
    """The current commit of the model's main branch.

    Raises:
        DataError: There is no connection or no such model, or the model needs an accepted licence and a token.
    """
    try:
        return HfApi().model_info(hub).sha
    except _FAILURES as error:
        raise _unreachable(hub, error) from error


def fetch_files(hub: str, revision: str) -> Path:
    """The folder of the model's files at a commit; files that are not in the cache are downloaded.

    Raises:
        DataError: As for `current_commit`.
    """
    try:
        return Path(snapshot_download(hub, revision=revision, allow_patterns=list(FILES)))
    except _FAILURES as error:
        raise _unreachable(f"{hub} at {revision}", error) from error


def is_fetched(hub: str, revision: str | None) -> bool:
    """Whether the cache has weights of the model at a commit; None stands for the commit that was fetched last."""
    try:
        folder = snapshot_download(hub, revision=revision, allow_patterns=list(FILES), local_files_only=True)
    except LocalEntryNotFoundError:
        return False
    return any(Path(folder).glob("*.safetensors"))


def _unreachable(what: str, error: Exception) -> DataError:
    reason = str(error).strip().split("\n")[0]
    return DataError(
        f"hub model {what} cannot be fetched ({type(error).__name__}: {reason}); a network is needed, and for a gated"
        " model its licence must be accepted and HF_TOKEN set"
    )
