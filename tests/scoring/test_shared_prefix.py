"""Completions that share a prefix have the scores and gradients of completions that are read alone."""

from contextlib import nullcontext

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch.nn.attention.flex_attention import create_mask
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.mistral.modeling_mistral import MistralRMSNorm
from transformers.models.qwen2.modeling_qwen2 import Qwen2RMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3RMSNorm

from tabpo.errors import ConfigError
from tabpo.scoring import logits
from tabpo.scoring.attention import Forest, let_read_trees, shares_prefixes
from tabpo.scoring.collate import collate_examples, collate_pairs
from tabpo.scoring.forward import completion_logps, score_pairs
from tabpo.scoring.tokenise import Example, PairExample

CLASSES = {
    "llama": (LlamaConfig, LlamaForCausalLM),
    "mistral": (MistralConfig, MistralForCausalLM),
    "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    "qwen3": (Qwen3Config, Qwen3ForCausalLM),
}
LAYERED = {"use_sliding_window": True, "sliding_window": 4, "max_window_layers": 1}  # one layer with, one without
MODELS = {
    "llama": {},
    "mistral": {"sliding_window": None},
    "qwen2": {},
    "qwen3": {"head_dim": 12},
    "mistral window": {"sliding_window": 4},
    "qwen2 window": LAYERED,
    "qwen3 window": LAYERED,
}
NEEDS = frozenset({"token_kl", "hidden_states", "anchor"})
VOCABULARY = 40


@pytest.fixture(autouse=True)
def float64_throughout(monkeypatch):
    """Keep norms and the eager softmax in float64, which transformers would convert to float32."""

    def norm(self, hidden):
        return self.weight * hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + self.variance_epsilon)

    softmax = torch.nn.functional.softmax
    wide = lambda values, dim, dtype: softmax(values, dim, dtype=torch.promote_types(values.dtype, dtype))  # noqa: E731
    monkeypatch.setattr(torch.nn.functional, "softmax", wide)
    for kind in (LlamaRMSNorm, MistralRMSNorm, Qwen2RMSNorm, Qwen3RMSNorm):
        monkeypatch.setattr(kind, "forward", norm)


def build(name, attention="eager", seed=0, dtype=torch.float64):
    config_class, model_class = CLASSES[name.split()[0]]
    config = config_class(
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=20,
        max_position_embeddings=64,
        initializer_range=0.4,
        pad_token_id=0,
        attn_implementation=attention,
        **MODELS[name],
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return model_class(config).to(dtype).eval()


def pair(prompt, chosen, rejected) -> PairExample:
    return PairExample(
        pair_id="d/0",
        prompt_ids=tuple(prompt),
        chosen_ids=tuple(chosen),
        rejected_ids=tuple(rejected),
        chosen_fields=(0,) * len(chosen),
        rejected_fields=(0,) * len(rejected),
        chosen_differs=(True,) * len(chosen),
        rejected_differs=(True,) * len(rejected),
        chosen_reference=(-1.0,) * len(chosen),
        rejected_reference=(-2.0,) * len(rejected),
    )


PROMPT, ANSWER = [11, 12, 13, 14, 15, 16, 17, 18], [21, 22, 23, 24, 25, 1]
PAIRS = {
    "the first token differs": pair(PROMPT, ANSWER, [31, *ANSWER[1:]]),
    "the last token differs": pair(PROMPT, ANSWER, [*ANSWER[:-1], 31]),
    "one in the middle differs": pair(PROMPT[1:], ANSWER, [*ANSWER[:3], 31, *ANSWER[4:]]),
    "nothing in common": pair(PROMPT[2:], ANSWER, [31, 32, 33]),
    "unequal lengths": pair(PROMPT[3:], ANSWER, [*ANSWER[:2], *ANSWER[4:]]),
    "the rejected begins the chosen": pair(PROMPT[4:], ANSWER, ANSWER[:4]),
    "the chosen begins the rejected": pair(PROMPT[4:6], ANSWER[:4], ANSWER),
    "one token each": pair(PROMPT[5:], [21], [22]),
    "a prompt of one token": pair([11], ANSWER, [*ANSWER[:4], 31, 1]),
    "first of four negatives": pair([12, 13], ANSWER, [21, 31, 23, 24, 25, 1]),
    "second": pair([12, 13], ANSWER, [21, 22, 23, 32, 25, 1]),
    "third": pair([12, 13], ANSWER, [21, 31, 33, 1]),
    "fourth": pair([12, 13], ANSWER, [21, 22, 23, 32, 25, 34, 1]),
    "another chosen of the same prompt": pair([12, 13], [21, 22, 35, 1], ANSWER),
}
ANCHORS = [(21, 22, 36, *range(1, 1 + n % 4)) for n in range(len(PAIRS))]


def alone(model, other, prompt, completion):
    """One completion in a separate row: log-probs, KL from `other`, hidden states, log-probs of `other`."""
    row, states = torch.tensor([[*prompt, *completion]]), slice(len(prompt) - 1, -1)
    outputs = model(row, output_hidden_states=True)
    policy = outputs.logits[0, states].log_softmax(-1)
    with torch.no_grad():
        reference = other(row).logits[0, states].log_softmax(-1)
    drawn = torch.tensor(completion)[:, None]
    kl = (reference.exp() * (reference - policy)).sum(-1)
    return policy.gather(-1, drawn)[:, 0], kl, outputs.hidden_states[-1][0, states], reference.gather(-1, drawn)[:, 0]


def weights(count, seed):
    """Random weights without any symmetry that could hide an error."""
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def completions_of(pairs, anchors):
    prompts = [pair.prompt_ids for pair in pairs] * 3
    return list(zip(prompts, [p.chosen_ids for p in pairs] + [p.rejected_ids for p in pairs] + anchors, strict=True))


def check(policy, other, plain_policy, plain_other, pairs, anchors, tolerance, shared=True):
    """Compare scores and gradients of a batch with those of each completion alone."""
    numerics = {"precision": "fp32", "attention": "any", "threads": 1}
    batch = collate_pairs(pairs, 0, anchors, shared=shared)
    chosen, rejected = score_pairs(policy, batch, numerics, NEEDS, lambda: nullcontext(other))
    loss, expected_loss = 0.0, 0.0
    for row, (prompt, completion) in enumerate(completions_of(pairs, anchors)):
        kind, of = divmod(row, len(pairs))
        side, length = (chosen, rejected, chosen.anchor)[kind], len(completion)
        logps, kl, states, reference_logps = alone(plain_policy, plain_other, prompt, completion)
        close = {"atol": tolerance, "rtol": tolerance}
        torch.testing.assert_close(side.policy_logps[of, :length], logps, **close)
        torch.testing.assert_close(side.token_kl[of, :length], kl, **close)
        torch.testing.assert_close(side.hidden_states[of, :length], states, **close)
        if side is chosen.anchor:
            torch.testing.assert_close(side.reference_logps[of, :length], reference_logps, **close)
        for values in (side.policy_logps, side.token_kl, side.hidden_states):
            assert not values[of, length:].any()
        by_logp, by_kl = weights(length, row), weights(length, 1000 + row)
        loss += (by_logp * side.policy_logps[of, :length]).sum() + (by_kl * side.token_kl[of, :length]).sum()
        expected_loss += (by_logp * logps).sum() + (by_kl * kl).sum()
    loss.backward()
    expected_loss.backward()
    parameters = dict(policy.named_parameters())
    for name, parameter in plain_policy.named_parameters():
        if parameter.requires_grad:
            bar = tolerance * max(1.0, parameter.grad.abs().max().item())
            torch.testing.assert_close(parameters[name].grad, parameter.grad, atol=bar, rtol=0)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", MODELS)
def test_equals_each_completion_alone_in_float64(name, attention):
    policy, other = build(name, attention), build(name, attention, seed=1)
    check(policy, other, build(name), build(name, seed=1), list(PAIRS.values()), ANCHORS, 1e-9)
    assert policy.config._attn_implementation == f"trees_{attention}"


@pytest.mark.parametrize("name", CLASSES)
def test_equals_each_completion_alone_in_float32(name):
    # With seeds 0 and 1, float32 gradients of qwen2 differ from float64 ones by 3e-5 of the largest, in a batch and
    # alone alike; with these seeds by 3e-6 (CPU without AVX-512).
    models = [build(name, attention, seed, torch.float32) for attention in ("sdpa", "eager") for seed in (2, 3)]
    check(*models, list(PAIRS.values()), ANCHORS, 1e-5)


@pytest.mark.parametrize("case", PAIRS)
def test_each_pair_by_itself(case):
    models = [build("qwen2 window", seed=seed) for seed in (0, 1, 0, 1)]
    check(*models, [PAIRS[case]], ANCHORS[:1], 1e-9)


@pytest.mark.parametrize("name", ["llama", "qwen2 window", "mistral window"])
def test_padded_rows_equal_each_completion_alone(name):
    models = [build(name, attention, seed) for attention in ("sdpa", "eager") for seed in (0, 1)]
    check(*models, list(PAIRS.values()), ANCHORS, 1e-9, shared=False)


@pytest.mark.parametrize(("name", "window"), [("llama", None), ("mistral window", 4)])
def test_the_mask_of_flex_attention_is_that_of_the_blocks(name, window):
    batch = collate_pairs(list(PAIRS.values()), 0, ANCHORS)
    length = batch["input_ids"].shape[1]
    sees = Forest(batch["trees"]).sees(window, torch.device("cpu"))
    whole = create_mask(sees, 1, 1, length, length, device="cpu")  # the mask function evaluated at every index
    row = {part: batch[part] for part in ("input_ids", "position_ids")}
    model, stock = build(name), build(name, "sdpa")
    let_read_trees(model)
    by_blocks = model(**row, forest=Forest(batch["trees"]), use_cache=False).logits
    torch.testing.assert_close(stock(**row, attention_mask=whole).logits, by_blocks, atol=1e-9, rtol=0)
    blocks = Forest(batch["trees"]).blocks(window, torch.device("cpu"))
    assert blocks.shape == (1, 1, length, length)


EXAMPLES = [
    Example(name, pair.prompt_ids, pair.chosen_ids, pair.chosen_fields) for name, pair in list(PAIRS.items())[:9]
]


def gradients(model, batches):
    """Negative log-prob of the batches' completions, summed, and its gradient for each parameter."""
    numerics = {"precision": "fp32", "attention": "any", "threads": 1}
    loss = -sum(completion_logps(model, batch, numerics).sum() for batch in batches)
    return loss, dict(zip(dict(model.named_parameters()), torch.autograd.grad(loss, model.parameters()), strict=True))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-5)])
@pytest.mark.parametrize("name", MODELS)
def test_packed_examples_learn_as_padded_rows_and_one_by_one(name, dtype, tolerance):
    padded = gradients(build(name, dtype=dtype), [collate_examples(EXAMPLES, 0, packed=False)])
    packed = gradients(build(name, "sdpa", dtype=dtype), [collate_examples(EXAMPLES, 0)])
    singly = gradients(build(name, dtype=dtype), [collate_examples([example], 0) for example in EXAMPLES])
    for loss, by_parameter in (packed, singly):
        torch.testing.assert_close(loss, padded[0], atol=0, rtol=tolerance)
        for parameter, expected in padded[1].items():
            bar = tolerance * max(1.0, expected.abs().max().item())
            torch.testing.assert_close(by_parameter[parameter], expected, atol=bar, rtol=0)


def test_a_sliding_window_changes_the_scores():
    numerics = {"precision": "fp32", "attention": "eager", "threads": 1}
    batch = collate_pairs(list(PAIRS.values()), 0)
    windowed, _ = score_pairs(build("mistral window"), batch, numerics)
    whole, _ = score_pairs(build("mistral"), batch, numerics)
    assert (windowed.policy_logps - whole.policy_logps).abs().max() > 0.1


@pytest.mark.parametrize("rows", [1, 3, 1000])
def test_chunks_of_the_head_change_nothing(rows, monkeypatch):
    monkeypatch.setattr(logits, "_CHUNK_ELEMENTS", rows * VOCABULARY)
    monkeypatch.setitem(logits._BLOCK_ELEMENTS, "cpu", 2 * VOCABULARY)
    seen, linear = [], torch.nn.functional.linear
    models = [build("qwen2", seed=seed) for seed in (0, 1, 0, 1)]
    weight = models[0].lm_head.weight

    def counted(states, by, *bias):
        if by is weight:
            seen.append(len(states))
        return linear(states, by, *bias)

    monkeypatch.setattr(torch.nn.functional, "linear", counted)
    check(*models, list(PAIRS.values()), ANCHORS, 1e-9)
    states = len(collate_pairs(list(PAIRS.values()), 0, ANCHORS)["states"])
    assert max(seen) == min(rows, states)
    assert sum(seen) == states * (1 if rows >= states else 2)  # with several chunks, backward runs the head again


def test_with_gradient_checkpointing():
    models = [build("qwen3 window", seed=seed) for seed in (0, 1, 0, 1)]
    models[0].train()
    models[0].gradient_checkpointing_enable({"use_reentrant": False})
    check(*models, list(PAIRS.values()), ANCHORS, 1e-9)


def test_with_adapters():
    def adapted(seed):
        torch.manual_seed(seed)
        config = LoraConfig(r=2, lora_alpha=4, target_modules=["q_proj", "down_proj", "lm_head"], task_type="CAUSAL_LM")
        model = get_peft_model(build("llama"), config)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter)
        return model.double()

    check(adapted(0), adapted(1), adapted(0), adapted(1), list(PAIRS.values()), ANCHORS, 1e-9)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_scores_do_not_depend_on_the_rest_of_the_batch(attention, precision):
    numerics = {"precision": precision, "attention": attention, "threads": 1}
    model = build("qwen2", attention, dtype=torch.float32)
    pairs = list(PAIRS.values())
    together, _ = score_pairs(model, collate_pairs(pairs, 0), numerics)
    for row, example in enumerate(pairs):
        by_itself, _ = score_pairs(model, collate_pairs([example], 0), numerics)
        length = len(example.chosen_ids)
        bar = 1e-5 if precision == "fp32" else 0.1
        torch.testing.assert_close(
            by_itself.policy_logps[0, :length], together.policy_logps[row, :length], atol=bar, rtol=0
        )


@pytest.mark.parametrize("shared", [True, False])
def test_masked_positions_change_no_gradient(shared):
    model = build("llama")
    batch = collate_pairs(list(PAIRS.values()), 0, shared=shared)
    numerics = {"precision": "fp32", "attention": "eager", "threads": 1}
    chosen, _ = score_pairs(model, batch, numerics)
    upstream = torch.ones_like(chosen.policy_logps)
    chosen.policy_logps.backward(upstream.where(chosen.completion_mask, torch.nan), retain_graph=True)
    masked = {name: parameter.grad for name, parameter in model.named_parameters()}
    model.zero_grad()
    chosen.policy_logps.backward(upstream)
    for name, parameter in model.named_parameters():
        assert torch.equal(masked[name], parameter.grad)


def test_nothing_is_read_twice():
    batch = collate_pairs([PAIRS[name] for name in ("first of four negatives", "second", "third", "fourth")], 0)
    # prompt 2 + chosen 5 are read; negatives share 1, 3, 1 and 3 answer tokens and have suffixes of 4, 2, 2 and 3
    assert batch["attention_mask"].sum() == 7 + 4 + 2 + 2 + 3
    # scored: 6 states of the chosen completion, then the states of each suffix
    assert len(batch["states"].unique()) == 6 + 4 + 2 + 2 + 3


def test_other_architectures_are_refused_by_name():
    model = GPT2LMHeadModel(GPT2Config(vocab_size=VOCABULARY, n_embd=8, n_layer=1, n_head=1))
    assert not shares_prefixes(model)
    with pytest.raises(ConfigError, match="a gpt2 model with sdpa attention cannot share prefixes; those that can: ll"):
        let_read_trees(model)


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_a_model_whose_rotary_embedding_goes_by_the_longest_text_shares_no_prefixes(kind):
    model = build("qwen2")
    assert shares_prefixes(model)
    model.config.rope_parameters["rope_type"] = kind
    assert not shares_prefixes(model)


def test_a_saved_config_is_unchanged(tmp_path):
    model = build("qwen2")
    model.save_pretrained(tmp_path / "before")
    let_read_trees(model)
    model.save_pretrained(tmp_path / "after")
    assert (tmp_path / "before/config.json").read_text() == (tmp_path / "after/config.json").read_text()


def test_a_model_that_reads_trees_still_reads_ordinary_rows():
    model, ids = build("mistral window", "sdpa"), torch.tensor([PROMPT, [*PROMPT[:5], 0, 0, 0]])
    mask = (ids > 0).long()
    before = model(ids, attention_mask=mask).logits
    let_read_trees(model)
    assert torch.equal(model(ids, attention_mask=mask).logits, before)
    arguments = {"attention_mask": mask[:1], "max_new_tokens": 5, "do_sample": False}
    assert torch.equal(model.generate(ids[:1], **arguments), build("mistral window").generate(ids[:1], **arguments))
