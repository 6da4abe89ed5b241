"""Which figures a study has of what its runs logged, and what the jobs that draw them are told."""

from tabpo.study import Settings, Study, cost_settings


def run_figure_settings(study: Study, dataset: str, model: str) -> Settings:
    """Settings of the rules `training_figure` and `erosion_figure`."""
    return {"runs": [run for run in cost_settings(study)["runs"] if (run["dataset"], run["model"]) == (dataset, model)]}


def run_figures(study: Study) -> list[str]:
    """Files under the study's results: preferences have no gold tokens that could erode."""
    drawn = list(dict.fromkeys((run["dataset"], run["model"]) for run in cost_settings(study)["runs"]))
    annotated = study.annotated_datasets()
    return [
        *(f"figures/training/{dataset}/{model}.svg" for dataset, model in drawn),
        *(f"figures/erosion/{dataset}/{model}.svg" for dataset, model in drawn if dataset in annotated),
    ]
