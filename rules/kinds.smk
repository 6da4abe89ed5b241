"""What a run reads on annotations or on preferences alone."""


def only(kind, path):
    """An input function of `train`: a file that runs on datasets of one kind alone have."""
    return lambda wildcards: path(wildcards) if wildcards.dataset in kind else []


proof = of_pairing("{dataset}/{model}/pairs/{pairing}/seed{seed}.isolation.json")
run_isolation = only(STUDY.annotated_datasets(), proof)
run_held_out_documents = only(STUDY.annotated_datasets(), of_pairing("{dataset}/documents/dev.parquet"))
run_held_out_pairs = only(STUDY.preference_datasets(), of_pairing("{dataset}/{model}/pairs/dev_select.parquet"))
