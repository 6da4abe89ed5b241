"""Documentation of a study's keys: a JSON schema for editors, and a page of tables for people."""

from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from pydantic.json_schema import GenerateJsonSchema

from tabpo.study.keys import StudyKeys
from tabpo.study.shape import in_words

MADE = "Made by `python -m workflow_scripts.write_settings` from the sections in `tabpo/`; edit those, not this file."


class _Untitled(GenerateJsonSchema):
    """Leaves out titles, which repeat names, and the default null of a key that does not accept null."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def sort(self, value: Any, parent_key: str | None = None) -> Any:
        return value

    def default_schema(self, schema: Any) -> dict[str, Any]:
        described = super().default_schema(schema)
        if described.get("default", "") is None and not _may_be_null(described):
            del described["default"]
        return described


def _may_be_null(node: Mapping[str, Any]) -> bool:
    return None in node.get("enum", ()) or {"type": "null"} in node.get("anyOf", ())


def study_schema() -> dict[str, Any]:
    """Return the JSON schema of a study's YAML."""
    schema = StudyKeys.model_json_schema(schema_generator=_Untitled)
    head = {"$schema": GenerateJsonSchema.schema_dialect, "title": "A study", "description": schema["description"]}
    return head | {key: value for key, value in schema.items() if key not in head}


def schema_file() -> str:
    """Return the text of config/config.schema.yaml."""
    text = yaml.safe_dump(study_schema(), sort_keys=False, default_flow_style=None, allow_unicode=True, width=120)
    return f"# {MADE}\n{text}"


def settings_page() -> str:
    """Return the text of docs/settings.md: a table for each section, in the order of a study's keys."""
    schema = study_schema()
    parts = [
        "# Settings of a study",
        f"Every key of a study's YAML. {MADE}",
        "NAME stands for a name that you choose. A key without a default that is not needed may be left out; the column"
        " meaning says what then happens.",
    ]
    for name, places in _sections(schema).items():
        section = schema["$defs"].get(name, schema)
        title = "The study" if section is schema else " and ".join(f"`{place}`" for place in places)
        parts += [f"## {title}", " ".join(section["description"].split()), _table(section, schema)]
    return "\n\n".join(parts) + "\n"


def _sections(schema: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the dotted places of each section in a study, by the name of its definition; the study itself is ""."""
    places: dict[str, list[str]] = {"": [""]}
    waiting = [("", "")]
    while waiting:
        name, place = waiting.pop(0)
        for key, node in schema["$defs"].get(name, schema)["properties"].items():
            for inner, below in _references(node, f"{place}.{key}".removeprefix(".")):
                if inner not in places:
                    waiting.append((inner, below))
                places.setdefault(inner, []).append(below)
    return places


def _references(node: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each definition that a part of the schema refers to, with its dotted place in a study."""
    if "$ref" in node:
        yield node["$ref"].split("/")[-1], place
    for option in [*node.get("anyOf", ()), *node.get("oneOf", ())]:
        yield from _references(option, place)
    if isinstance(node.get("additionalProperties"), dict):
        yield from _references(node["additionalProperties"], f"{place}.NAME")


def _table(section: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    rows = [("key", "accepted", "default", "meaning"), ("---",) * 4]
    for key, node in section["properties"].items():
        accepted = in_words(node, schema)
        default = f"`{_flow(node['default'])}`" if "default" in node else ""
        needed = "needed" if key in section.get("required", ()) else default
        rows.append((f"`{key}`", accepted, needed, node["description"]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _flow(value: object) -> str:
    """Write a value as YAML on one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix("\n...\n").strip()
