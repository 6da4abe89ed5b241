"""Answers of a model that knows nothing, held to an ontology."""

from pathlib import Path

import pytest
import torch

from tabpo.data.answers import parse
from tabpo.data.ontology import read_ontology
from tabpo.inference import generate
from tabpo.inference.constraint import Constraint
from tabpo.records import Message, Prompt
from tabpo.training.scratch import ScratchModel, build_model
from tabpo.training.scratch_tokenizer import train_tokenizer

ONTOLOGIES = Path(__file__).parents[2] / "config/ontologies"
CAP = 60
ANSWERS = {
    "scierc": '{"entities":[{"id":1,"label":"Task","span":"parsing"},'
    '{"id":2,"label":"OtherScientificTerm","span":"a"}],"relations":[{"head":1,"label":"USED-FOR","tail":2}],"coreference":[[1,2]]}',
    "phee": '{"results":[{"Code":"AdverseEvent.Treatment","Sub-code":"Time_elapsed","Span":"rash"},'
    '{"Code":"AdverseEvent.Effect","Sub-code":"None","Span":"rash"}]}',
}


@pytest.fixture(scope="module", params=ANSWERS)
def held(request):
    """An ontology's name, it, a model of random weights, its tokenizer and the constraint."""
    answer = ANSWERS[request.param]
    tokenizer = train_tokenizer(
        [Prompt("a", "a", (Message("user", "we study parsing ."),), answer)] * 4, vocab_size=400
    )
    shape = ScratchModel(
        architecture="qwen2",
        hidden_size=16,
        layers=1,
        heads=2,
        intermediate_size=16,
        vocab_size=400,
        max_positions=128,
        init_std=0.5,
        copy_circuit=False,
        seed=3,
    )
    model = build_model(shape, tokenizer).eval()
    quotes = [token for token in range(len(tokenizer)) if '"' in tokenizer.decode([token])]
    with torch.no_grad():
        model.get_output_embeddings().weight[quotes] *= 3  # or no span ends before the cap
    ontology = read_ontology(ONTOLOGIES / f"{request.param}.yaml")
    constraint = Constraint(tokenizer, model.config.vocab_size, ontology, clusters=True, max_new_tokens=CAP)
    return request.param, ontology, model, tokenizer, constraint


def test_answers_of_random_weights_can_be_read_and_name_known_labels(held):
    _, ontology, model, tokenizer, constraint = held
    torch.manual_seed(4)
    prompts = [(f"p{number}", ids) for number, ids in enumerate(torch.randint(3, len(tokenizer), (24, 6)).tolist())]
    completions = generate(model, tokenizer, prompts, max_new_tokens=CAP, batch_size=8, constraint=constraint)
    free = generate(model, tokenizer, prompts, max_new_tokens=CAP, batch_size=8)
    finished = 0
    for one, other in zip(completions, free, strict=True):
        parsed = parse(one.completion, ontology.answer, clusters=True)
        assert parsed.answer_class == ("ok" if one.finished else "truncated")
        assert parse(other.completion, ontology.answer, clusters=True).answer_class != "ok"
        assert all(ontology.valid(span.label, span.sublabel) for span in parsed.answer.spans)
        assert all(relation.label in ontology.relations for relation in parsed.answer.relations)
        finished += one.finished and bool(parsed.answer.spans)
    assert finished


def test_gold_is_allowed_token_by_token_and_ends(held):
    name, _, model, tokenizer, constraint = held
    ids = tokenizer(ANSWERS[name], add_special_tokens=False)["input_ids"]
    follower = constraint.follower()
    draft, masks = follower.look_ahead(ids)
    assert draft == ids and masks.shape == (len(ids) + 1, model.config.vocab_size)
    assert all(mask[token] for mask, token in zip(masks, ids, strict=False))
    assert masks[-1].nonzero().flatten().tolist() == [tokenizer.eos_token_id]
    # looking ahead moves nothing
    assert torch.equal(follower.look_ahead([])[1][0], masks[0])
    follower.extend(ids[:2])
    assert torch.equal(follower.look_ahead([])[1][0], masks[2])


def test_what_is_not_allowed_is_cut_from_a_draft(held):
    name, _, _, tokenizer, constraint = held
    ids = tokenizer(ANSWERS[name], add_special_tokens=False)["input_ids"]
    draft, masks = constraint.follower().look_ahead([ids[0], ids[0], ids[1]])
    assert draft == [ids[0]] and len(masks) == 2


@pytest.mark.parametrize(
    "text",
    [
        '{"entities":[{"id":2',
        '{"entities": [',
        '{"entities":[{"id":1,"label":"Tusk"',
        '{"relations":',
        '{"entities":[],"relations":[{"head":0',
    ],
)
def test_what_render_would_not_write_is_refused(held, text):
    name, _, _, tokenizer, constraint = held
    if name != "scierc":
        pytest.skip("a text in the format entities")
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert constraint.follower().look_ahead(ids)[0] != ids
