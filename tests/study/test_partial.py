"""The settings of tables and reports of a study with failed jobs."""

from tabpo.study.jobs import partial_cost, partial_report, partial_table

SFT = {"dataset": "a", "model": "m", "method": "sft", "seeds": (1, 2)}
DPO = {"dataset": "a", "model": "m", "method": "dpo", "seeds": (1, 2)}
DICTIONARY = {"dataset": "b", "model": None, "method": "dictionary", "seeds": [None]}


def test_runs_without_a_result_are_listed_with_their_reason_only():
    settings = {"caption": "F1.", "runs": [SFT, DPO, DICTIONARY], "by_sentence": ["a", "b"], "metrics": ["rel"]}
    missing = {"a/m/dpo/seed2": "failed: out of memory", "b/dictionary": "was not run", "c/m/dpo/seed1": "failed: x"}
    partial = partial_table(settings, missing, lambda path: path != "b/card.json")
    assert partial == {
        "caption": "PARTIAL, since jobs failed. F1.",
        "runs": [SFT | {"seeds": [1, 2]}, DPO | {"seeds": [1]}],
        "missing": [
            {"dataset": "a", "model": "m", "method": "dpo", "seed": 2, "reason": "failed: out of memory"},
            {"dataset": "b", "model": None, "method": "dictionary", "seed": None, "reason": "was not run"},
        ],
        "by_sentence": ["a"],
        "metrics": ["rel"],
    }


def test_a_table_of_mechanisms_compares_with_the_dictionary_where_both_have_scores():
    settings = {"caption": "F1.", "runs": [DPO], "scored": [SFT, DICTIONARY], "split": "test", "by_sentence": []}
    scores = {f"a/m/sft/seed{seed}/scores/test.json" for seed in (1, 2)} | {"b/dictionary/scores/test.json"}
    exist = scores | {"a/m/sft/seed1/scores/test.counts.parquet", "b/dictionary/scores/test.counts.parquet"}
    partial = partial_table(settings, {}, exist.__contains__)
    assert partial["scored"] == [SFT | {"seeds": [1]}, DICTIONARY] and "missing" in partial


def test_costs_are_those_of_methods_whose_runs_all_exist():
    tis, sepo = DPO | {"method": "tis"}, DPO | {"method": "sepo"}
    settings = {"caption": "Cost.", "runs": [SFT, DPO, tis, sepo], "needed": {"tis": ["dpo"], "sepo": ["sft"]}}
    exist = {f"a/m/{method}/seed{seed}/provenance.json" for method in ("sft", "tis", "sepo") for seed in (1, 2)}
    partial = partial_cost(settings, (exist | {"a/m/dpo/seed1/provenance.json"}).__contains__)
    assert partial == settings | {"caption": "PARTIAL, since jobs failed. Cost.", "runs": [SFT, sepo]}


def test_the_report_names_what_exists_only():
    exhibits = [{"title": "card", "files": ["a/card.md"]}, {"title": "pairs", "files": ["p/1.md", "p/2.md"]}]
    settings = {"runs": [SFT, DPO], "exhibits": exhibits, "costs": True, "tuning": True, "study": "small"}
    settings["score_figures"] = {"main": "figures/scores/main.svg", "other": "figures/scores/other.svg"}
    exist = {"a/card.md", "p/1.md", "figures/scores/main.svg"}
    exist |= {f"a/m/sft/seed{seed}/{name}.json" for seed in (1, 2) for name in ("selection", "provenance")}
    exist |= {"a/m/dpo/seed1/selection.json"}
    assert partial_report(settings, exist.__contains__, costs=False) == {
        "runs": [SFT | {"seeds": [1, 2]}],
        "exhibits": exhibits[:1],
        "score_figures": {"main": "figures/scores/main.svg"},
        "costs": False,
        "tuning": False,
        "study": "small",
    }
