"""Files: written whole or not at all, read as YAML with each key once, and hashed."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tabpo.errors import ConfigError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file that is either the old one or the complete new one, whatever interrupts."""
    with whole_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, value: object) -> None:
    """Write JSON as people read it; the same value gives the same bytes, and NaN is refused."""
    write_whole(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the place of `path` when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; it takes the place of `path` when the block ends well.

    Its name is always the same: what a killed process has left there, weights of a model perhaps, goes with the next.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        shutil.rmtree(path, ignore_errors=True)
        os.replace(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def link_or_copy(source: Path, target: Path) -> None:
    """Give a file, which nobody writes to afterwards, a second place; its folder exists, the place is free."""
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without hard links from folder to folder
        shutil.copyfile(source, target)


def sha256_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Hex digest of a text's UTF-8 bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


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
