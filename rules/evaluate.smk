"""Make completions, predictions and scores: SFT, every method and models behind endpoints are scored alike."""

PREDICT, PREDICT_ENVIRONMENT = {
    "transformers": ("predict", "../envs/train.yaml"),
    "vllm": ("predict_by_vllm", "../envs/vllm.yaml"),
}[STUDY.generation["engine"]]


rule predict:
    """Generate an answer to every prompt of a split with one trained model."""
    input:
        model=results("{dataset}/{model}/{method}/seed{seed}/model"),
        below=model_below,
        prompts=results("{dataset}/prompts/{split}.parquet"),
        ontology=dataset_ontology,
    output:
        completions=results("{dataset}/{model}/{method}/seed{seed}/completions/{split}.parquet"),
    params:
        settings=generation_settings,
        program=PREDICT,
    log:
        results("logs/predict/{dataset}/{model}/{method}/seed{seed}/{split}.log"),
    benchmark:
        results("benchmarks/predict/{dataset}/{model}/{method}/seed{seed}/{split}.tsv")
    group:
        "answers"
    conda:
        PREDICT_ENVIRONMENT
    threads: model_threads
    resources:
        gpu=node_gpus,
        nodes=1,
        mem_mb=model_memory,
        runtime=model_runtime,
        slurm_extra=warning,
    shell:
        "python -m workflow_scripts.on_gpus {resources.gpu} {params.program}"
        " --settings {params.settings:q}"
        " --model {input.model:q}"
        " --prompts {input.prompts:q}"
        " --ontology {input.ontology:q}"
        " --output {output.completions:q}"
        " 2>> {log:q}"


use rule predict as sample with:
    input:
        model=results("{dataset}/{model}/{method}/seed{seed}/model"),
        below=model_below,
        prompts=results("{dataset}/prompts/dev_select.parquet"),
        ontology=dataset_ontology,
    output:
        completions=results("{dataset}/{model}/{method}/seed{seed}/samples/dev_select.parquet"),
    params:
        settings=sample_settings,
        program="predict",
    log:
        results("logs/sample/{dataset}/{model}/{method}/seed{seed}.log"),
    benchmark:
        results("benchmarks/sample/{dataset}/{model}/{method}/seed{seed}.tsv")


rule diversity:
    """Count how different the samples of each prompt are, and how good the best of them is."""
    input:
        samples=results("{dataset}/{model}/{method}/seed{seed}/samples/dev_select.parquet"),
        prompts=results("{dataset}/prompts/dev_select.parquet"),
        documents=results("{dataset}/documents/dev.parquet"),
        ontology=dataset_ontology,
    output:
        counts=results("{dataset}/{model}/{method}/seed{seed}/samples/dev_select.counts.parquet"),
    log:
        results("logs/diversity/{dataset}/{model}/{method}/seed{seed}.log"),
    benchmark:
        results("benchmarks/diversity/{dataset}/{model}/{method}/seed{seed}.tsv")
    group:
        "answers"
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.diversity"
        " --samples {input.samples:q}"
        " --prompts {input.prompts:q}"
        " --documents {input.documents:q}"
        " --ontology {input.ontology:q}"
        " --output {output.counts:q}"
        " 2>> {log:q}"


rule annotate:
    """Answer new texts with one trained model, and write its annotations for brat and Label Studio with confidences."""
    input:
        model=results("{dataset}/{model}/{method}/seed{seed}/model"),
        below=model_below,
        texts=new_texts,
        train=results("{dataset}/documents/train.parquet"),
        ontology=dataset_ontology,
    output:
        annotated=directory(results("{dataset}/{model}/{method}/seed{seed}/annotated/{texts}")),
    wildcard_constraints:
        dataset=either(STUDY.annotated_datasets()),
        texts=either(STUDY.new_texts()),
    params:
        settings=annotate_settings,
        texts=new_texts,
        content=folder_content(new_texts),
    log:
        results("logs/annotate/{dataset}/{model}/{method}/seed{seed}/{texts}.log"),
    benchmark:
        results("benchmarks/annotate/{dataset}/{model}/{method}/seed{seed}/{texts}.tsv")
    conda:
        "../envs/train.yaml"
    threads: model_threads
    resources:
        gpu=node_gpus,
        nodes=1,
        mem_mb=model_memory,
        runtime=model_runtime,
    shell:
        "python -m workflow_scripts.on_gpus {resources.gpu} annotate"
        " --settings {params.settings:q}"
        " --model {input.model:q}"
        " --texts {params.texts:q}"
        " --train {input.train:q}"
        " --ontology {input.ontology:q}"
        " --output {output.annotated:q}"
        " 2>> {log:q}"


rule score:
    """Parse, ground and score the completions of one run."""
    input:
        completions=results("{dataset}/{model}/{method}/seed{seed}/completions/{split}.parquet"),
        prompts=results("{dataset}/prompts/{split}.parquet"),
        documents=split_documents,
        ontology=dataset_ontology,
    output:
        predictions=results("{dataset}/{model}/{method}/seed{seed}/predictions/{split}.parquet"),
        scores=results("{dataset}/{model}/{method}/seed{seed}/scores/{split}.json"),
        counts=results("{dataset}/{model}/{method}/seed{seed}/scores/{split}.counts.parquet"),
    wildcard_constraints:
        dataset=either(STUDY.annotated_datasets()),
    params:
        look=run_look,
    log:
        results("logs/score/{dataset}/{model}/{method}/seed{seed}/{split}.log"),
    benchmark:
        results("benchmarks/score/{dataset}/{model}/{method}/seed{seed}/{split}.tsv")
    group:
        "answers"
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.score"
        " --completions {input.completions:q}"
        " --prompts {input.prompts:q}"
        " --documents {input.documents:q}"
        " --ontology {input.ontology:q}"
        " --look {params.look:q}"
        " --output-predictions {output.predictions:q}"
        " --output-scores {output.scores:q}"
        " --output-counts {output.counts:q}"
        " 2>> {log:q}"


rule dictionary:
    """Score longest matches of training mentions, with each mention's label and with the most frequent label."""
    input:
        train_prompts=results("{dataset}/prompts/train.parquet"),
        train_documents=results("{dataset}/documents/train.parquet"),
        select_prompts=results("{dataset}/prompts/dev_select.parquet"),
        select_documents=results("{dataset}/documents/dev.parquet"),
        test_prompts=results("{dataset}/prompts/test.parquet"),
        test_documents=results("{dataset}/documents/test.parquet"),
        ontology=dataset_ontology,
    output:
        dictionary_predictions=results("{dataset}/dictionary/predictions/test.parquet"),
        dictionary_scores=results("{dataset}/dictionary/scores/test.json"),
        dictionary_counts=results("{dataset}/dictionary/scores/test.counts.parquet"),
        majority_predictions=results("{dataset}/majority/predictions/test.parquet"),
        majority_scores=results("{dataset}/majority/scores/test.json"),
        majority_counts=results("{dataset}/majority/scores/test.counts.parquet"),
    log:
        results("logs/dictionary/{dataset}.log"),
    benchmark:
        results("benchmarks/dictionary/{dataset}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.dictionary"
        " --train-prompts {input.train_prompts:q}"
        " --train-documents {input.train_documents:q}"
        " --select-prompts {input.select_prompts:q}"
        " --select-documents {input.select_documents:q}"
        " --test-prompts {input.test_prompts:q}"
        " --test-documents {input.test_documents:q}"
        " --ontology {input.ontology:q}"
        " --output-dictionary-predictions {output.dictionary_predictions:q}"
        " --output-dictionary-scores {output.dictionary_scores:q}"
        " --output-dictionary-counts {output.dictionary_counts:q}"
        " --output-majority-predictions {output.majority_predictions:q}"
        " --output-majority-scores {output.majority_scores:q}"
        " --output-majority-counts {output.majority_counts:q}"
        " 2>> {log:q}"


use rule dictionary as dictionary_other with:
    input:
        train_prompts=results("{dataset}/prompts/train.parquet"),
        train_documents=results("{dataset}/documents/train.parquet"),
        select_prompts=results("{dataset}/prompts/dev_select.parquet"),
        select_documents=results("{dataset}/documents/dev.parquet"),
        test_prompts=results("{dataset}/prompts/{other}.parquet"),
        test_documents=results("{dataset}/documents/{other}.parquet"),
        ontology=dataset_ontology,
    output:
        dictionary_predictions=results("{dataset}/dictionary/predictions/{other}.parquet"),
        dictionary_scores=results("{dataset}/dictionary/scores/{other}.json"),
        dictionary_counts=results("{dataset}/dictionary/scores/{other}.counts.parquet"),
        majority_predictions=results("{dataset}/majority/predictions/{other}.parquet"),
        majority_scores=results("{dataset}/majority/scores/{other}.json"),
        majority_counts=results("{dataset}/majority/scores/{other}.counts.parquet"),
    log:
        results("logs/dictionary_other/{dataset}/{other}.log"),
    benchmark:
        results("benchmarks/dictionary_other/{dataset}/{other}.tsv")


rule ask:
    """Ask an endpoint for answers to the test prompts in the chosen variant, from this machine: nodes need no key."""
    input:
        prompts=prompts_of_variants,
        ontology=dataset_ontology,
        selection=chosen_variant,
    output:
        completions=results("{dataset}/{model}/prompted/completions/test.parquet"),
        provenance=results("{dataset}/{model}/prompted/provenance.json"),
    wildcard_constraints:
        model=either(STUDY.prompted_models()),
    params:
        settings=ask_settings,
        cache=results("checkpoints/{dataset}+{model}+prompted"),
    log:
        results("logs/ask/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/ask/{dataset}/{model}.tsv")
    localrule: True
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=600,
    shell:
        "python -m workflow_scripts.ask"
        " --settings {params.settings:q}"
        " --prompts {input.prompts:q}"
        " --ontology {input.ontology:q}"
        " --selection {input.selection:q}"
        " --cache {params.cache:q}"
        " --output-completions {output.completions:q}"
        " --output-provenance {output.provenance:q}"
        " 2>> {log:q}"


use rule ask as ask_variant with:
    input:
        prompts=variant_prompts,
        ontology=dataset_ontology,
        selection=[],
    output:
        completions=results("{dataset}/{model}/prompted/variants/{variant}/completions/dev_select.parquet"),
        provenance=results("{dataset}/{model}/prompted/variants/{variant}/provenance.json"),
    params:
        settings=variant_settings,
        cache=results("checkpoints/{dataset}+{model}+prompted"),
    log:
        results("logs/ask_variant/{dataset}/{model}/{variant}.log"),
    benchmark:
        results("benchmarks/ask_variant/{dataset}/{model}/{variant}.tsv")


use rule score as score_variant with:
    input:
        completions=results("{dataset}/{model}/prompted/variants/{variant}/completions/dev_select.parquet"),
        prompts=results("{dataset}/prompts/dev_select.parquet"),
        documents=results("{dataset}/documents/dev.parquet"),
        ontology=dataset_ontology,
    output:
        predictions=results("{dataset}/{model}/prompted/variants/{variant}/predictions/dev_select.parquet"),
        scores=results("{dataset}/{model}/prompted/variants/{variant}/scores/dev_select.json"),
        counts=results("{dataset}/{model}/prompted/variants/{variant}/scores/dev_select.counts.parquet"),
    wildcard_constraints:
        model=either(STUDY.prompted_models()),
    params:
        look=[],
    log:
        results("logs/score_variant/{dataset}/{model}/{variant}.log"),
    benchmark:
        results("benchmarks/score_variant/{dataset}/{model}/{variant}.tsv")


rule choose_variant:
    """Choose the variant of the prompts that test is asked in, by a metric on dev_select."""
    input:
        scores=scores_of_variants,
    output:
        selection=results("{dataset}/{model}/prompted/selection.json"),
    wildcard_constraints:
        model=either(STUDY.prompted_models()),
    params:
        settings=choice_settings,
    log:
        results("logs/choose_variant/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/choose_variant/{dataset}/{model}.tsv")
    localrule: True
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        "python -m workflow_scripts.choose_variant"
        " --settings {params.settings:q}"
        " --scores {input.scores:q}"
        " --output {output.selection:q}"
        " 2>> {log:q}"


use rule score as score_prompted with:
    input:
        completions=results("{dataset}/{model}/prompted/completions/test.parquet"),
        prompts=results("{dataset}/prompts/test.parquet"),
        documents=results("{dataset}/documents/test.parquet"),
        ontology=dataset_ontology,
    output:
        predictions=results("{dataset}/{model}/prompted/predictions/test.parquet"),
        scores=results("{dataset}/{model}/prompted/scores/test.json"),
        counts=results("{dataset}/{model}/prompted/scores/test.counts.parquet"),
    wildcard_constraints:
        model=either(STUDY.prompted_models()),
    params:
        look=prompted_look,
    log:
        results("logs/score_prompted/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/score_prompted/{dataset}/{model}.tsv")


rule memorisation_prompts:
    """Write a prompt for each test sentence that models are asked to complete from its first half."""
    input:
        documents=results("{dataset}/documents/test.parquet"),
    output:
        prompts=results("{dataset}/memorisation/prompts.parquet"),
    wildcard_constraints:
        dataset=either(STUDY.annotated_datasets()),
    log:
        results("logs/memorisation_prompts/{dataset}.log"),
    benchmark:
        results("benchmarks/memorisation_prompts/{dataset}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        "python -m workflow_scripts.memorisation_prompts"
        " --documents {input.documents:q}"
        " --output {output.prompts:q}"
        " 2>> {log:q}"


use rule predict as complete with:
    input:
        model=results("{dataset}/{model}/base"),
        below=[],
        prompts=results("{dataset}/memorisation/prompts.parquet"),
        ontology=[],
    output:
        completions=results("{dataset}/{model}/memorisation/completions.parquet"),
    params:
        settings=completion_settings,
        program="predict",
    log:
        results("logs/complete/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/complete/{dataset}/{model}.tsv")
    conda:
        "../envs/train.yaml"


use rule ask as ask_completions with:
    input:
        prompts=results("{dataset}/memorisation/prompts.parquet"),
        ontology=dataset_ontology,
        selection=[],
    output:
        completions=results("{dataset}/{model}/memorisation/completions.parquet"),
        provenance=results("{dataset}/{model}/memorisation/provenance.json"),
    params:
        settings=asked_completion_settings,
        cache=results("checkpoints/{dataset}+{model}+prompted"),
    log:
        results("logs/ask_completions/{dataset}/{model}.log"),
    benchmark:
        results("benchmarks/ask_completions/{dataset}/{model}.tsv")


rule memorisation:
    """Count how many test sentences each model completes verbatim, on this machine, as `ask` does."""
    input:
        prompts=results("{dataset}/memorisation/prompts.parquet"),
        completions=completions_of_models,
    output:
        csv=results("{dataset}/memorisation/counts.csv"),
        page=results("{dataset}/memorisation/counts.md"),
    params:
        settings=memorisation_settings,
    log:
        results("logs/memorisation/{dataset}.log"),
    benchmark:
        results("benchmarks/memorisation/{dataset}.tsv")
    localrule: True
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        "python -m workflow_scripts.memorisation"
        " --settings {params.settings:q}"
        " --prompts {input.prompts:q}"
        " --completions {input.completions:q}"
        " --output-csv {output.csv:q}"
        " --output-page {output.page:q}"
        " 2>> {log:q}"


rule import_answers:
    """Read the answers of another system to the test prompts from the user's file."""
    input:
        answers=imported_answers,
        prompts=imported_dataset("{dataset}/prompts/test.parquet"),
    output:
        completions=results("{imported}/completions/test.parquet"),
        provenance=results("{imported}/provenance.json"),
    log:
        results("logs/import_answers/{imported}.log"),
    benchmark:
        results("benchmarks/import_answers/{imported}.tsv")
    conda:
        "../envs/eval.yaml"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=30,
    shell:
        "python -m workflow_scripts.import_answers"
        " --answers {input.answers:q}"
        " --prompts {input.prompts:q}"
        " --output-completions {output.completions:q}"
        " --output-provenance {output.provenance:q}"
        " 2>> {log:q}"


use rule score as score_imported with:
    input:
        completions=results("{imported}/completions/test.parquet"),
        prompts=imported_dataset("{dataset}/prompts/test.parquet"),
        documents=imported_dataset("{dataset}/documents/test.parquet"),
        ontology=imported_ontology,
    output:
        predictions=results("{imported}/predictions/test.parquet"),
        scores=results("{imported}/scores/test.json"),
        counts=results("{imported}/scores/test.counts.parquet"),
    wildcard_constraints:
        imported=either(IMPORTED),
    params:
        look=imported_look,
    log:
        results("logs/score_imported/{imported}.log"),
    benchmark:
        results("benchmarks/score_imported/{imported}.tsv")
