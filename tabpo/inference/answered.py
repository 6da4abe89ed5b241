"""New texts with a model's answers, and how sure the model was of each: what writers of annotation formats take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from tabpo.records import Document, PredictedSpan, Prediction

WRITTEN = ("ok", "normalised_span")
"""Classes of spans that are written: those of the ontology that have a place and are no repetition."""


@dataclass(frozen=True)
class AnsweredSpan:
    """A span of an answer at its place in the document.

    Attributes:
        name: Name that is unique in the document, as T1.
        label: Entity type, or code.
        sublabel: Sub-code, or None.
        start: First character in the document.
        end: End in the document, excluded.
        confidence: Mean probability of the tokens of the span's record, from 0 to 1.
    """

    name: str
    label: str
    sublabel: str | None
    start: int
    end: int
    confidence: float


@dataclass(frozen=True)
class AnsweredRelation:
    """A relation between two spans; `head` and `tail` are their names."""

    head: str
    tail: str
    label: str
    confidence: float


@dataclass(frozen=True)
class Answered:
    """A document with a model's spans, relations and clusters (names of spans).

    `unreadable` counts the document's prompts whose answer could not be read, so that nothing of them is here.
    """

    document: Document
    spans: tuple[AnsweredSpan, ...]
    relations: tuple[AnsweredRelation, ...]
    clusters: tuple[tuple[str, ...], ...]
    unreadable: int

    @property
    def confidence(self) -> float:
        """Mean confidence of the spans; 0 if there are none."""
        return fmean(span.confidence for span in self.spans) if self.spans else 0.0


Confidences = tuple[Sequence[float], Sequence[float]]
"""Confidence of each span and of each relation of an answer, in the answer's order."""


def join_answers(
    documents: Sequence[Document], predictions: Sequence[Prediction], confidences: Mapping[str, Confidences]
) -> list[Answered]:
    """Put the answers to a document's prompts together.

    Args:
        documents: The documents.
        predictions: The answers to all prompts about them, in the order of the texts.
        confidences: By prompt id, for each readable answer.

    Returns:
        One `Answered` for each document. Spans that are faulty are left out, and what refers to them.
    """
    by_document: dict[str, list[Prediction]] = {document.doc_id: [] for document in documents}
    for prediction in predictions:
        by_document[prediction.prompt_id.split("#")[0]].append(prediction)
    return [_joined(document, by_document[document.doc_id], confidences) for document in documents]


def _joined(document: Document, predictions: Sequence[Prediction], confidences: Mapping[str, Confidences]) -> Answered:
    spans, relations, clusters = [], [], []
    for prediction in predictions:
        if prediction.answer_class != "ok":
            continue
        of_spans, of_relations = confidences[prediction.prompt_id]
        names: dict[int, str] = {}
        for span, confidence in zip(prediction.spans, of_spans, strict=True):
            if span.item_class in WRITTEN:
                names[span.id] = f"T{len(spans) + 1}"
                spans.append(_span(names[span.id], span, confidence))
        for relation, confidence in zip(prediction.relations, of_relations, strict=True):
            if relation.item_class == "ok" and {relation.head, relation.tail} <= names.keys():
                ends = names[relation.head], names[relation.tail]
                relations.append(AnsweredRelation(*ends, relation.label, confidence))
        known = (tuple(names[mention] for mention in cluster if mention in names) for cluster in prediction.clusters)
        clusters += [cluster for cluster in known if len(cluster) > 1]
    unreadable = sum(prediction.answer_class != "ok" for prediction in predictions)
    return Answered(document, tuple(spans), tuple(relations), tuple(clusters), unreadable)


def _span(name: str, span: PredictedSpan, confidence: float) -> AnsweredSpan:
    return AnsweredSpan(name, span.label, span.sublabel, span.start, span.end, confidence)
