"""Prompts with their gold answers, and the halves of dev."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence

from tabpo.data.answers import Answer, AnswerSpan, gold_answer, render
from tabpo.data.ontology import Ontology
from tabpo.data.units import Unit, document_units
from tabpo.errors import ConfigError, DataError
from tabpo.records import Document, Message, Prompt, Relation

STYLES = ("bare", "instruct")


def build_prompts(documents: Sequence[Document], ontology: Ontology, unit: str, style: str) -> list[Prompt]:
    """One prompt and gold answer for each unit, in the order of the documents.

    Args:
        unit: "sentence" or "document".
        style: "bare" (the text alone) or "instruct" (instructions, ontology, rules, then the text).

    Raises:
        ConfigError: Another style.
        DataError: The tokens of a document are not in its text.
    """
    if style not in STYLES:
        raise ConfigError(f"prompt is {style!r}; accepted: {', '.join(STYLES)}")
    head = instructions(ontology, coreference=unit == "document") if style == "instruct" else ""
    return [_prompt(item, head, ontology.answer) for document in documents for item in document_units(document, unit)]


def instructions(ontology: Ontology, coreference: bool) -> str:
    """What stands before the text of an `instruct` prompt: the task, the ontology and the rules of the answer.

    Args:
        coreference: Whether answers in the format "entities" list clusters.
    """
    parts = _results_parts(ontology) if ontology.answer == "results" else _entities_parts(ontology, coreference)
    return "\n\n".join([*parts, "Text:\n"])


def halve_dev(documents: Sequence[Document]) -> tuple[list[Document], list[Document]]:
    """Split dev in two, groups whole: for confusions, and for choices.

    Groups (documents where no group is known) go in the order of their names' SHA-256, each to the half that has fewer
    documents so far: the order of the documents does not matter, and each half keeps it.

    Returns:
        `dev_confusion` and `dev_select`.

    Raises:
        DataError: There are fewer than two groups, so that one half would be empty.
    """
    sizes: dict[str, int] = defaultdict(int)
    for document in documents:
        sizes[_group(document)] += 1
    if len(sizes) < 2:
        raise DataError(f"dev has {len(sizes)} group of documents and cannot be halved; accepted: two or more")
    confusion, confusion_size, select_size = set(), 0, 0
    for group in sorted(sizes, key=lambda name: hashlib.sha256(name.encode()).hexdigest()):
        if confusion_size <= select_size:
            confusion.add(group)
            confusion_size += sizes[group]
        else:
            select_size += sizes[group]
    return (
        [document for document in documents if _group(document) in confusion],
        [document for document in documents if _group(document) not in confusion],
    )


def _group(document: Document) -> str:
    return document.doc_id if document.group_id is None else document.group_id


def _prompt(unit: Unit, head: str, answer_format: str) -> Prompt:
    return Prompt(
        prompt_id=unit.prompt_id,
        doc_id=unit.doc_id,
        messages=(Message("user", head + unit.text),),
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
