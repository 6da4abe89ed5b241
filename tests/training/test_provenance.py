"""Provenance of inputs and machine."""

import torch

from tabpo.training.provenance import describe_machine, input_hashes


def test_the_hash_of_a_model_folder_covers_manifest_and_tokenizer(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "pairs").write_text("a")
    seen = []
    for manifest, tokenizer in (("1", "x"), ("2", "x"), ("2", "y"), ("2", "y")):
        (tmp_path / "model/manifest.json").write_text(manifest)
        (tmp_path / "model/tokenizer.json").write_text(tokenizer)
        seen.append(input_hashes({"sft": tmp_path / "model", "pairs": tmp_path / "pairs"}))
    assert len({hashes["sft"] for hashes in seen}) == 3
    assert {hashes["pairs"] for hashes in seen} == {seen[0]["pairs"]}


def test_the_machine_is_described():
    machine = describe_machine(torch.device("cpu"))
    assert machine["packages"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert machine["device"] and machine["peak_memory_mb"] > 50 and machine["peak_gpu_memory_mb"] is None
