"""Answers of a model with random weights, constrained to an ontology."""

import copy
from pathlib import Path

import pytest
import torch
from accelerate.hooks import AlignDevicesHook, add_hook_to_module
from torch._subclasses import FakeTensorMode

from tabpo.answers.ontology import read_ontology
from tabpo.answers.render import parse
from tabpo.errors import DataError
from tabpo.inference.constraint import Constraint
from tabpo.inference.generate import generate
from tabpo.models.scratch import ScratchModel, build_model
from tabpo.models.scratch_tokenizer import train_tokenizer
from tabpo.records import Message, Prompt

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
    """The name of an ontology, the ontology, a model with random weights, its tokenizer and the constraint."""
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
        model.get_output_embeddings().weight[quotes] *= 3  # otherwise no span ends before the cap
    ontology = read_ontology(ONTOLOGIES / f"{request.param}.yaml")
    constraint = Constraint(tokenizer, model.config.vocab_size, ontology, clusters=True, max_new_tokens=CAP)
    return request.param, ontology, model, tokenizer, constraint


def test_answers_of_random_weights_can_be_read_and_name_known_labels(held):
    _, ontology, model, tokenizer, constraint = held
    torch.manual_seed(4)
    ids = torch.randint(3, len(tokenizer), (24, 6)).tolist()
    prompts = [(number, row[number % 5 :]) for number, row in enumerate(ids)]
    completions = generate(model, tokenizer, prompts, max_new_tokens=CAP, batch_size=8, constraint=constraint)
    free = generate(model, tokenizer, prompts, max_new_tokens=CAP, batch_size=8)
    finished = 0
    for constrained, unconstrained in zip(completions, free, strict=True):
        parsed = parse(constrained.completion, ontology.answer, clusters=True)
        assert parsed.answer_class == ("ok" if constrained.finished else "truncated")
        assert parse(unconstrained.completion, ontology.answer, clusters=True).answer_class != "ok"
        assert all(ontology.valid(span.label, span.sublabel) for span in parsed.answer.spans)
        assert all(relation.label in ontology.relations for relation in parsed.answer.relations)
        finished += constrained.finished and bool(parsed.answer.spans)
    assert finished
    assert (
        generate(model, tokenizer, prompts[:8], max_new_tokens=CAP, batch_size=1, constraint=constraint)
        == completions[:8]
    )


def allowed_after(held, *answers):
    """The allowed tokens at each position of answers of equal length, and after them: (rows, vocabulary) bool each."""
    _, _, model, _, constraint = held
    ids, prompt = torch.tensor(answers), torch.full((len(answers), 1), 7)
    processor = constraint.processor(len(answers))
    read = [torch.cat([prompt, ids[:, :length]], dim=1) for length in range(ids.shape[1] + 1)]
    return [processor(part, torch.zeros(len(answers), model.config.vocab_size)) == 0 for part in read]


def test_gold_is_allowed_token_by_token_and_ends(held):
    name, _, _, tokenizer, _ = held
    ids = tokenizer(ANSWERS[name], add_special_tokens=False)["input_ids"]
    allowed = allowed_after(held, ids)
    assert all(now[0, token] for now, token in zip(allowed, ids, strict=False))
    assert allowed[-1][0].nonzero().flatten().tolist() == [tokenizer.eos_token_id]


def test_each_row_of_a_batch_has_a_separate_matcher(held):
    name, _, _, tokenizer, _ = held
    empty = '{"results":[]}' if name == "phee" else '{"entities":[],"relations":[],"coreference":[]}'
    long, short = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (ANSWERS[name], empty))
    padded = short + [tokenizer.eos_token_id] * (len(long) - len(short))
    alone, together = allowed_after(held, long), allowed_after(held, long, padded)
    assert all(torch.equal(single[0], both[0]) for single, both in zip(alone, together, strict=True))
    alone = allowed_after(held, short)
    assert all(torch.equal(single[0], both[1]) for single, both in zip(alone, together, strict=False))
    assert all(both[1].all() for both in together[len(short) + 1 :])  # scores of a finished row are unchanged


def test_the_mask_moves_to_the_device_of_the_scores(held):
    # The scores of a divided model are on the device of its head. Here this is "meta", and the mask is made on the CPU.
    # Fake tensors have a shape and a device and no values. They refuse operations between devices, as a GPU does.
    _, _, model, _, constraint = held
    processor = constraint.processor(2)
    with FakeTensorMode(allow_non_fake_inputs=True):
        scores = torch.empty(2, model.config.vocab_size, device="meta")
        masked = processor(torch.empty(2, 3, dtype=torch.long), scores)
    assert (masked.device, masked.shape) == (scores.device, scores.shape)


def test_a_model_divided_by_hooks_gives_the_same_answers(held):
    # `dispatch_model` puts such a hook on every part; here all of them move their inputs to the CPU
    _, _, model, tokenizer, constraint = held
    prompts = [(number, [5 + number, 9, 7]) for number in range(4)]
    limits = {"max_new_tokens": CAP, "batch_size": 2, "constraint": constraint}
    expected = generate(model, tokenizer, prompts, **limits)
    divided = copy.deepcopy(model)
    for part in (divided, divided.model.embed_tokens, *divided.model.layers, divided.lm_head):
        add_hook_to_module(part, AlignDevicesHook(execution_device="cpu", io_same_device=True))
    assert generate(divided, tokenizer, prompts, **limits) == expected


def test_a_token_that_was_not_allowed_is_an_error(held):
    _, _, _, tokenizer, _ = held
    ids = tokenizer("]", add_special_tokens=False)["input_ids"]
    with pytest.raises(DataError, match=r"^llguidance cannot follow an answer"):
        allowed_after(held, ids)


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
def test_answers_that_render_would_not_write_are_refused(held, text):
    name, _, _, tokenizer, _ = held
    if name != "scierc":
        pytest.skip("a text in the format entities")
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    with pytest.raises(DataError, match=r"^llguidance cannot follow an answer"):
        allowed_after(held, ids)
