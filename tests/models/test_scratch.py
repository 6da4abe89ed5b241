import pytest
import torch

from tabpo.errors import ConfigError
from tabpo.models.scratch import ScratchModel, build_model

SHAPE = {
    "architecture": "qwen2",
    "hidden_size": 64,
    "layers": 2,
    "heads": 2,
    "intermediate_size": 96,
    "vocab_size": 2000,
    "max_positions": 64,
    "init_std": 0.03,
    "seed": 1,
}


class Tokens:
    """The part of a tokenizer that `build_model` reads."""

    eos_token_id, pad_token_id = 1, 0

    def __len__(self):
        return 300


def build(**changes):
    return build_model(ScratchModel(**SHAPE | changes), Tokens())


@pytest.mark.parametrize("architecture", ["qwen2", "llama"])
def test_one_tied_row_for_each_token_in_float32(architecture):
    model = build(architecture=architecture)
    assert model.config.model_type == architecture
    assert model.get_input_embeddings().weight.shape == (300, 64)
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model.get_input_embeddings().weight.std().item() == pytest.approx(0.03, rel=0.05)


@pytest.mark.parametrize("copy_circuit", [False, True])
def test_the_seed_decides_the_weights_and_leaves_the_global_one_alone(copy_circuit):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = build(copy_circuit=copy_circuit).state_dict()
    torch.testing.assert_close(torch.rand(3), expected, rtol=0, atol=0)
    again, other = (build(copy_circuit=copy_circuit, seed=seed).state_dict() for seed in (1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["model.embed_tokens.weight"], other["model.embed_tokens.weight"])


def attention_of(model, ids):
    model.set_attn_implementation("eager")
    with torch.no_grad():
        return [layer[:, 0] for layer in model(ids, output_attentions=True).attentions]


def test_the_circuit_attends_to_the_previous_position_and_to_the_token_after_an_earlier_occurrence():
    generator = torch.Generator().manual_seed(0)
    text = torch.stack([torch.randperm(290, generator=generator)[:30] + 5 for _ in range(32)])
    ids = torch.cat([text, text[:, 10:20]], dim=1)  # positions 30..39 repeat 10..19

    def shares(model):
        first, second = attention_of(model, ids)
        previous = first[:, torch.arange(1, 40), torch.arange(0, 39)].mean().item()
        follower = torch.stack([second[:, 30 + n, 11 + n] for n in range(9)]).mean().item()
        return previous, follower

    plain, written = (shares(build(hidden_size=128, copy_circuit=on)) for on in (False, True))
    assert plain[0] < 0.15  # about one in twenty
    assert plain[1] < 0.06
    assert written[0] > 0.8
    assert written[1] > 2 * plain[1]


def test_the_circuit_leaves_all_other_heads_and_layers_as_drawn():
    plain, written = (build(layers=3, copy_circuit=on).state_dict() for on in (False, True))
    changed = {name for name in plain if not torch.equal(plain[name], written[name])}
    assert changed == {
        *(f"model.layers.{layer}.self_attn.{part}_proj.weight" for layer in (0, 1) for part in "qkvo"),
        *(f"model.layers.0.self_attn.{part}_proj.bias" for part in "qk"),
    }
    for name in changed:  # head 1 is the second half of the rows; for output projections, of the columns
        axis = 1 if ".o_proj." in name else 0
        assert torch.equal(plain[name].chunk(2, dim=axis)[1], written[name].chunk(2, dim=axis)[1])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architecture": "gpt2"}, "unknown architecture gpt2; there are: qwen2, llama"),
        ({"hidden_size": 66}, "hidden_size 66 is no multiple of twice heads"),
        ({"architecture": "llama", "copy_circuit": True}, "llama has none"),
        ({"layers": 1, "copy_circuit": True}, "at least 2 layers and 2 heads"),
        ({"heads": 1, "copy_circuit": True}, "at least 2 layers and 2 heads"),
    ],
)
def test_impossible_shapes_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        ScratchModel(**SHAPE | changes)
