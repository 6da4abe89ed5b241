"""Which held-out predictions confusions are counted on, and what that choice rules out."""

from collections.abc import Mapping

from tabpo.errors import ConfigError

DISAGREEMENT = "disagreement"
"""What stands for `heldout` where two annotators give the confusions, whatever a model was trained on."""

PARTS = {
    None: (),
    "dev_confusion": ("dev_confusion",),
    "dev": ("dev_confusion", "dev_select"),
    "crossfit": ("train",),
    DISAGREEMENT: ("train", "dev_confusion"),
}
"""Parts of a dataset that confusions come from, by what a pairing calls `heldout`; None for one without confusions."""


def check_choice(where: str, heldouts: Mapping[str, str | None]) -> None:
    """Refuse a choice made on `dev_select` beside pairings that take confusions from it.

    Args:
        where: What chooses.
        heldouts: Of each pairing that it concerns, by name; an SFT model's concerns all, which come from its answers.

    Raises:
        ConfigError: Names the pairing.
    """
    fed = [name for name, heldout in heldouts.items() if "dev_select" in PARTS[heldout]]
    if fed:
        raise ConfigError(
            f"{where}: keep dev_best chooses on dev_select, but pairings.{fed[0]} takes confusions from all of dev"
            f" (heldout {heldouts[fed[0]]}); accepted: keep last, or another heldout"
        )
