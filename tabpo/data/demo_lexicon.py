"""Words of the generated abstracts: modifiers, head nouns by entity type, and generic mentions."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


MODIFIERS = _words(
    """
    neural statistical probabilistic robust efficient lexical syntactic semantic hierarchical bilingual
    discriminative generative stochastic incremental unsupervised supervised adaptive interactive automatic
    linear recursive structured parallel multilingual temporal spatial contextual acoustic prosodic visual
    bayesian convolutional recurrent dynamic static sparse dense deep shallow global local joint modular
    formal functional logical symbolic numerical relational discrete continuous greedy iterative randomized
    regularized weighted unified hybrid compact scalable annotated broadcast conversational clinical
    biomedical financial legal historical technical universal massive minimal scarce interlingual lexicalized
    sentential subword phrasal deterministic empirical graphical syllabic inferential encyclopedic factored
    granular coarse streaming online offline invariant geometric morphological phonetic orthographic pragmatic
    rhetorical narrative factual causal modal ordinal categorical latent explicit implicit partial complete
    approximate exact monolingual parametric nonparametric differential sequential bidirectional selective
    monotonic concurrent distributed transductive inductive predictive descriptive comparative
    """
)
"""Drawn with a skew to the front; 125 of them."""

SURE_NOUNS = {
    "Task": _words(
        "parsing translation summarization recognition retrieval disambiguation tracking detection"
        " tagging generation extraction localization reconstruction"
    ),
    "Method": _words(
        "parser classifier algorithm learner decoder tagger perceptron encoder"
        " transducer filter optimizer kernel heuristic"
    ),
    "Metric": _words("accuracy precision recall perplexity sensitivity throughput coverage speedup"),
    "Material": _words("corpus treebank dataset lexica newswire transcripts wordnet thesaurus recordings images"),
    "OtherScientificTerm": _words(
        "features constraints vocabulary noise structure parameters context dependency"
        " ambiguity boundary motion frequency vectors"
    ),
}
"""Head nouns that have one type wherever they stand."""

MIXED_NOUNS = {
    "model": ("Method", "OtherScientificTerm"),
    "network": ("Method", "OtherScientificTerm"),
    "representation": ("Method", "OtherScientificTerm"),
    "grammar": ("Method", "OtherScientificTerm"),
    "segmentation": ("Task", "Method"),
    "alignment": ("Task", "Method"),
    "clustering": ("Task", "Method"),
    "classification": ("Task", "Method"),
    "inference": ("Task", "Method"),
    "lexicon": ("Material", "OtherScientificTerm"),
    "ontology": ("Material", "OtherScientificTerm"),
    "text": ("Material", "OtherScientificTerm"),
    "video": ("Material", "OtherScientificTerm"),
    "error": ("Metric", "OtherScientificTerm"),
    "likelihood": ("Metric", "OtherScientificTerm"),
}
"""Head nouns whose type depends on the clause, or on the modifier."""

PROPERTY_NOUNS = frozenset({"noise", "ambiguity", "constraints", "structure", "context"})
"""Nouns that name a property of something; one of the hidden relation rules asks for them."""

GENERIC_DETERMINERS = _words("our this the")

GENERIC_NOUNS = _words("approach system method framework technique architecture pipeline solution procedure")
