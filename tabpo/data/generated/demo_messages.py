"""Patient messages with codes, sub-codes and spans, generated from this project's templates, with confusable labels."""

import random
from pathlib import Path
from typing import Any

from tabpo.artefacts import read_yaml
from tabpo.data.generated.documents import Mention, annotated_document, fresh_documents
from tabpo.records import Document

PATIENT_SHARE = 2 / 3
"""Share of messages that the patient writes."""

SALUTATION, SIGNOFF = 0.26, 0.22
"""Shares of messages with a salutation and with a sign-off, as frequent beside other sub-codes as in PV-Miner.

The weights in demo_messages.yaml, and the published counts 463 and 406, are for two segments in a message.
"""

FILLER = 0.25
"""Share of segments before an unlabelled sentence."""

CONFUSED = 0.30
"""Share of the segments with a confusable label that are annotated with the label they are confused with."""

RANDOM_LABEL = 0.02
"""Share of segments that are annotated with the labels of a segment drawn from all those of their direction."""

LEFT_OUT = 0.05
"""Share of segments that are not annotated."""

PHRASES = read_yaml(Path(__file__).with_suffix(".yaml"), "list of phrases")

_WEIGHTS = {
    direction: [segment["weight"] for segment in segments] for direction, segments in PHRASES["segments"].items()
}


def generate(split: str, count: int, seed: int) -> list[Document]:
    """Generate `count` messages of one sentence each; equal arguments give equal messages.

    A text has the form `TO_PAT_YN: N | segment . segment .`. No text occurs twice in a split, and none can be in two
    splits, whatever the seeds. The words of a span occur once in its text.
    """
    return fresh_documents(split, count, seed, _draw)


def _draw(rng: random.Random, doc_id: str) -> Document:
    direction = "N" if rng.random() < PATIENT_SHARE else "Y"
    words = ["TO_PAT_YN:", direction, "|"]
    mentions: list[Mention] = []
    if rng.random() < SALUTATION:
        _add(rng, direction, PHRASES["salutations"][direction], "", words, mentions)
    for _ in range(rng.choice((1, 2, 3))):
        segment = rng.choices(PHRASES["segments"][direction], weights=_WEIGHTS[direction])[0]
        _add(rng, direction, segment, " .", words, mentions)
        if rng.random() < FILLER:
            words += _filled(rng, rng.choice(PHRASES["unlabelled"])).split()
    if rng.random() < SIGNOFF:
        _add(rng, direction, PHRASES["signoffs"][direction], "", words, mentions)
    return annotated_document(doc_id, words, mentions, attributes=(("TO_PAT_YN", direction),))


def _add(
    rng: random.Random,
    direction: str,
    segment: dict[str, Any],
    end_mark: str,
    words: list[str],
    mentions: list[Mention],
) -> None:
    before, rest = _filled(rng, rng.choice(segment["templates"]) + end_mark).split("[")
    span, after = rest.split("]")
    start = len(words) + len(before.split())
    end = start + len(span.split())
    words += [*before.split(), *span.split(), *after.split()]
    code, sub_code = _noisy(rng, direction, segment)
    if rng.random() >= LEFT_OUT:
        mentions.append(Mention(start, end, code, sub_code))


def _filled(rng: random.Random, template: str) -> str:
    return template.format(**{name: rng.choice(choices) for name, choices in PHRASES["fillers"].items()})


def _noisy(rng: random.Random, direction: str, segment: dict[str, Any]) -> tuple[str, str]:
    if rng.random() < RANDOM_LABEL:
        segment = rng.choice(PHRASES["segments"][direction])
    elif rng.random() < CONFUSED and "confused_with" in segment:
        return tuple(segment["confused_with"])
    return segment["code"], segment["sub_code"]
