"""Generated patient messages with codes, sub-codes and spans: own templates, with confusable annotations."""

import random

from tabpo.data.demo_phrases import CONFUSABLE, FILLERS, PATIENT, PROVIDER, SALUTATIONS, SIGNOFFS, TEMPLATES, UNLABELLED
from tabpo.data.generated import Mention, annotated_document, fresh_documents
from tabpo.records import Document

PATIENT_SHARE = 2 / 3
"""Share of messages that the patient writes."""

SALUTATION, SIGNOFF, FILLER = 0.35, 0.30, 0.25
"""Shares of messages with a salutation, with a sign-off, and of segments followed by an unlabelled sentence."""

CONFUSED = 0.30
"""Share of the segments of a confusable kind that carry their partner's labels."""

RANDOM_LABEL = 0.02
"""Share of segments that carry any labels of their direction."""

LEFT_OUT = 0.05
"""Share of segments that are not annotated."""

_CHOICES = {name: tuple(choice.strip() for choice in choices.split(" / ")) for name, choices in FILLERS.items()}
_KINDS = {direction: tuple(templates) for direction, templates in TEMPLATES.items()}
_WEIGHTS = {direction: [weight for weight, _ in templates.values()] for direction, templates in TEMPLATES.items()}


def generate(split: str, count: int, seed: int) -> list[Document]:
    """`count` messages of one sentence each; the same arguments give the same messages.

    A text is `TO_PAT_YN: N | segment . segment .`. None recurs within a split, and none can be in two splits whatever
    their seeds. A span's words stand once in its text.
    """
    return fresh_documents(split, count, seed, _draw)


def _draw(rng: random.Random, doc_id: str) -> Document:
    direction = PATIENT if rng.random() < PATIENT_SHARE else PROVIDER
    words = ["TO_PAT_YN:", direction, "|"]
    mentions: list[Mention] = []
    if rng.random() < SALUTATION:
        code, subcode, templates = SALUTATIONS[direction]
        _add(rng, direction, (code, subcode), rng.choice(templates), words, mentions)
    for _ in range(rng.choice((1, 2, 3))):
        kind = rng.choices(_KINDS[direction], weights=_WEIGHTS[direction])[0]
        _add(rng, direction, kind, rng.choice(TEMPLATES[direction][kind][1]) + " .", words, mentions)
        if rng.random() < FILLER:
            words += _filled(rng, rng.choice(UNLABELLED)).split()
    if rng.random() < SIGNOFF:
        code, subcode, templates = SIGNOFFS[direction]
        _add(rng, direction, (code, subcode), rng.choice(templates), words, mentions)
    return annotated_document(doc_id, words, mentions, attributes=(("TO_PAT_YN", direction),))


def _add(
    rng: random.Random,
    direction: str,
    kind: tuple[str, str],
    template: str,
    words: list[str],
    mentions: list[Mention],
) -> None:
    before, rest = _filled(rng, template).split("[")
    span, after = rest.split("]")
    start = len(words) + len(before.split())
    end = start + len(span.split())
    words += [*before.split(), *span.split(), *after.split()]
    code, subcode = _noisy(rng, direction, kind)
    if rng.random() >= LEFT_OUT:
        mentions.append(Mention(start, end, code, subcode))


def _filled(rng: random.Random, template: str) -> str:
    return template.format(**{name: rng.choice(choices) for name, choices in _CHOICES.items()})


def _noisy(rng: random.Random, direction: str, kind: tuple[str, str]) -> tuple[str, str]:
    if rng.random() < RANDOM_LABEL:
        return rng.choice(_KINDS[direction])
    return CONFUSABLE[direction].get(kind, kind) if rng.random() < CONFUSED else kind
