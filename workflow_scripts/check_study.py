"""Check the file that `--configfile` names, given the arguments of Snakemake, before Snakemake reads it."""

import argparse
from pathlib import Path

from tabpo.artefacts import read_yaml
from tabpo.errors import ConfigError, exit_on_error

DEFAULT = Path(__file__).parents[1] / "config/config.yaml"


def main(argv: list[str] | None = None) -> None:
    """Refuse a file that cannot be read, and more files than one; profiles/default calls this at each start."""
    parser = argparse.ArgumentParser(description=__doc__, add_help=False, allow_abbrev=False)
    parser.add_argument("--configfile", "--configfiles", type=Path, nargs="+", action="extend")
    first, *others = parser.parse_known_args(argv)[0].configfile or [DEFAULT]

    if others and others[0].suffix in (".yaml", ".yml"):
        raise ConfigError(f"--configfile names {first} and {others[0]}; accepted: one file, which has all of the study")
    if others:
        targets = " ".join(map(str, others))
        raise ConfigError(
            f"--configfile takes {targets} for a study too; write -- before targets: --configfile {first} -- {targets}"
        )
    if not isinstance(read_yaml(first, "study"), dict):
        raise ConfigError(f"{first}: has no keys at its top; accepted: a study, as config/demo.yaml is one")


if __name__ == "__main__":
    exit_on_error(main)
