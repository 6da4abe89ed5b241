"""The base of all sections of a study's YAML, and the one-line error message for a value that is not accepted."""

import json
import os
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from difflib import get_close_matches
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from tabpo.errors import ConfigError


def pattern(expression: str, words: str) -> Any:
    """Accept the texts that match `expression`; messages and pages say it in `words`, a comment in the schema."""
    return Field(pattern=f"^{expression}$", json_schema_extra={"$comment": words})


_PATH = r"[^\x00-\x1f\x7f{}\\]+"
_WITHOUT = "without line breaks, tabs, backslashes or braces { }"

File = Annotated[str, pattern(_PATH, f"a path {_WITHOUT}"), AfterValidator(os.path.expanduser)]
"""A path; a leading `~` is the home folder. Snakemake would take what stands in braces for a wildcard."""

YamlFile = Annotated[
    str, pattern(rf"{_PATH}\.yaml", f"a path that ends in .yaml, {_WITHOUT}"), AfterValidator(os.path.expanduser)
]
GgufFile = Annotated[
    str, pattern(rf"{_PATH}\.gguf", f"a path that ends in .gguf, {_WITHOUT}"), AfterValidator(os.path.expanduser)
]

Seed = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Section(BaseModel):
    """A mapping of a study's YAML: every key has a type, a range and a description, and no other key is accepted.

    A key that may be left out but must not be null has the default None, although its type excludes None.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True)

    @field_validator("*", mode="wrap")
    @classmethod
    def _as_written(cls, value: Any, check: Any) -> Any:
        """Keep an integer given for a float as an integer, so that settings and run.yaml show what the user wrote."""
        checked = check(value)
        return value if isinstance(checked, float) else checked

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """Return the keys that may be left out, with their default values; None for a key without a default value."""
        return {
            name: field.get_default(call_default_factory=True)
            for name, field in cls.model_fields.items()
            if not field.is_required()
        }


AnySection = TypeVar("AnySection", bound=Section)


def checked(section: type[AnySection], values: Any, where: str = "") -> AnySection:
    """Check values and return them as a section.

    Args:
        section: The class of the section.
        values: The values as loaded from YAML.
        where: Dotted place of the values in the study; "" for the study itself.

    Raises:
        ConfigError: The values have faults. The message describes the one nearest to the top: its dotted place, the
            value, and what is accepted.
    """
    try:
        return section.model_validate(values)
    except ValidationError as refused:
        schema = section.model_json_schema()
        faults = [_fault(error, schema, where) for error in refused.errors()]
        raise ConfigError(min(faults, key=lambda fault: fault[:-1])[-1]) from None


def _fault(error: Mapping[str, Any], schema: Mapping[str, Any], where: str) -> tuple[int, list[str], bool, str]:
    """Return the message for one of pydantic's errors, after three values by which faults are sorted.

    Faults near the top come first. At one place an unknown key comes before a missing key, because it may be the
    missing key with a spelling error.
    """
    kind, value, steps = error["type"], error["input"], list(error["loc"])
    name = None
    if steps and steps[-1] == "[key]":
        kind, name, steps = "extra_forbidden", steps[-2], steps[:-2]
    elif kind in ("extra_forbidden", "missing"):
        name, steps = steps[-1], steps[:-1]
    steps, node = _descend(schema, steps)
    place = [*filter(None, [where]), *map(str, steps)]
    at, section = ".".join(place) or "the study", _section(node, schema)
    if kind == "extra_forbidden":
        names = section.get("properties") or section.get("propertyNames", {}).get("enum", ["names that are texts"])
        message = unknown_name(at, f"has an unknown key {name}", str(name), names, "it takes")
    elif kind == "missing":
        message = f"{at} lacks the key {name}: {section['properties'][name]['description']}"
    elif kind == "value_error":
        message = f"{at} {error['ctx']['error']}"
    elif "enum" in node:
        message = unknown_name(at, f"is {_shown(value, place)}", str(value), map(_value, node["enum"]), "accepted")
    else:
        message = f"{at} is {_shown(value, place)}; accepted: {in_words(node, schema)}{_exponent_hint(value)}"
    return len(place), place, kind == "missing", message


def _shown(value: object, place: Sequence[str]) -> str:
    """Return a short form of a value, or only its kind if it may contain the address or the key of an endpoint."""
    of_a_model = place[:1] == ["models"] and len(place) <= 2
    return _KINDS[type(value)] if "endpoint" in place or of_a_model or isinstance(value, dict) else reprlib.repr(value)


_KINDS = {dict: "a mapping", list: "a list", str: "a text", int: "a number", float: "a number"}
_KINDS |= {bool: "true or false", type(None): "empty", date: "a date", datetime: "a date"}

_TYPES = {"object": "a mapping", "array": "a list", "string": "a text", "integer": "a whole number"}
_TYPES |= {"number": "a number", "boolean": "true or false", "null": "null"}

_RANGES = (
    ("minimum", "at least"),
    ("exclusiveMinimum", "above"),
    ("maximum", "at most"),
    ("exclusiveMaximum", "below"),
    ("minItems", "items at least"),
    ("minProperties", "entries at least"),
    ("minLength", "characters at least"),
)


def _descend(schema: Mapping[str, Any], place: Iterable[str | int]) -> tuple[list[str | int], Mapping[str, Any]]:
    """Follow a location in a pydantic error through the schema.

    Returns:
        The steps of the location that are keys or positions in a list, and the part of the schema for the last one.
        In a union of sections, pydantic's location has the name of a class as a further step, which is left out.
    """
    steps, node = [], schema
    for step in place:
        section = _section(node, schema)
        if "oneOf" in section:
            node = schema["$defs"][step]
            continue
        if step in section.get("properties", {}):
            node = section["properties"][step]
        elif isinstance(section.get("additionalProperties"), dict):
            node = section["additionalProperties"]
        elif "items" in section:
            node = section["items"]
        else:
            break
        steps.append(step)
    return steps, node


def _section(node: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the definition that a part of the schema refers to, or the part itself; an option null is ignored."""
    references = [option["$ref"] for option in node.get("anyOf", [node]) if "$ref" in option]
    return schema["$defs"][references[0].split("/")[-1]] if references else node


def in_words(node: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Describe the value that a part of a JSON schema accepts: `a whole number, at least 1, at most 3`."""
    if "anyOf" in node:
        return " or ".join(in_words(option, schema) for option in node["anyOf"])
    if "const" in node or "enum" in node:
        return ", ".join(map(_value, node.get("enum", [node.get("const")])))
    if "pattern" in node:
        return node["$comment"]
    kinds = _section(node, schema).get("type", "object")
    words = [" or ".join(_TYPES[kind] for kind in ([kinds] if isinstance(kinds, str) else kinds))]
    return ", ".join(words + [f"{word} {node[key]}" for key, word in _RANGES if key in node])


def _value(value: object) -> str:
    """Write a single value as in YAML."""
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _exponent_hint(value: object) -> str:
    """Return a hint for a text that looks like a number with an exponent, or "".

    YAML reads such a number as text unless it has both a decimal point and a sign in the exponent.
    """
    number = re.fullmatch(r"([-+]?\d+)(\.\d*)?[eE]([-+]?)(\d+)", value) if isinstance(value, str) else None
    if number is None:
        return ""
    whole, fraction, sign, exponent = number.groups()
    return f" (YAML reads {value} as text: write {whole}{fraction or '.0'}e{sign or '+'}{exponent})"


def unknown_name(where: str, fault: str, word: str, accepted: Iterable[object], verb: str) -> str:
    """Return the message for a name that is not accepted, with the most similar accepted name as a suggestion.

    Args:
        where: Dotted place in the study.
        fault: What is wrong: "names tdpo3".
        word: The name that is not accepted.
        accepted: All accepted names.
        verb: The words before the accepted names: "methods has".
    """
    names = [str(name) for name in accepted]
    close = get_close_matches(word, names, n=1)
    suggestion = f"did you mean {close[0]}? " if close else ""
    return f"{where} {fault}; {suggestion}{verb}: {', '.join(names) or 'nothing'}"


def check_reference(where: str, name: str, kind: str, accepted: Iterable[str]) -> None:
    """Refuse a name that is not among those that `kind` has.

    Raises:
        ConfigError: The name is not accepted.
    """
    names = list(accepted)
    if name not in names:
        raise ConfigError(unknown_name(where, f"names {name}", name, names, f"{kind} has"))
