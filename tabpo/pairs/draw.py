"""Draw preference pairs: the gold answer is chosen, and a copy with one to three likely errors is rejected."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from rapidfuzz.distance import Levenshtein
from tokenizers import Tokenizer

from tabpo.answers.ontology import Ontology
from tabpo.answers.render import gold_answer, render
from tabpo.answers.units import Unit
from tabpo.errors import ConfigError, DataError
from tabpo.names import COREFERENCE, KINDS, ONE_OF_EACH
from tabpo.pairs.audit import Tally
from tabpo.pairs.coreference_edits import change_link
from tabpo.pairs.draft import Context, Draft, draft_answer, gold_draft, pick
from tabpo.pairs.extents import span_shape
from tabpo.pairs.proposals import Kinds, Proposals, wanted_kinds
from tabpo.pairs.relation_edits import (
    delete_relation,
    insert_relation,
    move_relation_end,
    relabel_relation,
    reverse_relation,
)
from tabpo.pairs.span_edits import delete_span, insert_span, move_boundary, relabel, resublabel
from tabpo.records import Confusion, Edit, Pair, Prompt
from tabpo.study.pairings import check_kinds

OPERATORS: dict[str, Callable[[Draft, Context, Random], Draft | None]] = {
    "label": relabel,
    "sublabel": resublabel,
    "boundary": move_boundary,
    "missed": delete_span,
    "spurious": insert_span,
    "relation_label": relabel_relation,
    "relation_direction": reverse_relation,
    "relation_endpoint": move_relation_end,
    "relation_missed": delete_relation,
    "relation_spurious": insert_relation,
    COREFERENCE: change_link,
}
"""The function that makes each kind of error."""

ATTEMPTS = 20
"""Number of draws for one pair before it is given up."""

NO_OPERATOR = "no operator applies"

Encode = Callable[[str], list[int]]

Contexts = Sequence[tuple[float, Context]]
"""The contexts from which edits are drawn, each with its share of the edits."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """The settings of one recipe of pairs.

    Attributes:
        name: The pairing's name, for messages.
        negatives: Number of rejected answers per prompt.
        edits: Number of edits per rejected answer, 1 to 3; an answer that allows fewer gets fewer.
        flip_rate: Share of pairs whose chosen and rejected answers are exchanged as label noise, from 0 to 0.5.
        seed: The seed of the run.
        max_completion_tokens: Answers that are longer, counting the end-of-turn token, make no pair.
        kinds: Kinds of error to draw; None for all kinds that the answers can hold. `ONE_OF_EACH` needs three negatives
            of one edit each.
        max_token_edits: Largest Levenshtein distance in tokens between the two answers of a pair; None for no limit.
    """

    name: str
    negatives: int
    edits: int
    flip_rate: float
    seed: int
    max_completion_tokens: int
    kinds: Kinds | str | None = None
    max_token_edits: int | None = None

    def __post_init__(self) -> None:
        if self.negatives < 1 or not 1 <= self.edits <= 3 or not 0 <= self.flip_rate <= 0.5:
            raise ConfigError(
                f"pairing {self.name}: needs negatives of at least 1, 1 to 3 edits and a flip_rate from 0 to 0.5,"
                f" got {self.negatives}, {self.edits} and {self.flip_rate}"
            )
        check_kinds(f"pairing {self.name}", asdict(self))

    def kinds_of_negatives(self) -> list[Kinds | None]:
        """Return, for each negative of an example, the kinds of error that it may have."""
        if self.kinds == ONE_OF_EACH:
            return [("label", "sublabel"), ("missed",), ("spurious",)]
        return [self.kinds] * self.negatives


def token_encoder(base: Path) -> Encode:
    """Return a function from text to token ids, as `base/tokenizer.json` defines them.

    It adds no special tokens, does not truncate and does not pad.

    Raises:
        DataError: The folder has no such file.
    """
    path = base / "tokenizer.json"
    if not path.is_file():
        raise DataError(f"{path}: no such file; a base folder holds a fast tokenizer")
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids


def pairing_contexts(
    units: Sequence[Unit],
    ontology: Ontology,
    tables: Sequence[tuple[float, Proposals]],
    kinds: Kinds | str | None = None,
) -> list[tuple[float, Context]]:
    """Make one context per table of proposals, with the counts of these units' gold answers.

    With `kinds` of one_of_each, an invented span may begin and end at any token, and its length follows the gold spans.
    """
    sublabels = Counter((span.label, span.sublabel) for unit in units for span in unit.spans)
    signatures = Counter(signature for unit in units for signature in _signatures(unit))
    shape = span_shape(units)
    if kinds == ONE_OF_EACH:
        shape = replace(shape, first={}, last={}, unseen=1.0)
    return [
        (share, Context(ontology, proposals, shape, dict(sublabels), dict(signatures))) for share, proposals in tables
    ]


def _signatures(unit: Unit) -> Iterator[tuple[str, str, str]]:
    """Yield (label, link label, label) for each gold link of a unit.

    The links of a cluster are those between neighbouring mentions.
    """
    label_of = {span.id: span.label for span in unit.spans}
    for relation in unit.relations:
        yield label_of[relation.head], relation.label, label_of[relation.tail]
    for cluster in unit.clusters or ():
        for antecedent, mention in pairwise(cluster):
            yield label_of[antecedent], COREFERENCE, label_of[mention]


def check_answers(units: Sequence[Unit], prompts: Sequence[Prompt], answer_format: str) -> None:
    """Refuse prompts whose answers differ from the rendered annotations of their documents.

    Raises:
        DataError: Names the first prompt that differs.
    """
    for number, (unit, prompt) in enumerate(zip(units, prompts, strict=True), start=1):
        if render(gold_answer(unit), answer_format) != prompt.answer:
            raise DataError(
                f"prompt {number}: its answer differs from the annotations of its document; accepted: prompts that were"
                " made from these documents"
            )


def check_confusions(settings: Mapping[str, Any], confusions: Sequence[Confusion], metadata: Mapping[str, str]) -> None:
    """Refuse a confusion table of the wrong split, and an empty table that the pairing needs counts from.

    Args:
        settings: `name`, `heldout` and `confusions` (the mode) of the pairing.
        confusions: Rows of the table.
        metadata: Metadata of the table's file.

    Raises:
        DataError: The table is of another split; names both. Or the table is empty; says why and what to do.
    """
    name, split = settings["name"], metadata.get("split")
    if split != settings["heldout"]:
        raise DataError(f"pairing {name}: heldout is {settings['heldout']!r}, but the confusion table is of {split!r}")
    if not confusions and settings["confusions"] in ("empirical", "mixed"):
        raise DataError(
            f"pairing {name}: the confusion table of {split} is empty, so there are no counts to draw from: the answers"
            " of the SFT model to these prompts cannot be read or hold no span; accepted: longer SFT"
            " (training.sft.steps), a max_completion_tokens that answers fit in, or a pairing without counts"
            " (confusions: expert, uniform)"
        )


def draw_pairs(units: Sequence[Unit], pairing: Pairing, contexts: Contexts, encode: Encode) -> tuple[list[Pair], Tally]:
    """Draw pairs for all units, in their order, and count how they came about.

    Each pair has its own random generator, seeded by the run's seed, the prompt id and the pair's number. So the order
    of the units does not matter, and pairings that differ only in `negatives` or `flip_rate` draw the same pairs
    otherwise.

    A draw is refused if the rejected answer equals the chosen one (as text or as tokens), repeats another negative of
    the example, is too long, or is too far from the chosen answer. A refused draw is repeated, at most `ATTEMPTS` times
    in all. The first half of the attempts prefers the smallest edits; the second half takes any edit, for negatives
    whose smallest edits are used up.

    The edits of a flipped pair still lead from the right answer, which is then the rejected one, to the wrong answer.
    With one_of_each, an example with a single record gets no pair with a deletion, as in the source.

    Raises:
        DataError: No unit allows a pair, or `wanted_kinds` raises it.
    """
    tables = [(share, context.proposals) for share, context in contexts]
    mixes = [wanted_kinds(tables, kinds) for kinds in pairing.kinds_of_negatives()]
    shares = {kind: fmean(mix.get(kind, 0.0) for mix in mixes) for kind in KINDS if any(kind in mix for mix in mixes)}
    tally = Tally(pairing.negatives, pairing.edits, shares)
    pairs = [pair for unit in units for pair in _unit_pairs(unit, pairing, mixes, contexts, encode, tally)]
    if not pairs:
        raise DataError(f"pairing {pairing.name}: none of {len(units)} examples allows a pair: {dict(tally.refusals)}")
    return pairs, tally


def _unit_pairs(
    unit: Unit, pairing: Pairing, mixes: Sequence[Mapping[str, float]], contexts: Contexts, encode: Encode, tally: Tally
) -> list[Pair]:
    answer_format = contexts[0][1].ontology.answer
    gold = render(gold_answer(unit), answer_format)
    gold_ids = encode(gold)
    if len(gold_ids) >= pairing.max_completion_tokens:
        tally.without_pair["gold over max_completion_tokens"] += 1
        return []
    pairs: list[Pair] = []
    taken = {tuple(gold_ids)}
    reason = ""
    for number, mix in enumerate(mixes):
        if pairing.kinds == ONE_OF_EACH and set(mix) == {"missed"} and len(unit.spans) < 2:
            continue  # without its only record the answer would be empty
        rng = _generator(pairing.seed, unit.prompt_id, number)
        for attempt in range(ATTEMPTS):
            start = gold_draft(unit, smallest=attempt < ATTEMPTS // 2)
            draft, kinds = _edited(start, pairing.edits, mix, contexts, rng, tally.inapplicable)
            wrong = render(draft_answer(draft), answer_format)
            ids = encode(wrong)
            reason = refusal(gold, gold_ids, wrong, ids, taken, pairing) if kinds else NO_OPERATOR
            if not reason:
                distance = Levenshtein.distance(gold_ids, ids)
                pair = make_pair(unit.prompt_id, number, gold, wrong, draft.edits, distance, pairing)
                pairs.append(pair)
                taken.add(tuple(ids))
                tally.add(pair, kinds, max(len(gold_ids), len(ids)))
                break
            tally.refusals[reason] += 1
            if reason == NO_OPERATOR:
                break
    if not pairs:
        tally.without_pair[reason] += 1
    return pairs


def make_pair(
    prompt_id: str, number: int, gold: str, wrong: str, edits: tuple[Edit, ...], distance: int, pairing: Pairing
) -> Pair:
    """Make a pair; a random generator for this alone decides whether its answers are exchanged."""
    flipped = _generator(pairing.seed, prompt_id, number, "flip").random() < pairing.flip_rate
    chosen, rejected = (wrong, gold) if flipped else (gold, wrong)
    return Pair(f"{prompt_id}/{number}", prompt_id, chosen, rejected, edits, distance, flipped=flipped)


def _generator(*key: int | str) -> Random:
    return Random(int.from_bytes(sha256(json.dumps(key).encode()).digest()))


def _edited(
    draft: Draft,
    edits: int,
    mix: Mapping[str, float],
    contexts: Contexts,
    rng: Random,
    inapplicable: Counter[str],
) -> tuple[Draft, list[str]]:
    """Make at most `edits` edits, as many as apply; return the edited draft and the kinds of the edits."""
    kinds = []
    for _ in range(edits):
        edited = _edited_once(draft, mix, contexts, rng, inapplicable)
        if edited is None:
            break
        draft, kind = edited
        kinds.append(kind)
    return draft, kinds


def _edited_once(
    draft: Draft, mix: Mapping[str, float], contexts: Contexts, rng: Random, inapplicable: Counter[str]
) -> tuple[Draft, str] | None:
    """Make one more edit and return its kind; None if no kind applies.

    The kind is drawn by its share in the mix, then the table by its share in that kind. Where an edit does not apply,
    the other tables and kinds are tried.
    """
    kinds = dict(mix)
    while kind := pick(rng, [(share, kind) for kind, share in kinds.items()]):
        tables = [(share * context.proposals.mix[kind], context) for share, context in contexts]
        while context := pick(rng, tables):
            edited = OPERATORS[kind](draft, context, rng)
            if edited is not None:
                return edited, kind
            tables = [(share, other) for share, other in tables if other is not context]
        inapplicable[kind] += 1
        del kinds[kind]
    return None


def refusal(
    gold: str, gold_ids: list[int], wrong: str, ids: list[int], taken: set[tuple[int, ...]], pairing: Pairing
) -> str:
    """Return the reason why a wrong answer makes no pair; "" if it makes one."""
    if wrong == gold:
        return "equal"
    if ids == gold_ids:
        return "equal as tokens"
    if tuple(ids) in taken:
        return "repeats another negative"
    if pairing.max_token_edits is not None and Levenshtein.distance(gold_ids, ids) > pairing.max_token_edits:
        return "over max_token_edits"
    return "over max_completion_tokens" if len(ids) >= pairing.max_completion_tokens else ""
