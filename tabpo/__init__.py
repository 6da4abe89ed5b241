"""From annotated text to the comparison table of a paper on preference losses."""
