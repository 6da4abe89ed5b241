"""Greedy answers to prompts, in a batch in which the next prompts take the rows of answers that have ended."""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.cache_utils import Cache, DynamicLayer

from tabpo.progress import progress
from tabpo.records import Completion

ROOM = 64
"""Tokens that a batch's cache has room for when it is made anew."""


@torch.inference_mode()
def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[tuple[str, Sequence[int]]],
    *,
    max_new_tokens: int,
    batch_size: int,
) -> list[Completion]:
    """Answer every prompt greedily; completions come in the order of the prompts.

    The most likely token, again and again: the model's own generation settings (temperature, repetition penalty) are
    not read, so that every model of a table decodes alike. The longest prompts come first, so that the largest batch
    is met at once. What all prompts begin with is read once. Special tokens inside an answer stay in its text: they
    make it invalid.

    Args:
        model: In eval mode.
        tokenizer: Its end-of-turn token ends an answer.
        prompts: (prompt_id, token ids) each.
        max_new_tokens: Cap; an answer that reaches it is not finished.
        batch_size: Prompts that are answered at a time.
    """
    eos_id = tokenizer.eos_token_id
    completions: dict[int, Completion] = {}
    answers = _answer_all(model, [list(ids) for _, ids in prompts], max_new_tokens, batch_size, eos_id)
    for index, ids in progress(answers, len(prompts), "answers"):
        finished = ids[-1] == eos_id
        answer = ids[:-1] if finished else ids
        text = tokenizer.decode(answer, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        completions[index] = Completion(prompts[index][0], completion=text, n_tokens=len(ids), finished=finished)
    return [completions[index] for index in range(len(prompts))]


def _answer_all(
    model: PreTrainedModel, prompts: list[list[int]], max_new_tokens: int, batch_size: int, eos_id: int
) -> Iterator[tuple[int, list[int]]]:
    """Each prompt's index and answer, the end-of-turn token included where it was reached, as they end."""
    waiting = sorted(range(len(prompts)), key=lambda index: (-len(prompts[index]), index))
    answers: list[list[int]] = [[] for _ in prompts]
    rows: list[int] = []
    batch = _Batch(model, min(batch_size, len(prompts)), _common_prefix(prompts))
    while waiting or rows:
        free = batch_size - len(rows)
        if waiting and 8 * free >= batch_size:  # some at a time: each admission is a call of the model
            first, admitted, waiting = len(rows), waiting[:free], waiting[free:]
            tokens = batch.admit([prompts[index] for index in admitted])
            rows = rows + admitted
        else:
            first, tokens = 0, batch.step()
        ended = set()
        for row, token in enumerate(tokens, start=first):
            answer = answers[rows[row]]
            answer.append(token)
            if token == eos_id or len(answer) == max_new_tokens:
                ended.add(row)
                yield rows[row], answer
        if ended:
            order = _closed_up(len(rows), ended)
            batch.keep(order)
            rows = [rows[row] for row in order]


def _closed_up(rows: int, ended: set[int]) -> list[int]:
    """The rows that go on: the last of them in the places of those that have ended, the others where they were."""
    left = rows - len(ended)
    last = iter([row for row in range(left, rows) if row not in ended])
    return [next(last) if row in ended else row for row in range(left)]


def _common_prefix(prompts: list[list[int]]) -> list[int]:
    """Token ids that all prompts begin with, at least one less than any has."""
    low, high = min(prompts, default=[]), max(prompts, default=[])
    longest = min(map(len, prompts), default=1) - 1
    shared = next((place for place in range(longest) if low[place] != high[place]), longest)
    return low[:shared]


class _Batch:
    """Prompts and answers in progress, a row each, left-padded, and their cache.

    Rows that are admitted must not be longer than all that is there, which holds where the longest prompts come first.
    """

    def __init__(self, model: PreTrainedModel, size: int, prefix: list[int]) -> None:
        self.model, self.prefix = model, Cache(layer_class_to_replicate=DynamicLayer)
        self.cache = Cache(layers=[_RoomyLayer(size) for _ in range(model.config.num_hidden_layers)])
        self.ids = self.pads = torch.zeros(0, 1, dtype=torch.long, device=model.device)
        if prefix:
            self._call(torch.tensor([prefix], device=model.device), self.pads.new_zeros(1, 1), self.prefix)

    def admit(self, prompts: list[list[int]]) -> list[int]:
        """Read prompts behind the common prefix; the first token of each answer."""
        width = max(map(len, prompts))
        padded = self.pads.new_tensor([[0] * (width - len(ids)) + ids for ids in prompts])
        pads = self.pads.new_tensor([[width - len(ids)] for ids in prompts])
        known = self.prefix.get_seq_length()
        cache = Cache(layer_class_to_replicate=DynamicLayer)
        for number, layer in enumerate(self.prefix.layers):
            # a column of padding holds the first token, and is masked
            source = (torch.arange(known, device=pads.device) - pads).clamp(min=0)
            cache.update(*(states[0][:, source].transpose(0, 1) for states in (layer.keys, layer.values)), number)
        ids = self._call(padded[:, known:], pads, cache)
        for layer, read in zip(self.cache.layers, cache.layers, strict=True):
            layer.join(read)
        self.ids = torch.cat([self.ids, ids])
        self.pads = torch.cat([self.pads, pads + self.cache.get_seq_length() - width])
        return ids.squeeze(1).tolist()

    def step(self) -> list[int]:
        """The next token of every row."""
        if self.cache.layers[0].is_full:
            unused = int(self.pads.min())
            self.pads = self.pads - unused
            for layer in self.cache.layers:
                layer.renew(unused)
        self.ids = self._call(self.ids, self.pads, self.cache)
        return self.ids.squeeze(1).tolist()

    def keep(self, order: list[int]) -> None:
        """Row i becomes what row order[i] was."""
        index = self.pads.new_tensor(order)
        self.ids, self.pads = self.ids[index], self.pads[index]
        for layer in self.cache.layers:
            layer.keep(order)

    def _call(self, ids: Tensor, pads: Tensor, cache: Cache) -> Tensor:
        """The most likely token after `ids`, which follow what is cached; (rows, 1)."""
        columns = torch.arange(cache.get_seq_length() + ids.shape[1], device=ids.device)
        logits = self.model(
            input_ids=ids,
            attention_mask=(columns >= pads).long(),
            position_ids=(columns[-ids.shape[1] :] - pads).clamp(min=0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
        return logits[:, -1].argmax(-1, keepdim=True)


class _RoomyLayer(DynamicLayer):
    """Keys and values of one layer, (rows, heads, tokens, size), within larger tensors.

    A token is written beside the others and a row over one that has ended, where a `DynamicLayer` copies all.
    """

    def __init__(self, most_rows: int) -> None:
        super().__init__()
        self.most_rows, self.is_initialized = most_rows, True
        self.keys = self.values = torch.zeros(0, 1, 0, 1)

    @property
    def is_full(self) -> bool:
        """Whether the next token needs `renew`."""
        return self.keys.shape[2] == self.rooms[0].shape[2]

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: object, **kwargs: object
    ) -> tuple[Tensor, Tensor]:
        """Write the states of one token a row; all that there is."""
        rows, _, tokens, _ = self.keys.shape
        for room, states in zip(self.rooms, (key_states, value_states), strict=True):
            room[:rows, :, tokens : tokens + 1] = states
        self._show(rows, tokens + 1)
        return self.keys, self.values

    def join(self, other: DynamicLayer) -> None:
        """Put the rows of another layer, not wider than this one, below those here, their last tokens in one column."""
        rows, _, tokens, _ = self.keys.shape
        new, _, width, _ = other.keys.shape
        both = (other.keys, other.values)
        if not rows:
            tokens = width
            shapes = [(self.most_rows, states.shape[1], width + ROOM, states.shape[3]) for states in both]
            self.rooms = [states.new_zeros(shape) for states, shape in zip(both, shapes, strict=True)]
        for room, states in zip(self.rooms, both, strict=True):
            room[rows : rows + new, :, tokens - width : tokens] = states
        self._show(rows + new, tokens)

    def keep(self, order: list[int]) -> None:
        """Row i becomes what row order[i] was; only those that change their place are copied."""
        places = [place for place, row in enumerate(order) if place != row]
        for room in self.rooms:
            room[places] = room[[order[place] for place in places]]
        self._show(len(order), self.keys.shape[2])

    def renew(self, unused: int) -> None:
        """Drop the first columns, which no row uses, and make room for more."""
        self.rooms = [F.pad(room[:, :, unused:], (0, 0, 0, ROOM)) for room in self.rooms]
        self._show(self.keys.shape[0], self.keys.shape[2] - unused)

    def _show(self, rows: int, tokens: int) -> None:
        self.keys, self.values = (room[:rows, :, :tokens] for room in self.rooms)
