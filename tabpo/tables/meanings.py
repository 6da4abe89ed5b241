"""Names of rows, metrics and conventions as tables print them, and the notes that say what the metrics count."""

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
    "label_and_link": "Label and link",
    "muc": "MUC",
    "b_cubed": "B-cubed",
    "ceaf_e": "CEAF-e",
    "conll": "CoNLL",
    "valid": "Valid",
    "label_valid": "Labels valid",
    "empty": "Empty",
    "cut_off": "Cut off",
    "items_written": "Items written",
    "reward_accuracy": "Reward accuracy",
    "ranking_accuracy": "Ranking accuracy",
    "reward_margin": "Reward margin",
}

METRICS = {
    "ner_strict": "exact spans with their labels",
    "ner_boundary": "exact spans, labels ignored",
    "ner_relaxed": "labels of spans of which one contains the other or that share 60 % of their tokens, matched"
    " one to one",
    "ner_boundary_relaxed": "spans of which one contains the other or that share 60 % of their tokens, matched"
    " one to one",
    "rel": "exact spans of both ends, and the relation's label",
    "rel_plus": "exact spans and labels of both ends, and the relation's label",
    "code": "set of codes of a text",
    "sub_code": "set of sub-codes of a text",
    "pair": "set of codes with their sub-codes of a text",
    "span": "exact spans, codes ignored",
    "span_relaxed": "spans of which one contains the other or that share 60 % of their tokens, matched one to one",
    "triple": "exact spans with code and sub-code",
    "semantic_label": "exact spans with their labels (those of NER, or triples)",
    "relational_linking": "exact spans of both ends, and the relation's label",
    "textual_grounding": "exact spans, labels ignored",
    "label_and_link": "mean F1 of semantic label and relational linking; semantic label alone if gold has no relations",
    "muc": "coreference links",
    "b_cubed": "coreference by mention",
    "ceaf_e": "coreference by cluster (phi 4)",
    "conll": "mean F1 of MUC, B-cubed and CEAF-e",
    "valid": "share of readable answers; rows without a model write no answers",
    "label_valid": "share of written items whose labels are in the ontology",
    "empty": "share of answers that are readable and have no span",
    "cut_off": "share of answers that end where their JSON could go on",
    "items_written": "written spans and relations in percent of gold's",
    "reward_accuracy": "share of test pairs whose chosen answer has the higher log-ratio to the SFT model, summed over"
    " its tokens; ties count half, so SFT has 50",
    "ranking_accuracy": "share of test pairs whose chosen answer has the higher mean log-prob per token; SFT is not"
    " subtracted",
    "reward_margin": "mean log-ratio of the chosen minus that of the rejected answer, in nats, not scaled by beta",
}

MECHANISM_TITLES = {
    "gradient_edited": "Gradient on edits, %",
    "chosen_drift": "Chosen",
    "rejected_drift": "Rejected",
    "pair_margin": "Margin",
    "rare_drift": "Rare labels",
    "label_drift": "Other labels",
    "unsure_drift": "Unsure tokens",
}

MECHANISM = {
    "gradient_edited": "share of the gradient over logits that is on tokens in which both answers of a training pair"
    " differ, mean over all steps",
    "chosen_drift": "change of the log-prob of the chosen answer since SFT, nats per answer, mean over the last tenth"
    " of the steps",
    "rejected_drift": "the same change of the rejected answer",
    "pair_margin": "the first change minus the second, not scaled by beta",
    "rare_drift": "change of the log-prob of held-out gold tokens after the last step, nats per token, in labels that"
    " fewer training records have than half of an equal share of all labels of their kind",
    "label_drift": "the same change in all other labels",
    "unsure_drift": "the same change of all tokens that had a probability below 0.9 before training",
}
"""The quantities of a table of mechanisms."""

STABILITY_TITLES = {
    "distinct": "Distinct, %",
    "sampled_f1": "F1 of samples",
    "oracle_f1": "Oracle F1",
    "margin_variance": "Variance of margin",
    "spikes": "Spikes, %",
}

STABILITY = {
    "distinct": "different sets of records among the samples of a prompt, in percent of the samples",
    "sampled_f1": "exact spans with their labels, over all samples together",
    "oracle_f1": "the same of each prompt's best sample",
    "margin_variance": "half the mean squared difference of the margins of successive steps (von Neumann, 1941), in"
    " squared nats, not scaled by beta",
    "spikes": "share of steps whose gradient norm ZClip (arXiv 2504.02507) takes for a spike: over 2.5 standard"
    " deviations above the moving average, after 25 steps",
}
"""The quantities of a table of stability."""

_TITLES = TITLES | MECHANISM_TITLES | STABILITY_TITLES
_MEANINGS = METRICS | MECHANISM | STABILITY

CONVENTIONS = {
    "set_canonical": "symmetric relations in the order of the text",
    "macro_label": "mean F1 over the labels that occur in gold",
    "repaired": "read without a model's thoughts, code fences and other words, and with cut-off lists closed; otherwise"
    " counted like the headline",
    "in_order": "a text that occurs several times is searched for after the previous item; otherwise counted"
    " like the headline",
    "pure": "as PURE counts: repeated items are not merged",
    "spert": "as SpERT counts: symmetric relations in the order of the text",
    "plmarker": "as PL-Marker counts: symmetric relations count twice, no spans wider than 8 tokens",
    "dygie": "as DyGIE++ counts: no spans wider than 8 tokens, one label for each pair of spans",
    "uie_set": "sets of texts, positions ignored",
    "uie_multiset": "as UIE counts by default: texts, positions ignored, repeated texts counted each time",
    "pv_style": "as the scorer released for PV-Miner: sets of labels of a text; spans, and ends of links, match"
    " if one set of words contains the other or they share 60 %, in the answer's order",
}

PRINTED_CONVENTIONS = {
    "pure": "PURE",
    "spert": "SpERT",
    "plmarker": "PL-Marker",
    "dygie": "DyGIE++",
    "uie_set": "UIE, sets",
    "uie_multiset": "UIE",
    "pv_style": "PV-Miner's scorer",
    "set_canonical": "canonical",
    "macro_label": "macro",
    "in_order": "in order",
    "repaired": "repaired",
}
"""Conventions as a paper prints them, in the heading of a column."""

NAMES = {
    "sft": "SFT",
    "sft_continued": "SFT (continued)",
    "sft_reweighted": "SFT (reweighted)",
    "tis_dpo": "TIS-DPO",
    "sepo": "SePO",
    "tgdpo": "TGDPO",
    "dictionary": "Dictionary",
    "majority": "Majority label",
    "human": "Second annotator",
    "prompted": "Prompted",
    **{
        name: name.upper().replace("_", "-")
        for name in ("dpo", "cdpo", "orpo", "cpo", "rpo", "bpo", "ftpo", "tab_po", "ti_dpo")
    },
    "simpo": "SimPO",
    "kto_pair": "KTO (pairs)",
    "apo_zero": "APO-zero",
    "apo_down": "APO-down",
    "dpo_shift": "DPO-Shift",
    "ti_dpo_no_kl": "TI-DPO (no KL)",
    "tbpo_a_logistic": "TBPO-A (logistic)",
    "tbpo_q_logistic": "TBPO-Q (logistic)",
    "dpop": "DPOP",
    "cal_dpo": "Cal-DPO",
    "confpo": "ConfPO",
    "otpo": "OTPO",
    "hinge": "SLiC hinge",
    "ipo_sum": "IPO (sum)",
    "ipo_mean": "IPO (mean)",
    "dpo_mean": "DPO (mean)",
    "robust_dpo": "Robust DPO",
    "tdpo1": "TDPO1",
    "tdpo2": "TDPO2",
    "tbpo_a": "TBPO-A",
    "tbpo_q": "TBPO-Q",
    "gated_sft": "SFT (gated)",
    "scierc": "SciERC",
    "scierc_document": "SciERC (documents)",
    "phee": "PHEE",
    "pvminer": "PV-Miner",
}
"""Printed names of methods, baselines and data sets; a study's `names` override them, other names stay unchanged."""


PARTS = {"precision": "Precision", "recall": "Recall", "f1": "F1"}
"""What tables of labels show of a label in a metric."""


def title(metric: str) -> str:
    """The heading of a metric's column in Markdown: `rel@pure` is Rel (pure), `rel:Used-for` is Rel: Used-for."""
    if of_label := names.label_metric(metric):
        several = of_label.label.split(names.TOGETHER)
        label = of_label.label.removesuffix(" / None") if len(several) == 1 else f"{len(several)} rare labels"
        part = "" if of_label.part == "f1" else f", {of_label.part}"
        return f"{_TITLES[of_label.metric]}: {label}{part}"  # a code without sub-codes has None after it
    name, _, convention = metric.partition("@")
    return _TITLES[name] + (f" ({convention})" if convention else "")


def unit(metric: str) -> str:
    """The unit of the differences in a metric."""
    if metric == "margin_variance":
        return "squared nats"
    return "nats" if metric.partition(":")[0].endswith(("_margin", "_drift")) else "points"


def digits(metric: str) -> int:
    """The number of decimals that tables print: two for nats per token and variances, else one."""
    return 2 if metric in ("rare_drift", "label_drift", "unsure_drift", "margin_variance") else 1


def printed_name(name: str, names: Mapping[str, str]) -> str:
    """The printed name of a method, baseline, data set or model; `names` are those of the study."""
    return names.get(name, NAMES.get(name, name))


def in_text(*study_names: str) -> str:
    """Names of the study for a caption or a note: code in Markdown, and their printed names in LaTeX.

    A text with a blank, such as "mean of 2 models", is no such name, and stays as it is.
    """
    return ", ".join(name if " " in name else f"`{name}`" for name in study_names)


def printed_metric(metric: str) -> str:
    """The heading of a metric's column in LaTeX: `rel@pure` is Rel, PURE."""
    if names.label_metric(metric):
        return title(metric)
    name, _, convention = metric.partition("@")
    return _TITLES[name] + (f", {PRINTED_CONVENTIONS[convention]}" if convention else "")


def ceiling_note(dataset: str, metric: str, ceiling: float, conventions: Mapping[str, Mapping[str, float]]) -> str:
    """A note on what gold scores when it is written as an answer and read again, also with the convention `in_order`.

    Args:
        dataset: The data set.
        metric: The metric, as the study's settings name it.
        ceiling: The score of gold in this metric, in percent.
        conventions: The conventions of the metric with their `f1`; empty if `metric` itself names a convention.
    """
    note = f"Gold, written as an answer and read again, scores {ceiling:.2f} in {title(metric)} on {in_text(dataset)}"
    in_order = 100 * conventions.get("in_order", {"f1": 0})["f1"]
    if in_order <= ceiling:
        return f"{note}."
    return (
        f"{note} with each text at its leftmost free place, and {in_order:.2f} in the order of the answer (in_order)."
    )


def quantity(metrics: Sequence[str]) -> str:
    """What the numbers in a table of these metrics are, and their unit."""
    if set(metrics) <= set(names.VALIDITY):
        return "Shares in percent"
    if metrics[0] not in names.METRICS["preferences"]:
        return "F1 in percent, sets of items"
    return "Means over test pairs in nats" if set(metrics) == {"reward_margin"} else "Shares of test pairs in percent"


def meanings(metrics: Iterable[str]) -> str:
    """One sentence that explains each name and each convention of these metrics once, in their order."""
    explained = {}
    for metric in metrics:
        name, _, convention = metric.partition("@")
        explained[name] = f"{_TITLES[name]}: {_MEANINGS[name]}"
        if convention:
            explained[convention] = f"({convention}): {CONVENTIONS[convention]}"
    return "; ".join(explained.values()) + "."
