"""Command-line programs, one for each rule: they read files, call `tabpo`, and write files.

Importing torch and transformers makes so many objects that Python, by default, spends a fifth of a program's start on
collecting garbage. Here it collects less often.
"""

import gc

gc.set_threshold(50_000, 50, 50)
