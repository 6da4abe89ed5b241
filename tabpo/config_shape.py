"""The shape of a study: a closed JSON Schema, whose refusals are put into one sentence a user can act on."""

import re
import reprlib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from tabpo.errors import ConfigError

# JSON Schema calls 60.0 an integer; as a number of steps or a seed in a path it is none.
_Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", lambda _, value: type(value) is int),
)

_KINDS = {dict: "a mapping", list: "a list", str: "a text", int: "a number", float: "a number"}
_KINDS |= {bool: "true or false", type(None): "empty"}


def check_shape(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Refuse a study that its schema does not allow.

    Raises:
        ConfigError: The fault nearest to the top: dotted path, what was found, what is accepted.
    """
    errors = sorted(
        _Validator(schema).iter_errors(config),
        key=lambda error: (len(error.absolute_path), [str(step) for step in error.absolute_path]),
    )
    if errors:
        raise ConfigError(_shape_message(errors[0]))


def _shape_message(error: ValidationError) -> str:
    where, found = ".".join(str(step) for step in error.absolute_path), error.instance
    if error.validator == "additionalProperties":
        accepted = list(error.schema.get("properties", {}))
        unknown = next(key for key in found if key not in accepted)
        return unknown_name(where or "the study", f"has an unknown key {unknown}", unknown, accepted, "it takes")
    if error.validator == "required":
        missing = next(key for key in error.validator_value if key not in found)
        about = error.schema["properties"][missing].get("description", "")
        return f"{where or 'the study'} lacks the key {missing}: {about or 'see config/config.schema.yaml'}"
    if error.validator == "enum":
        accepted = ["null" if value is None else value for value in error.validator_value]
        return unknown_name(where, f"is {_shown(error)}", str(found), accepted, "accepted")
    return f"{where} is {_shown(error)}; accepted: {_accepted(error.schema)}{_exponent_hint(found)}"


def _shown(error: ValidationError) -> str:
    """What was found; its kind alone where it is an endpoint or may hold one, and with it an address or a key."""
    found, path = error.instance, list(error.absolute_path)
    if "endpoint" in path or (path[:1] == ["models"] and len(path) <= 2) or isinstance(found, dict):
        return _KINDS[type(found)]
    return reprlib.repr(found)


def _exponent_hint(found: object) -> str:
    """YAML takes a number with an exponent for text unless it has both a point and a sign."""
    number = re.fullmatch(r"([-+]?\d+)(\.\d*)?[eE]([-+]?)(\d+)", found) if isinstance(found, str) else None
    if number is None:
        return ""
    whole, fraction, sign, exponent = number.groups()
    return f" (YAML reads {found} as text: write {whole}{fraction or '.0'}e{sign or '+'}{exponent})"


def _accepted(schema: Mapping[str, Any]) -> str:
    """A schema of one value in words: `integer, at least 1, at most 3`."""
    kinds = schema.get("type", "a value")
    words = [kinds if isinstance(kinds, str) else " or ".join(kinds)]
    for key, word in (
        ("minimum", "at least"),
        ("exclusiveMinimum", "above"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "below"),
        ("pattern", "like"),
        ("minItems", "items at least"),
        ("minProperties", "entries at least"),
        ("minLength", "characters at least"),
    ):
        if key in schema:
            words.append(f"{word} {schema[key]}")
    return ", ".join(words)


def unknown_name(where: str, fault: str, word: str, accepted: Iterable[object], verb: str) -> str:
    """The message for a name that is none of those accepted, with the one that was probably meant."""
    names = [str(name) for name in accepted]
    close = get_close_matches(word, names, n=1)
    suggestion = f"did you mean {close[0]}? " if close else ""
    return f"{where} {fault}; {suggestion}{verb}: {', '.join(names) or 'nothing'}"
