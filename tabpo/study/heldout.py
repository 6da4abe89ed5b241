"""Held-out data on which confusions are counted, and the choices that it excludes."""

from collections.abc import Mapping

from tabpo.errors import ConfigError

DISAGREEMENT = "disagreement"
"""The value of `heldout` for confusions between two annotators, which do not depend on any model's training data."""

PARTS = {
    None: (),
    "dev_confusion": ("dev_confusion",),
    "dev": ("dev_confusion", "dev_select"),
    "crossfit": ("train",),
    DISAGREEMENT: ("train", "dev_confusion"),
}
"""The parts of a dataset that confusions come from, by a pairing's `heldout`; None for a pairing without confusions."""


def check_choice(where: str, heldouts: Mapping[str, str | None]) -> None:
    """Refuse a choice of weights on `dev_select` if the confusions of a pairing were counted on it.

    Args:
        where: Model and method whose weights are chosen, for the message.
        heldouts: `heldout` of each pairing that the choice affects, by name. The choice of an SFT model affects all
            pairings, because all confusions come from its answers.

    Raises:
        ConfigError: The message names the pairing.
    """
    fed = [name for name, heldout in heldouts.items() if "dev_select" in PARTS[heldout]]
    if fed:
        raise ConfigError(
            f"{where}: keep dev_best chooses on dev_select, but pairings.{fed[0]} takes confusions from all of dev"
            f" (heldout {heldouts[fed[0]]}); accepted: keep last, or another heldout"
        )
