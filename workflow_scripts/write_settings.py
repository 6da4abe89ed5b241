"""Write config/config.schema.yaml and docs/settings.md from the sections that describe every key of a study's YAML."""

import argparse
from pathlib import Path

from tabpo.artefacts import write_whole
from tabpo.errors import exit_on_error
from tabpo.study.pages import schema_file, settings_page


def main(argv: list[str] | None = None) -> None:
    """Write both files into the project's folder."""
    argparse.ArgumentParser(description=__doc__).parse_args(argv)
    project = Path(__file__).parents[1]
    write_whole(project / "config/config.schema.yaml", schema_file())
    write_whole(project / "docs/settings.md", settings_page())


if __name__ == "__main__":
    exit_on_error(main)
