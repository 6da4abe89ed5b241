"""Preference losses, one file each; the file's name is the name in the config."""

from collections.abc import Callable
from dataclasses import MISSING, fields
from pkgutil import iter_modules

from tabpo.errors import ConfigError
from tabpo.losses._contract import check_contract, synthetic_pair
from tabpo.losses._interface import FROM_FILES, LossOutput, Side, TokenField
from tabpo.losses._loading import describe_loss, loss_class
from tabpo.losses._ranges import check_ranges

__all__ = [
    "FROM_FILES",
    "LossOutput",
    "Side",
    "TokenField",
    "build_loss",
    "check_contract",
    "describe_loss",
    "loss_names",
    "synthetic_pair",
]


def loss_names() -> list[str]:
    """Names of all losses, sorted."""
    return sorted(module.name for module in iter_modules(__path__) if not module.name.startswith("_"))


def build_loss(name: str, **params: object) -> Callable[[Side, Side], LossOutput]:
    """The loss `name` with its hyperparameters; those not given take their defaults.

    Raises:
        ConfigError: No such loss or hyperparameter, a missing one without default, a value outside its range, or a
            file that does not define a loss.
    """
    if name not in loss_names():
        raise ConfigError(f"unknown loss {name}; there are: {', '.join(loss_names())}")
    loss = loss_class(name)
    accepted = [field.name for field in fields(loss)]
    listing = ", ".join(accepted) or "no hyperparameter"
    unknown = sorted(set(params) - set(accepted))
    if unknown:
        raise ConfigError(f"{name}: unknown hyperparameter {', '.join(unknown)}; it takes: {listing}")
    required = {field.name for field in fields(loss) if field.default is MISSING}
    missing = sorted(required - set(params))
    if missing:
        raise ConfigError(f"{name}: hyperparameter {', '.join(missing)} has no default; it takes: {listing}")
    built = loss(**params)
    check_ranges(name, built)
    return built
