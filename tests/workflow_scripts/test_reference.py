"""The reference job: scores equal training's, the key covers all inputs, and a stale file is refused."""

import json

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tabpo.errors import ConfigError, DataError
from tabpo.models.loading import load_model, save_model
from tabpo.models.tokenizer import load_tokenizer
from tabpo.records import Message, Pair, Prompt, Reference, read_records, write_records
from tabpo.scoring import reference as reference_module
from tabpo.scoring.collate import collate_pairs
from tabpo.scoring.forward import score_pairs
from tabpo.scoring.reference import read_reference, reference_key
from tabpo.scoring.tokenise import encode_pairs
from tabpo.study.training import SCORER_VERSION
from workflow_scripts import gold, reference

GOLD = '{"results":[{"Code":"A","Sub-code":"b","Span":"xy"}]}'
LIMITS = {"max_prompt_tokens": 50, "max_completion_tokens": 100}
NUMERICS = {"precision": "bf16", "attention": "eager", "threads": 1}


def save_sft(folder, seed):
    vocabulary = {token: n for n, token in enumerate(["<pad>", "<eos>", *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<eos>", pad_token="<pad>")
    tokenizer.chat_template = "{{ messages[0]['content'] }}|"
    torch.manual_seed(seed)
    model = Qwen2ForCausalLM(
        Qwen2Config(
            vocab_size=len(vocabulary),
            hidden_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=2,
            intermediate_size=16,
            initializer_range=0.3,
            attention_dropout=0.5,
        )
    )
    folder.mkdir(parents=True)
    save_model(model.train(), tokenizer, folder)


@pytest.fixture
def study(tmp_path):
    save_sft(tmp_path / "sft", seed=0)
    prompts = [Prompt(f"m{n}", f"m{n}", (Message("user", "text " * n),), GOLD) for n in range(1, 8)]
    write_records(tmp_path / "prompts.parquet", Prompt, prompts)
    pairs = [
        Pair(f"m{n}/{k}", f"m{n}", GOLD, GOLD.replace('"xy"', '"x' + "y" * (n + k) + 'z"'), (), 1)
        for n, k in ((3, 0), (1, 0), (7, 0), (2, 0), (5, 0), (1, 1), (1, 2))  # three negatives of m1, not side by side
    ]
    write_records(tmp_path / "pairs.parquet", Pair, pairs)
    return tmp_path


def run(study, output="reference.parquet", version=SCORER_VERSION, **settings):
    settings = {"numerics": NUMERICS, "limits": LIMITS, "batch_size": 2, "quantize": None, **settings}
    paths = {"sft": "sft", "pairs": "pairs.parquet", "prompts": "prompts.parquet", "output": output}
    flags = [part for name, file in paths.items() for part in (f"--{name}", str(study / file))]
    reference.main(["--settings", json.dumps(settings), "--scorer-version", str(version), *flags])
    return study / output


def key(study, numerics=NUMERICS, quantize=None):
    return reference_key(study / "sft", study / "pairs.parquet", study / "prompts.parquet", numerics, quantize)


def test_too_little_memory_names_the_settings_that_need_less(study, monkeypatch):
    def full(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(reference, "score_references", full)
    for size, less in ((2, "training.preference.micro_batch_size below 2; a class of resources"), (1, "a class of")):
        with pytest.raises(ConfigError, match=f"too small for this job; these need less: {less}"):
            run(study, batch_size=size)


def test_rows_are_the_pairs_in_their_order(study):
    references = read_reference(run(study), key(study))
    pairs = read_records(study / "pairs.parquet", Pair)
    assert [row.pair_id for row in references] == [pair.pair_id for pair in pairs]
    for row, pair in zip(references, pairs, strict=True):
        assert len(row.chosen_logps) == len(GOLD) + 1  # bytes, and the end-of-turn token
        assert len(row.rejected_logps) == len(pair.rejected) + 1
        assert max(row.chosen_logps + row.rejected_logps) < 0
    of_one_prompt = [row.chosen_logps for row, pair in zip(references, pairs, strict=True) if pair.prompt_id == "m1"]
    assert len(of_one_prompt) == 3 and len(set(of_one_prompt)) == 1


def test_gold_has_equal_log_probs_with_and_without_rejected_answers(study):
    paths = {"sft": "sft", "prompts": "prompts.parquet", "output": "gold.parquet"}
    numerics = {**NUMERICS, "precision": "fp32"}
    settings = {"numerics": numerics, "limits": LIMITS, "batch_size": 3, "quantize": None}
    flags = [part for name, file in paths.items() for part in (f"--{name}", str(study / file))]
    gold.main(["--settings", json.dumps(settings), *flags])
    gold_rows = {row.pair_id: row for row in read_records(study / "gold.parquet", Reference)}
    assert list(gold_rows) == [prompt.prompt_id for prompt in read_records(study / "prompts.parquet", Prompt)]
    for row in read_reference(run(study, numerics=numerics), key(study, numerics)):
        alone = gold_rows[row.pair_id.split("/")[0]]
        assert alone.chosen_logps == pytest.approx(row.chosen_logps, abs=1e-5) and alone.rejected_logps == ()


def test_pairs_of_a_prompt_are_scored_together(study, monkeypatch):
    batches, score = [], reference_module.completion_logps
    monkeypatch.setattr(
        reference_module,
        "completion_logps",
        lambda model, batch, numerics: batches.append(batch["trees"]) or score(model, batch, numerics),
    )
    run(study, batch_size=2)
    assert [len(trees) for trees in batches] == [2, 2, 1]  # the longest prompts first
    assert [tree.first for trees in batches for tree in trees] == sorted(
        (tree.first for trees in batches for tree in trees), reverse=True
    )
    assert len(batches[-1][0].suffixes) == 3  # all pairs of m1, although a batch has two pairs


def test_same_inputs_same_bytes(study):
    assert run(study, "first.parquet").read_bytes() == run(study, "second.parquet").read_bytes()


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("precision", ["bf16", "fp32"])
def test_the_policy_equals_the_reference_at_step_0_in_other_batches(study, precision, attention):
    numerics = {**NUMERICS, "precision": precision, "attention": attention}
    references = read_reference(run(study, numerics=numerics), key(study, numerics))
    tokenizer, model = load_tokenizer(study / "sft"), load_model(study / "sft", numerics)
    examples = encode_pairs(
        tokenizer,
        read_records(study / "prompts.parquet", Prompt),
        read_records(study / "pairs.parquet", Pair),
        references,
        LIMITS,
    )
    for batch in (examples[::-1][:3], examples[:1] + examples[2:], examples[-1:]):
        for side in score_pairs(model, collate_pairs(batch, tokenizer.pad_token_id), numerics):
            torch.testing.assert_close(
                side.policy_logps[side.completion_mask],
                side.reference_logps[side.completion_mask],
                atol=1e-5 if precision == "fp32" else 2e-2,
                rtol=0,
            )


def stale(study, path, numerics=NUMERICS):
    with pytest.raises(DataError) as refusal:
        read_reference(path, key(study, numerics))
    return str(refusal.value)


def test_a_stale_file_is_refused_by_the_part_that_differs(study):
    path = run(study)
    read_reference(path, key(study))

    assert "precision bf16 is now fp32" in stale(study, path, {**NUMERICS, "precision": "fp32"})
    assert "attention eager is now sdpa" in stale(study, path, {**NUMERICS, "attention": "sdpa"})
    with pytest.raises(DataError, match="quantize none is now nf4"):
        read_reference(path, key(study, quantize="nf4"))

    pairs = read_records(study / "pairs.parquet", Pair)
    write_records(study / "pairs.parquet", Pair, pairs[:-1])
    message = stale(study, path)
    assert str(path) in message and "pairs_sha256" in message and "weights_sha256" not in message
    write_records(study / "pairs.parquet", Pair, pairs)
    read_reference(path, key(study))

    prompts = read_records(study / "prompts.parquet", Prompt)
    write_records(study / "prompts.parquet", Prompt, prompts[1:])
    assert "prompts_sha256" in stale(study, path)
    write_records(study / "prompts.parquet", Prompt, prompts)

    (study / "sft").rename(study / "old")
    save_sft(study / "sft", seed=1)  # other weights at the same path
    message = stale(study, path)
    assert "weights_sha256" in message and "tokenizer_sha256" not in message

    template = study / "sft" / "chat_template.jinja"
    template.write_text(template.read_text() + "?")
    assert "tokenizer_sha256" in stale(study, path)


def test_a_file_without_key_is_refused(study):
    write_records(study / "bare.parquet", Reference, [Reference("m1/0", (-1.0,), (-1.0,))])
    assert "scorer_version None is now" in stale(study, study / "bare.parquet")


def test_another_scorer_version_is_refused(study):
    with pytest.raises(ConfigError, match=f"--scorer-version 99: this code is version {SCORER_VERSION}"):
        run(study, version=99)


def test_a_pair_over_the_limit_stops_the_job(study):
    with pytest.raises(DataError, match="rejected answer of pair 3 has"):
        run(study, limits={**LIMITS, "max_completion_tokens": len(GOLD) + 7})
    assert not (study / "reference.parquet").exists()
