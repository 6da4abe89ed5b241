"""Answers: their ontology, their JSON, and the places of their spans in a text."""
