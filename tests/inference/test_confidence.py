"""Confidences of items: which tokens are an item's, and their mean probability."""

import json
import math
from dataclasses import replace

import pytest

from tabpo.answers.grounding import read_answer
from tabpo.answers.ontology import Label, Ontology, RelationType
from tabpo.answers.units import document_units
from tabpo.inference.confidence import answer_confidences, item_extents, mean_probabilities
from tabpo.records import Document, PredictedSpan, Prediction
from tabpo.scoring.reference import score_gold
from tabpo.scoring.tokenise import encode_examples

ENTITIES = '{"entities":[{"id":1,"label":"A","span":"b]"},{"id":2,"label":"\\"","span":"c"}],"relations":[]}'


def test_each_record_is_found_in_the_text():
    spans, relations = item_extents(ENTITIES)
    assert [json.loads(ENTITIES[start:end])["id"] for start, end in spans] == [1, 2] and relations == []
    spaced = '{ "results" : [ {"Code": "A", "Sub-code": "None", "Span": "b"} , {"Code": "B"} ] }'
    assert [spaced[start:end][-2:] for start, end in item_extents(spaced)[0]] == ['"}', '"}']
    linked = ENTITIES.replace('"relations":[]', '"relations":[{"head":1,"label":"X","tail":2}],"coreference":[[1,2]]')
    assert [linked[start:end] for start, end in item_extents(linked)[1]] == ['{"head":1,"label":"X","tail":2}']
    assert item_extents('{"results":[]}') == ([], [])


def test_a_confidence_is_the_mean_probability_of_the_tokens_that_share_a_character():
    # tokens 0-2, 2-4, 4-6 with probabilities 0.5, 0.25, 1; the item at 3-5 has the last two: 0.625
    logps = [math.log(0.5), math.log(0.25), 0.0, -9.0]
    offsets = [(0, 2), (2, 4), (4, 6)]
    assert mean_probabilities([(3, 5), (0, 2)], offsets, logps) == pytest.approx([0.625, 0.5])


def test_an_answer_with_a_control_token_is_scored_as_it_was_given(tokenizer, prompts, make_model, fp32):
    answer = '{"entities":[{"id":1,"label":"Task","span":"a<sep>b"}],"relations":[]}'
    read = Prediction(prompts[0].prompt_id, "ok", (PredictedSpan(1, "Task", None, "a<sep>b", None, None, "x"),))
    scored = answer_confidences(make_model(), tokenizer, prompts[:1], [answer], [read], fp32, batch_size=1)
    ((confidence,), relations) = scored[prompts[0].prompt_id]
    assert 0 < confidence < 1 and relations == []


def test_only_readable_answers_are_scored_and_by_the_models_own_log_probs(tokenizer, prompts, make_model, limits, fp32):
    model, prompt = make_model(), prompts[0]
    text = prompt.messages[0].content
    unit = document_units(
        Document(prompt.doc_id, None, text, tuple(text.split()), ((0, len(text.split())),), ()), "document"
    )[0]
    ontology = Ontology(
        "entities", {"Method": Label("", {}), "Task": Label("", {})}, {"USED-FOR": RelationType("", False)}
    )
    read = replace(read_answer(prompt.answer, replace(unit, clusters=None), ontology), prompt_id=prompt.prompt_id)
    assert read.answer_class == "ok"
    unread = replace(read, answer_class="not_json", spans=(), relations=())
    scored = answer_confidences(
        model, tokenizer, [prompt, prompts[1]], [prompt.answer, "{"], [read, unread], fp32, batch_size=2
    )
    assert list(scored) == [prompt.prompt_id]
    example = encode_examples(tokenizer, [prompt], limits)[0]
    (reference,) = score_gold(model, [example], tokenizer.pad_token_id, fp32, 1)
    offsets = tokenizer(prompt.answer, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    start, end = item_extents(prompt.answer)[0][0]
    inside = [
        math.exp(logp) for (a, b), logp in zip(offsets, reference.chosen_logps, strict=False) if a < end and start < b
    ]
    assert scored[prompt.prompt_id][0][0] == pytest.approx(sum(inside) / len(inside), rel=1e-5)
    assert len(scored[prompt.prompt_id][0]) == len(read.spans) and len(scored[prompt.prompt_id][1]) == len(
        read.relations
    )
