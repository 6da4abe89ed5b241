"""Answers constrained by a grammar: llguidance masks every token that cannot continue an allowed answer."""

from collections.abc import Sequence

import torch
from llguidance import LLMatcher
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerBase

from tabpo.answers.ontology import Ontology
from tabpo.errors import DataError
from tabpo.inference.grammar import answer_grammar, llguidance_tokenizer


class Constraint:
    """The answers that an ontology allows.

    A finished answer can always be parsed and has only labels of the ontology; an answer that reaches the cap may be
    cut off. A model may still write spans that do not occur in the text.

    Args:
        tokenizer: The tokenizer of the model, with a `tokenizer.json`.
        vocabulary: Number of the model's logits; it may be larger than the tokenizer's vocabulary.
        ontology: The ontology of the dataset.
        clusters: Whether answers have the key "coreference".
        max_new_tokens: Largest number of tokens in an answer.
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
        tokens = llguidance_tokenizer(tokenizer, vocabulary)
        grammar = answer_grammar(tokenizer, ontology, clusters=clusters, max_new_tokens=max_new_tokens)
        self._matcher = LLMatcher(tokens, grammar)
        self._eos_id = tokenizer.eos_token_id

    def processor(self, rows: int) -> "ConstraintProcessor":
        """A processor for one new batch of prompts; each row has a separate matcher."""
        return ConstraintProcessor([self._matcher.deep_copy() for _ in range(rows)], self._eos_id)


class ConstraintProcessor(LogitsProcessor):
    """Sets the scores of tokens that cannot continue an allowed answer to -inf, in the rows that are not finished.

    `model.generate` calls it before each new token, always with the rows in the same order.
    """

    def __init__(self, matchers: Sequence[LLMatcher], eos_id: int) -> None:
        self._unfinished = dict(enumerate(matchers))  # by row
        self._eos_id = eos_id
        self._started = False

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """The masked scores.

        Args:
            input_ids: (rows, tokens) prompts and answers so far; at the first call only the prompts.
            scores: (rows, vocabulary), on any device.

        Raises:
            DataError: llguidance cannot follow an answer: the answer exceeds its limits, or contains a token that was
                not allowed, which happens only if scores are NaN.
        """
        if self._started:
            self._read(input_ids[:, -1].tolist())
        self._started = True
        if not self._unfinished:
            return scores
        masks = b"".join(matcher.compute_bitmask() for matcher in self._unfinished.values())
        if any(matcher.is_error() for matcher in self._unfinished.values()):
            raise DataError("llguidance cannot follow an answer: it exceeds llguidance's limits, or a score is NaN")
        packed = torch.frombuffer(bytearray(masks), dtype=torch.uint8).to(scores.device)
        bits = (packed.view(len(self._unfinished), -1, 1) >> torch.arange(8, device=scores.device)) & 1
        allowed = bits.flatten(1)[:, : scores.shape[1]].bool()
        rows = torch.tensor(list(self._unfinished), device=scores.device)
        return scores.index_copy(0, rows, scores[rows].masked_fill(~allowed, -torch.inf))

    def _read(self, tokens: Sequence[int]) -> None:
        """Advance each matcher by the last token of its row; finished rows are removed."""
        for row, matcher in list(self._unfinished.items()):
            if tokens[row] == self._eos_id:
                del self._unfinished[row]
            else:
                matcher.consume_token(tokens[row])
