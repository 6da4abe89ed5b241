"""Command-line programs, one for each rule: they read files, call `tabpo`, and write files.

Importing torch and transformers makes so many objects that Python's default collection of garbage takes a fifth of a
program's start; the thresholds here are those of programs that keep what they load.
"""

import gc

gc.set_threshold(50_000, 50, 50)
