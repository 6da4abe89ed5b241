"""The program that writes a table, from files as runs leave them."""

import json

from workflow_scripts import tables

SETTINGS = {
    "runs": [{"dataset": "tiny", "model": "small", "method": method, "seeds": [1, 2]} for method in ("sft", "dpo")],
    "rows": ["sft", "dpo"],
    "metrics": ["ner_strict"],
    "baseline": "sft",
    "private": [],
    "strict_code": True,
    "layout": "main",
    "caption": "C.",
    "presets": "matched",
}


def test_a_run_that_collapsed_is_marked(tmp_path):
    for method, after in (("sft", {}), ("dpo", {"collapsed_after": 30})):
        for seed in (1, 2):
            run = tmp_path / "tiny/small" / method / f"seed{seed}"
            (run / "scores").mkdir(parents=True)
            metrics = {"ner_strict": {"set_directed": {"f1": 0.4 + 0.1 * seed, "gold": 9}}}
            scores = {"valid": 1.0, "prompts": 5, "metrics": metrics, "ceiling": {}}
            (run / "scores/test.json").write_text(json.dumps(scores))
            found = after if seed == 2 else {"collapsed_after": None}
            (run / "provenance.json").write_text(json.dumps({"code": {"tabpo.tables": "1"}, **found}))
    outputs = {ending: tmp_path / f"table.{ending}" for ending in ("csv", "md", "tex")}
    arguments = ["--settings", json.dumps(SETTINGS), "--results", str(tmp_path)]
    tables.main(arguments + [part for ending, path in outputs.items() for part in (f"--output-{ending}", str(path))])
    text = outputs["md"].read_text()
    assert text.count("†") == 2
    assert "- †: collapsed while trained, and counts: dpo of seed 2 on tiny / small." in text
    rows = outputs["csv"].read_text().splitlines()
    assert [row.rsplit(",", 1)[1] for row in rows] == ["collapsed", "0", "1"]
    assert r"$^{\dagger}$" in outputs["tex"].read_text()
