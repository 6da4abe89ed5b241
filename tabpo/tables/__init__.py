"""Tables and their tests: scores to cells, differences, marks, claims, costs, and how they are written."""
