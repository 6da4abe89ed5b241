"""The tokenizer of a model from scratch: byte-level BPE with short JSON scaffolding, one id per word wherever it is."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from tabpo.answers.render import is_rendered
from tabpo.errors import ConfigError
from tabpo.records import Prompt

END, PAD, SEPARATOR = "<eos>", "<pad>", "<sep>"

MAX_STRUCTURAL_TOKENS = 64

CHAT_TEMPLATE = (
    "{% for message in messages %}{{ ' ' + message['content'] }}"
    f"{{% if message['role'] == 'assistant' %}}{END}{{% endif %}}{{% endfor %}}"
    f"{{% if add_generation_prompt %}}{SEPARATOR}{{% endif %}}"
)
"""Each turn's content after one space, an assistant's with the end behind it; the separator before an answer."""

_VALUE = re.compile(r':"((?:[^"\\]|\\.)*)"|(?<=[:\[,])(\d+)(?=[,\]}])')
_WORD = r" ?\p{Lu}+(?:-\p{Lu}+)+| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]|\s"
_VALUE_START = '(?<=:")'
_SMALLEST_VOCABULARY = 256 + 3 + MAX_STRUCTURAL_TOKENS


def train_tokenizer(prompts: Sequence[Prompt], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train on prompts and their answers; any text can be encoded, by bytes if need be.

    What lies between the values of an answer (`","span":"`) is one token where frequent. A word is the same token at
    the start of a value, at the start of a prompt and inside a text: a space is put after the opening quote of a value
    before encoding, and taken away by decoding, so that `decode(encode(answer)) == answer` for compact JSON.

    To be loaded as `PreTrainedTokenizerFast`: beside a Qwen2 `config.json`, `AutoTokenizer` puts Qwen2's own splitting
    in the place of this one's.

    Args:
        prompts: Of the train split.
        vocab_size: Upper bound of training, added tokens included; what the texts never use is taken out again.

    Raises:
        ConfigError: `vocab_size` does not hold all bytes and the added tokens.
    """
    if vocab_size < _SMALLEST_VOCABULARY:
        raise ConfigError(f"scratch: vocab_size is {vocab_size}; at least {_SMALLEST_VOCABULARY} are needed")
    structure = structural_runs(prompt.answer for prompt in prompts if is_rendered(prompt.answer))
    tokenizer = _untrained()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(structure),
        min_frequency=2,
        special_tokens=[PAD, END, SEPARATOR],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_texts(prompts), trainer)
    tokenizer.model = _pruned(tokenizer, {word for text in _texts(prompts) for word in _words(tokenizer, text)})
    # Normalised like the text that they are looked for in: a value's space is never part of them.
    tokenizer.add_tokens([AddedToken(run, special=False, normalized=True) for run in structure])
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[SEPARATOR],
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
    wrapped.chat_template = CHAT_TEMPLATE
    return wrapped


def _untrained() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Replace(Regex(_VALUE_START + '(?=[^"])'), " ")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORD), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteLevel(), decoders.Replace(Regex(_VALUE_START + " "), "")]  # leaves one space of two
    )
    return tokenizer


def structural_runs(answers: Iterator[str]) -> list[str]:
    """The commonest runs of JSON between string values and numbers, most frequent first, at most 64.

    A run of one character is left out: it would be cut out of every text.
    """
    counts: Counter[str] = Counter()
    for answer in answers:
        start = 0
        for value in _VALUE.finditer(answer):
            group = value.lastindex
            counts[answer[start : value.start(group)]] += 1
            start = value.end(group)
        counts[answer[start:]] += 1
    runs = [(-count, run) for run, count in counts.items() if len(run) > 1]
    return [run for _, run in sorted(runs)[:MAX_STRUCTURAL_TOKENS]]


def _pruned(tokenizer: Tokenizer, words: set[str]) -> models.BPE:
    """The trained model without the tokens that no word of the training texts ends in, bytes aside.

    Most merges only lead to longer ones; their rows in the embedding would be noise that slows a small model down. A
    word that is one token is looked up whole, for others the merges that make their pieces are kept, so that all of
    `words` are split as before.
    """
    trained = json.loads(tokenizer.to_str())["model"]
    makers = defaultdict(list)
    for left, right in trained["merges"]:
        makers[left + right].append((left, right))
    pieces = [[token.value for token in tokenizer.model.tokenize(word)] for word in words]
    whole = {first for first, *rest in pieces if not rest}
    pending = [piece for split in pieces if len(split) > 1 for piece in split]
    made: set[str] = set()
    while pending:
        piece = pending.pop()
        if piece not in made:
            made.add(piece)
            pending += [part for pair in makers[piece] for part in pair]
    kept = {PAD, END, SEPARATOR, *pre_tokenizers.ByteLevel.alphabet(), *whole, *made}
    vocabulary = [token for token, _ in sorted(trained["vocab"].items(), key=lambda item: item[1]) if token in kept]
    return models.BPE(
        vocab={token: number for number, token in enumerate(vocabulary)},
        merges=[(left, right) for left, right in trained["merges"] if left + right in made],
        ignore_merges=True,
    )


def _words(tokenizer: Tokenizer, text: str) -> list[str]:
    normalised = tokenizer.normalizer.normalize_str(text)
    return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(normalised)]


def _texts(prompts: Sequence[Prompt]) -> Iterator[str]:
    for prompt in prompts:
        for message in prompt.messages:
            yield " " + message.content
        yield prompt.answer
