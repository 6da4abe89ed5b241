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
