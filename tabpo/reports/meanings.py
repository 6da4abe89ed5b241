"""What the names of metrics and conventions stand for: headings of columns, and notes under a table."""

from collections.abc import Iterable, Mapping, Sequence

from tabpo.metrics import names

TITLES = {
    "ner_strict": "NER",
    "ner_boundary": "NER boundary",
    "ner_relaxed": "NER relaxed",
    "ner_boundary_relaxed": "NER boundary relaxed",
    "rel": "Rel",
    "rel_plus": "Rel+",
    "code": "Code",
    "sub_code": "Sub-code",
    "pair": "Code and sub-code",
    "span": "Span",
    "span_relaxed": "Span relaxed",
    "triple": "Triple",
    "semantic_label": "Semantic label",
    "relational_linking": "Relational linking",
    "textual_grounding": "Textual grounding",
    "muc": "MUC",
    "b_cubed": "B-cubed",
    "ceaf_e": "CEAF-e",
    "conll": "CoNLL",
    "valid": "Valid",
    "reward_accuracy": "Reward accuracy",
    "ranking_accuracy": "Ranking accuracy",
    "reward_margin": "Reward margin",
}

METRICS = {
    "ner_strict": "exact places with their labels",
    "ner_boundary": "exact places, whatever the labels",
    "ner_relaxed": "labels of places that hold one another or share 60 % of their tokens, matched one to one",
    "ner_boundary_relaxed": "places that hold one another or share 60 % of their tokens, matched one to one",
    "rel": "exact places of both ends, and the relation's label",
    "rel_plus": "exact places and labels of both ends, and the relation's label",
    "code": "set of codes of a text",
    "sub_code": "set of sub-codes of a text",
    "pair": "set of codes with their sub-codes of a text",
    "span": "exact places, whatever the codes",
    "span_relaxed": "places that hold one another or share 60 % of their tokens, matched one to one",
    "triple": "exact places with code and sub-code",
    "semantic_label": "exact places with their labels (those of NER, or triples)",
    "relational_linking": "exact places of both ends, and the relation's label",
    "textual_grounding": "exact places, whatever the labels",
    "muc": "coreference links",
    "b_cubed": "coreference by mention",
    "ceaf_e": "coreference by cluster (phi 4)",
    "conll": "mean F1 of MUC, B-cubed and CEAF-e",
    "valid": "share of answers that can be read; rows without a model write none",
    "reward_accuracy": "share of test pairs whose chosen answer has the higher log-ratio to the SFT model, summed over"
    " its tokens; ties count half, so SFT has 50",
    "ranking_accuracy": "share of test pairs whose chosen answer has the higher mean log-prob per token, SFT aside",
    "reward_margin": "mean log-ratio of the chosen less that of the rejected answer, in nats, without a beta",
}

CONVENTIONS = {
    "set_canonical": "symmetric relations in the order of the text",
    "macro_label": "mean F1 of the labels that gold has",
    "repaired": "without a model's thoughts, code fences and other words, cut lists closed; else the headline",
    "in_order": "a text that occurs several times is looked for behind the item before it; else the headline",
    "pure": "as PURE counts: repeated items are not merged",
    "spert": "as SpERT counts: symmetric relations in the order of the text",
    "plmarker": "as PL-Marker counts: symmetric relations twice, nothing wider than 8 tokens",
    "dygie": "as DyGIE++ counts: nothing wider than 8 tokens, one label a pair",
    "uie_set": "sets of texts, wherever they are",
    "uie_multiset": "as UIE counts by default: texts, wherever they are, repeated ones each by themselves",
    "pv_style": "as the scorer released for PV-Miner: sets of labels of a text; spans, and ends of links, as sets of"
    " words that hold one another or share 60 %, matched in the answer's order",
}


def title(metric: str) -> str:
    """The heading of a column: `rel@pure` is Rel (pure)."""
    name, _, convention = metric.partition("@")
    return TITLES[name] + (f" ({convention})" if convention else "")


def ceiling_note(dataset: str, metric: str, ceiling: float, conventions: Mapping[str, Mapping[str, float]]) -> str:
    """What gold's own text scores in a metric, in percent; for a headline also read in the order of the answer.

    Args:
        dataset: Where.
        metric: As the config names it.
        ceiling: In percent.
        conventions: Of the metric, with their `f1`; none if `metric` names one of them itself.
    """
    note = f"Gold's own text scores {ceiling:.2f} in {title(metric)} on {dataset}"
    in_order = 100 * conventions.get("in_order", {"f1": 0})["f1"]
    if in_order <= ceiling:
        return f"{note}."
    return f"{note}, each text at its leftmost free place; {in_order:.2f} in the order of the answer (in_order)."


def quantity(metrics: Sequence[str]) -> str:
    """What the numbers of a table of these metrics are."""
    if metrics[0] not in names.METRICS["preferences"]:
        return "F1 in percent, sets of items"
    return "Means over test pairs in nats" if set(metrics) == {"reward_margin"} else "Shares of test pairs in percent"


def meanings(metrics: Iterable[str]) -> str:
    """One sentence that says what each name and each convention among these metrics is, once, in their order."""
    said = {}
    for metric in metrics:
        name, _, convention = metric.partition("@")
        said[name] = f"{TITLES[name]}: {METRICS[name]}"
        if convention:
            said[convention] = f"({convention}): {CONVENTIONS[convention]}"
    return "; ".join(said.values()) + "."
