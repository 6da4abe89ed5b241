"""Models of the hub: the commit that a name stands for, and their files in the hub's cache."""

from pathlib import Path

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HTTPError

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
"""All that is read of a model: configuration, safetensors weights, fast tokenizer with its template; never code."""

# What the hub answers is of the second kind and of the first, what the network does is of either.
_FAILURES = (OSError, HTTPError)


def current_commit(hub: str) -> str:
    """The commit that the main branch of the model is at now.

    Raises:
        DataError: No connection, no such model, or none without a licence and a token.
    """
    try:
        return HfApi().model_info(hub).sha
    except _FAILURES as error:
        raise _unreachable(hub, error) from error


def fetch_files(hub: str, revision: str) -> Path:
    """The folder of the model's files at a commit, downloaded where the cache lacks them.

    Raises:
        DataError: As `current_commit`.
    """
    try:
        return Path(snapshot_download(hub, revision=revision, allow_patterns=list(FILES)))
    except _FAILURES as error:
        raise _unreachable(f"{hub} at {revision}", error) from error


def _unreachable(what: str, error: Exception) -> DataError:
    reason = str(error).strip().split("\n")[0]
    return DataError(
        f"hub model {what} cannot be fetched ({type(error).__name__}: {reason}); it needs a network, and a gated model"
        " its licence accepted and HF_TOKEN set"
    )
