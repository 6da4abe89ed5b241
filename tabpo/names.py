"""Names that a study gives to rows of its tables, and to where its data and pairs come from."""

SFT = "sft"
"""The method that every other starts from; it needs no entry, and is the first row of every table."""

ON_POLICY = "on_policy"
"""Where a pairing's rejected answers come from, if they are not edits of gold ones."""

GIVEN = "given"
"""Where the pairs of preferences come from: they are in the data."""

PREFERENCES = "preferences"
"""The source of datasets that have no annotations but pairs."""

PROMPTED = "prompted"
"""The one row of a model behind an endpoint: answers without training, greedy, so that no seed reaches them."""

DICTIONARY = "dictionary"
"""The row that needs no model: the longest match of training mentions."""

MAJORITY = "majority"
"""The same mentions, each with the labels that are most frequent in training."""

BASELINES = (DICTIONARY, MAJORITY)
"""Rows without model and seed, in every table."""

HUMAN = "human"
"""The row of a second annotator's test documents, in tables of a dataset that has them."""

WITHOUT_MODEL = (*BASELINES, HUMAN)
"""Rows that no model is behind."""

SPAN_KINDS = ("label", "sublabel", "boundary", "missed", "spurious")
"""Kinds of error about spans."""

RELATION_KINDS = (
    "relation_label",
    "relation_direction",
    "relation_endpoint",
    "relation_missed",
    "relation_spurious",
)
"""Kinds of error about relations."""

COREFERENCE = "coreference"
"""The kind of error about links of coreference."""

KINDS = (*SPAN_KINDS, *RELATION_KINDS, COREFERENCE)
"""What an edit can get wrong."""

ONE_OF_EACH = "one_of_each"
"""Kinds of a pairing with three pairs an example: another label or sub-label, a record less, a record more.

That is Algorithm S1 of arXiv 2606.16074.
"""
