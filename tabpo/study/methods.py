"""The keys of a method in a study: its loss, its training and its pairing; and of the search for its settings."""

from typing import Annotated, Literal

from pydantic import Field, WithJsonSchema

from tabpo.study.shape import Section, Seed
from tabpo.study.training import TrainingSettings

Param = Annotated[bool | int | float | str, WithJsonSchema({"type": ["boolean", "number", "string"]})]
Multiple = Annotated[float, Field(gt=0, le=1000)]


class ExampleWeights(Section):
    """Larger weights for pairs with rare labels (docs/methods.md); the loss of a pair is multiplied by its weight."""

    strategy: Literal["effective_number", "inverse_frequency", "inverse_square_root"] = Field(
        description="How the weight of a label falls with the number of examples that have it."
    )
    b: float = Field(
        0.99, gt=0, lt=1, description="Of effective_number: a label of n examples weighs (1 - b) / (1 - b^n)."
    )
    a: float = Field(
        1.0, gt=0, description="Exponent of inverse_frequency, (N / n)^a, and of inverse_square_root, (N / n)^(a / 2)."
    )
    combine: Literal["mean", "max", "geometric_mean"] = Field(
        "mean", description="How an example's weights by both kinds of labels become one."
    )
    cap: float = Field(3.0, ge=1, description="Largest weight of an example.")


class Method(Section):
    """A loss with its parameters, training and pairing."""

    loss: str = Field(None, description="Name of a file of tabpo/losses/; needed if no preset has the method's name.")
    params: dict[str, Param] = Field(
        {},
        description=(
            "Hyperparameters of the loss (docs/methods.md). A hyperparameter that is not given has the preset's value,"
            " or else the default of the loss."
        ),
    )
    example_weights: ExampleWeights = Field(
        None, description="Weights of pairs by the labels of their gold answers. If not given, all pairs weigh 1."
    )
    token_scores: dict[Literal["dpo_logps", "reverse_dpo_logps"], str] = Field(
        None,
        description=(
            "For losses that read log-probs of another run's model (docs/methods.md): the method that trains this"
            " model, by what the loss calls its log-probs. A method that the study lacks is a preset; it is trained for"
            " this alone and is no row. If not given, those of the loss's preset."
        ),
    )
    training: TrainingSettings = Field(None, description="Training settings of this method; they override all others.")
    pairing: str = Field(
        None,
        description=(
            "Name of the pairing that the method trains on. If not given, the preset's pairing, or else mixed; in a"
            " study of preferences, given."
        ),
    )
    extra_steps: Literal["match"] = Field(
        None,
        description=(
            "match trains for as many steps as give the run the floating-point operations of the study's dearest"
            " method with this model, by calculation (docs/configuration.md). If not given, the steps of the training"
            " settings."
        ),
    )


class Tuning(Section):
    """A search for the settings of methods: the same number of trials for each, chosen on dev_select alone."""

    model: str = Field(
        description=(
            "Name of the model that is tuned. The multiples and hyperparameters chosen with it are those of all models."
        )
    )
    methods: list[str] = Field(
        None,
        min_length=1,
        description=(
            "Names of the methods that have trials of their own, besides sft; if not given, all of the study. Other"
            " methods take the learning rate and the length that were chosen for the first of these with the same loss,"
            " and keep their own settings if there is none."
        ),
    )
    metric: str = Field(
        description=(
            "Metric on dev_select by which a trial is chosen, for example ner_strict; all data sets must have it."
        )
    )
    trials: int = Field(ge=2, le=1000, description="Number of trials of each method, drawn from its grid.")
    seeds: list[Seed] = Field(
        [1, 2, 3],
        min_length=1,
        description="Seeds of each trial; the mean over them decides. One seed is little, since dev_select is small.",
    )
    learning_rate: list[Multiple] = Field(
        min_length=1, description="Multiples of a method's own learning rate that trials are drawn from."
    )
    steps: list[Multiple] = Field(
        min_length=1, description="Multiples of a method's own number of steps or epochs that trials are drawn from."
    )
    params: dict[str, dict[str, list[Param]]] = Field(
        {}, description="Values of hyperparameters that trials are drawn from, by method and hyperparameter."
    )
