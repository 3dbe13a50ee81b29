"""An experiment with its identity and its datasets, and what of it each stage depends on."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from gait.config.dataset import Dataset
from gait.config.experiment import SCORED, Experiment
from gait.config.protocol import VALIDATION_METRICS, Protocol
from gait.config.schema import Strict
from gait.errors import ConfigError

# Sections of an experiment that trained weights do not depend on.
NOT_TRAINED_BY = {"logging", "embedding", "evaluation", "partition", "paper"}


def identity(dataset: str, model: str, save_name: str, trained_on: str) -> str:
    """The output key of an experiment; with `/on-<dataset>` where it is trained on another one."""
    if trained_on:
        return f"{trained_on}/{model}/{save_name}/on-{dataset}"
    return f"{dataset}/{model}/{save_name}"


class Resolved(Strict):
    """An experiment with its identity and its dataset: all a stage needs to know.

    Attributes:
        dataset: what it is trained and tested on, or only tested on, see `trained_on`.
        others: the datasets of `train_on`, in its order.
        trained_on: the dataset that the experiment belongs to, where it is tested on another one;
            else an empty text.
    """

    dataset: Dataset
    model: str
    save_name: str
    experiment: Experiment
    others: list[Dataset] = Field(default_factory=list)
    trained_on: str = ""

    @property
    def protocols(self) -> dict[str, Protocol]:
        """The protocols by which the experiment is scored."""
        known = self.dataset.protocols
        if (wanted := self.experiment.evaluation.protocols) is not None:
            return {name: known[name] for name in wanted}
        output = self.experiment.evaluation.output
        return {name: each for name, each in known.items() if SCORED[each.kind] == output}

    @property
    def validation_protocols(self) -> dict[str, Protocol]:
        """Those of them that can be scored while the model is trained: all but submissions."""
        return {
            name: each for name, each in self.protocols.items() if each.kind in VALIDATION_METRICS
        }

    @property
    def identity(self) -> str:
        """The output key `<dataset>/<model>/<save_name>`, with `/on-<other dataset>`."""
        return identity(self.dataset.name, self.model, self.save_name, self.trained_on)

    def tested_on(self, other: Dataset) -> Resolved:
        """The same, trained as it is and tested on another dataset by all of its protocols.

        Figures that were published for `other` are of models trained on it; they are left out.

        Raises:
            ConfigError: `other` is the experiment's own dataset, or has no protocols.
        """
        if other.name == self.dataset.name:
            raise ConfigError(
                f"{self.identity}/on-{other.name}: is trained on {other.name} itself; ask for "
                f"{self.identity}"
            )
        if not other.protocols:
            raise ConfigError(
                f"{self.identity}/on-{other.name}: {other.name} has no protocol to be scored by; "
                f"add 'protocols' to datasets/{other.name}/dataset.yaml or name another dataset"
            )
        evaluation = self.experiment.evaluation.model_copy(update={"protocols": None})
        return self.model_copy(
            update={
                "dataset": other.model_copy(update={"published": []}),
                "experiment": self.experiment.model_copy(update={"evaluation": evaluation}),
                "trained_on": self.dataset.name,
            }
        )

    def testing_on(self, subjects: list[str]) -> Resolved:
        """The same with other test subjects."""
        partition = self.dataset.partition.model_copy(update={"test": subjects})
        dataset = self.dataset.model_copy(update={"partition": partition})
        return self.model_copy(update={"dataset": dataset})

    def training_slice(self) -> dict[str, Any]:
        """What the trained weights depend on; a change of it means training again."""
        experiment = self.experiment.model_dump(mode="json", exclude=NOT_TRAINED_BY)
        trained_on = {each.name: each.partition.train for each in (self.dataset, *self.others)}
        return {
            "experiment": experiment,
            "train": trained_on,
            "categories": [
                each.model_dump(mode="json") for each in (self.dataset.categories or {}).values()
            ],
        }

    def embedding_slice(self) -> dict[str, Any]:
        """What embeddings depend on, given the weights."""
        settings = self.experiment.embedding.model_dump(mode="json")
        return {
            "embedding": settings,
            "inputs": self.experiment.inputs,
            "test": self.dataset.partition.test,
        }

    def scoring_slice(self) -> dict[str, Any]:
        """What metrics depend on, given the embeddings."""
        protocols = {name: each.model_dump(mode="json") for name, each in self.protocols.items()}
        evaluation = self.experiment.evaluation.model_dump(mode="json")
        return {"evaluation": evaluation, "protocols": protocols, "seed": self.experiment.seed}
