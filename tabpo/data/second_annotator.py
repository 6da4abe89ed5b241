"""A second annotator's reading of the same texts: what people disagree on, and how far they agree."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tabpo.answers.ontology import Ontology
from tabpo.answers.units import Unit, units_of_prompts
from tabpo.data.readers import custom
from tabpo.data.spellings import conform
from tabpo.data.validation import check_labels
from tabpo.errors import DataError
from tabpo.records import Document, PredictedRelation, PredictedSpan, Prediction


def read_second(
    paths: Sequence[Path], documents: Sequence[Document], ontology: Ontology, *, private: bool
) -> list[Document]:
    """The documents that a second annotator has annotated, with those annotations in the place of the first one's.

    Texts, tokens, sentences and groups stay the first one's, so that both are cut into the same units.

    Args:
        paths: Files or folders in the format of `custom`; each document in one of them, any number left out.
        documents: As the first annotator has annotated them.
        ontology: Of both.
        private: As for `check_labels`.

    Raises:
        DataError: As `custom.read_documents` and `check_labels` do; or a document is none of the first annotator's,
            has another text, or is there twice.
    """
    first = {document.doc_id: document for document in documents}
    found: dict[str, Document] = {}
    for path in paths:
        second, _ = conform(custom.read_documents(path), ontology)
        check_labels(second, ontology, path, private=private)
        for number, document in enumerate(second, start=1):
            where = f"{path}, document {number}"
            if document.doc_id not in first:
                raise DataError(f"{where}: the first annotator has none of that id; accepted: an id of this split")
            if document.text != first[document.doc_id].text:
                raise DataError(f"{where}: has another text than the first annotator's; accepted: the same characters")
            if document.doc_id in found:
                raise DataError(f"{where}: is there twice; accepted: each document once")
            marked = {"spans": document.spans, "relations": document.relations, "clusters": document.clusters}
            found[document.doc_id] = replace(first[document.doc_id], **marked)
    return list(found.values())


def second_reading(
    prompt_ids: Sequence[str], documents: Sequence[Document], second: Sequence[Document]
) -> tuple[list[Unit], list[Prediction]]:
    """The units of prompts that both have annotated, as the first has them, and what the second says as predictions.

    Args:
        prompt_ids: Of these documents; those without a second annotation are left out.
        documents: Of the first annotator.
        second: From `read_second`.

    Raises:
        DataError: None of the prompts is of a document that both have annotated.
    """
    both = {document.doc_id for document in second}
    shared = [prompt_id for prompt_id in prompt_ids if prompt_id.split("#")[0] in both]
    if not shared:
        raise DataError(
            f"none of the {len(prompt_ids)} prompts is of one of the {len(both)} documents with a second annotation"
        )
    return units_of_prompts(documents, shared), [_said(unit) for unit in units_of_prompts(second, shared)]


def _said(unit: Unit) -> Prediction:
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
