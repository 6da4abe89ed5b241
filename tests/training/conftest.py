"""Tiny tokenizers, models, pairs and trainers, made in memory."""

import gc
from functools import partial

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from tabpo.losses import build_loss
from tabpo.models.adapters import add_adapters
from tabpo.models.loading import save_model
from tabpo.records import Message, Pair, Prompt
from tabpo.scoring.reference import score_references
from tabpo.scoring.tokenise import encode_pairs
from tabpo.study.training import training_settings
from tabpo.training.arguments import prepare_process, training_arguments
from tabpo.training.batches import plan_batches
from tabpo.training.preference import PreferenceTrainer

ANSWER = (
    '{"entities":[{"id":1,"label":"Method","span":"a parser"},{"id":2,"label":"Task","span":"parsing of the label"}],'
    '"relations":[{"head":1,"label":"USED-FOR","tail":2}]}'
)
LIMITS = {"max_prompt_tokens": 200, "max_completion_tokens": 200}
FP32 = {"precision": "fp32", "attention": "eager", "threads": 1}
TRAINING = {"learning_rate": 1e-3, "steps": 4, "batch_size": 4, "micro_batch_size": 2, "weight_decay": 0.1}


def _tokenizer(*, bos: bool = False) -> PreTrainedTokenizerFast:
    """Byte-level BPE; with `bos`, the template adds begin-of-text and, as in Llama 3, the tokenizer adds it too."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<pad>", "<eos>", "<sep>", "<bos>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator([ANSWER] * 3, trainer)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<bos> $A", special_tokens=[("<bos>", tokenizer.token_to_id("<bos>"))]
        )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<eos>", pad_token="<pad>", bos_token="<bos>" if bos else None
    )
    wrapped.chat_template = (
        ("{{ bos_token }}" if bos else "")
        + "{% for message in messages %}{{ message['content'] }}{% endfor %}"
        + "{% if add_generation_prompt %}<sep>{% endif %}"
    )
    return wrapped


def _model(architecture: str = "qwen2", vocabulary: int = 330, seed: int = 0):
    """Two layers of random weights, large enough that log-probs differ, in eval mode."""
    classes = {"qwen2": (Qwen2Config, Qwen2ForCausalLM), "llama": (LlamaConfig, LlamaForCausalLM)}
    config_class, model_class = classes[architecture]
    config = config_class(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        intermediate_size=48,
        max_position_embeddings=256,
        initializer_range=0.3,
        tie_word_embeddings=architecture == "qwen2",
        bos_token_id=None,
        eos_token_id=1,
        pad_token_id=0,
        attn_implementation="eager",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return model_class(config).eval()


def build_trainer(stage, model, examples, folder, *, seed=1, processes=1, **settings):
    settings = training_settings(**{**TRAINING, **settings})
    groups, lengths = [str(number) for number in range(len(examples))], [example.length for example in examples]
    plan = plan_batches(groups, lengths, settings, seed, processes)
    device = prepare_process(FP32, 0)
    arguments = training_arguments(settings, plan, seed=seed, folder=folder, device=device, deepspeed=None)
    if settings.lora is not None:
        model = add_adapters(model, settings.lora, seed)
    return stage(model, arguments, settings=settings, numerics=FP32, plan=plan, examples=examples, pad_id=0)


def with_loss(loss="dpo", start=None, **params):
    """A trainer class with a loss; `start` is the folder of the reference, for losses that load it."""
    return partial(PreferenceTrainer, loss=build_loss(loss, **params), eos_id=1, limits=LIMITS, start=start)


@pytest.fixture(scope="session", autouse=True)
def quick_collections():
    """Make the garbage collection at each start of the Trainer fast; for all of torch it takes half a second."""
    gc.freeze()


@pytest.fixture(scope="session")
def make_trainer():
    return build_trainer


@pytest.fixture(scope="session")
def preference():
    return with_loss


@pytest.fixture(scope="session")
def make_tokenizer():
    return _tokenizer


@pytest.fixture(scope="session")
def make_model():
    return _model


@pytest.fixture(scope="session")
def tokenizer():
    return _tokenizer()


@pytest.fixture(scope="session")
def answer():
    return ANSWER


@pytest.fixture(scope="session")
def limits():
    return dict(LIMITS)


@pytest.fixture(scope="session")
def fp32():
    return dict(FP32)


@pytest.fixture(scope="session")
def prompts():
    texts = ["a parser is used for parsing of the label", "parsing", "the label of a parser, é"]
    return [Prompt(f"d#{n}", "d", (Message("user", text),), ANSWER) for n, text in enumerate(texts)]


@pytest.fixture(scope="session")
def pairs(prompts):
    """Rejected answers with another label, a missing record, a shortened span and a reversed link."""
    rejected = [
        ANSWER.replace("Method", "Metric"),
        ANSWER.replace(',{"id":2,"label":"Task","span":"parsing of the label"}', "").replace(
            '{"head":1,"label":"USED-FOR","tail":2}', ""
        ),
        ANSWER.replace("parsing of the label", "parsing"),
        ANSWER.replace('"head":1,"label":"USED-FOR","tail":2', '"head":2,"label":"USED-FOR","tail":1'),
    ]
    owners = [prompts[0], prompts[1], prompts[2], prompts[0]]
    numbers = [0, 0, 0, 1]
    return [
        Pair(f"{owner.prompt_id}/{number}", owner.prompt_id, ANSWER, text, (), 1)
        for owner, number, text in zip(owners, numbers, rejected, strict=True)
    ]


@pytest.fixture(scope="session")
def pair_examples(tokenizer, prompts, pairs, limits):
    """The encoded pairs with the reference log-probs of `make_model()`."""
    encoded = encode_pairs(tokenizer, prompts, pairs, None, limits)
    references = score_references(_model(), encoded, tokenizer.pad_token_id, FP32, 2)
    scores = {
        name: score_references(_model(seed=seed), encoded, tokenizer.pad_token_id, FP32, 2)
        for name, seed in (("dpo_logps", 1), ("reverse_dpo_logps", 2))
    }
    return encode_pairs(tokenizer, prompts, pairs, references, limits, scores)


@pytest.fixture(scope="session")
def start(tokenizer, tmp_path_factory):
    """The folder of a saved `make_model()`."""
    folder = tmp_path_factory.mktemp("start")
    save_model(_model(), tokenizer, folder)
    return folder
