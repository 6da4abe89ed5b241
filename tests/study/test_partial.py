"""The settings of tables and reports of a study with failed jobs."""

from tabpo.study.jobs import partial_report, partial_table

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


def test_the_report_names_what_exists_only():
    exhibits = [{"title": "card", "files": ["a/card.md"]}, {"title": "pairs", "files": ["p/1.md", "p/2.md"]}]
    settings = {"runs": [SFT, DPO], "exhibits": exhibits, "costs": True, "study": "small"}
    exist = {"a/card.md", "p/1.md"}
    exist |= {f"a/m/sft/seed{seed}/{name}.json" for seed in (1, 2) for name in ("selection", "provenance")}
    exist |= {"a/m/dpo/seed1/selection.json"}
    assert partial_report(settings, exist.__contains__) == {
        "runs": [SFT | {"seeds": [1, 2]}],
        "exhibits": exhibits[:1],
        "costs": False,
        "study": "small",
    }
