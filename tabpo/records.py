"""The records that stages exchange: their types, their Parquet schemas, and the functions that read and write them."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from tabpo.artefacts import whole_file
from tabpo.errors import DataError

SPLITS = ("train", "dev", "test")
"""Splits of documents. Prompts have `dev_confusion` and `dev_select` instead of `dev`."""

PROMPT_SPLITS = ("train", "dev_confusion", "dev_select", "test")
"""Splits of prompts."""


@dataclass(frozen=True, slots=True)
class Span:
    """A typed part `text[start:end]` of a document; offsets count characters, end excluded.

    Attributes:
        id: Number of the span in its document, from 1, in the order of (start, end).
        label: Entity type, or code.
        sublabel: Sub-code; None if the annotation scheme has no second level (SciERC). The medical schemes have a
            sub-code called "None", which is the string "None".
        start: Offset of the first character.
        end: Offset after the last character.
    """

    id: int
    label: str
    sublabel: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A typed link from one span of a document to another; `head` and `tail` are ids of spans."""

    head: int
    tail: int
    label: str


@dataclass(frozen=True, slots=True)
class Document:
    """One annotated text.

    Attributes:
        doc_id: Id that is unique in the dataset.
        group_id: Patient, thread or paper whose documents must be in one split; None if it is unknown.
        text: The tokens joined by one space, or the text as published.
        tokens: The source's tokens, or tokens that the reader made.
        sentences: Token ranges (first, end excluded) that together cover all tokens.
        spans: Sorted by (start, end, label, sublabel).
        relations: Sorted by (head, tail, label).
        clusters: Coreference clusters; each is a tuple of span ids.
        attributes: Further facts from the source as (name, value).
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
    """One message of a chat; the role is "system", "user" or "assistant"."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt for one unit, and its gold answer.

    Attributes:
        prompt_id: `{doc_id}` for a document unit, `{doc_id}#{sentence}` for a sentence unit.
        doc_id: Id of the document that the unit is part of.
        messages: The prompt as a chat.
        answer: JSON on one line, made by `answers.render`; in a dataset of preferences the chosen answer, any text.
    """

    prompt_id: str
    doc_id: str
    messages: tuple[Message, ...]
    answer: str


@dataclass(frozen=True, slots=True)
class Preference:
    """A prompt with two answers, from a dataset of preferences.

    Attributes:
        prompt_id: The row's `id`, or `{file name}-{line}` if it has none.
        group_id: The group that must stay in one split; None if it is unknown.
        messages: The prompt as a chat; its last message is the user's.
        chosen: The better answer.
        rejected: The worse answer.
        weight: Factor of the pair's loss, at least 0.
        chosen_weights: A weight for each token of the chosen answer and the end-of-turn token; None without them.
        rejected_weights: The same for the rejected answer.
    """

    prompt_id: str
    group_id: str | None
    messages: tuple[Message, ...]
    chosen: str
    rejected: str
    weight: float = 1.0
    chosen_weights: tuple[float, ...] | None = None
    rejected_weights: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Completion:
    """The text that a model generated for one prompt.

    Attributes:
        prompt_id: Id of the prompt.
        completion: The text without the end-of-turn token.
        n_tokens: Number of generated tokens, the end-of-turn token included; None for an imported answer.
        finished: Whether the model generated the end-of-turn token within the largest number of tokens; None for an
            imported answer.
    """

    prompt_id: str
    completion: str
    n_tokens: int | None
    finished: bool | None


@dataclass(frozen=True, slots=True)
class PredictedSpan:
    """One span of a parsed answer.

    Attributes:
        id: Number of the span in the answer.
        label: Entity type, or code.
        sublabel: Sub-code, or None.
        text: The span's words in the answer.
        start: Offset of its first character in the document; None if the span was not found there.
        end: Offset after its last character; None if the span was not found.
        item_class: One of `answers.grounding.ITEM_CLASSES`.
    """

    id: int
    label: str
    sublabel: str | None
    text: str
    start: int | None
    end: int | None
    item_class: str


@dataclass(frozen=True, slots=True)
class PredictedRelation:
    """One relation of a parsed answer; `head` and `tail` are ids of predicted spans."""

    head: int
    tail: int
    label: str
    item_class: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """A completion after parsing and grounding.

    Attributes:
        prompt_id: Id of the prompt.
        answer_class: One of `answers.render.ANSWER_CLASSES`.
        spans: The spans of the answer, those with a fault included.
        relations: The relations of the answer, those with a fault included.
        clusters: Coreference clusters; each is a tuple of ids of predicted spans.
    """

    prompt_id: str
    answer_class: str
    spans: tuple[PredictedSpan, ...]
    relations: tuple[PredictedRelation, ...] = ()
    clusters: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class ClusterCounts:
    """The counts that one cluster of documents contributes to a metric.

    Attributes:
        cluster: The documents' `group_id`, or the `doc_id` of a document without a group.
        metric: Name of the metric, as in tables.
        convention: Name of the rule by which items are counted.
        label: The label whose items are counted; None for all items together.
        right: Number of correct predicted items.
        predicted: Number of predicted items.
        right_gold: Number of gold items that were found; it differs from `right` for coreference only.
        gold: Number of gold items.
    """

    cluster: str
    metric: str
    convention: str
    label: str | None
    right: float
    predicted: float
    right_gold: float
    gold: float


CLUSTERS = "clusters"
"""Metadata key of a file of counts; its value is the hash of the sorted cluster names."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often a gold value was predicted as another; the interval is Wilson's at 95 %.

    Attributes:
        kind: label, sublabel, boundary, missed, spurious, relation_label, relation_direction,
            relation_missed, relation_spurious, relation_endpoint, coreference.
        gold: Gold value; "NONE" for spurious kinds.
        predicted: Predicted value; "NONE" for missed kinds.
        count: Number of cases.
        probability: `count` divided by the number of all cases of this kind with this gold value.
        low: Lower end of the interval of `probability`.
        high: Upper end of the interval of `probability`.
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
        field: Path of the changed field in the answer: `entities/2/label`.
        gold: Value before the change; "" for an insertion.
        wrong: Value after the change; "" for a deletion.
        source: What proposed the change: empirical, disagreement, expert, uniform, on_policy.
    """

    operator: str
    field: str
    gold: str
    wrong: str
    source: str


@dataclass(frozen=True, slots=True)
class Pair:
    """A chosen and a rejected answer to one prompt.

    Attributes:
        pair_id: `{prompt_id}/{k}`, where k numbers the pairs of a prompt from 0.
        prompt_id: Id of the prompt.
        chosen: The better answer.
        rejected: The worse answer.
        edits: The changes that made the rejected answer from the gold answer.
        token_edit_distance: Edit distance between the token ids of both answers.
        weight: Factor of the pair's loss, at least 0.
        chosen_weights: A weight for each token of the chosen answer and the end-of-turn token, for losses that read
            them; None for pairs without weights of tokens.
        rejected_weights: The same for the rejected answer.
        flipped: Whether chosen and rejected were exchanged as label noise, so that the wrong answer is chosen.
    """

    pair_id: str
    prompt_id: str
    chosen: str
    rejected: str
    edits: tuple[Edit, ...]
    token_edit_distance: int
    weight: float = 1.0
    chosen_weights: tuple[float, ...] | None = None
    rejected_weights: tuple[float, ...] | None = None
    flipped: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """Log-probs of a pair's completion tokens under a frozen model, in nats; the end-of-turn token is included.

    For a held-out gold answer `pair_id` is the id of its prompt, and `rejected_logps` is ().
    """

    pair_id: str
    chosen_logps: tuple[float, ...]
    rejected_logps: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """Token ids of a completion that was sampled from the policy; a checkpoint stores them."""

    prompt_id: str
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TrainingStep:
    """The quantities that one optimiser step logs; None for a quantity that a stage does not have.

    For example, SFT has no rejected completions.

    Attributes:
        step: Number of the step, from 1.
        epoch: Passes over the examples so far, as a fraction.
        learning_rate: Learning rate of the step.
        grad_norm: L2 norm of the gradients before they are scaled down.
        loss: Mean over the effective batch of pairs (SFT: mean nats per completion token).
        margin: Mean of chosen reward minus rejected reward.
        accuracy: Share of pairs whose margin is positive; a margin of 0 counts half.
        chosen_logp: Mean over pairs of the summed log-prob of the chosen completion.
        rejected_logp: Mean over pairs of the summed log-prob of the rejected completion.
        chosen_drift: Mean over pairs of the summed log-ratio of policy to reference over the chosen completion.
        rejected_drift: The same over the rejected completion.
        gate_rate: Share of chosen tokens with a probability below the loss's tau (0.9 for a loss without tau).
        share_edited: Share of the L1 norm of the gradient with respect to the logits that is on edited tokens.
        share_prefix: Share of that norm on the shared prefix.
        share_tail: Share of that norm on shared tokens after the first edit.
        drift_edited: Mean log-ratio of policy to reference over edited chosen tokens.
        drift_shared: Mean log-ratio of policy to reference over the other chosen tokens.
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
    chosen_drift: float | None = None
    rejected_drift: float | None = None
    gate_rate: float | None = None
    share_edited: float | None = None
    share_prefix: float | None = None
    share_tail: float | None = None
    drift_edited: float | None = None
    drift_shared: float | None = None


@dataclass(frozen=True, slots=True)
class StepTiming:
    """Wall time of one optimiser step, and the number of tokens that went through the model in it."""

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
    Preference: _schema(
        prompt_id=pa.string(),
        group_id=pa.string(),
        messages=pa.list_(_struct(role=pa.string(), content=pa.string())),
        chosen=pa.string(),
        rejected=pa.string(),
        weight=pa.float64(),
        chosen_weights=pa.list_(pa.float64()),
        rejected_weights=pa.list_(pa.float64()),
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
        weight=pa.float64(),
        chosen_weights=pa.list_(pa.float64()),
        rejected_weights=pa.list_(pa.float64()),
        flipped=pa.bool_(),
    ),
    Reference: _schema(pair_id=pa.string(), chosen_logps=pa.list_(pa.float32()), rejected_logps=pa.list_(pa.float32())),
    Anchor: _schema(prompt_id=pa.string(), token_ids=pa.list_(pa.int32())),
    TrainingStep: _schema(step=pa.int32(), **{field.name: pa.float64() for field in fields(TrainingStep)[1:]}),
    StepTiming: _schema(step=pa.int32(), seconds=pa.float64(), tokens=pa.int64()),
}

_NESTED: dict[type, dict[str, type]] = {
    Document: {"spans": Span, "relations": Relation},
    Prompt: {"messages": Message},
    Preference: {"messages": Message},
    Prediction: {"spans": PredictedSpan, "relations": PredictedRelation},
    Pair: {"edits": Edit},
}

_MAY_BE_EMPTY = (Confusion,)
"""Kinds of records whose file may have no rows.

A model whose answers are all unreadable has no confusions. A pairing that needs counts then raises its own error.
"""

Record = TypeVar("Record")


def write_records(
    path: Path, kind: type[Record], records: Iterable[Record], metadata: dict[str, str] | None = None
) -> None:
    """Write records of one type as a complete Parquet file. Equal records give equal bytes.

    Args:
        path: The file to write.
        kind: The type of the records.
        records: The records, in the order of the rows.
        metadata: Key-value metadata of the file, which `read_metadata` returns.
    """
    rows = [asdict(record) for record in records]
    table = pa.Table.from_pylist(rows, schema=SCHEMAS[kind].with_metadata(metadata))
    with whole_file(path) as partial:
        pq.write_table(table, partial)


def read_records(path: Path, kind: type[Record]) -> list[Record]:
    """Read all records of a file.

    Raises:
        DataError: `read_table` refuses the file.
    """
    return [_record(kind, row) for row in read_table(path, kind).to_pylist()]


def read_table(path: Path, kind: type[Record], encoded: Sequence[str] = ()) -> pa.Table:
    """Read a file of records as columns.

    Args:
        path: The file.
        kind: The record of its rows.
        encoded: Columns of text that are read as dictionaries, which takes a third of the time where values repeat.

    Raises:
        DataError: The file is missing, is not Parquet, has other columns than `kind`, or has no rows although it must
            have some; only a table of confusions may be empty. The message names the file.
    """
    try:
        with pq.ParquetFile(path, read_dictionary=list(encoded)) as file:  # half the time of `pq.read_table`
            table = file.read(use_threads=False)
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error
    expected = SCHEMAS[kind]
    for name in encoded:
        field = expected.field(name)
        encoded_field = field.with_type(pa.dictionary(pa.int32(), field.type))
        expected = expected.set(expected.get_field_index(name), encoded_field)
    if not table.schema.equals(expected, check_metadata=False):
        raise DataError(f"{path}: columns are {_columns(table.schema)}; {kind.__name__} has {_columns(expected)}")
    if table.num_rows == 0 and kind not in _MAY_BE_EMPTY:
        raise DataError(f"{path}: holds no {kind.__name__}; at least one is needed")
    return table


def read_metadata(path: Path) -> dict[str, str]:
    """Return the key-value metadata that `write_records` stored in a file."""
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
