"""Measure how many damaged answers per second strict parsing reads or refuses, and the time of huge answers.

The answers are the gold answers of SciERC's test sentences (of generated abstracts if TABPO_DATA is not set), damaged
in one of eight ways, 100,000 in all; parsing must not raise for any text. Times are process time on one core, without
grounding. Each `huge` answer has two sizes, one ten times the other, which shows times that grow faster than the size.

    python -m benchmarks.parse > benchmarks/results/parse.jsonl
"""

import argparse
import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tabpo.answers.render import gold_answer, parse, render
from tabpo.answers.units import document_units
from tabpo.data.generated import demo_abstracts
from tabpo.data.readers import scierc

Damage = Callable[[str, random.Random], str]


def main() -> None:
    """Print JSON lines: one row for each kind of damage, one for all kinds, and one for each huge answer."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=100_000)
    args = parser.parse_args()
    source, answers = real_answers()
    all_seconds = 0.0
    for name, texts in damaged(answers, args.answers):
        seconds, classes = timed(texts)
        all_seconds += seconds
        mean_characters = round(sum(map(len, texts)) / len(texts))
        row = {"damage": name, "answers": len(texts), "mean_characters": mean_characters, "classes": classes}
        print(json.dumps({"source": source, **row, "per_second": round(len(texts) / seconds)}), flush=True)
    print(json.dumps({"source": source, "damage": "all", "per_second": round(args.answers / all_seconds)}), flush=True)
    for name, piece in HUGE.items():
        seconds = {size: round(timed([piece(size)])[0], 3) for size in (1_000_000, 10_000_000)}
        print(json.dumps({"huge": name, "seconds_by_characters": seconds}), flush=True)


def real_answers() -> tuple[str, list[str]]:
    """Return the name of the source, and its answers that are not empty."""
    root = os.environ.get("TABPO_DATA")
    documents = (
        scierc.read_documents(Path(root) / "scierc/test.json") if root else demo_abstracts.generate("test", 300, 11)
    )
    units = [unit for document in documents for unit in document_units(document, "sentence") if unit.spans]
    return "scierc" if root else "demo_abstracts", [render(gold_answer(unit), "entities") for unit in units]


def damaged(answers: list[str], number: int) -> Iterator[tuple[str, list[str]]]:
    """Yield for each kind of damage its share of `number` texts; the seed is fixed."""
    chance = random.Random(1)
    for name, damage in DAMAGES.items():
        yield name, [damage(chance.choice(answers), chance) for _ in range(number // len(DAMAGES))]


def timed(texts: list[str]) -> tuple[float, dict[str, int]]:
    """Return the process time in seconds, and the number of answers of each class."""
    start = time.process_time()
    classes = [parse(text, "entities", clusters=False).answer_class for text in texts]
    return time.process_time() - start, dict(Counter(classes).most_common())


def replaced(text: str, chance: random.Random) -> str:
    """Replace one to three characters."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text))
        text = text[:at] + chance.choice('"\\{}[],:0a\ud800\x00 é') + text[at + 1 :]
    return text


def shuffled(text: str, chance: random.Random) -> str:
    """Join pieces of JSON and of the answer in random order."""
    pieces = [*'"{}[],:', "\\u", "null", "-1e", "\ud83d", text[:20], text[-20:]]
    return "".join(chance.choices(pieces, k=chance.randint(1, 60)))


DAMAGES: dict[str, Damage] = {
    "truncated": lambda text, chance: text[: chance.randrange(1, len(text))],
    "replaced": replaced,
    "wrong_key": lambda text, chance: text.replace('"span"', chance.choice(['"text"', '"Span"', '"id"']), 1),
    "wrong_type": lambda text, chance: text.replace('"id":1', chance.choice(['"id":"1"', '"id":1.0', '"id":null']), 1),
    "prose": lambda text, chance: chance.choice([f"Here it is: {text}", f"{text}\n\nI hope that helps."]),
    "fence": lambda text, chance: f"```json\n{text}\n```",
    "doubled": lambda text, chance: text + text,
    "shuffled": shuffled,
}

HUGE = {
    "digits": lambda size: '{"entities":[{"id":' + "1" * size,
    "letters": lambda size: '{"entities":[{"id":1,"label":"' + "a" * size,
    "escapes": lambda size: '["' + "\\n" * (size // 2),
    "surrogates": lambda size: '["' + "\ud83d" * size,
    "nesting": lambda size: "[" * size,
    "nested_objects": lambda size: '{"a":' * (size // 5),
    "records": lambda size: '{"entities":[' + '{"id":1,"label":"Task","span":"parsing"},' * (size // 40),
    "spaces": lambda size: "[" + " " * size,
}


if __name__ == "__main__":
    main()
