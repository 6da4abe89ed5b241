"""A trained model's answers to prompts, by the engine and under the constraint of a study."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tabpo.answers.ontology import Ontology
from tabpo.inference.constraint import Constraint
from tabpo.inference.generate import generate
from tabpo.inference.vllm import generate_by_vllm
from tabpo.models.loading import autocast, less_per_pass, load_frozen, load_tokenizer, naming_less_memory
from tabpo.records import Completion, Prompt
from tabpo.scoring.tokenise import encode_prompt


def answer_prompts(
    folder: Path,
    prompts: Sequence[Prompt],
    settings: Mapping[str, Any],
    ontology: Ontology | None,
    each: Callable[..., Iterable[list[list[int]]]] = map,
) -> list[Completion]:
    """Answer every prompt greedily; the completions have the order of the prompts.

    Args:
        folder: The trained model.
        prompts: The prompts; they may have no gold answers.
        settings: What `tabpo.study.jobs.generation_settings` returns.
        ontology: The ontology of the answers, for the constraint json_schema.
        each: As for `generate`; vLLM answers all prompts at once and does not use it.

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
    if settings["engine"] == "vllm":
        longest = sum(limits.values())
        return generate_by_vllm(folder, tokenizer, encoded, precision=numerics["precision"], max_length=longest, **caps)
    with naming_less_memory(less_per_pass("generation.batch_size", caps["batch_size"])):
        model = load_frozen(folder, numerics)
        constraint = None
        if settings["constraint"] == "json_schema":
            asked = {"clusters": settings["unit"] == "document", "max_new_tokens": caps["max_new_tokens"]}
            constraint = Constraint(tokenizer, model.config.vocab_size, ontology, **asked)
        with autocast(numerics, model.device.type):
            return generate(model, tokenizer, encoded, constraint=constraint, each=each, **caps)
