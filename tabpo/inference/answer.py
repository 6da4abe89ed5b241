"""A trained model's answers to prompts by transformers, under the constraint of a study."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tabpo.answers.ontology import Ontology
from tabpo.inference.constraint import Constraint
from tabpo.inference.generate import generate
from tabpo.models.loading import autocast, less_per_pass, load_frozen, naming_less_memory
from tabpo.models.tokenizer import encode_prompt, load_tokenizer
from tabpo.records import Completion, Prompt


def answer_prompts(
    folder: Path,
    prompts: Sequence[Prompt],
    settings: Mapping[str, Any],
    ontology: Ontology | None,
    each: Callable[..., Iterable[list[list[int]]]] = map,
) -> list[Completion]:
    """Answer every prompt greedily by transformers; the completions have the order of the prompts.

    Args:
        folder: The trained model.
        prompts: The prompts; they may have no gold answers.
        settings: What `tabpo.study.jobs.generation_settings` returns; its engine is not read.
        ontology: The ontology of the answers, for the constraint json_schema.
        each: As for `generate`.

    Raises:
        ConfigError: The GPU's memory is too small.
        DataError: A prompt is longer than its limit; also raised by the engine.
    """
    numerics, limits = settings["numerics"], settings["limits"]
    caps = {"max_new_tokens": limits["max_completion_tokens"], "batch_size": settings["batch_size"]}
    tokenizer = load_tokenizer(folder)
    encoded = [
        (prompt.prompt_id, encode_prompt(tokenizer, prompt, limits, number))
        for number, prompt in enumerate(prompts, start=1)
    ]
    with naming_less_memory(less_per_pass("generation.batch_size", caps["batch_size"])):
        model = load_frozen(folder, numerics)
        constraint = None
        if settings["constraint"] == "json_schema":
            asked = {"clusters": settings["unit"] == "document", "max_new_tokens": caps["max_new_tokens"]}
            constraint = Constraint(tokenizer, model.config.vocab_size, ontology, **asked)
        with autocast(numerics, model.device.type):
            return generate(model, tokenizer, encoded, constraint=constraint, each=each, **caps)
