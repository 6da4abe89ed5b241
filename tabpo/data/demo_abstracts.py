"""Generated one-sentence abstracts with the labels of SciERC: learnable in minutes, never fully."""

import random
from dataclasses import dataclass

from tabpo.data.demo_lexicon import (
    GENERIC_DETERMINERS,
    GENERIC_NOUNS,
    MIXED_NOUNS,
    MODIFIERS,
    PROPERTY_NOUNS,
    SURE_NOUNS,
)
from tabpo.data.generated import Mention, annotated_document, fresh_documents
from tabpo.records import Document

MIXED_SHARE = 0.55
"""Share of slots filled by a noun that can have two types."""

TWO_CLAUSES = 0.45
"""Share of texts with two clauses."""

LEAD = 0.25
"""Share of texts that open with a phrase such as "recently ,"."""

SECOND_MODIFIER = 0.35
"""Share of mentions with two modifiers."""

RULE_KEPT = 0.85
"""Share of mixed nouns in open slots whose modifier decides the type; the others draw it."""

TYPE_NOISE = 0.12
"""Share of mixed nouns whose type is drawn anew, whatever the clause says."""

RELATION_NOISE = {"relabelled": 0.04, "flipped": 0.02, "dropped": 0.04}
"""Shares of relations annotated as a confusable one, in the wrong direction, or not at all."""

_TASK, _METHOD, _METRIC, _MATERIAL, _OTHER = "Task", "Method", "Metric", "Material", "OtherScientificTerm"

SLOTS = {
    "M": (_METHOD,),
    "T": (_TASK,),
    "E": (_METRIC,),
    "D": (_MATERIAL,),
    "O": (_OTHER,),
    "X": (_METHOD, _OTHER),
    "Y": (_TASK, _METHOD),
    "Z": (_MATERIAL, _OTHER),
    "G": ("Generic",),
}
"""Types that a slot of a clause takes; where there are two, the modifier decides about mixed nouns."""

PATTERNS = (
    (4.0, "we use {X} for {Y}", "0 USED-FOR 1"),
    (4.0, "{X} is applied to {T}", "0 USED-FOR 1"),
    (3.5, "{Y} is performed by {X}", "1 USED-FOR 0"),
    (3.0, "we present {M} for {T}", "0 USED-FOR 1"),
    (2.0, "{G} relies on {X}", "1 USED-FOR 0"),
    (2.0, "{G} is based on {M}", "1 USED-FOR 0"),
    (3.0, "we train {M} on {Z}", "1 USED-FOR 0"),
    (2.0, "{M} trained on {D} improves {T}", "1 USED-FOR 0, 0 USED-FOR 2"),
    (2.0, "{G} extracts {O} from {Z}", "0 USED-FOR 1"),
    (2.0, "{X} helps {G} to solve {T}", "0 USED-FOR 1, 1 USED-FOR 2"),
    (2.0, "{T} requires {Z}", "1 USED-FOR 0"),
    (2.0, "by means of {X} , {G} handles {Y}", "0 USED-FOR 1, 1 USED-FOR 2"),
    (2.5, "{T} is evaluated on {D}", "1 EVALUATE-FOR 0"),
    (2.5, "we report {E} of {M} on {D}", "0 EVALUATE-FOR 1, 2 EVALUATE-FOR 1"),
    (2.5, "{M} achieves high {E}", "1 EVALUATE-FOR 0"),
    (1.5, "{G} is tested on {D} in terms of {E}", "1 EVALUATE-FOR 0, 2 EVALUATE-FOR 0"),
    (1.5, "{E} of {T} improves by using {X}", "0 EVALUATE-FOR 1, 2 USED-FOR 1"),
    (1.5, "{E} is measured for {Y}", "0 EVALUATE-FOR 1"),
    (1.5, "{X} and {X} are used for {T}", "0 CONJUNCTION 1, 0 USED-FOR 2, 1 USED-FOR 2"),
    (1.5, "we combine {M} with {X}", "0 CONJUNCTION 1"),
    (1.0, "{D} and {Z} are collected", "0 CONJUNCTION 1"),
    (2.0, "{M} outperforms {M} on {T}", "0 COMPARE 1, 0 USED-FOR 2"),
    (1.5, "compared with {M} , {M} gives better {E}", "0 COMPARE 1, 2 EVALUATE-FOR 1"),
    (2.0, "{O} is a component of {M}", "0 PART-OF 1"),
    (1.5, "{M} consists of {O} and {X}", "1 PART-OF 0, 2 PART-OF 0, 1 CONJUNCTION 2"),
    (1.5, "{O} of {D} is exploited by {M}", "0 FEATURE-OF 1, 0 USED-FOR 2"),
    (1.5, "{Z} is characterized by {O}", "1 FEATURE-OF 0"),
    (1.5, "{M} such as {M} are popular", "1 HYPONYM-OF 0"),
    (1.5, "{X} , a kind of {X} , is studied", "0 HYPONYM-OF 1"),
    (1.0, "we describe {Y}", ""),
    (1.0, "{T} remains difficult", ""),
    (1.0, "we release {Z}", ""),
    (1.0, "{G} is novel", ""),
    (2.0, "we study {Y} with {X}", "1 ?property 0"),
    (1.5, "we consider {T} under {O}", "1 ?property 0"),
    (2.0, "we integrate {X} into {M}", "0 ?other_is_part 1"),
    (2.0, "{Z} contains some {Z}", "1 ?same_is_hyponym 0"),
    (2.0, "{X} versus {X} is discussed", "0 ?same_is_compared 1"),
    (2.0, "we derive {E} from {X}", "0 ?method_is_evaluated 1"),
)
"""Weight, clause, and relations of its mentions (numbered from 0); a name that starts with `?` is a hidden rule's."""

LEADS = ("recently ,", "in this paper ,", "in practice ,", "to this end ,", "furthermore ,")

JOINERS = (". ", ", while ", ", and ", "; ")

CONFUSABLE = {
    "USED-FOR": "FEATURE-OF",
    "FEATURE-OF": "USED-FOR",
    "PART-OF": "FEATURE-OF",
    "HYPONYM-OF": "PART-OF",
    "EVALUATE-FOR": "USED-FOR",
    "COMPARE": "CONJUNCTION",
    "CONJUNCTION": "COMPARE",
}
"""What a relation is annotated as where noise relabels it."""

_SYMMETRIC = frozenset({"COMPARE", "CONJUNCTION"})

_PARITY = random.Random(0).sample(range(len(MODIFIERS)), len(MODIFIERS))


@dataclass(frozen=True, slots=True)
class _Filler:
    """What fills a slot: its words, its true type, and the type that it is annotated with."""

    words: str
    noun: str
    kind: str
    annotated: str


def generate(split: str, count: int, seed: int) -> list[Document]:
    """`count` documents of one sentence; the same arguments give the same documents.

    No text recurs within a split, and none can be in two splits whatever their seeds. A mention's words stand once in
    its text.
    """
    return fresh_documents(split, count, seed, _draw)


def _draw(rng: random.Random, doc_id: str) -> Document:
    words = rng.choice(LEADS).split() if rng.random() < LEAD else []
    mentions: list[Mention] = []
    relations: list[tuple[int, int, str]] = []
    clauses = 2 if rng.random() < TWO_CLAUSES else 1
    for clause in range(clauses):
        if clause:
            words += rng.choice(JOINERS).split()
        _add_clause(rng, words, mentions, relations)
    words.append(".")
    return annotated_document(doc_id, words, mentions, relations)


def _add_clause(
    rng: random.Random, words: list[str], mentions: list[Mention], relations: list[tuple[int, int, str]]
) -> None:
    _, clause, links = rng.choices(PATTERNS, weights=[weight for weight, _, _ in PATTERNS])[0]
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
    kinds = SLOTS[slot]
    if kinds == ("Generic",):
        noun = rng.choice(GENERIC_NOUNS)
        return _Filler(f"{rng.choice(GENERIC_DETERMINERS)} {noun}", noun, "Generic", "Generic")
    modifiers = [_modifier(rng) for _ in range(2 if rng.random() < SECOND_MODIFIER else 1)]
    open_slot = len(kinds) > 1
    candidates = [noun for noun, pair in MIXED_NOUNS.items() if (pair == kinds if open_slot else kinds[0] in pair)]
    if rng.random() >= MIXED_SHARE or not candidates:
        kind = rng.choice(kinds)
        noun = rng.choice(SURE_NOUNS[kind])
        annotated = kind
    else:
        noun = rng.choice(candidates)
        kind = _open_kind(rng, kinds, modifiers[-1]) if open_slot else kinds[0]
        annotated = rng.choice(MIXED_NOUNS[noun]) if rng.random() < TYPE_NOISE else kind
    return _Filler(" ".join([*(MODIFIERS[modifier] for modifier in modifiers), noun]), noun, kind, annotated)


def _modifier(rng: random.Random) -> int:
    return int(len(MODIFIERS) * rng.random() ** 2)


def _open_kind(rng: random.Random, kinds: tuple[str, ...], modifier: int) -> str:
    return kinds[_PARITY[modifier] % 2] if rng.random() < RULE_KEPT else rng.choice(kinds)


def _hidden(rule: str, head: _Filler, tail: _Filler) -> str:
    if rule == "property":
        return "FEATURE-OF" if head.noun in PROPERTY_NOUNS else "USED-FOR"
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
        return head, tail, CONFUSABLE[label]
    draw -= RELATION_NOISE["relabelled"]
    if draw < RELATION_NOISE["flipped"]:
        return None if label in _SYMMETRIC else (tail, head, label)
    draw -= RELATION_NOISE["flipped"]
    return None if draw < RELATION_NOISE["dropped"] else (head, tail, label)
