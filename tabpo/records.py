"""The records that travel between stages: their types, their Parquet schemas, and the only reader and writer."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from tabpo.artefacts import whole_file
from tabpo.errors import DataError

SPLITS = ("train", "dev", "test")
"""Splits of documents. Prompts have `dev_confusion` and `dev_select` in the place of `dev`."""

PROMPT_SPLITS = ("train", "dev_confusion", "dev_select", "test")


@dataclass(frozen=True, slots=True)
class Span:
    """A typed `text[start:end]` of its document: characters, end excluded.

    Attributes:
        id: Number within the document, from 1, by (start, end).
        label: Entity type, or code.
        sublabel: Sub-code; None where the annotation scheme has no second level (SciERC). The
            sub-code called "None" of the medical schemes is the string "None".
    """

    id: int
    label: str
    sublabel: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A typed link between two spans of a document, by their ids."""

    head: int
    tail: int
    label: str


@dataclass(frozen=True, slots=True)
class Document:
    """One annotated text.

    Attributes:
        doc_id: Unique within its dataset.
        group_id: What must not straddle splits (patient, thread, paper); None where unknown.
        text: The tokens joined by one space, or the text as published.
        tokens: The source's tokens, or those split at white space.
        sentences: Token ranges (first, end excluded) that tile the document.
        spans: By (start, end, label, sublabel).
        relations: By (head, tail, label).
        clusters: Coreference clusters as ids of spans.
        attributes: Further facts of the source as (name, value).
    """

    doc_id: str
    group_id: str | None
    text: str
    tokens: tuple[str, ...]
    sentences: tuple[tuple[int, int], ...]
    spans: tuple[Span, ...]
    relations: tuple[Relation, ...] = ()
    clusters: tuple[tuple[int, ...], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat: role "system", "user" or "assistant", and its content."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is given for one unit, and the gold answer.

    Attributes:
        prompt_id: `{doc_id}` for a document unit, `{doc_id}#{sentence}` for a sentence unit.
        doc_id: The document it comes from.
        messages: The prompt as a chat.
        answer: JSON on one line, from `answers.render`; of preferences the chosen answer, any text.
    """

    prompt_id: str
    doc_id: str
    messages: tuple[Message, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What a model generated for one prompt.

    Attributes:
        completion: Text without the end-of-turn token.
        n_tokens: Generated tokens, the end-of-turn token included.
        finished: Whether the end-of-turn token came before the cap.
    """

    prompt_id: str
    completion: str
    n_tokens: int
    finished: bool


@dataclass(frozen=True, slots=True)
class PredictedSpan:
    """One parsed and grounded span; `start` and `end` are characters of the unit's document, None if not grounded."""

    id: int
    label: str
    sublabel: str | None
    text: str
    start: int | None
    end: int | None
    item_class: str


@dataclass(frozen=True, slots=True)
class PredictedRelation:
    """One parsed relation between predicted spans, by their ids."""

    head: int
    tail: int
    label: str
    item_class: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """A completion after parsing and grounding; classes as DESIGN 4 names them."""

    prompt_id: str
    answer_class: str
    spans: tuple[PredictedSpan, ...]
    relations: tuple[PredictedRelation, ...] = ()
    clusters: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterCounts:
    """What one cluster of documents adds to a metric.

    Attributes:
        cluster: The documents' `group_id`, or `doc_id` where there is none.
        metric: As tables name it.
        convention: How it is counted.
        label: Of items of one label; None of all items together.
        right: Right of what is predicted.
        predicted: All that is predicted.
        right_gold: Right of gold, which differs from `right` for coreference alone.
        gold: All that is gold.
    """

    cluster: str
    metric: str
    convention: str
    label: str | None
    right: float
    predicted: float
    right_gold: float
    gold: float


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often a gold value was predicted as another; the interval is Wilson's at 95 %.

    Attributes:
        kind: label, sublabel, boundary, missed, spurious, relation_label, relation_direction,
            relation_missed, relation_spurious, relation_endpoint, coreference.
        gold: Gold value; "NONE" for spurious kinds.
        predicted: Predicted value; "NONE" for missed kinds.
        count: Cases.
        probability: count / all cases of this kind with this gold value.
        low: Lower end of the interval of `probability`.
        high: Upper end.
    """

    kind: str
    gold: str
    predicted: str
    count: int
    probability: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Edit:
    """One change that made a rejected answer.

    Attributes:
        operator: label, sublabel, boundary, delete, insert, relation_label, relation_direction,
            relation_endpoint, coreference.
        field: Where in the answer, as a path: `entities/2/label`.
        gold: Value before; "" for an insertion.
        wrong: Value after; "" for a deletion.
        source: What proposed it: empirical, disagreement, expert, uniform, on_policy.
    """

    operator: str
    field: str
    gold: str
    wrong: str
    source: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A chosen and a rejected answer to one prompt; pair_id is `{prompt_id}/{k}`."""

    pair_id: str
    prompt_id: str
    chosen: str
    rejected: str
    edits: tuple[Edit, ...]
    token_edit_distance: int


@dataclass(frozen=True, slots=True)
class Reference:
    """Log-probs of a pair's completion tokens under a frozen model, end-of-turn token included, in nats.

    Of held-out gold, `pair_id` is the prompt's, and there is no rejected side: ().
    """

    pair_id: str
    chosen_logps: tuple[float, ...]
    rejected_logps: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """A completion that was sampled from the policy, as token ids; part of a checkpoint."""

    prompt_id: str
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """What one optimiser step logs; None where a stage has no such quantity (SFT has no rejected side).

    Attributes:
        loss: Mean over the effective batch of pairs (SFT: mean nats per completion token).
        margin: Mean of chosen reward minus rejected reward.
        accuracy: Share of pairs whose margin is positive.
        chosen_logp: Mean over pairs of the summed log-prob of the chosen completion.
        rejected_logp: The same of the rejected completion.
        gate_rate: Share of chosen tokens with probability under the gate's tau (0.9 where a loss has none).
        share_edited: Share of the gradient's L1 norm over logits on edited tokens.
        share_prefix: The same on the shared prefix.
        share_tail: The same on shared tokens after the first edit.
        drift_edited: Mean log-ratio to the reference of edited chosen tokens.
        drift_shared: The same of the other chosen tokens.
    """

    step: int
    epoch: float
    learning_rate: float
    grad_norm: float
    loss: float
    margin: float | None = None
    accuracy: float | None = None
    chosen_logp: float | None = None
    rejected_logp: float | None = None
    gate_rate: float | None = None
    share_edited: float | None = None
    share_prefix: float | None = None
    share_tail: float | None = None
    drift_edited: float | None = None
    drift_shared: float | None = None


@dataclass(frozen=True, slots=True)
class StepTiming:
    """Wall time of one optimiser step, and the tokens it passed through the model."""

    step: int
    seconds: float
    tokens: int


def _struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct([pa.field(name, kind) for name, kind in fields.items()])


def _schema(**fields: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in fields.items()])


_TEXTS = pa.list_(pa.string())
_RELATION = {"head": pa.int32(), "tail": pa.int32(), "label": pa.string()}
_SPAN_LABELS = {"id": pa.int32(), "label": pa.string(), "sublabel": pa.string()}
_OFFSETS = {"start": pa.int32(), "end": pa.int32()}
_CLUSTERS = pa.list_(pa.list_(pa.int32()))

SCHEMAS: dict[type, pa.Schema] = {
    Document: _schema(
        doc_id=pa.string(),
        group_id=pa.string(),
        text=pa.string(),
        tokens=_TEXTS,
        sentences=pa.list_(pa.list_(pa.int32(), 2)),
        spans=pa.list_(_struct(**_SPAN_LABELS, **_OFFSETS)),
        relations=pa.list_(_struct(**_RELATION)),
        clusters=_CLUSTERS,
        attributes=pa.list_(pa.list_(pa.string(), 2)),
    ),
    Prompt: _schema(
        prompt_id=pa.string(),
        doc_id=pa.string(),
        messages=pa.list_(_struct(role=pa.string(), content=pa.string())),
        answer=pa.string(),
    ),
    Completion: _schema(prompt_id=pa.string(), completion=pa.string(), n_tokens=pa.int32(), finished=pa.bool_()),
    Prediction: _schema(
        prompt_id=pa.string(),
        answer_class=pa.string(),
        spans=pa.list_(_struct(**_SPAN_LABELS, text=pa.string(), **_OFFSETS, item_class=pa.string())),
        relations=pa.list_(_struct(**_RELATION, item_class=pa.string())),
        clusters=_CLUSTERS,
    ),
    ClusterCounts: _schema(
        **dict.fromkeys(("cluster", "metric", "convention", "label"), pa.string()),
        **dict.fromkeys(("right", "predicted", "right_gold", "gold"), pa.float64()),
    ),
    Confusion: _schema(
        kind=pa.string(),
        gold=pa.string(),
        predicted=pa.string(),
        count=pa.int64(),
        probability=pa.float64(),
        low=pa.float64(),
        high=pa.float64(),
    ),
    Pair: _schema(
        pair_id=pa.string(),
        prompt_id=pa.string(),
        chosen=pa.string(),
        rejected=pa.string(),
        edits=pa.list_(
            _struct(operator=pa.string(), field=pa.string(), gold=pa.string(), wrong=pa.string(), source=pa.string())
        ),
        token_edit_distance=pa.int32(),
    ),
    Reference: _schema(pair_id=pa.string(), chosen_logps=pa.list_(pa.float32()), rejected_logps=pa.list_(pa.float32())),
    Anchor: _schema(prompt_id=pa.string(), token_ids=pa.list_(pa.int32())),
    TrainingStep: _schema(step=pa.int32(), **{field.name: pa.float64() for field in fields(TrainingStep)[1:]}),
    StepTiming: _schema(step=pa.int32(), seconds=pa.float64(), tokens=pa.int64()),
}

_NESTED: dict[type, dict[str, type]] = {
    Document: {"spans": Span, "relations": Relation},
    Prompt: {"messages": Message},
    Prediction: {"spans": PredictedSpan, "relations": PredictedRelation},
    Pair: {"edits": Edit},
}

_MAY_BE_EMPTY = (Confusion,)
"""A model none of whose answers can be read confuses nothing; `pairs` says so where counts are needed."""

Record = TypeVar("Record")


def write_records(
    path: Path, kind: type[Record], records: Iterable[Record], metadata: dict[str, str] | None = None
) -> None:
    """Write records of one type as Parquet, whole or not at all; the same records give the same bytes."""
    rows = [asdict(record) for record in records]
    table = pa.Table.from_pylist(rows, schema=SCHEMAS[kind].with_metadata(metadata))
    with whole_file(path) as partial:
        pq.write_table(table, partial)


def read_records(path: Path, kind: type[Record]) -> list[Record]:
    """Read all records of a file; it is checked by `read_table`."""
    return [_record(kind, row) for row in read_table(path, kind).to_pylist()]


def read_table(path: Path, kind: type[Record]) -> pa.Table:
    """Read a file of records as columns.

    Raises:
        DataError: The file is missing, no Parquet, has other columns than `kind`'s, or no rows (which a table of
            confusions may be without); names the file.
    """
    try:
        table = pq.read_table(path, partitioning=None)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error
    expected = SCHEMAS[kind]
    if not table.schema.equals(expected, check_metadata=False):
        raise DataError(f"{path}: columns are {_columns(table.schema)}; {kind.__name__} has {_columns(expected)}")
    if table.num_rows == 0 and kind not in _MAY_BE_EMPTY:
        raise DataError(f"{path}: holds no {kind.__name__}; at least one is needed")
    return table


def read_metadata(path: Path) -> dict[str, str]:
    """The key-value metadata that `write_records` was given."""
    metadata = pq.read_schema(path).metadata or {}
    return {key.decode(): value.decode() for key, value in metadata.items() if key != b"ARROW:schema"}


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"{field.name}: {field.type}" for field in schema)


def _record(kind: type[Record], row: dict[str, Any]) -> Record:
    nested = _NESTED.get(kind, {})
    values = {
        name: tuple(nested[name](**item) for item in value) if name in nested else _frozen(value)
        for name, value in row.items()
    }
    return kind(**values)


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
