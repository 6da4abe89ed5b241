"""YAML files, of the project or the user's: in UTF-8, each key of a mapping once."""

from pathlib import Path
from typing import Any

import yaml

from tabpo.errors import ConfigError


class _Loader(yaml.SafeLoader):
    """As PyYAML's, which takes the last of several values of a key without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping of a node.

        Raises:
            ConstructorError: A key is there twice; names the line.
        """
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for number, (key, _) in enumerate(node.value):
            if keys[number] in keys[:number]:
                raise yaml.constructor.ConstructorError(None, None, f"{keys[number]} is there twice", key.start_mark)
        return super().construct_mapping(node, deep)


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
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is no YAML in UTF-8: {' '.join(str(error).split())}") from error
