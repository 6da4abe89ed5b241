"""Prompts and their gold answers, made from documents."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tabpo.answers.ontology import Directions, Label, Ontology, RelationType
from tabpo.answers.render import Answer, AnswerSpan, gold_answer, render
from tabpo.answers.units import Unit, document_units
from tabpo.data.demonstrations import most_similar
from tabpo.data.splitting import group
from tabpo.errors import ConfigError, DataError
from tabpo.records import Document, Message, Prompt, Relation

STYLES = ("bare", "instruct")

TEXT = "Text:\n"
"""The heading before the text of an `instruct` prompt."""

EXAMPLES = "Examples, each a text and its answer:\n\n"
"""The heading before the demonstrations."""


@dataclass(frozen=True)
class Style:
    """The settings that determine the form of prompts.

    Attributes:
        unit: "sentence" or "document": what one prompt asks about.
        prompt: "bare" (the text alone) or "instruct" (instructions, ontology, rules, then the text).
        context: Names of attributes that a prompt states before its text, one per line, if the document has them.
        demonstrations: Number of training texts with their answers that an `instruct` prompt shows before its text.
    """

    unit: str
    prompt: str
    context: tuple[str, ...] = ()
    demonstrations: int = 0

    def __post_init__(self) -> None:
        if self.prompt not in STYLES:
            raise ConfigError(f"prompt is {self.prompt!r}; accepted: {', '.join(STYLES)}")


def build_prompts(
    documents: Sequence[Document], ontology: Ontology, style: Style, train: Sequence[Document] = ()
) -> list[Prompt]:
    """Make one prompt with its gold answer for each unit, in the order of the documents.

    Args:
        documents: The documents of one split.
        ontology: It defines the labels of the documents.
        style: The form of the prompts.
        train: The documents of train; demonstrations are the texts of other groups most similar to the prompt's text.

    Raises:
        DataError: The tokens of a document are not in its text, a span crosses the end of a sentence although units
            are sentences, or train has too few texts of other groups for the demonstrations.
    """
    asked = _asked(documents, style)
    shown = _demonstrations(asked, _asked(train, style), ontology, style)
    head = instructions(ontology, style.unit == "document", style.context) if style.prompt == "instruct" else ""
    return [
        Prompt(
            prompt_id=unit.prompt_id,
            doc_id=unit.doc_id,
            messages=(Message("user", head + before + _text(document, unit, style)),),
            answer=render(gold_answer(unit), ontology.answer),
        )
        for (document, unit), before in zip(asked, shown, strict=True)
    ]


def _asked(documents: Sequence[Document], style: Style) -> list[tuple[Document, Unit]]:
    """Cut the documents into units, and return each unit with its document."""
    asked = []
    for number, document in enumerate(documents, start=1):
        units = document_units(document, style.unit)
        if sum(len(unit.spans) for unit in units) < len(document.spans):
            raise DataError(
                f"document {number}: a span crosses the end of a sentence;"
                " accepted: spans inside one sentence, or the unit document"
            )
        asked += [(document, unit) for unit in units]
    return asked


def _text(document: Document, unit: Unit, style: Style) -> str:
    attributes = dict(document.attributes)
    lead = "".join(f"{name}: {attributes[name]}\n" for name in style.context if name in attributes)
    if style.prompt == "bare":
        return lead + unit.text
    return f"{lead}\n{TEXT}{unit.text}" if lead else f"{TEXT}{unit.text}"


def _demonstrations(
    asked: Sequence[tuple[Document, Unit]], pool: Sequence[tuple[Document, Unit]], ontology: Ontology, style: Style
) -> list[str]:
    """Return for each prompt the demonstrations between its instructions and its text; "" if the style has none."""
    if not style.demonstrations:
        return [""] * len(asked)
    examples = [
        f"{_text(document, unit, style)}\n\nAnswer:\n{render(gold_answer(unit), ontology.answer)}\n\n"
        for document, unit in pool
    ]
    chosen = most_similar(
        [unit.text for _, unit in asked],
        [group(document) for document, _ in asked],
        [unit.text for _, unit in pool],
        [group(document) for document, _ in pool],
        [unit.prompt_id for _, unit in pool],
        style.demonstrations,
    )
    return [EXAMPLES + "".join(examples[position] for position in positions) for positions in chosen]


def instructions(ontology: Ontology, coreference: bool, context: Sequence[str] = ()) -> str:
    """Return the beginning of an `instruct` prompt: the task, the ontology and the rules for the answer.

    Args:
        ontology: It defines the labels, and the format of the answer.
        coreference: Whether answers in the format "entities" list coreference clusters.
        context: Names of attributes that prompts state. If labels depend on one of them, its rules are included.
    """
    parts = _results_parts(ontology) if ontology.answer == "results" else _entities_parts(ontology, coreference)
    directions = ontology.directions
    if directions and directions.attribute in context:
        parts.insert(-1, _directions(directions))
    return "".join(f"{part}\n\n" for part in parts)


def _directions(directions: Directions) -> str:
    lines = [f"{directions.attribute} says which codes there may be:"]
    for value, labels in directions.labels.items():
        lines.append(f"- {value}: {directions.definitions[value]} Codes: {', '.join(labels)}.")
    return "\n".join(lines)


def _entities_parts(ontology: Ontology, coreference: bool) -> list[str]:
    clusters = ((1, 3),) if coreference else None
    shape = Answer((AnswerSpan(1, "...", None, "..."),), (Relation(1, 2, "..."),), clusters)
    both_ways = [name for name, relation in ontology.relations.items() if relation.symmetric]
    rules = [
        "span is copied from the text character by character; it may lie inside another one.",
        "Entities stand in the order of the text (by start, then by end), with ids 1, 2, 3 and so on.",
        "head and tail are ids; a relation reads: head label tail. Relations are sorted by head, then by tail.",
    ]
    if ontology.several_labels:
        rules.append("A span that has several labels is stated once with each.")
    if both_ways:
        rules.append(f"{' and '.join(both_ways)} mean the same in both directions: state each once.")
    if coreference:
        rules.append("coreference groups the ids of the entities that name the same thing; sort ids and groups.")
    rules.append("State nothing twice. Where there is nothing to state, the list is empty: [].")
    return [
        "Find the entities in the text below, and the relations between them.",
        _listing("Labels of entities:", ontology.labels),
        _listing("Labels of relations:", ontology.relations) if ontology.relations else "There are no relations.",
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


def _listing(title: str, entries: Mapping[str, Label | RelationType]) -> str:
    return "\n".join([title, *(f"- {name}: {entry.definition}" for name, entry in entries.items())])


def _rules(shape: Answer, answer_format: str, rules: list[str]) -> str:
    shown = f"Answer with JSON on one line and nothing else, in this form:\n{render(shape, answer_format)}"
    return "\n".join([shown, *(f"- {rule}" for rule in rules)])
