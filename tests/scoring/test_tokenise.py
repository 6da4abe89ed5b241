"""Token ids are encoded once and never truncated; an alignment marks the tokens that differ."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabpo.errors import DataError
from tabpo.losses import TokenField
from tabpo.models.tokenizer import encode_prompt
from tabpo.records import Message, Prompt, Reference
from tabpo.scoring.tokenise import differing_tokens, encode_examples, encode_pairs


def test_an_example_is_prompt_then_answer_then_end(tokenizer, prompts, limits):
    example = encode_examples(tokenizer, prompts, limits)[0]
    assert tokenizer.decode(example.prompt_ids) == "a parser is used for parsing of the label<sep>"
    assert tokenizer.decode(example.completion_ids) == prompts[0].answer + "<eos>"
    assert example.prompt_ids == encode_prompt(tokenizer, prompts[0], limits, 1)
    assert example.completion_ids.count(tokenizer.eos_token_id) == 1


def test_begin_of_text_comes_once(make_tokenizer, prompts, limits):
    tokenizer = make_tokenizer(bos=True)
    example = encode_examples(tokenizer, prompts, limits)[0]
    ids = example.prompt_ids + example.completion_ids
    assert ids[0] == tokenizer.bos_token_id
    assert ids.count(tokenizer.bos_token_id) == 1
    # the error that this prevents: encoding the rendered text with special tokens gives two
    text = tokenizer.apply_chat_template([{"role": "user", "content": "a"}], tokenize=False)
    assert tokenizer(text)["input_ids"].count(tokenizer.bos_token_id) == 2


def test_tokens_never_merge_across_the_end_of_the_prompt(make_tokenizer, limits):
    tokenizer = make_tokenizer()
    tokenizer.chat_template = "{{ messages[0]['content'] }}"
    prompt = Prompt("d#0", "d", (Message("user", "par"),), "ser")
    prompt_ids = encode_prompt(tokenizer, prompt, limits, 1)
    answer_ids = tuple(tokenizer("ser", add_special_tokens=False)["input_ids"])
    joined = tuple(tokenizer("parser", add_special_tokens=False)["input_ids"])
    assert joined != prompt_ids + answer_ids
    prompt = replace(prompt, answer='{"entities":[],"relations":[]}')
    example = encode_examples(tokenizer, [prompt], limits)[0]
    assert example.prompt_ids == prompt_ids
    assert tokenizer.decode(example.completion_ids) == prompt.answer + "<eos>"


def test_fields_follow_the_tokens(tokenizer, prompts, pairs, limits):
    pair = encode_pairs(tokenizer, prompts, pairs, None, limits)[0]
    text = {
        field: "".join(
            tokenizer.decode(token)
            for token, token_field in zip(pair.chosen_ids, pair.chosen_fields, strict=True)
            if token_field == field
        )
        for field in TokenField
    }
    assert text[TokenField.LABEL] == "MethodTaskUSED-FOR"
    assert text[TokenField.ID] == "12"
    assert text[TokenField.LINK] == "12"
    assert text[TokenField.SPAN] == "a parserparsing of the label"
    assert text[TokenField.SCAFFOLDING].endswith("<eos>")


def test_only_the_edit_differs(tokenizer, prompts, pairs, limits):
    label, dropped, span, link = encode_pairs(tokenizer, prompts, pairs, None, limits)
    differing = [
        (
            tokenizer.decode([i for i, d in zip(pair.chosen_ids, pair.chosen_differs, strict=True) if d]),
            tokenizer.decode([i for i, d in zip(pair.rejected_ids, pair.rejected_differs, strict=True) if d]),
        )
        for pair in (label, span)
    ]
    assert differing[0][0] in "Method" and differing[0][1] in "Metric"
    assert differing[1] == (" of the label", "")
    # the remaining text is also in the chosen answer, though moved; only adjacent brackets merge into new tokens
    merged = [i for i, differs in zip(dropped.rejected_ids, dropped.rejected_differs, strict=True) if differs]
    assert set(tokenizer.decode(merged)) <= set('"[]{}')
    assert sum(link.chosen_differs) == sum(link.rejected_differs) == 2


def subsequence_length(left, right) -> int:
    """Length of a longest common subsequence, by the textbook dynamic programme."""
    row = [0] * (len(right) + 1)
    for item in left:
        diagonal = 0
        for at, other in enumerate(right, start=1):
            diagonal, row[at] = row[at], diagonal + 1 if item == other else max(row[at], row[at - 1])
    return row[-1]


tokens = st.lists(st.integers(0, 4), max_size=12)


@given(tokens, tokens)
def test_unmarked_tokens_are_a_longest_common_subsequence(chosen, rejected):
    chosen_differs, rejected_differs = differing_tokens(chosen, rejected)
    kept = [token for token, differs in zip(chosen, chosen_differs, strict=True) if not differs]
    assert kept == [token for token, differs in zip(rejected, rejected_differs, strict=True) if not differs]
    assert len(kept) == subsequence_length(chosen, rejected)


@given(tokens, tokens, tokens, st.integers(0, 3))
def test_common_ends_never_differ(prefix, chosen, rejected, end):
    suffix = [9] * end
    for differs in differing_tokens(prefix + chosen + suffix, prefix + rejected + suffix):
        assert not any(differs[: len(prefix)])
        assert not any(differs[len(differs) - end :])


@given(tokens, tokens)
def test_sides_are_symmetric_in_number(chosen, rejected):
    there, back = differing_tokens(chosen, rejected), differing_tokens(rejected, chosen)
    assert [sum(side) for side in there] == [sum(side) for side in reversed(back)]


@pytest.mark.parametrize("setting", ["max_prompt_tokens", "max_completion_tokens"])
def test_texts_over_a_limit_are_refused(tokenizer, prompts, pairs, limits, setting):
    example = encode_examples(tokenizer, prompts, limits)[0]
    length = len(example.prompt_ids if setting == "max_prompt_tokens" else example.completion_ids)
    encode_examples(tokenizer, prompts[:1], {**limits, setting: length})
    with pytest.raises(DataError) as refusal:
        encode_examples(tokenizer, prompts[:1], {**limits, setting: length - 1})
    message = str(refusal.value)
    assert "prompt 1 has" in message and f"{length} tokens" in message and f"{setting} is {length - 1}" in message
    assert "parser" not in message


def test_a_long_rejected_answer_is_refused_by_its_pair(tokenizer, prompts, pairs, limits):
    longer = replace(pairs[0], rejected=pairs[0].rejected.replace("a parser", "a parser of the label " * 5))
    exact = len(encode_examples(tokenizer, prompts, limits)[0].completion_ids)
    with pytest.raises(DataError, match=r"rejected answer of pair 1 has .* max_completion_tokens is"):
        encode_pairs(tokenizer, prompts, [longer], None, {**limits, "max_completion_tokens": exact})


def test_sides_of_the_same_tokens_are_refused(tokenizer, prompts, pairs, limits):
    same = replace(pairs[1], rejected=pairs[1].chosen)
    with pytest.raises(DataError, match=r"pair 2: chosen and rejected are the same \d+ tokens"):
        encode_pairs(tokenizer, prompts, [pairs[0], same], None, limits)


def test_end_of_turn_tokens_inside_an_answer_are_refused(tokenizer, prompts, pairs, limits):
    ended = replace(prompts[0], answer=prompts[0].answer + "<eos>")
    with pytest.raises(DataError, match=r"^answer of prompt 1 holds <eos>, a control token of the model"):
        encode_examples(tokenizer, [ended], limits)
    begins = replace(pairs[0], rejected=pairs[0].chosen + "<eos>" + pairs[0].rejected)  # begins with the chosen tokens
    with pytest.raises(DataError, match=r"^rejected answer of pair 1 holds <eos>"):
        encode_pairs(tokenizer, prompts, [begins], None, limits)


def test_a_pair_without_its_prompt_is_refused(tokenizer, prompts, pairs, limits):
    with pytest.raises(DataError, match=re.escape("pair 2 is of none of the 1 prompts (2 such pairs)")):
        encode_pairs(tokenizer, prompts[:1], pairs, None, limits)


@pytest.fixture(scope="module")
def references(tokenizer, prompts, pairs, limits):
    return [
        Reference(pair.pair_id, (-0.5,) * len(pair.chosen_ids), (-0.25,) * len(pair.rejected_ids))
        for pair in encode_pairs(tokenizer, prompts, pairs, None, limits)
    ]


def test_references_go_with_their_pairs_in_any_order(tokenizer, prompts, pairs, limits, references):
    encoded = encode_pairs(tokenizer, prompts, pairs, references[::-1], limits)
    assert [pair.pair_id for pair in encoded] == [pair.pair_id for pair in pairs]
    for pair in encoded:
        assert pair.chosen_reference == (-0.5,) * len(pair.chosen_ids)
        assert pair.rejected_reference == (-0.25,) * len(pair.rejected_ids)


def test_partial_and_stale_references_are_refused(tokenizer, prompts, pairs, limits, references):
    def encode(changed):
        encode_pairs(tokenizer, prompts, pairs, changed, limits)

    with pytest.raises(DataError, match=re.escape("no reference log-probs for pair 4 (1 such of 4 pairs)")):
        encode(references[:-1])
    with pytest.raises(DataError, match="5 rows of reference log-probs for 4 pairs"):
        encode([*references, replace(references[0], pair_id="d#9/0")])
    with pytest.raises(DataError, match="5 rows of reference log-probs for 4 pairs"):
        encode([*references, references[0]])
    shorter = replace(references[2], rejected_logps=references[2].rejected_logps[1:])
    with pytest.raises(DataError, match=r"pair 3: reference log-probs for \d+ tokens; the completion has \d+, with"):
        encode([*references[:2], shorter, references[3]])


def test_weights_of_a_pair_and_of_its_tokens(tokenizer, prompts, pairs, limits):
    plain = encode_pairs(tokenizer, prompts, pairs[:1], None, limits)[0]
    assert (plain.weight, plain.chosen_values, plain.rejected_values) == (1.0, {}, {})
    of_tokens = {"chosen_weights": (0.5,) * len(plain.chosen_ids), "rejected_weights": (2.0,) * len(plain.rejected_ids)}
    weighted = encode_pairs(tokenizer, prompts, [replace(pairs[0], weight=3.0, **of_tokens)], None, limits)[0]
    assert weighted.weight == 3.0
    assert weighted.chosen_values == {"token_weights": of_tokens["chosen_weights"]}
    assert weighted.rejected_values == {"token_weights": of_tokens["rejected_weights"]}
    short = replace(pairs[0], chosen_weights=(1.0,), rejected_weights=of_tokens["rejected_weights"])
    with pytest.raises(DataError, match=r"pair 1: weights for 1 tokens; the completion has \d+, with the end-of-turn"):
        encode_pairs(tokenizer, prompts, [short], None, limits)
