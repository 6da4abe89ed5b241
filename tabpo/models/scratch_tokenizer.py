"""The tokenizer of a model from scratch: byte-level BPE; a word has one id everywhere, and JSON takes few tokens."""

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
"""A space and each message's content, the end token after an assistant's message, the separator before an answer."""

_VALUE = re.compile(r':"((?:[^"\\]|\\.)*)"|(?<=[:\[,])(\d+)(?=[,\]}])')
_WORD = r" ?\p{Lu}+(?:-\p{Lu}+)+| ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]|\s"
_VALUE_START = '(?<=:")'
_SMALLEST_VOCABULARY = 256 + 3 + MAX_STRUCTURAL_TOKENS


def train_tokenizer(prompts: Sequence[Prompt], vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a tokenizer on prompts and their answers; it can encode any text, if necessary byte by byte.

    A frequent text between two values of an answer, such as `","span":"`, is one token. A word is the same token at the
    start of a value, at the start of a prompt and inside a text: before encoding a space is inserted after the opening
    quote of a value, and decoding removes it, so that `decode(encode(answer)) == answer` for compact JSON.

    The tokenizer must be loaded as `PreTrainedTokenizerFast`: if the folder holds a Qwen2 `config.json`,
    `AutoTokenizer` replaces its splitting by Qwen2's.

    Args:
        prompts: The train split.
        vocab_size: Upper bound of the vocabulary, added tokens included; tokens that the texts never use are removed
            after training.

    Raises:
        ConfigError: `vocab_size` is too small for all bytes and the added tokens.
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
    # They are normalised like the text in which they are searched, so that the inserted space is never part of them.
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
        [decoders.ByteLevel(), decoders.Replace(Regex(_VALUE_START + " "), "")]  # of two spaces one remains
    )
    return tokenizer


def structural_runs(answers: Iterator[str]) -> list[str]:
    """The most frequent pieces of JSON between string values and numbers, most frequent first, at most 64.

    Pieces of one character are left out, because such a token would split every text that contains the character.
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
    """The trained model without the tokens that occur in no word of the training texts; single bytes are kept.

    Most merges are only steps towards longer tokens; the embedding rows of such tokens would slow down the training of
    a small model. A word that is one token needs no merges, because it is looked up directly. For other words the
    merges of their pieces are kept, so that all of `words` are split as before.
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
