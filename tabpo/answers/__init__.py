"""The answer: its ontology, its JSON, and where its spans stand in a text."""
