"""The schema of an experiment, and the parts of it that each stage depends on."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from gait.config.dataset import Dataset
from gait.config.schema import Component, Strict

Precision = Literal["fp32", "bf16", "fp16"]


class Loss(Component):
    """A loss, its weight in the sum and, where not the loss's own choice, what it reads.

    Attributes:
        field: the output field, or the fields, in the order of the loss's arguments.
        target: what it labels sequences by: the subject, or the dataset's categories.
    """

    weight: float = 1.0
    field: str | list[str] | None = None
    target: Literal["identity", "category"] = "identity"

    @property
    def fields(self) -> list[str] | None:
        return [self.field] if isinstance(self.field, str) else self.field

    @property
    def settings(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"weight", "field", "target"})


class Frames(Strict):
    """How frames are drawn from a training sequence.

    Attributes:
        number: 'fixed' draws `count` frames, 'unfixed' a number within `count_range`, 'all' takes
            the whole sequence.
        order: 'unordered' draws anywhere; 'ordered' draws, in order, from a window of the count
            plus `skip` frames; 'all_ordered' draws in order from the whole sequence.
        limit: the longest sequence used, in frames; None for no limit.
    """

    number: Literal["fixed", "unfixed", "all"] = "fixed"
    order: Literal["unordered", "ordered", "all_ordered"] = "unordered"
    count: PositiveInt = 30
    count_range: tuple[PositiveInt, PositiveInt] | None = None
    skip: NonNegativeInt = 0
    limit: PositiveInt | None = None

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.number == "unfixed":
            if self.count_range is None:
                raise ValueError("number: unfixed needs count_range: [fewest, most]")
            if self.count_range[0] > self.count_range[1]:
                raise ValueError("count_range must be [fewest, most]")
        return self


class Init(Strict):
    """Weights to start from.

    Attributes:
        weights: a checkpoint or `model.pt`, path relative to the working folder.
        strict: whether every name has to match.
        reset: parts of the training state that start afresh instead of being restored.
    """

    weights: str
    strict: bool = True
    reset: tuple[Literal["optimizer", "scheduler", "iteration"], ...] = (
        "optimizer",
        "scheduler",
        "iteration",
    )


class Logging(Strict):
    """What a run writes while it trains, in iterations; changes no result."""

    log_every: PositiveInt = 100
    checkpoint_every: PositiveInt = 2000
    keep_checkpoints: PositiveInt = 2
    evaluate_every: PositiveInt | None = None


class Embedding(Strict):
    """How test sequences are embedded.

    Attributes:
        frames_limit: only the first so many frames of a sequence; None for all.
        frames_per_batch: sequences of equal length are batched up to this many frames.
    """

    transforms: list[Component] = Field(default_factory=list)
    frames_limit: PositiveInt | None = 720
    frames_per_batch: PositiveInt = 2000
    precision: Precision = "fp32"


class Evaluation(Strict):
    """How embeddings are scored.

    Attributes:
        protocols: names from the dataset; None for all of them.
        bootstrap: resamplings of the subjects behind each confidence interval.
    """

    protocols: list[str] | None = None
    distance: Literal["euclidean", "cosine"] = "euclidean"
    bootstrap: NonNegativeInt = 1000


class Experiment(Strict):
    """One experiment, every value: `defaults.yaml` < model < experiment."""

    seed: NonNegativeInt = 0
    iterations: NonNegativeInt
    model: Component
    losses: dict[str, Loss]
    optimizer: Component
    scheduler: Component
    sampler: Component
    frames: Frames
    transforms: list[Component]
    precision: Precision
    batch_norm: Literal["synchronised", "local", "fixed"]
    gradient_clip: PositiveFloat | None = None
    init: Init | None = None
    logging: Logging
    embedding: Embedding
    evaluation: Evaluation


class Resolved(Strict):
    """An experiment with its identity and its dataset: all a stage needs to know."""

    dataset: Dataset
    model: str
    save_name: str
    experiment: Experiment

    @property
    def identity(self) -> str:
        """The output key `<dataset>/<model>/<save_name>`."""
        return f"{self.dataset.name}/{self.model}/{self.save_name}"

    def testing_on(self, subjects: list[str]) -> Resolved:
        """The same with other test subjects."""
        partition = self.dataset.partition.model_copy(update={"test": subjects})
        dataset = self.dataset.model_copy(update={"partition": partition})
        return self.model_copy(update={"dataset": dataset})

    def training_slice(self) -> dict[str, Any]:
        """What the trained weights depend on; a change of it means training again."""
        experiment = self.experiment.model_dump(
            mode="json", exclude={"logging", "embedding", "evaluation"}
        )
        return {"experiment": experiment, "train": self.dataset.partition.train}

    def embedding_slice(self) -> dict[str, Any]:
        """What embeddings depend on, given the weights."""
        settings = self.experiment.embedding.model_dump(mode="json")
        return {"embedding": settings, "test": self.dataset.partition.test}

    def scoring_slice(self) -> dict[str, Any]:
        """What metrics depend on, given the embeddings."""
        wanted = self.experiment.evaluation.protocols or list(self.dataset.protocols)
        protocols = {
            name: self.dataset.protocols[name].model_dump(mode="json")
            for name in wanted
            if name in self.dataset.protocols
        }
        evaluation = self.experiment.evaluation.model_dump(mode="json")
        return {"evaluation": evaluation, "protocols": protocols, "seed": self.experiment.seed}
