"""Check losses and hyperparameters, read from stdin as JSON [{"where", "loss", "params"}]; print them with defaults."""

import argparse
import json
import sys
from dataclasses import asdict

from tabpo.errors import ConfigError, exit_on_error
from tabpo.losses import FROM_FILES, build_loss


def main(argv: list[str] | None = None) -> None:
    """Build every loss; the first failure ends the program and names the place in the configuration (`where`)."""
    argparse.ArgumentParser(description=__doc__).parse_args(argv)

    resolved = []
    for entry in json.load(sys.stdin):
        try:
            loss = build_loss(entry["loss"], **entry["params"])
            missing = sorted((loss.needs & FROM_FILES) - {"token_weights"} - entry.get("token_scores", {}).keys())
            if missing:
                raise ConfigError(
                    f"{entry['loss']} needs {', '.join(missing)}; accepted: token_scores: {{{missing[0]}: NAME}} beside"
                    " the loss, with the method that trains the model"
                )
        except ConfigError as error:
            raise ConfigError(f"{entry['where']}: {error}") from error
        resolved.append({**entry, "params": asdict(loss)})
    json.dump(resolved, sys.stdout, indent=2, sort_keys=True)


if __name__ == "__main__":
    exit_on_error(main)
