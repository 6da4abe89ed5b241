"""YAML files, of the project or the user's: in UTF-8, each key of a mapping once."""

from pathlib import Path
from typing import Any

import yaml

from tabpo.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """As PyYAML's, which takes the last of several values of a key without a word."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        """The node of a mapping as it is written, before `<<` adds keys that its own may stand for.

        Raises:
            ComposerError: A key is there twice; names the line.
        """
        node, seen = super().compose_mapping_node(anchor), set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):  # others are no keys of a dict
                if (key.tag, key.value) in seen:
                    raise yaml.composer.ComposerError(None, None, f"{key.value} is there twice", key.start_mark)
                seen.add((key.tag, key.value))
        return node


def read_yaml(path: Path, what: str) -> Any:
    """The content of a file.

    Args:
        path: Of the file.
        what: What it is, for messages.

    Raises:
        ConfigError: It cannot be read, is no YAML, or has a key twice; names the file, and the line.
    """
    try:
        return yaml.load(path.read_bytes(), _Loader)
    except OSError as error:
        raise ConfigError(f"{path}: no such {what} ({error.strerror}); accepted: a YAML file") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # no such day; brackets without end
        raise ConfigError(f"{path}: is no YAML in UTF-8: {' '.join(str(error).split())}") from error
