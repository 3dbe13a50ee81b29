"""The schema of published figures, and which of them an experiment is compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gait.config.protocol import Protocol
from gait.config.schema import Strict
from gait.errors import nearest

# Percent by row.
Figures = dict[str, Annotated[float, Field(ge=0, le=100)]]
# The mean over a protocol's rows.
MEAN = "mean"
# What figures are called, by the key that holds them.
TITLES = {
    "rank1_pct": "rank-1",
    "rank5_pct": "rank-5",
    "map_pct": "mAP",
    "minp_pct": "mINP",
    "accuracy_pct": "accuracy",
}
_RANKED = ("rank1_pct", "rank5_pct", "map_pct", "minp_pct")
_MEASURED = {
    "retrieval": _RANKED,
    "submission": _RANKED,
    "classification": ("accuracy_pct",),
}
_WHOSE = {"authors": "the authors", "opengait": "OpenGait", "others": "others"}


class Published(Strict):
    """Figures, in percent, that somebody published for a model by one of the protocols.

    Attributes:
        model: its name in `config/models`.
        experiment: the save_name of the experiment with the same architecture, input, partition
            and, as far as is known, training; without it, the figures are another recipe's.
        protocol: one of the dataset's protocols.
        rank1_pct: percent by the protocol's rows, as are the figures below; rows without one are
            left out. The row of a submission is 'all'; 'mean' is the mean over the rows, where it
            is printed.
        accuracy_pct: of a classification, whose only row here is 'mean', its whole.
        table: whose run it is: `authors` of the model, `opengait`, or `others`, who trained the
            model to compare their own with.
        source: where it is printed.
        note: what keeps the figures from being compared as they are.
    """

    model: str
    experiment: str = ""
    protocol: str
    rank1_pct: Figures = Field(default_factory=dict)
    rank5_pct: Figures = Field(default_factory=dict)
    map_pct: Figures = Field(default_factory=dict)
    minp_pct: Figures = Field(default_factory=dict)
    accuracy_pct: Figures = Field(default_factory=dict)
    table: Literal["authors", "opengait", "others"]
    source: str
    note: str = ""

    @model_validator(mode="after")
    def _has_a_figure(self) -> Self:
        if not self.figures:
            raise ValueError(f"{self.model} has no figure; expected one of {', '.join(TITLES)}")
        return self

    @property
    def figures(self) -> dict[str, Figures]:
        """What there is, by its key, see `TITLES`."""
        return {key: values for key in TITLES if (values := getattr(self, key))}

    def problems(self, protocols: Mapping[str, Protocol]) -> list[str]:
        """Why it does not fit the protocols of its dataset."""
        protocol = protocols.get(self.protocol)
        if protocol is None:
            return [f"no protocol is named {self.protocol}; {nearest(self.protocol, protocols)}"]
        rows = set(rows_of(protocol))
        if len(rows) > 1:
            rows.add(MEAN)
        measured = _MEASURED.get(protocol.kind, ())
        found = []
        for key, values in self.figures.items():
            if key not in measured:
                expected = f"expected {', '.join(measured)}" if measured else "remove it"
                found.append(
                    f"the protocol {self.protocol} is a {protocol.kind}, which has no {key}; "
                    f"{expected}"
                )
            elif absent := sorted(values.keys() - rows):
                found.append(
                    f"the protocol {self.protocol} has no probe {', '.join(absent)}; "
                    f"expected {', '.join(sorted(rows))}"
                )
        return found

    @property
    def whose(self) -> str:
        """Who ran what the figures are of."""
        return _WHOSE[self.table]

    def beside(self, save_name: str) -> str:
        """Name whose figures these are, and whether their recipe is another than `save_name`."""
        return self.whose if self.experiment == save_name else f"{self.whose}, another recipe"


def rows_of(protocol: Protocol) -> list[str]:
    """The rows that published figures by a protocol have, but for a mean over several."""
    return [MEAN] if protocol.kind == "classification" else protocol.rows


def comparable(
    published: Sequence[Published], model: str, save_name: str, protocol: str
) -> Published | None:
    """Return the figures to show with an experiment's: its own first, else another recipe's.

    Args:
        save_name: without a seed.
    """
    known = [
        each
        for each in published
        if (each.model, each.protocol) == (model, protocol) and each.rank1_pct
    ]
    own = [each for each in known if each.experiment == save_name]
    return next(iter(own or known), None)


def unfounded(
    published: Sequence[Published], experiments: Mapping[str, Sequence[str]]
) -> list[str]:
    """What is wrong with the experiments that figures name.

    Args:
        experiments: save_names of the dataset's experiments, by model.
    """
    problems = []
    for each in published:
        known = experiments.get(each.model, ())
        if each.experiment and each.experiment not in known:
            problems.append(
                f"no experiment of {each.model} is named {each.experiment!r}; "
                f"{nearest(each.experiment, known)}"
            )
        elif known and not each.experiment and not each.note:
            problems.append(
                f"figures of {each.model} by {each.protocol} name no experiment; name one of "
                f"{', '.join(known)}, or say in 'note' what differs"
            )
    return problems
