"""One program per rule: it reads, calls once or twice into `tabpo`, and writes."""
