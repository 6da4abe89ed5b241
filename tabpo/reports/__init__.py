"""Tables, significance tests, figures and pages: the results of a study for its readers."""
