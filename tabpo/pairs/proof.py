"""Prove that both answers of every pair are valid answers and that one of them is gold."""

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
    """Check the answers of all pairs, and return how many answers and records were checked.

    The right answer of a pair must be the gold answer of its prompt, and the other must differ from it. Both must be
    rendered like gold, to the character, so that their layout does not distinguish them. Labels, their combinations and
    relations must be in the ontology. Spans must occur in the text of the unit. Ends of relations and mentions of
    clusters must be ids of spans of the answer.

    Raises:
        DataError: Names the pair and what is wrong with it, without text of a record.
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
    """Check that the right answer of each pair, and no other, is its prompt's; return how many answers were checked.

    The right answer is the chosen one, or the rejected one of a flipped pair. For preference data this is the only
    check.

    Raises:
        DataError: Names the first pair that fails.
    """
    gold = {prompt.prompt_id: prompt.answer for prompt in prompts}
    for number, pair in enumerate(pairs, start=1):
        right, wrong = (pair.rejected, pair.chosen) if pair.flipped else (pair.chosen, pair.rejected)
        if right != gold[pair.prompt_id] or wrong == right:
            raise DataError(f"pair {number}: its right answer must be gold, and its wrong answer must not")
    return {"answers": 2 * len(pairs)}


def _fault(text: str, answer: Answer, unit: Unit, ontology: Ontology) -> str:
    """Return what is wrong with a readable answer; "" if nothing is."""
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
