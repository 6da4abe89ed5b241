"""What the names of metrics and conventions stand for, one sentence each, for the notes under a table."""

from collections.abc import Iterable

METRICS = {
    "ner_strict": "exact places with their labels",
    "ner_boundary": "exact places, whatever the labels",
    "ner_relaxed": "places that hold one another or share 60 % of their tokens, with their labels, matched one to one",
    "ner_boundary_relaxed": "the same as ner_relaxed, whatever the labels",
    "rel": "exact places of both ends, and the relation's label",
    "rel_plus": "the same as rel, and the labels of both ends",
    "code": "set of codes of a text",
    "sub_code": "set of sub-codes of a text",
    "pair": "set of codes with their sub-codes of a text",
    "span": "exact places, whatever the codes",
    "span_relaxed": "places that hold one another or share 60 % of their tokens, matched one to one",
    "triple": "exact places with code and sub-code",
    "semantic_label": "exact places with their labels (ner_strict, or triple)",
    "relational_linking": "exact places of both ends, and the relation's label (rel)",
    "textual_grounding": "exact places, whatever the labels (ner_boundary, or span)",
    "muc": "coreference links",
    "b_cubed": "coreference by mention",
    "ceaf_e": "coreference by cluster (phi 4)",
    "conll": "mean F1 of muc, b_cubed and ceaf_e",
    "valid": "share of answers that can be read; dictionary and majority write none",
}

CONVENTIONS = {
    "set_canonical": "symmetric relations in the order of the text",
    "macro_label": "mean F1 of the labels that gold has",
    "repaired": "after code fences, words around the object and lists that were cut off are mended; else the headline",
    "pure": "as PURE counts: repeated items are not merged",
    "spert": "as SpERT counts: symmetric relations in the order of the text",
    "plmarker": "as PL-Marker counts: symmetric relations twice, nothing wider than 8 tokens",
    "dygie": "as DyGIE++ counts: nothing wider than 8 tokens, one label a pair",
    "uie_set": "sets of texts, wherever they are",
    "uie_multiset": "as UIE counts by default: texts, wherever they are, repeated ones each by themselves",
    "pv_style": "as the scorer released for PV-Miner: sets of labels of a text; spans, and ends of links, as sets of"
    " words that hold one another or share 60 %, matched in the answer's order",
}


def meanings(metrics: Iterable[str]) -> list[str]:
    """A sentence for each name and each convention among these metrics, once, in their order; `rel@pure` has both."""
    sentences = {}
    for metric in metrics:
        name, _, convention = metric.partition("@")
        sentences[name] = f"{name}: {METRICS[name]}."
        if convention:
            sentences[convention] = f"@{convention}: {CONVENTIONS[convention]}."
    return list(sentences.values())
