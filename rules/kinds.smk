"""What jobs read on annotations or on preferences alone."""


def annotated(path):
    """An input function: a file that datasets of annotations alone have."""
    return lambda wildcards: [] if wildcards.dataset in STUDY.preference_datasets() else results(path)


def preferred(path):
    """An input function: one that datasets of preferences alone have."""
    return lambda wildcards: results(path) if wildcards.dataset in STUDY.preference_datasets() else []
