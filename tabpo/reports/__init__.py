"""What a study says in the end: cells, tests, tables, figures and pages."""
