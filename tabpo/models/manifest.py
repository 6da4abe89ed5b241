"""Manifests of models' folders: the kind of model, one hash over its weights, and the model below adapters."""

import json
from pathlib import Path

from tabpo.errors import DataError


def read_manifest(folder: Path) -> dict[str, str]:
    """The `manifest.json` of a `base/` or `model/` folder.

    It has a kind and `weights_sha256`; the kind "hub" also has hub and revision, and "adapters" has base, a path
    relative to the folder, and `base_weights_sha256`.
    """
    return json.loads((folder / "manifest.json").read_text())


def model_below(folder: Path, manifest: dict[str, str]) -> Path:
    """The folder of the model that adapters were trained on.

    Args:
        folder: Folder of the adapters.
        manifest: Its manifest, of kind "adapters".

    Raises:
        DataError: The model does not exist, or has other weights than those that the adapters were trained on.
    """
    below = folder / manifest["base"]
    trained = f"{folder} holds adapters for the weights {manifest['base_weights_sha256'][:12]} in {below}"
    if not (below / "manifest.json").is_file():
        raise DataError(f"{trained}, which does not exist; make that model again, or copy it there")
    present = read_manifest(below)["weights_sha256"]
    if present != manifest["base_weights_sha256"]:
        raise DataError(f"{trained}, which now holds the weights {present[:12]}; train this run again")
    return below
