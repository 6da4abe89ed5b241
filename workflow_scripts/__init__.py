"""Command-line programs, one for each rule: they read files, call `tabpo`, and write files."""
