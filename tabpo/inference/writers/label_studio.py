"""Write answers as tasks with predictions, which Label Studio imports and shows to annotators before they begin."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabpo.artefacts import write_json
from tabpo.inference.answered import Answered, AnsweredRelation, AnsweredSpan

FROM_NAME, TO_NAME = "label", "text"
"""Names of the control tag and of the text in the labelling interface: those of Label Studio's template for NER."""


def write_label_studio(path: Path, answers: Sequence[Answered], model: str) -> None:
    """Write one task for each document.

    A span with a sub-label has the label `label/sublabel`. Offsets count UTF-16 units, as browsers do. Clusters are
    left out, since the template has no place for them.

    Args:
        path: The .json file to write.
        answers: The documents with their answers.
        model: Name of the model, which Label Studio shows.
    """
    write_json(path, [_task(answered, model) for answered in answers])


def _task(answered: Answered, model: str) -> dict[str, Any]:
    document = answered.document
    regions = [_region(document.text, span) for span in answered.spans]
    links = [_link(relation) for relation in answered.relations]
    group = {} if document.group_id is None else {"group_id": document.group_id}
    prediction = {"model_version": model, "score": round(answered.confidence, 4), "result": regions + links}
    return {"data": {"text": document.text, "doc_id": document.doc_id, **group}, "predictions": [prediction]}


def _region(text: str, span: AnsweredSpan) -> dict[str, Any]:
    label = span.label if span.sublabel is None else f"{span.label}/{span.sublabel}"
    start, end = (len(text[:offset].encode("utf-16-le")) // 2 for offset in (span.start, span.end))
    return {
        "id": span.name,
        "from_name": FROM_NAME,
        "to_name": TO_NAME,
        "type": "labels",
        "score": round(span.confidence, 4),
        "value": {"start": start, "end": end, "text": text[span.start : span.end], "labels": [label]},
    }


def _link(relation: AnsweredRelation) -> dict[str, Any]:
    return {
        "type": "relation",
        "from_id": relation.head,
        "to_id": relation.tail,
        "direction": "right",
        "labels": [relation.label],
        "score": round(relation.confidence, 4),
    }
