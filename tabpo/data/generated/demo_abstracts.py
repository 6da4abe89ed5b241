"""Generated one-sentence abstracts with SciERC's labels; a small model learns them in minutes, but never perfectly."""

import random
from dataclasses import dataclass
from pathlib import Path

from tabpo.artefacts import read_yaml
from tabpo.data.generated.documents import Mention, annotated_document, fresh_documents
from tabpo.records import Document

MIXED_SHARE = 0.55
"""Share of slots filled with a mixed noun, that is, a noun that can have two types."""

TWO_CLAUSES = 0.45
"""Share of texts with two clauses."""

LEAD = 0.25
"""Share of texts that open with a phrase such as "recently ,"."""

SECOND_MODIFIER = 0.35
"""Share of mentions with two modifiers."""

RULE_KEPT = 0.85
"""Share of mixed nouns in slots for two types whose modifier decides the type; the type of the others is drawn."""

TYPE_NOISE = 0.12
"""Share of mixed nouns that are annotated with a type drawn at random, whatever their true type."""

RELATION_NOISE = {"relabelled": 0.04, "flipped": 0.02, "dropped": 0.04}
"""Shares of relations annotated as a confusable one, in the wrong direction, or not at all."""

WORDS = read_yaml(Path(__file__).with_suffix(".yaml"), "word list")

_METHOD, _OTHER = "Method", "OtherScientificTerm"
_SYMMETRIC = frozenset({"COMPARE", "CONJUNCTION"})

_PARITY = random.Random(0).sample(range(len(WORDS["modifiers"])), len(WORDS["modifiers"]))


@dataclass(frozen=True, slots=True)
class _Filler:
    """A mention that fills a slot of a clause.

    Attributes:
        words: All of its words, joined by spaces.
        noun: Its last word or words.
        kind: Its true type.
        annotated: The type that it is annotated with, which may be wrong.
    """

    words: str
    noun: str
    kind: str
    annotated: str


def generate(split: str, count: int, seed: int) -> list[Document]:
    """Generate `count` documents of one sentence each; equal arguments give equal documents.

    No text occurs twice in a split, and none can be in two splits, whatever the seeds. The words of a mention occur
    once in its text.
    """
    return fresh_documents(split, count, seed, _draw)


def _draw(rng: random.Random, doc_id: str) -> Document:
    words = rng.choice(WORDS["leads"]).split() if rng.random() < LEAD else []
    mentions: list[Mention] = []
    relations: list[tuple[int, int, str]] = []
    clauses = 2 if rng.random() < TWO_CLAUSES else 1
    for clause in range(clauses):
        if clause:
            words += rng.choice(WORDS["joiners"]).split()
        _add_clause(rng, words, mentions, relations)
    words.append(".")
    return annotated_document(doc_id, words, mentions, relations)


def _add_clause(
    rng: random.Random, words: list[str], mentions: list[Mention], relations: list[tuple[int, int, str]]
) -> None:
    _, clause, links = rng.choices(WORDS["patterns"], weights=[weight for weight, _, _ in WORDS["patterns"]])[0]
    first, fillers = len(mentions), []
    for word in clause.split():
        if not word.startswith("{"):
            words.append(word)
            continue
        filler = _filler(rng, word[1:-1])
        fillers.append(filler)
        start = len(words)
        words.extend(filler.words.split())
        mentions.append(Mention(start, len(words), filler.annotated, None))
    for link in filter(None, links.split(", ")):
        head, name, tail = link.split()
        label = _hidden(name[1:], fillers[int(head)], fillers[int(tail)]) if name.startswith("?") else name
        relation = _noisy(rng, first + int(head), first + int(tail), label)
        if relation is not None:
            relations.append(relation)


def _filler(rng: random.Random, slot: str) -> _Filler:
    kinds = WORDS["slots"][slot]
    if kinds == ["Generic"]:
        noun = rng.choice(WORDS["generic_nouns"])
        return _Filler(f"{rng.choice(WORDS['generic_determiners'])} {noun}", noun, "Generic", "Generic")
    modifiers = [_modifier(rng) for _ in range(2 if rng.random() < SECOND_MODIFIER else 1)]
    open_slot = len(kinds) > 1
    mixed_nouns = WORDS["mixed_nouns"]
    candidates = [noun for noun, pair in mixed_nouns.items() if (pair == kinds if open_slot else kinds[0] in pair)]
    if rng.random() >= MIXED_SHARE or not candidates:
        kind = rng.choice(kinds)
        noun = rng.choice(WORDS["sure_nouns"][kind])
        annotated = kind
    else:
        noun = rng.choice(candidates)
        kind = _open_kind(rng, kinds, modifiers[-1]) if open_slot else kinds[0]
        annotated = rng.choice(mixed_nouns[noun]) if rng.random() < TYPE_NOISE else kind
    return _Filler(" ".join([*(WORDS["modifiers"][modifier] for modifier in modifiers), noun]), noun, kind, annotated)


def _modifier(rng: random.Random) -> int:
    return int(len(WORDS["modifiers"]) * rng.random() ** 2)


def _open_kind(rng: random.Random, kinds: list[str], modifier: int) -> str:
    return kinds[_PARITY[modifier] % 2] if rng.random() < RULE_KEPT else rng.choice(kinds)


def _hidden(rule: str, head: _Filler, tail: _Filler) -> str:
    if rule == "property":
        return "FEATURE-OF" if head.noun in WORDS["property_nouns"] else "USED-FOR"
    if rule == "other_is_part":
        return "PART-OF" if head.kind == _OTHER else "USED-FOR"
    if rule == "same_is_hyponym":
        return "HYPONYM-OF" if head.kind == tail.kind else "PART-OF"
    if rule == "same_is_compared":
        return "COMPARE" if head.kind == tail.kind else "CONJUNCTION"
    assert rule == "method_is_evaluated"
    return "EVALUATE-FOR" if tail.kind == _METHOD else "FEATURE-OF"


def _noisy(rng: random.Random, head: int, tail: int, label: str) -> tuple[int, int, str] | None:
    draw = rng.random()
    if draw < RELATION_NOISE["relabelled"]:
        return head, tail, WORDS["confusable"][label]
    draw -= RELATION_NOISE["relabelled"]
    if draw < RELATION_NOISE["flipped"]:
        return None if label in _SYMMETRIC else (tail, head, label)
    draw -= RELATION_NOISE["flipped"]
    return None if draw < RELATION_NOISE["dropped"] else (head, tail, label)
