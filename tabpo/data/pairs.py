"""Preference pairs: the gold answer, and the gold answer with one to three likely errors."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random

from rapidfuzz.distance import Levenshtein
from tokenizers import Tokenizer

from tabpo.data.answers import gold_answer, render
from tabpo.data.drafts import Context, Draft, draft_answer, gold_draft, pick
from tabpo.data.extents import span_shape
from tabpo.data.ontology import Ontology
from tabpo.data.operators import delete_span, insert_span, move_boundary, relabel, resublabel
from tabpo.data.pair_audit import Tally
from tabpo.data.proposals import Proposals
from tabpo.data.relation_operators import delete_relation, insert_relation, relabel_relation, reverse_relation
from tabpo.data.units import Unit
from tabpo.errors import ConfigError, DataError
from tabpo.records import Pair, Prompt

OPERATORS: dict[str, Callable[[Draft, Context, Random], Draft | None]] = {
    "label": relabel,
    "sublabel": resublabel,
    "boundary": move_boundary,
    "missed": delete_span,
    "spurious": insert_span,
    "relation_label": relabel_relation,
    "relation_direction": reverse_relation,
    "relation_missed": delete_relation,
    "relation_spurious": insert_relation,
}
"""By the kind of error that they make."""

ATTEMPTS = 20
"""Draws for one pair before it is given up."""

NO_OPERATOR = "no operator applies"

Encode = Callable[[str], list[int]]


@dataclass(frozen=True, slots=True)
class Pairing:
    """A recipe of pairs.

    Attributes:
        name: Part of each pair's random seed.
        negatives: Rejected answers to each prompt.
        edits: Edits of each, at most: an answer that allows fewer gets fewer.
        seed: The run's.
        max_completion_tokens: Longer answers, end-of-turn token included, make no pair.
    """

    name: str
    negatives: int
    edits: int
    seed: int
    max_completion_tokens: int

    def __post_init__(self) -> None:
        if self.negatives < 1 or not 1 <= self.edits <= 3:
            raise ConfigError(
                f"pairing {self.name}: needs negatives of at least 1 and 1 to 3 edits,"
                f" got {self.negatives} and {self.edits}"
            )


def token_encoder(base: Path) -> Encode:
    """Text to ids without special tokens, as `base/tokenizer.json` says; no truncation, no padding.

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


def pairing_context(units: Sequence[Unit], ontology: Ontology, proposals: Proposals) -> Context:
    """What operators share, with the shape and the sub-labels of these units' gold spans."""
    sublabels = Counter((span.label, span.sublabel) for unit in units for span in unit.spans)
    return Context(ontology, proposals, span_shape(units), dict(sublabels))


def check_answers(units: Sequence[Unit], prompts: Sequence[Prompt], answer_format: str) -> None:
    """Refuse prompts whose answers are not what their documents' annotations render to.

    Raises:
        DataError: Names the first prompt that differs.
    """
    for unit, prompt in zip(units, prompts, strict=True):
        if render(gold_answer(unit), answer_format) != prompt.answer:
            raise DataError(
                f"prompt {prompt.prompt_id}: its answer is not that of its document; were both made together?"
            )


def check_split(heldout: str, metadata: Mapping[str, str]) -> None:
    """Refuse a confusion table of other records than the pairing names.

    Raises:
        DataError: Says which split was asked for and which the table is of.
    """
    if metadata.get("split") != heldout:
        raise DataError(f"pairing: heldout is {heldout!r}, but the confusion table is of {metadata.get('split')!r}")


def draw_pairs(units: Sequence[Unit], pairing: Pairing, context: Context, encode: Encode) -> tuple[list[Pair], Tally]:
    """Pairs of all units, in their order, and the tally of how they came about.

    Each pair has a random generator of its own, from seed, name of the pairing, prompt id and number: the order of
    the units does not matter. A draw is refused, and made again at most `ATTEMPTS` times, if the rejected answer
    equals the chosen one, as text or as tokens, repeats another one of the example, or is too long.

    Raises:
        DataError: No unit allows a pair.
    """
    tally = Tally(edits_wanted=pairing.edits)
    pairs = [pair for unit in units for pair in _unit_pairs(unit, pairing, context, encode, tally)]
    if not pairs:
        raise DataError(f"pairing {pairing.name}: none of {len(units)} examples allows a pair: {dict(tally.refusals)}")
    return pairs, tally


def _unit_pairs(unit: Unit, pairing: Pairing, context: Context, encode: Encode, tally: Tally) -> list[Pair]:
    chosen = render(gold_answer(unit), context.ontology.answer)
    chosen_ids = encode(chosen)
    if len(chosen_ids) >= pairing.max_completion_tokens:
        tally.without_pair["chosen over max_completion_tokens"] += 1
        return []
    pairs: list[Pair] = []
    taken = {tuple(chosen_ids)}
    reason = ""
    for number in range(pairing.negatives):
        rng = _generator(pairing, unit.prompt_id, number)
        for _ in range(ATTEMPTS):
            draft, kinds = _edited(unit, pairing.edits, context, rng, tally.inapplicable)
            rejected = render(draft_answer(draft), context.ontology.answer)
            ids = encode(rejected)
            reason = _refusal(chosen, chosen_ids, rejected, ids, taken, pairing) if kinds else NO_OPERATOR
            if not reason:
                distance = Levenshtein.distance(chosen_ids, ids)
                pair_id = f"{unit.prompt_id}/{number}"
                pairs.append(Pair(pair_id, unit.prompt_id, chosen, rejected, draft.edits, distance))
                taken.add(tuple(ids))
                tally.add(draft.edits, kinds, distance, max(len(chosen_ids), len(ids)))
                break
            tally.refusals[reason] += 1
            if reason == NO_OPERATOR:
                break
    if not pairs:
        tally.without_pair[reason] += 1
    return pairs


def _generator(pairing: Pairing, prompt_id: str, number: int) -> Random:
    key = json.dumps([pairing.seed, pairing.name, prompt_id, number])
    return Random(int.from_bytes(sha256(key.encode()).digest()))


def _edited(
    unit: Unit, edits: int, context: Context, rng: Random, inapplicable: Counter[str]
) -> tuple[Draft, list[str]]:
    """A draft with as many edits as apply, at most `edits`, and their kinds."""
    draft, kinds = gold_draft(unit), []
    for _ in range(edits):
        mix = dict(context.proposals.mix)
        while kind := pick(rng, [(share, kind) for kind, share in mix.items()]):
            changed = OPERATORS[kind](draft, context, rng)
            if changed is not None:
                draft = changed
                kinds.append(kind)
                break
            inapplicable[kind] += 1
            del mix[kind]
    return draft, kinds


def _refusal(
    chosen: str, chosen_ids: list[int], rejected: str, ids: list[int], taken: set[tuple[int, ...]], pairing: Pairing
) -> str:
    """Why a rejected answer makes no pair; "" if it does."""
    if rejected == chosen:
        return "equal"
    if ids == chosen_ids:
        return "equal as tokens"
    if tuple(ids) in taken:
        return "repeats another negative"
    return "over max_completion_tokens" if len(ids) >= pairing.max_completion_tokens else ""
