"""Print every loss: its name, its hyperparameters with their defaults, and its source."""

import argparse

from tabpo.errors import exit_on_error
from tabpo.losses import describe_loss, loss_names


def main(argv: list[str] | None = None) -> None:
    """Print one entry for each loss."""
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    print("\n\n".join(describe_loss(name) for name in loss_names()))


if __name__ == "__main__":
    exit_on_error(main)
