import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from tabpo.answers.render import Answer, AnswerSpan, gold_answer, render
from tabpo.answers.units import document_units
from tabpo.data.generated import demo_abstracts, demo_messages
from tabpo.data.readers import phee, scierc
from tabpo.errors import ConfigError
from tabpo.models.scratch_tokenizer import structural_runs, train_tokenizer
from tabpo.records import Message, Prompt, Relation


def prompts_of(documents, unit, answer_format):
    return [
        Prompt(item.prompt_id, item.doc_id, (Message("user", item.text),), render(gold_answer(item), answer_format))
        for document in documents
        for item in document_units(document, unit)
    ]


@pytest.fixture(scope="module")
def abstracts():
    return prompts_of(demo_abstracts.generate("train", 2000, 1), "sentence", "entities")


@pytest.fixture(scope="module")
def tokenizer(abstracts):
    return train_tokenizer(abstracts, 2000)


@pytest.fixture(scope="module")
def messages():
    return prompts_of(demo_messages.generate("train", 2000, 1), "document", "results")


def test_structural_runs_of_a_hand_made_answer():
    # the values are 1, Task and "a:" (which ends like a key); the other pieces are sorted by frequency
    answer = '{"entities":[{"id":1,"label":"Task","span":"a:"}],"relations":[]}'
    runs = structural_runs(iter([answer, '{"entities":[],"relations":[]}', answer]))
    assert runs == [
        '","span":"',
        '"}],"relations":[]}',
        ',"label":"',
        '{"entities":[{"id":',
        '{"entities":[],"relations":[]}',
    ]  # pieces of equal frequency are sorted by text


def test_a_lone_comma_is_no_structural_token():
    assert "," not in structural_runs(iter(['{"coreference":[[1,2],[3,4]]}'] * 3))


def test_words_and_scaffolding_are_single_tokens_and_the_same_in_prompt_and_answer(tokenizer):
    text = "neural parser is applied to robust segmentation ."
    answer = render(
        Answer(
            (AnswerSpan(1, "Method", None, "neural parser"), AnswerSpan(2, "Task", None, "robust segmentation")),
            (Relation(1, 2, "USED-FOR"),),
        ),
        "entities",
    )
    message = {"role": "user", "content": text}
    prompt = tokenizer.apply_chat_template([message], add_generation_prompt=True, return_dict=False)
    completion = tokenizer(answer, add_special_tokens=False)["input_ids"]
    assert [tokenizer.decode([token]).strip() for token in prompt] == [*text.split(), "<sep>"]
    assert tokenizer.convert_ids_to_tokens(completion) == [
        *('{"entities":[{"id":', "1", ',"label":"', "ĠMethod", '","span":"', "Ġneural", "Ġparser"),
        *('"},{"id":', "2", ',"label":"', "ĠTask", '","span":"', "Ġrobust", "Ġsegmentation"),
        *('"}],"relations":[{"head":', "1", ',"label":"', "ĠUSED-FOR", '","tail":', "2", "}]}"),
    ]
    assert {prompt[0], prompt[1], prompt[-4], prompt[-3]} <= set(completion)


def test_answers_of_both_demo_sets_come_back(tokenizer, abstracts, messages):
    splits = (("dev", 300, 2), ("test", 300, 11))
    check_round_trip(tokenizer, abstracts)
    check_round_trip(train_tokenizer(messages, 2000), messages)
    for split in splits:
        check_round_trip(tokenizer, prompts_of(demo_abstracts.generate(*split), "sentence", "entities"))
        check_round_trip(tokenizer, prompts_of(demo_messages.generate(*split), "document", "results"))


@pytest.mark.skipif("TABPO_DATA" not in os.environ, reason="TABPO_DATA is not set")
@pytest.mark.parametrize(
    ("reader", "unit", "answer_format"),
    [(scierc, "sentence", "entities"), (scierc, "document", "entities"), (phee, "document", "results")],
)
def test_answers_of_published_sets_come_back(reader, unit, answer_format):
    folder = Path(os.environ["TABPO_DATA"]) / reader.__name__.rpartition(".")[2]
    parts = {
        split: prompts_of(reader.read_documents(folder / f"{split}.json"), unit, answer_format)
        for split in ("train", "dev", "test")
    }
    tokenizer = train_tokenizer(parts["train"], 4096)
    for part in parts.values():
        check_round_trip(tokenizer, part)


def check_round_trip(tokenizer, prompts):
    answers = [prompt.answer for prompt in prompts]
    encoded = tokenizer(answers, add_special_tokens=False)["input_ids"]
    assert tokenizer.batch_decode(encoded) == answers


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=4))
@example([" leading", "two  spaces ", ':"', ":", '\\":"x', "<sep>", "\n\t\x00", '","span":"', "ﬁ é 漢 👩‍⚕️"])
def test_any_text_in_a_span_comes_back(tokenizer, texts):
    spans = tuple(AnswerSpan(number, "Task", None, text) for number, text in enumerate(texts, start=1))
    answer = render(Answer(spans), "entities")
    ids = tokenizer(answer, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == answer
    assert json.loads(tokenizer.decode(ids))["entities"] == json.loads(answer)["entities"]


def test_two_trainings_give_the_same_tokenizer_and_a_file_needs_no_transformers(tokenizer, abstracts, tmp_path):
    assert train_tokenizer(abstracts, 2000).backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()
    tokenizer.save_pretrained(tmp_path)
    alone = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for prompt in abstracts[:50]:
        ids = alone.encode(prompt.answer).ids
        assert ids == tokenizer(prompt.answer)["input_ids"]
        assert alone.decode(ids) == prompt.answer


def test_vocabulary_keeps_its_bound_and_one_too_small_is_refused(abstracts):
    assert len(train_tokenizer(abstracts, 500)) <= 500
    with pytest.raises(ConfigError, match="vocab_size is 300; at least 323"):
        train_tokenizer(abstracts, 300)


def test_free_text_gives_no_scaffolding():
    prompts = [Prompt("p", "p", (Message("user", "why"),), 'Because it is so: "yes".')] * 3
    tokenizer = train_tokenizer(prompts, 400)
    ids = tokenizer(prompts[0].answer, add_special_tokens=False)["input_ids"]
    assert len(ids) > 5 and tokenizer.decode(ids) == prompts[0].answer
