"""A second annotator's annotations of the dataset's texts, to measure on what and how much two people disagree."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tabpo.answers.ontology import Ontology
from tabpo.answers.units import Unit, units_of_prompts
from tabpo.data.corpus import read_source
from tabpo.data.reading import Reading
from tabpo.data.spellings import conform
from tabpo.data.validation import check_labels
from tabpo.errors import DataError
from tabpo.records import Document, PredictedRelation, PredictedSpan, Prediction


def read_second(
    paths: Sequence[Path],
    documents: Sequence[Document],
    ontology: Ontology,
    settings: Mapping[str, Any],
    noticed: Counter[str] | None = None,
) -> list[Document]:
    """Read the documents that a second annotator has annotated.

    Spans, relations and clusters are the second annotator's. Texts, tokens, sentences and groups are taken from the
    first annotator's documents, so that both versions are cut into the same units.

    Args:
        paths: Files or folders in the format of the source. They need not hold every document, and hold none twice.
        documents: The documents with the first annotator's annotations.
        ontology: It defines the labels of both annotators.
        settings: `source` names the source. `private` says whether error messages leave out labels (`check_labels`).
            `all_splits` says whether a file has the documents of all splits; those that are not in `documents` are then
            left out.
        noticed: Where it is counted what was passed over, and which spellings were corrected.

    Raises:
        DataError: A file is refused by the reader or by `check_labels`, or a document has an id that the first
            annotator's documents do not have, has a different text, or occurs twice.
    """
    first = {document.doc_id: document for document in documents}
    annotated: dict[str, Document] = {}
    for path in paths:
        reading = Reading(ontology, noticed=Counter() if noticed is None else noticed)
        second, variants = conform(read_source(settings["source"], path, reading), ontology)
        reading.noticed.update(variants)
        check_labels(second, ontology, reading.places, private=settings["private"])
        for number, document in enumerate(second, start=1):
            where = f"{path}, document {number}"
            if document.doc_id not in first:
                if settings["all_splits"]:
                    continue
                raise DataError(f"{where}: the first annotator has no document of that id; accepted: ids of this split")
            if document.text != first[document.doc_id].text:
                raise DataError(f"{where}: has another text than the first annotator's; accepted: the same characters")
            if document.doc_id in annotated:
                raise DataError(f"{where}: is there twice; accepted: each document once")
            marked = {"spans": document.spans, "relations": document.relations, "clusters": document.clusters}
            annotated[document.doc_id] = replace(first[document.doc_id], **marked)
    return list(annotated.values())


def second_card(
    second: Mapping[str, Path],
    documents: Mapping[str, Sequence[Document]],
    ontology: Ontology,
    settings: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Count for each split what a second annotator has annotated, left out, and written in ways that are passed over.

    Args:
        second: For some splits, the second annotator's file or folder.
        documents: The documents of all splits with the first annotator's annotations.
        ontology: It defines the labels of both annotators.
        settings: As for `read_second`.

    Raises:
        DataError: Raised by `read_second`.
    """
    card = {}
    for split, path in second.items():
        noticed: Counter[str] = Counter()
        annotated = read_second([path], documents[split], ontology, settings, noticed)
        both = {document.doc_id for document in annotated}
        first = [document for document in documents[split] if document.doc_id in both]
        card[split] = {
            "documents": len(documents[split]),
            "documents_without_second_annotation": len(documents[split]) - len(annotated),
            "of_documents_annotated_twice": {
                kind: {
                    "first": sum(len(getattr(document, kind)) for document in first),
                    "second": sum(len(getattr(document, kind)) for document in annotated),
                }
                for kind in ("spans", "relations", "clusters")
            },
            "noticed": dict(sorted(noticed.items())),
        }
    return card


def second_reading(
    prompt_ids: Sequence[str], documents: Sequence[Document], second: Sequence[Document]
) -> tuple[list[Unit], list[Prediction]]:
    """Return the units that both have annotated: the first annotator's as gold, the second's as predictions.

    Args:
        prompt_ids: Ids of prompts about `documents`. Prompts without a second annotation are left out.
        documents: The documents with the first annotator's annotations.
        second: The result of `read_second`.

    Raises:
        DataError: No prompt is about a document that both have annotated.
    """
    both = {document.doc_id for document in second}
    shared = [prompt_id for prompt_id in prompt_ids if prompt_id.split("#")[0] in both]
    if not shared:
        raise DataError(
            f"none of the {len(prompt_ids)} prompts is of one of the {len(both)} documents with a second annotation"
        )
    return units_of_prompts(documents, shared), [_prediction(unit) for unit in units_of_prompts(second, shared)]


def _prediction(unit: Unit) -> Prediction:
    return Prediction(
        unit.prompt_id,
        "ok",
        tuple(
            PredictedSpan(
                id=span.id,
                label=span.label,
                sublabel=span.sublabel,
                text=unit.text[span.start - unit.start : span.end - unit.start],
                start=span.start,
                end=span.end,
                item_class="ok",
            )
            for span in unit.spans
        ),
        tuple(PredictedRelation(item.head, item.tail, item.label, "ok") for item in unit.relations),
        unit.clusters or (),
    )
