"""The schema of an experiment: the model, its inputs, how it is trained and tested."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    field_validator,
    model_validator,
)

from gait.config.dataset import NAME
from gait.config.schema import Component, Strict
from gait.errors import nearest
from gait.modalities import MODALITIES, SILHOUETTES

Precision = Literal["fp32", "bf16", "fp16"]
Output = Literal["embedding", "logits", "iou"]
# What the protocols of each kind score.
SCORED: dict[str, Output] = {
    "retrieval": "embedding",
    "verification": "embedding",
    "submission": "embedding",
    "classification": "logits",
    "segmentation": "iou",
}


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


class Augmentation(Component):
    """A transform of one of the model's inputs, the first where none is named."""

    input: str | None = None

    @property
    def settings(self) -> dict[str, Any]:
        return self.model_dump(mode="json", exclude={"input"})


class ParameterGroup(Strict):
    """What the optimiser does otherwise to some of the model's parameters.

    Attributes:
        match: shell-style patterns on the names of the parameters; a parameter belongs to the
            first group that matches it.
        frozen: the parameters keep their values.
        lr: their learning rate; `lr_scale` multiplies the optimiser's instead.
        weight_decay: their weight decay.
    """

    match: str | list[str]
    frozen: bool = False
    lr: NonNegativeFloat | None = None
    lr_scale: NonNegativeFloat | None = None
    weight_decay: NonNegativeFloat | None = None

    @property
    def patterns(self) -> list[str]:
        return [self.match] if isinstance(self.match, str) else self.match

    @model_validator(mode="after")
    def _one_meaning(self) -> Self:
        if self.lr is not None and self.lr_scale is not None:
            raise ValueError("a group takes lr or lr_scale, not both")
        if self.frozen and (self.lr, self.lr_scale, self.weight_decay) != (None, None, None):
            raise ValueError("a frozen group takes no lr, lr_scale or weight_decay")
        return self


class MovingAverage(Strict):
    """A part of the model that follows another one, instead of being trained.

    After each step, every parameter of `target` becomes m times itself plus 1 - m times its
    counterpart in `source`; m rises from `momentum` to 1 along half a cosine over the run.

    Attributes:
        source, target: submodules of the model, by their dotted names.

    Source: Grill et al., Bootstrap Your Own Latent, NeurIPS 2020, arXiv 2006.07733, section 3.
    """

    source: str
    target: str
    momentum: Annotated[float, Field(ge=0, le=1)] = 0.99


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


class InitFrom(Strict):
    """Another experiment whose result training starts from.

    Attributes:
        experiment: `<dataset>/<model>/<save_name>`.
        part: only its tensors below this dotted name, which is taken off; all of them when empty.
        into: the dotted name they get here; their own when empty.
        strict: whether every one of those tensors has to fit one here; otherwise those that do
            are used, and the others are named on the screen.
    """

    experiment: Annotated[str, Field(pattern=f"^{NAME}/{NAME}/{NAME}$")]
    part: str = ""
    into: str = ""
    strict: bool = False

    @property
    def weights(self) -> str:
        """Where that experiment's result lies."""
        return f"results/{self.experiment}/model.pt"


class Logging(Strict):
    """What a run writes while it trains, in iterations; changes no result.

    Attributes:
        checkpoint_minutes: a checkpoint is written as well when the last one is so old.
    """

    log_every: PositiveInt = 100
    checkpoint_every: PositiveInt = 2000
    checkpoint_minutes: PositiveFloat = 10.0
    keep_checkpoints: PositiveInt = 2
    evaluate_every: PositiveInt | None = None


class Embedding(Strict):
    """How test sequences are embedded.

    Attributes:
        frames_limit: only the first so many frames of a sequence; None for all.
        frames_exactly: exactly so many frames from the middle of each sequence, which is repeated
            where it is shorter; for models that want one length. None for all.
        frames_per_batch: sequences of equal length are batched up to this many frames.
    """

    transforms: list[Augmentation] = Field(default_factory=list)
    frames_limit: PositiveInt | None = 720
    frames_exactly: PositiveInt | None = None
    frames_per_batch: PositiveInt = 2000
    precision: Precision = "fp32"


class Evaluation(Strict):
    """How embeddings are scored.

    Attributes:
        output: what the model gives as its embeddings: features to compare ('embedding'),
            'logits' of categories, or the 'iou' of what it found with the silhouettes.
        protocols: names from the dataset; None for all of them that score such an output.
        bootstrap: resamplings of the subjects behind each confidence interval.
    """

    output: Output = "embedding"
    protocols: list[str] | None = None
    distance: Literal["euclidean", "cosine"] = "euclidean"
    bootstrap: NonNegativeInt = 1000


class Experiment(Strict):
    """One experiment, every value: `defaults.yaml` < model < experiment.

    Attributes:
        partition: the file `partition-<name>.yaml` of the dataset cuts it, not `partition.yaml`;
            or a JSON file, by its path from the dataset's folder.
        inputs: what the model gets, one entry a tensor: a modality of the dataset, or several
            joined on their channels, such as 'skeleton_maps+silhouettes'.
        train_on: further datasets to train on together with this one; each iteration's batch
            comes from one of them, drawn with a probability that goes with the cube root of the
            number of its training sequences times its weight here.
        parameters: groups of parameters that the optimiser treats otherwise.
        weights: a `model.pt` to embed with as it is; nothing is trained.
        init: a file that training starts from.
        init_from: experiments that training starts from.
        paper: the paper that the model is from: authors, title and venue; nothing depends on it.
    """

    paper: str = ""
    seed: NonNegativeInt = 0
    iterations: NonNegativeInt
    partition: Annotated[str, Field(pattern=rf"^(?:{NAME}|.+\.json)$")] | None = None
    inputs: Annotated[list[str], Field(min_length=1)] = Field(
        default_factory=lambda: [SILHOUETTES]
    )
    train_on: dict[str, PositiveFloat] = Field(default_factory=dict)
    model: Component
    losses: dict[str, Loss]
    optimizer: Component
    scheduler: Component
    parameters: list[ParameterGroup] = Field(default_factory=list)
    ema: MovingAverage | None = None
    sampler: Component
    frames: Frames
    transforms: list[Augmentation]
    precision: Precision
    batch_norm: Literal["synchronised", "local", "fixed"]
    gradient_clip: PositiveFloat | None = None
    weights: str | None = None
    init: Init | None = None
    init_from: list[InitFrom] = Field(default_factory=list)
    logging: Logging
    embedding: Embedding
    evaluation: Evaluation

    @field_validator("init_from", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        """One experiment may be given by its name, and without a list."""
        listed = value if isinstance(value, list) else [value]
        return [{"experiment": each} if isinstance(each, str) else each for each in listed]

    @field_validator("train_on", mode="before")
    @classmethod
    def _weighted(cls, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        if any(not isinstance(each, str) for each in value):
            raise ValueError("expected names of datasets")
        return dict.fromkeys(value, 1.0)

    @field_validator("inputs")
    @classmethod
    def _known(cls, value: list[str]) -> list[str]:
        for name in value:
            modalities = name.split("+")
            for each in modalities:
                if each not in MODALITIES:
                    raise ValueError(f"{each!r} is no modality; {nearest(each, MODALITIES)}")
                if MODALITIES[each].is_ragged and len(modalities) > 1:
                    raise ValueError(
                        f"{name}: the frames of {each} differ in size, expected them as an input "
                        "of their own"
                    )
        if len(set(value)) < len(value):
            raise ValueError("an input may be named once")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        starts = {
            "weights": self.weights,
            "init": self.init,
            "init_from": self.init_from or None,
        }
        given = [name for name, value in starts.items() if value is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)} exclude each other; keep one")
        for name, transforms in (
            ("transforms", self.transforms),
            ("embedding.transforms", self.embedding.transforms),
        ):
            for each in transforms:
                if each.input is not None and each.input not in self.inputs:
                    raise ValueError(
                        f"{name}: {each.name} is for the input {each.input!r}, expected one of "
                        f"{', '.join(self.inputs)}"
                    )
        return self

    @property
    def modalities(self) -> set[str]:
        """What the model reads."""
        return {each for name in self.inputs for each in name.split("+")}

    @property
    def starts(self) -> list[str]:
        """The files of weights that training starts from, in the order they are read."""
        if self.weights is not None:
            return [self.weights]
        if self.init is not None:
            return [self.init.weights]
        return [each.weights for each in self.init_from]
