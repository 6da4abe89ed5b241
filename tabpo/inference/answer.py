"""A trained model's answers to prompts by transformers, under the constraint of a study."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tabpo.answers.ontology import Ontology
from tabpo.inference.constraint import Constraint
from tabpo.inference.generate import generate
from tabpo.models.loading import autocast
from tabpo.models.tokenizer import encode_prompt
from tabpo.records import Completion, Prompt


def answer_prompts(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    settings: Mapping[str, Any],
    ontology: Ontology | None,
    each: Callable[..., Iterable[list[list[int]]]] = map,
) -> list[Completion]:
    """Answer every prompt by transformers; the completions have the order of the prompts.

    Answers are greedy, or samples if the settings have a `seed`; then each prompt has `samples` answers in a row.

    Args:
        model: The trained model.
        tokenizer: Its tokenizer.
        prompts: The prompts; they may have no gold answers.
        settings: What `tabpo.study.jobs.generation_settings` or `sample_settings` returns; its engine is not read.
        ontology: The ontology of the answers, for the constraint json_schema.
        each: As for `generate`.

    Raises:
        DataError: A prompt is longer than its limit; also raised by the engine.
    """
    numerics, limits = settings["numerics"], settings["limits"]
    caps = {"max_new_tokens": limits["max_completion_tokens"], "batch_size": settings["batch_size"]}
    encoded = [
        (prompt.prompt_id, encode_prompt(tokenizer, prompt, limits, number))
        for number, prompt in enumerate(prompts, start=1)
        for _ in range(settings.get("samples", 1))
    ]
    constraint = None
    if settings["constraint"] == "json_schema":
        asked = {"clusters": settings["unit"] == "document", "max_new_tokens": caps["max_new_tokens"]}
        constraint = Constraint(tokenizer, model.config.vocab_size, ontology, **asked)
    with autocast(numerics, model.device.type):
        return generate(model, tokenizer, encoded, constraint=constraint, each=each, seed=settings.get("seed"), **caps)
