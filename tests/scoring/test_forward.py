"""Completion scores equal a plain forward pass of each row, with and without wrappers, and a NaN is refused."""

import copy
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.parallel import DistributedDataParallel
from transformers import (
    CohereConfig,
    CohereForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GraniteConfig,
    GraniteForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
)

from tabpo.errors import ConfigError
from tabpo.scoring import logits as logits_module
from tabpo.scoring.collate import collate_examples, collate_pairs
from tabpo.scoring.forward import completion_logps, score_pairs
from tabpo.scoring.logits import token_kl, token_logps
from tabpo.scoring.tokenise import encode_examples, encode_pairs

architectures = pytest.mark.parametrize("architecture", ["qwen2", "llama"])
attentions = pytest.mark.parametrize("attention", ["eager", "sdpa"])


@pytest.fixture(scope="module")
def pair_examples(tokenizer, prompts, pairs, limits):
    encoded = encode_pairs(tokenizer, prompts, pairs, None, limits)
    return [
        replace(
            pair,
            chosen_reference=tuple(-0.1 * n for n in range(len(pair.chosen_ids))),
            rejected_reference=tuple(-0.2 * n for n in range(len(pair.rejected_ids))),
        )
        for pair in encoded
    ]


@pytest.fixture(scope="module")
def batch(pair_examples):
    return collate_pairs(pair_examples, pad_id=0)


def plain_logps(model, prompt_ids, completion_ids):
    """Log-probs of one row alone, from all logits without padding, with an explicit shift."""
    logits = model(torch.tensor([[*prompt_ids, *completion_ids]])).logits[0].float()
    states = logits[len(prompt_ids) - 1 : -1]
    return states.log_softmax(-1)[range(len(completion_ids)), list(completion_ids)]


@architectures
@attentions
def test_equals_a_plain_forward_of_each_row_alone(make_model, pair_examples, batch, fp32, architecture, attention):
    model = make_model(architecture)
    model.config._attn_implementation = attention
    logps = completion_logps(model, batch, fp32)
    assert logps.shape == batch["completion_mask"].shape and logps.dtype == torch.float32
    rows = [(pair.prompt_ids, pair.chosen_ids) for pair in pair_examples]
    rows += [(pair.prompt_ids, pair.rejected_ids) for pair in pair_examples]
    for row, (prompt_ids, completion_ids) in enumerate(rows):
        expected = plain_logps(model, prompt_ids, completion_ids)
        torch.testing.assert_close(logps[row, : len(completion_ids)], expected, atol=2e-5, rtol=0)
        assert (logps[row, len(completion_ids) :] == 0).all()
    assert logps[batch["completion_mask"]].std() > 0.5  # the random weights give different scores to different tokens


@architectures
@attentions
@pytest.mark.parametrize(("precision", "tolerance"), [("fp32", 2e-5), ("bf16", 0.2)])
def test_a_row_alone_equals_the_row_in_a_batch(
    make_model, pair_examples, fp32, architecture, attention, precision, tolerance
):
    model, numerics = make_model(architecture), {**fp32, "precision": precision}
    model.config._attn_implementation = attention
    together = completion_logps(model, collate_pairs(pair_examples, pad_id=0), numerics)
    for row, pair in enumerate(pair_examples):
        alone = completion_logps(model, collate_pairs([pair], pad_id=0), numerics)
        for side, length in ((0, len(pair.chosen_ids)), (1, len(pair.rejected_ids))):
            in_batch = together[side * len(pair_examples) + row, :length]
            torch.testing.assert_close(alone[side, :length], in_batch, atol=tolerance, rtol=0)


def test_padding_is_never_read(make_model, pair_examples, fp32):
    batch = collate_pairs(pair_examples, 0, shared=False)
    other = {name: tensor.clone() for name, tensor in batch.items()}
    other["input_ids"][batch["attention_mask"] == 0] = 77
    other["completion_ids"][~batch["completion_mask"]] = 77
    model = make_model()
    assert torch.equal(completion_logps(model, other, fp32), completion_logps(model, batch, fp32))


def test_bf16_arithmetic_gives_float32_scores(make_model, batch, fp32):
    model = make_model()
    low = completion_logps(model, batch, {**fp32, "precision": "bf16"})
    exact = completion_logps(model, batch, fp32)
    assert low.dtype == torch.float32
    assert not torch.equal(low, exact)
    assert (low - exact).abs().mean() < 0.05


def test_the_head_sees_completion_states_alone(make_model, batch, fp32, monkeypatch):
    model = make_model()
    seen, linear = [], torch.nn.functional.linear
    monkeypatch.setattr(
        torch.nn.functional,
        "linear",
        lambda states, weight, *bias: (
            seen.append((weight is model.lm_head.weight, states.shape)) or linear(states, weight, *bias)
        ),
    )
    completion_logps(model, batch, fp32)
    assert [shape for is_head, shape in seen if is_head] == [(len(batch["states"]), 32)]
    assert len(batch["states"]) < 0.7 * batch["completion_mask"].sum()  # each shared state is scored once
    monkeypatch.undo()
    # the model is unchanged afterwards
    assert model(batch["input_ids"]).logits.shape == (*batch["input_ids"].shape, 330)


def plain_gradients(model, pair_examples):
    """Gradients of the mean log-prob over all completion tokens."""
    model.zero_grad()
    rows = [(pair.prompt_ids, ids) for pair in pair_examples for ids in (pair.chosen_ids, pair.rejected_ids)]
    torch.cat([plain_logps(model, *row) for row in rows]).mean().backward()
    return {name: parameter.grad.clone() for name, parameter in model.named_parameters()}


@architectures
def test_gradients_equal_those_of_a_plain_forward(make_model, pair_examples, batch, fp32, architecture):
    model = make_model(architecture)
    expected = plain_gradients(model, pair_examples)
    model.zero_grad()
    completion_logps(model, batch, fp32)[batch["completion_mask"]].mean().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name], atol=1e-5, rtol=1e-4)


def test_a_lora_model_scores_as_its_base_until_trained(make_model, batch, fp32):
    base = make_model()
    expected = completion_logps(base, batch, fp32)
    config = LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    lora = get_peft_model(copy.deepcopy(base), config)
    logps = completion_logps(lora, batch, fp32)
    torch.testing.assert_close(logps, expected, atol=1e-6, rtol=0)
    logps.sum().backward()
    trained = [name for name, parameter in lora.named_parameters() if parameter.grad is not None]
    assert trained and all("lora_" in name for name in trained)


def test_scoring_calls_the_wrapped_model(make_model, pair_examples, batch, fp32, tmp_path):
    torch.distributed.init_process_group("gloo", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    try:
        model = make_model()
        expected = plain_gradients(model, pair_examples)
        model.zero_grad()
        wrapped, calls = DistributedDataParallel(model), []
        wrapped.register_forward_hook(lambda *_: calls.append(1))
        logps = completion_logps(wrapped, batch, fp32)
        logps[batch["completion_mask"]].mean().backward()
        assert calls == [1]
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.grad, expected[name], atol=1e-5, rtol=1e-4)
    finally:
        torch.distributed.destroy_process_group()


def test_examples_score_as_the_chosen_side(tokenizer, prompts, pairs, limits, make_model, pair_examples, fp32):
    model = make_model()
    examples = encode_examples(tokenizer, prompts, limits)
    alone = completion_logps(model, collate_examples(examples[:1], 0), fp32)
    chosen, _ = score_pairs(model, collate_pairs(pair_examples[:1], 0), fp32)
    length = len(examples[0].completion_ids)
    torch.testing.assert_close(alone[0, :length], chosen.policy_logps[0, :length], atol=2e-5, rtol=0)


def test_sides_hold_their_own_rows(make_model, pair_examples, batch, fp32):
    chosen, rejected = score_pairs(make_model(), batch, fp32)
    logps = completion_logps(make_model(), batch, fp32)
    assert torch.equal(torch.cat([chosen.policy_logps, rejected.policy_logps]), logps)
    assert chosen.policy_logps.requires_grad
    for row, pair in enumerate(pair_examples):
        for side, name in ((chosen, "chosen"), (rejected, "rejected")):
            mask = side.completion_mask[row]
            assert mask.sum() == len(getattr(pair, f"{name}_ids"))
            assert tuple(side.token_fields[row][mask].tolist()) == getattr(pair, f"{name}_fields")
            assert tuple(side.differs[row][mask].tolist()) == getattr(pair, f"{name}_differs")
            assert side.reference_logps[row][mask].tolist() == pytest.approx(getattr(pair, f"{name}_reference"))


def other_model(config_class, model_class, **settings):
    """A random model of one layer; no example contains its padding token."""
    config = config_class(
        vocab_size=400,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        pad_token_id=0,
        **settings,
    )
    return model_class(config).eval()


def test_an_architecture_of_no_family_scores_as_a_plain_forward(pair_examples, fp32):
    model = other_model(Phi3Config, Phi3ForCausalLM, initializer_range=0.5)
    logps = completion_logps(model, collate_pairs(pair_examples, 0, shared=False), fp32)
    for row, pair in enumerate(pair_examples):
        expected = plain_logps(model, pair.prompt_ids, pair.chosen_ids)
        torch.testing.assert_close(logps[row, : len(expected)], expected, atol=2e-5, rtol=0)


@pytest.mark.parametrize(
    ("config_class", "model_class", "settings"),
    [
        (CohereConfig, CohereForCausalLM, {"logit_scale": 0.0625}),
        (Gemma2Config, Gemma2ForCausalLM, {"final_logit_softcapping": 30.0, "head_dim": 8}),
        (GraniteConfig, GraniteForCausalLM, {"logits_scaling": 8.0}),
    ],
)
def test_scaled_or_capped_logits_are_refused_by_name(pair_examples, fp32, config_class, model_class, settings):
    model = other_model(config_class, model_class, **settings)
    message = f"^a {model.config.model_type} model scales or caps the logits of its output head, and log-probs are"
    with pytest.raises(ConfigError, match=message):
        completion_logps(model, collate_pairs(pair_examples, 0, shared=False), fp32)


def test_a_nan_stops(make_model, batch, fp32):
    model = make_model()
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight[0, 0] = float("nan")
    with pytest.raises(FloatingPointError, match=r"\d+ of \d+ log-probs are NaN or infinite"):
        completion_logps(model, batch, fp32)


def test_token_logps_in_float64(monkeypatch):
    monkeypatch.setitem(logits_module._BLOCK_ELEMENTS, "cpu", 14)  # chunks of two rows, the last one short
    logits = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([0, 6, 3, 3, 1])
    expected = logits.log_softmax(-1).gather(-1, targets[:, None])[:, 0]
    torch.testing.assert_close(token_logps(logits, torch.arange(5), targets), expected)
    assert torch.autograd.gradcheck(lambda values: token_logps(values, torch.arange(5), targets), logits)


def test_low_precision_logits_are_normalised_in_float32():
    # one token at -0.0056 nats and 50,000 others: in bfloat16 the sum would lose the probabilities of the others
    logits = torch.zeros(1, 50_001, dtype=torch.bfloat16)
    logits[0, 0] = 16.0
    expected = -torch.log1p(torch.tensor(50_000 * 2.718281828459045**-16.0, dtype=torch.float64)).item()
    assert token_logps(logits, torch.tensor([0]), torch.tensor([0])).item() == pytest.approx(expected, abs=1e-4)


def test_kl_is_exact_and_its_gradient_too(monkeypatch):
    monkeypatch.setitem(logits_module._BLOCK_ELEMENTS, "cpu", 14)
    logits = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    reference = torch.randn(5, 7, dtype=torch.float64)
    p, q = reference.softmax(-1), logits.softmax(-1)
    torch.testing.assert_close(token_kl(logits, reference), (p * (p / q).log()).sum(-1))
    assert torch.autograd.gradcheck(lambda values: token_kl(values, reference), logits)


def test_kl_of_sure_and_opposed_distributions():
    # both put all mass on one token each, 500 nats above the rest: KL = 500, where softmax().log() has -inf
    logits, reference = torch.zeros(1, 9), torch.zeros(1, 9)
    logits[0, 0], reference[0, 1] = 500.0, 500.0
    logits.requires_grad_()
    kl = token_kl(logits, reference)
    kl.sum().backward()
    assert kl.item() == pytest.approx(500.0)
    assert logits.grad[0].tolist() == pytest.approx([1.0, -1.0] + [0.0] * 7)


def test_what_a_loss_needs_comes_from_the_same_pass(make_model, pair_examples, fp32):
    policy, other = make_model(seed=0), make_model(seed=1).train()
    anchors = [pair.rejected_ids[:5] for pair in pair_examples]
    batch = collate_pairs(pair_examples, 0, anchors)
    needs = frozenset({"token_kl", "hidden_states", "anchor", "baseline"})
    chosen, rejected = score_pairs(policy, batch, fp32, needs, lambda: nullcontext(other))
    assert other.training  # its mode is restored
    plain, _ = score_pairs(policy, collate_pairs(pair_examples, 0), fp32)
    torch.testing.assert_close(chosen.policy_logps, plain.policy_logps)
    assert plain.token_kl is None and plain.hidden_states is None and plain.anchor is None
    for row, pair in enumerate(pair_examples):
        for side, ids in (
            (chosen, pair.chosen_ids),
            (rejected, pair.rejected_ids),
            (chosen.anchor, anchors[row]),
        ):
            whole = torch.tensor([[*pair.prompt_ids, *ids]])
            states = slice(len(pair.prompt_ids) - 1, -1)
            with torch.no_grad():
                p = other.eval()(whole).logits[0, states].log_softmax(-1)
                outputs = policy(whole, output_hidden_states=True)
            q = outputs.logits[0, states].log_softmax(-1)
            kl, hidden = (p.exp() * (p - q)).sum(-1), outputs.hidden_states[-1][0, states]
            torch.testing.assert_close(side.token_kl[row, : len(ids)], kl, atol=2e-5, rtol=1e-4)
            torch.testing.assert_close(side.hidden_states[row, : len(ids)], hidden, atol=1e-5, rtol=1e-4)
            assert not side.token_kl[row, len(ids) :].any() and not side.hidden_states[row, len(ids) :].any()
            if side is chosen.anchor:
                drawn = torch.tensor(ids)[:, None]
                torch.testing.assert_close(side.reference_logps[row, : len(ids)], p.gather(-1, drawn)[:, 0])
    assert chosen.token_kl.requires_grad and not chosen.hidden_states.requires_grad
    assert chosen.anchor.policy_logps.requires_grad and not chosen.anchor.reference_logps.requires_grad
