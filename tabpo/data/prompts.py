"""Prompts with their gold answers."""

from collections.abc import Sequence

from tabpo.data.answers import Answer, AnswerSpan, gold_answer, render
from tabpo.data.ontology import Directions, Ontology
from tabpo.data.units import Unit, document_units
from tabpo.errors import ConfigError, DataError
from tabpo.records import Document, Message, Prompt, Relation

STYLES = ("bare", "instruct")

TEXT = "Text:\n"
"""What stands right before the text of an `instruct` prompt."""


def build_prompts(
    documents: Sequence[Document], ontology: Ontology, unit: str, style: str, context: Sequence[str] = ()
) -> list[Prompt]:
    """One prompt and gold answer for each unit, in the order of the documents.

    Args:
        unit: "sentence" or "document".
        style: "bare" (the text alone) or "instruct" (instructions, ontology, rules, then the text).
        context: Attributes that stand before the text, one a line, where a document has them.

    Raises:
        ConfigError: Another style.
        DataError: The tokens of a document are not in its text, or a span crosses the end of a sentence that is a unit.
    """
    if style not in STYLES:
        raise ConfigError(f"prompt is {style!r}; accepted: {', '.join(STYLES)}")
    instruct = style == "instruct"
    head = instructions(ontology, unit == "document", context) if instruct else ""
    prompts = []
    for document in documents:
        lead = _lead(document, context)
        before = f"{head}{lead}\n{TEXT}" if instruct and lead else f"{head}{TEXT}" if instruct else lead
        units = document_units(document, unit)
        if sum(len(item.spans) for item in units) < len(document.spans):
            raise DataError(
                f"document {document.doc_id}: a span crosses the end of a sentence;"
                " accepted: spans inside one sentence, or the unit document"
            )
        prompts += [_prompt(item, before, ontology.answer) for item in units]
    return prompts


def instructions(ontology: Ontology, coreference: bool, context: Sequence[str] = ()) -> str:
    """What an `instruct` prompt begins with: the task, the ontology and the rules of the answer.

    Args:
        coreference: Whether answers in the format "entities" list clusters.
        context: Attributes that prompts state; the one that labels depend on comes with its rules.
    """
    parts = _results_parts(ontology) if ontology.answer == "results" else _entities_parts(ontology, coreference)
    directions = ontology.directions
    if directions and directions.attribute in context:
        parts.insert(-1, _directions(directions))
    return "".join(f"{part}\n\n" for part in parts)


def _lead(document: Document, context: Sequence[str]) -> str:
    attributes = dict(document.attributes)
    return "".join(f"{name}: {attributes[name]}\n" for name in context if name in attributes)


def _directions(directions: Directions) -> str:
    lines = [f"{directions.attribute} says which codes there may be:"]
    for value, labels in directions.labels.items():
        lines.append(f"- {value}: {directions.definitions[value]} Codes: {', '.join(labels)}.")
    return "\n".join(lines)


def _prompt(unit: Unit, before: str, answer_format: str) -> Prompt:
    return Prompt(
        prompt_id=unit.prompt_id,
        doc_id=unit.doc_id,
        messages=(Message("user", before + unit.text),),
        answer=render(gold_answer(unit), answer_format),
    )


def _entities_parts(ontology: Ontology, coreference: bool) -> list[str]:
    clusters = ((1, 3),) if coreference else None
    shape = Answer((AnswerSpan(1, "...", None, "..."),), (Relation(1, 2, "..."),), clusters)
    both_ways = [name for name, relation in ontology.relations.items() if relation.symmetric]
    rules = [
        "span is copied from the text character by character; it may lie inside another one.",
        "Entities stand in the order of the text (by start, then by end), with ids 1, 2, 3 and so on.",
        "head and tail are ids; a relation reads: head label tail. Relations are sorted by head, then by tail.",
    ]
    if both_ways:
        rules.append(f"{' and '.join(both_ways)} mean the same in both directions: state each once.")
    if coreference:
        rules.append("coreference groups the ids of the entities that name the same thing; sort ids and groups.")
    rules.append("State nothing twice. Where there is nothing to state, the list is empty: [].")
    return [
        "Find the entities in the text below, and the relations between them.",
        _listing("Labels of entities:", {name: label.definition for name, label in ontology.labels.items()}),
        _listing("Labels of relations:", {name: label.definition for name, label in ontology.relations.items()}),
        _rules(shape, "entities", rules),
    ]


def _results_parts(ontology: Ontology) -> list[str]:
    codes = []
    for name, label in ontology.labels.items():
        codes.append(f"- {name}: {label.definition}")
        codes += [f"  - {sublabel}: {definition}" for sublabel, definition in label.sublabels.items()]
    rules = [
        "Code is one of the codes above, Sub-code one of those listed under that code.",
        "Span is copied from the text character by character.",
        "Results stand in the order of the text (by start, then by end, then by Code, then by Sub-code).",
        "A span that has several codes or sub-codes is stated once with each.",
        'State nothing twice. Where there is nothing to state, the list is empty: {"results":[]}.',
    ]
    return [
        "Code the text below: find each stretch that has one of these codes and sub-codes.",
        "\n".join(["Codes, with their sub-codes:", *codes]),
        _rules(Answer((AnswerSpan(1, "...", "...", "..."),)), "results", rules),
    ]


def _listing(title: str, definitions: dict[str, str]) -> str:
    return "\n".join([title, *(f"- {name}: {definition}" for name, definition in definitions.items())])


def _rules(shape: Answer, answer_format: str, rules: list[str]) -> str:
    shown = f"Answer with JSON on one line and nothing else, in this form:\n{render(shape, answer_format)}"
    return "\n".join([shown, *(f"- {rule}" for rule in rules)])
