"""Answers held to a schema: at each token those are left out that no allowed answer goes on with (llguidance)."""

import json
from collections.abc import Sequence

import torch
from llguidance import LLMatcher, LLTokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from tabpo.data.answer_schema import answer_schema
from tabpo.data.ontology import Ontology

_COMPACT = {"whitespace_flexible": False, "item_separator": ",", "key_separator": ":"}

_OWN_TOKENS = '%llguidance {"no_forcing": true}'
"""Where only one text can follow, the model still chooses the tokens that write it."""

TOKENS_OF_AN_ENTITY = 4
"""Fewer than any tokenizer needs."""


class Constraint:
    """What answers about an ontology may hold.

    An answer that ends is one that can be read and whose labels are the ontology's; one that reaches its cap may be
    cut off. A model may still name spans that the text has not.

    Args:
        tokenizer: Of the model, with a `tokenizer.json`.
        vocabulary: Number of the model's logits; it may be larger than the tokenizer's.
        ontology: Of the dataset.
        clusters: Whether answers have the key "coreference".
        max_new_tokens: Cap of an answer.
    """

    def __init__(
        self,
        tokenizer: PreTrainedTokenizerBase,
        vocabulary: int,
        ontology: Ontology,
        *,
        clusters: bool,
        max_new_tokens: int,
    ) -> None:
        self._vocabulary = vocabulary
        tokens = LLTokenizer(tokenizer.backend_tokenizer.to_str(), n_vocab=vocabulary, eos_token=tokenizer.eos_token_id)

        def spelt(name: str) -> str:
            """As the bytes of its tokens say; a tokenizer may have put a space before it, and take it away again."""
            ids = tokenizer(f":{json.dumps(name, ensure_ascii=False)}", add_special_tokens=False)["input_ids"]
            return json.loads(tokens.decode_bytes(ids).decode().lstrip()[1:])

        schema = answer_schema(ontology, clusters=clusters, most=max_new_tokens // TOKENS_OF_AN_ENTITY, spelt=spelt)
        grammar = f"{_OWN_TOKENS}\nstart: %json {json.dumps(schema | {'x-guidance': _COMPACT})}"
        self._matcher = LLMatcher(tokens, LLMatcher.grammar_from_lark(grammar))

    def follower(self) -> "Follower":
        """For one answer, from its beginning."""
        return Follower(self._matcher.deep_copy(), self._vocabulary)


class Follower:
    """What may follow in one answer."""

    def __init__(self, matcher: LLMatcher, vocabulary: int) -> None:
        self._matcher, self._vocabulary = matcher, vocabulary

    def look_ahead(self, draft: Sequence[int]) -> tuple[list[int], Tensor]:
        """As much of a draft as is allowed, and (1 + its tokens, vocabulary) bool: what may follow each part of it."""
        draft = list(draft[: self._matcher.validate_tokens(draft)])
        masks = [self._matcher.compute_bitmask()]
        for token in draft:
            self._matcher.consume_token(token)
            masks.append(self._matcher.compute_bitmask())
        self._matcher.rollback(len(draft))
        packed = torch.frombuffer(bytearray(b"".join(masks)), dtype=torch.uint8).view(len(masks), -1, 1)
        bits = (packed >> torch.arange(8, dtype=torch.uint8)) & 1
        return draft, bits.view(len(masks), -1)[:, : self._vocabulary].bool()

    def extend(self, tokens: Sequence[int]) -> None:
        """Append tokens that were chosen."""
        self._matcher.consume_tokens(tokens)
