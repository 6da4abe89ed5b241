"""Read the user's preference pairs from the data, and score how a model ranks held-out pairs."""


rule preferences:
    """Convert preferences to prompts whose gold answer is the chosen answer."""
    input:
        files=dataset_splits,
    output:
        train=results("{dataset}/prompts/train.parquet"),
        dev_select=results("{dataset}/prompts/dev_select.parquet"),
        test=results("{dataset}/prompts/test.parquet"),
        preferences_train=results("{dataset}/preferences/train.parquet"),
        preferences_dev_select=results("{dataset}/preferences/dev_select.parquet"),
        preferences_test=results("{dataset}/preferences/test.parquet"),
        card=results("{dataset}/card.json"),
        page=results("{dataset}/card.md"),
    wildcard_constraints:
        dataset=either(STUDY.preference_datasets()),
    params:
        settings=document_settings,
        sources=dataset_splits,
        content=folder_content(dataset_splits),
    log:
        results("logs/preferences/{dataset}.log"),
    benchmark:
        results("benchmarks/preferences/{dataset}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=30,
    shell:
        "python -m workflow_scripts.preferences"
        " --settings {params.settings:q}"
        " --sources {params.sources:q}"
        " --output-train {output.train:q}"
        " --output-dev-select {output.dev_select:q}"
        " --output-test {output.test:q}"
        " --output-preferences {output.preferences_train:q} {output.preferences_dev_select:q} {output.preferences_test:q}"
        " --output-card {output.card:q}"
        " --output-page {output.page:q}"
        " 2>> {log:q}"


rule given_pairs:
    """Write the preference pairs of one split, which the data set contains."""
    input:
        preferences=results("{dataset}/preferences/train.parquet"),
        base=results("{dataset}/{model}/base"),
    output:
        pairs=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.parquet"),
        drawn=results("{dataset}/{model}/pairs/{pairing}/seed{seed}.drawn.json"),
    wildcard_constraints:
        pairing=either(STUDY.given_pairings()),
    params:
        settings=pairing_settings,
    log:
        results("logs/given_pairs/{dataset}/{model}/{pairing}/seed{seed}.log"),
    benchmark:
        results("benchmarks/given_pairs/{dataset}/{model}/{pairing}/seed{seed}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    shell:
        "python -m workflow_scripts.given_pairs"
        " --settings {params.settings:q}"
        " --preferences {input.preferences:q}"
        " --base {input.base:q}"
        " --output {output.pairs:q}"
        " --output-drawn {output.drawn:q}"
        " 2>> {log:q}"


use rule given_pairs as held_out_pairs with:
    input:
        preferences=results("{dataset}/preferences/{split}.parquet"),
        base=results("{dataset}/{model}/base"),
    output:
        pairs=results("{dataset}/{model}/pairs/{split}.parquet"),
        drawn=results("{dataset}/{model}/pairs/{split}.drawn.json"),
    wildcard_constraints:
        dataset=either(STUDY.preference_datasets()),
    params:
        settings=held_out_pair_settings,
    log:
        results("logs/held_out_pairs/{dataset}/{model}/{split}.log"),
    benchmark:
        results("benchmarks/held_out_pairs/{dataset}/{model}/{split}.tsv")


use rule reference as held_out_logps with:
    input:
        sft=results("{dataset}/{model}/{method}/seed{seed}/model"),
        below=model_below,
        pairs=results("{dataset}/{model}/pairs/{split}.parquet"),
        prompts=results("{dataset}/prompts/{split}.parquet"),
    output:
        reference=results("{dataset}/{model}/{method}/seed{seed}/logps/{split}.parquet"),
    params:
        settings=held_out_logp_settings,
        scorer_version=SCORER_VERSION,
    log:
        results("logs/held_out_logps/{dataset}/{model}/{method}/seed{seed}/{split}.log"),
    benchmark:
        results("benchmarks/held_out_logps/{dataset}/{model}/{method}/seed{seed}/{split}.tsv")


rule score_preferences:
    """Score how one run ranks held-out pairs."""
    input:
        policy=results("{dataset}/{model}/{method}/seed{seed}/logps/{split}.parquet"),
        reference=results("{dataset}/{model}/sft/seed{seed}/logps/{split}.parquet"),
        prompts=results("{dataset}/prompts/{split}.parquet"),
    output:
        scores=results("{dataset}/{model}/{method}/seed{seed}/scores/{split}.json"),
        counts=results("{dataset}/{model}/{method}/seed{seed}/scores/{split}.counts.parquet"),
    wildcard_constraints:
        dataset=either(STUDY.preference_datasets()),
    params:
        look=run_look,
    log:
        results("logs/score_preferences/{dataset}/{model}/{method}/seed{seed}/{split}.log"),
    benchmark:
        results("benchmarks/score_preferences/{dataset}/{model}/{method}/seed{seed}/{split}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    shell:
        "python -m workflow_scripts.score_preferences"
        " --policy {input.policy:q}"
        " --reference {input.reference:q}"
        " --prompts {input.prompts:q}"
        " --look {params.look:q}"
        " --output {output.scores:q}"
        " --output-counts {output.counts:q}"
        " 2>> {log:q}"
