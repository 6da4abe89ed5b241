"""Files: writing them completely or not at all, reading YAML without repeated keys, and hashing."""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from tabpo.errors import ConfigError, DataError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file; after an interruption the path holds the complete old file or the complete new one."""
    with whole_file(path) as partial:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path, value: object) -> None:
    """Write indented JSON. Equal values give equal bytes.

    Raises:
        ValueError: The value contains NaN or an infinity.
    """
    write_whole(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path in the folder of `path`; its file replaces `path` if the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial-{os.getpid()}")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def whole_directory(path: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `path`; it replaces `path` if the block ends without an error.

    The temporary folder has a fixed name. If a process is killed, the next call removes what it left behind, which may
    be as large as the weights of a model.
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
    """Make a hard link to a file, or a copy where links are not possible.

    Args:
        source: A file that is never written to again.
        target: The new path; its folder exists and no file has this path.
    """
    try:
        os.link(source.resolve(), target)
    except OSError:  # the folders are on different file systems, or the file system has no hard links between folders
        shutil.copyfile(source, target)


def files_below(folder: Path) -> list[Path]:
    """Return all files in a folder and its sub-folders, in any order; links to folders are followed.

    Raises:
        DataError: Links lead to one folder twice, or to a folder above them. The message names `folder` only, because
            names in it may be private.
    """
    files, seen = [], set()
    for parent, _, names in os.walk(folder, followlinks=True):
        if (place := os.path.realpath(parent)) in seen:
            raise DataError(f"{folder}: a link leads to a folder that is read already; accepted: each folder once")
        seen.add(place)
        files += [Path(parent, name) for name in names]
    return files


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_text(text: str) -> str:
    """Return the SHA-256 of a text's UTF-8 bytes in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, which refuses a repeated key, and names the line of every value that it refuses."""

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        """Compose a mapping and refuse repeated keys.

        Keys that `<<` merges are added later, so a written key may still replace a merged one.

        Raises:
            ComposerError: A key occurs twice. The message names the line.
        """
        node, seen = super().compose_mapping_node(anchor), set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):  # sequences and mappings cannot be keys of a dict
                if (key.tag, key.value) in seen:
                    raise yaml.composer.ComposerError(None, None, f"{key.value} is there twice", key.start_mark)
                seen.add((key.tag, key.value))
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """Convert a node to its value.

        Raises:
            ConstructorError: The value does not exist, as the date 2026-02-30. The message names the line.
        """
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from error


def read_yaml(path: Path, what: str) -> Any:
    """Read a YAML file.

    Args:
        path: The file to read.
        what: What the file is, for error messages: "ontology".

    Raises:
        ConfigError: The file cannot be read, is not UTF-8, is not YAML, or has a key twice. The message names the file
            and the line, and quotes nothing of the file but a repeated key or an unknown tag or alias.
    """
    try:
        return yaml.load(path.read_text("utf-8"), _Loader)
    except OSError as error:
        raise ConfigError(f"{path}: no such {what} ({error.strerror}); accepted: a YAML file") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}, line {line}: is not in UTF-8; accepted: a YAML file in UTF-8") from error
    except yaml.MarkedYAMLError as error:
        fault = "a tab; indent with spaces" if r"'\t'" in error.problem else error.problem
        began = f" ({error.context}, which begins in line {error.context_mark.line + 1})" if error.context_mark else ""
        raise ConfigError(f"{path}, line {error.problem_mark.line + 1}: is no YAML: {fault}{began}") from error
    except yaml.reader.ReaderError as error:
        line = path.read_text("utf-8").count("\n", 0, error.position) + 1
        raise ConfigError(f"{path}, line {line}: has a character that YAML does not allow ({error.reason})") from error
    except RecursionError as error:
        raise ConfigError(f"{path}: is no YAML: more brackets are open than can be read") from error
