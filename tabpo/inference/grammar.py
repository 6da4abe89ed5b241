"""The grammar of the answers that an ontology allows, in llguidance's notation; both engines read the same text."""

import json

from llguidance import LLMatcher, LLTokenizer
from transformers import PreTrainedTokenizerBase

from tabpo.answers.ontology import Ontology
from tabpo.answers.schema import answer_schema

_COMPACT = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}

_OWN_TOKENS = '%llguidance {"no_forcing": true}'
"""If only one text can follow, the model still chooses the tokens that write it."""

TOKENS_OF_AN_ENTITY = 4
"""A lower bound of the tokens in one entity, for any tokenizer; it bounds the number of entities in an answer."""


def answer_grammar(
    tokenizer: PreTrainedTokenizerBase, ontology: Ontology, *, clusters: bool, max_new_tokens: int
) -> str:
    """The grammar of the answers that `render` can write and that use only the ontology's names.

    Args:
        tokenizer: The tokenizer of the model, with a `tokenizer.json`.
        ontology: The ontology of the dataset.
        clusters: Whether answers have the key "coreference".
        max_new_tokens: Largest number of tokens in an answer.
    """
    tokens = llguidance_tokenizer(tokenizer)

    def spelt(name: str) -> str:
        """The name as its tokens spell it: a tokenizer may insert a space before it, which decoding removes."""
        ids = tokenizer(f":{json.dumps(name, ensure_ascii=False)}", add_special_tokens=False)["input_ids"]
        return json.loads(tokens.decode_bytes(ids).decode().lstrip()[1:])

    schema = answer_schema(ontology, clusters=clusters, most=max_new_tokens // TOKENS_OF_AN_ENTITY, spelt=spelt)
    return LLMatcher.grammar_from_lark(f"{_OWN_TOKENS}\nstart: %json {json.dumps(schema | {'x-guidance': _COMPACT})}")


def llguidance_tokenizer(tokenizer: PreTrainedTokenizerBase, vocabulary: int | None = None) -> LLTokenizer:
    """llguidance's form of a tokenizer.

    Args:
        tokenizer: The tokenizer of the model, with a `tokenizer.json`.
        vocabulary: Number of the model's logits; it may be larger than the tokenizer's vocabulary, the default.
    """
    return LLTokenizer(tokenizer.backend_tokenizer.to_str(), n_vocab=vocabulary, eos_token=tokenizer.eos_token_id)
