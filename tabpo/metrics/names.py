"""Names of the metrics that tables may show, and of the conventions by which they count."""

from typing import NamedTuple

HEADLINE = "set_directed"
"""The convention of a metric where none is named: set counting, directed relations."""

CANONICAL, PV_STYLE, MACRO = "set_canonical", "pv_style", "macro_label"
REPAIRED, IN_ORDER = "repaired", "in_order"
"""Conventions that belong to no published scorer; the module `meanings` describes each."""

MEANS = {"conll": ("muc", "b_cubed", "ceaf_e"), "label_and_link": ("semantic_label", "relational_linking")}
"""Metrics that are the mean F1 of other metrics, of those among them that have gold items."""

_SPAN_SCORERS = ("pure", "spert", "plmarker", "dygie", "uie_set", "uie_multiset")
_READINGS = (REPAIRED, IN_ORDER)
_FAMILIES = ("semantic_label", "textual_grounding")
_ENTITIES = (
    *("ner_strict", "ner_boundary", "ner_relaxed", "ner_boundary_relaxed", "rel", "rel_plus"),
    *(*_FAMILIES, "relational_linking"),
    "label_and_link",
    *("muc", "b_cubed", "ceaf_e", "conll"),
)
_RESULTS = ("code", "sub_code", "span", "triple", "pair", "span_relaxed", *_FAMILIES, "label_and_link")

RELATIONS = ("rel", "rel_plus", "relational_linking")
"""Metrics of relations, whatever the convention."""

LABELLED = {
    "entities": ("ner_strict", "rel", "rel_plus"),
    "results": ("code", "sub_code", "triple", "pair"),
    "preferences": (),
}
"""Metrics that are also counted by label, by format of the answers."""

VALIDITY = ("valid", "label_valid", "empty", "cut_off", "items_written")
"""Shares that describe answers without comparing them with gold item by item."""

METRICS = {
    "entities": (
        *_ENTITIES,
        *(f"{name}@{PV_STYLE}" for name in (*_FAMILIES, "relational_linking", "label_and_link")),
        *(f"{name}@{CANONICAL}" for name in ("rel", "rel_plus")),
        *(f"{name}@{MACRO}" for name in LABELLED["entities"]),
        *(f"{name}@{scorer}" for name in ("ner_strict", "rel") for scorer in _SPAN_SCORERS),
        *(f"rel_plus@{scorer}" for scorer in _SPAN_SCORERS if scorer != "dygie"),
        *(f"{name}@{reading}" for name in _ENTITIES for reading in _READINGS),
        *VALIDITY,
    ),
    "results": (
        *_RESULTS,
        *(f"{name}@{PV_STYLE}" for name in ("code", "sub_code", "span", *_FAMILIES, "label_and_link")),
        *(f"{name}@{MACRO}" for name in LABELLED["results"]),
        *(f"{name}@{reading}" for name in _RESULTS for reading in _READINGS),
        *VALIDITY,
    ),
    "preferences": ("reward_accuracy", "ranking_accuracy", "reward_margin"),
}
"""The metrics that a table may show, by format of the answers.

A name alone means F1 in the headline convention; `name@convention` means F1 in that convention. The names in `VALIDITY`
are shares of answers or items. For preference data the metrics say how held-out pairs are ranked.
"""


TOGETHER = " + "
"""What joins the names of labels that are counted together."""


class LabelMetric(NamedTuple):
    """One number of one label, or of some together: `f1`, `precision` or `recall` in a metric of `LABELLED`."""

    metric: str
    part: str
    label: str

    @property
    def name(self) -> str:
        """The name in files of tables: `ner_strict:Method` is F1, `ner_strict.recall:A + B` recall of two labels."""
        return f"{self.metric}{'' if self.part == 'f1' else f'.{self.part}'}:{self.label}"


def label_metric(name: str) -> LabelMetric | None:
    """Read the name of a number of one label; None for a metric of all labels together."""
    metric, colon, label = name.partition(":")
    metric, _, part = metric.partition(".")
    return LabelMetric(metric, part or "f1", label) if colon else None
