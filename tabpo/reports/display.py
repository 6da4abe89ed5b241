"""Names as papers print them: of methods, rows, data sets, metrics and conventions."""

from collections.abc import Mapping

from tabpo.reports.meanings import TITLES

NAMES = {
    "sft": "SFT",
    "sft_continued": "SFT, continued",
    "dictionary": "Dictionary",
    "majority": "Majority label",
    "human": "Second annotator",
    "prompted": "Prompted",
    **{
        name: name.upper().replace("_", "-")
        for name in ("dpo", "cdpo", "kto", "orpo", "cpo", "rpo", "tab_po", "ti_dpo")
    },
    "simpo": "SimPO",
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
    "gated_sft": "SFT, gated",
    "scierc": "SciERC",
    "scierc_document": "SciERC, documents",
    "phee": "PHEE",
    "pvminer": "PV-Miner",
}
"""A study's own `names` come before these; a name in neither is printed as the study has it."""

CONVENTIONS = {
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


def printed_name(name: str, names: Mapping[str, str]) -> str:
    """Of a method, row, data set or model."""
    return names.get(name, NAMES.get(name, name))


def printed_metric(metric: str) -> str:
    """The heading of a column: `rel@pure` is Rel, PURE."""
    name, _, convention = metric.partition("@")
    return TITLES[name] + (f", {CONVENTIONS[convention]}" if convention else "")
