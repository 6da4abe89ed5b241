"""The proof that both answers of every pair are what a model is asked for, and that one of them is gold."""

from collections.abc import Sequence

from tabpo.answers.ontology import Ontology
from tabpo.answers.render import Answer, parse, render
from tabpo.answers.units import Unit
from tabpo.confusions.counts import states_links
from tabpo.errors import DataError
from tabpo.records import Pair, Prompt


def prove_answers(
    pairs: Sequence[Pair], prompts: Sequence[Prompt], units: Sequence[Unit], ontology: Ontology
) -> dict[str, int]:
    """Counts of what was looked at, once everything holds.

    One answer of a pair is the gold answer of its prompt, the other differs from it; both are rendered as gold is, to
    the character, so that no layout tells them apart; labels, their combinations and relations are of the ontology;
    spans stand in the text of the unit; ends of relations and mentions of clusters are ids of records.

    Raises:
        DataError: What does not hold, of which pair; never text of a record.
    """
    unit_of = {unit.prompt_id: unit for unit in units}
    records = 0
    prove_gold(pairs, prompts)
    for number, pair in enumerate(pairs, start=1):
        for side, text in (("chosen", pair.chosen), ("rejected", pair.rejected)):
            unit = unit_of[pair.prompt_id]
            parsed = parse(text, ontology.answer, clusters=states_links(unit, ontology))
            fault = parsed.answer_class if parsed.answer_class != "ok" else _fault(text, parsed.answer, unit, ontology)
            if fault:
                raise DataError(f"pair {number}: its {side} answer is refused: {fault}")
            records += len(parsed.answer.spans) + len(parsed.answer.relations)
    return {"answers": 2 * len(pairs), "records": records}


def prove_gold(pairs: Sequence[Pair], prompts: Sequence[Prompt]) -> dict[str, int]:
    """That one answer of each pair is its prompt's, and the other is not: all there is to prove of preferences.

    Raises:
        DataError: The first pair of which it does not hold.
    """
    gold = {prompt.prompt_id: prompt.answer for prompt in prompts}
    for number, pair in enumerate(pairs, start=1):
        if [pair.chosen, pair.rejected].count(gold[pair.prompt_id]) != 1:
            raise DataError(f"pair {number}: one of its answers must be gold, and one must not")
    return {"answers": 2 * len(pairs)}


def _fault(text: str, answer: Answer, unit: Unit, ontology: Ontology) -> str:
    """What is wrong with a readable answer; "" where nothing is."""
    ids = {span.id for span in answer.spans}
    if render(answer, ontology.answer) != text:
        return "it is not rendered as gold answers are: an indent, other spaces or another order of keys"
    for span in answer.spans:
        if not ontology.valid(span.label, span.sublabel):
            return f"record {span.id} has labels that the ontology does not have together"
        if span.text not in unit.text:
            return f"the span of record {span.id} is not in the text"
    for relation in answer.relations:
        if relation.label not in ontology.relations or not {relation.head, relation.tail} <= ids:
            return f"relation {relation.head}-{relation.tail} has an unknown label or end"
    if not ids.issuperset(mention for cluster in answer.clusters or () for mention in cluster):
        return "a cluster has an unknown mention"
    return ""
