"""How different the sampled answers to a prompt are, and how good the best of them is."""

from collections.abc import Hashable, Sequence

from tabpo.answers.ontology import Ontology
from tabpo.answers.units import Unit
from tabpo.metrics.counts import total
from tabpo.metrics.items import distinct, place
from tabpo.metrics.medical import triple
from tabpo.metrics.spans import ner_strict
from tabpo.records import Prediction

DIVERSITY = ("distinct", "sampled_f1", "oracle_f1")
"""What is measured of the samples of a prompt."""

Parts = tuple[float, float, float, float]


def record_set(prediction: Prediction) -> Hashable:
    """Return what an answer states, whatever the order and the ids of its records.

    That is the set of its spans (place, label and sub-label), of its relations (both places and the label) and of its
    clusters. A span that is not in the text has its words as its place. An unreadable answer states nothing, as it does
    where answers are scored.
    """
    places = {span.id: place(span) for span in prediction.spans}
    return (
        frozenset((place(span), span.label, span.sublabel) for span in distinct(prediction.spans)),
        frozenset(
            (places.get(item.head), places.get(item.tail), item.label) for item in distinct(prediction.relations)
        ),
        frozenset(frozenset(places.get(mention) for mention in cluster) for cluster in prediction.clusters),
    )


def sample_counts(unit: Unit, samples: Sequence[Prediction], ontology: Ontology) -> dict[str, Parts]:
    """Count the samples of one prompt, as right predicted, predicted, right gold and gold items.

    `distinct` is the number of different record sets beside the number of samples. The other two count exact spans with
    their labels: `sampled_f1` those of all samples, and `oracle_f1` those of the sample with the highest F1 on this
    prompt; among equal ones that is the one with the fewest spans, so that an empty answer is best where gold is empty.
    """
    metric = triple if ontology.answer == "results" else ner_strict
    counts = [metric(unit, sample) for sample in samples]
    different = len({record_set(sample) for sample in samples})
    best = max(counts, key=lambda sample: (sample.f1, -sample.predicted))
    return {
        "distinct": (different, len(samples), different, len(samples)),
        "sampled_f1": total(counts).parts,
        "oracle_f1": best.parts,
    }
