"""The schemas of protocols: which sequences are scored, against which others, and how."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    NonNegativeInt,
    PlainSerializer,
    PositiveInt,
    Tag,
    field_validator,
    model_validator,
)

from gait.config.schema import Strict
from gait.errors import DataError, nearest
from gait.types import SequenceKey


def _split(value: Any) -> Any:
    """Split a whitespace-separated string; long lists read more easily so."""
    return value.split() if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_split)]
# Written back as such a text.
Keys = Annotated[Names, PlainSerializer(" ".join, return_type=str, when_used="json-unless-none")]


class Selection(Strict):
    """Sequences, by shell-style patterns on their subject, condition and view; None for any.

    A pattern is matched against the whole name, upper and lower case apart: `*` is any text, `?`
    any character, `[ab]` one of those. A sequence is selected when each of its names matches any
    of the patterns for it; a pattern after `!` leaves out what it matches instead.

    Attributes:
        sequences: the keys `<subject>/<condition>/<view>` of those that may be selected, or names
            of lists in the dataset's partition.
    """

    subject: list[str] | None = None
    condition: list[str] | None = None
    view: list[str] | None = None
    sequences: Keys | None = None

    @field_validator("sequences")
    @classmethod
    def _keys_or_lists(cls, value: list[str] | None) -> list[str] | None:
        if wrong := [each for each in value or [] if each.count("/") not in (0, 2)]:
            raise ValueError(f"{wrong[0]!r} is neither <subject>/<condition>/<view> nor a list")
        return value

    def selects(self, key: SequenceKey) -> bool:
        """Whether one sequence is selected."""
        patterns = (self.subject, self.condition, self.view)
        return all(map(matches, key, patterns)) and (
            self.sequences is None or str(key) in self.sequences
        )

    def with_lists(self, lists: Mapping[str, list[str]]) -> Self:
        """The same with keys in place of the names of lists.

        Raises:
            ValueError: there is no such list.
        """
        if self.sequences is None:
            return self
        keys = []
        for each in self.sequences:
            if "/" not in each and each not in lists:
                raise ValueError(
                    f"the partition has no list of sequences {each!r}; {nearest(each, lists)}"
                )
            keys += [each] if "/" in each else lists[each]
        return self.model_copy(update={"sequences": keys})


class Probes(Selection):
    """Probe sequences, and the gallery they are compared with where it is one of their own."""

    gallery: Selection | None = None

    def with_lists(self, lists: Mapping[str, list[str]]) -> Self:
        gallery = self.gallery and self.gallery.with_lists(lists)
        return super().with_lists(lists).model_copy(update={"gallery": gallery})


class Retrieval(Strict):
    """Probes are identified: the gallery is ranked by its distance to each of them.

    Attributes:
        title: what the page of the datasets calls it.
        gallery: the enrolled sequences of the test subjects, for all probes that have no gallery
            of their own.
        probes: the sequences to identify, by the name of the row they are reported in; a sequence
            may belong to several rows.
        shared: what becomes of a sequence that is selected as gallery and as probe: it is 'both',
            a 'probe' only, or 'gallery' only.
        view_part: regular expression of the part of a view's name that tells views apart, such as
            the camera: what it matches at the beginning of the name stands for the view. None for
            the whole name.
        cells: 'view_pair' scores each pair of probe view and gallery view, then averages over
            gallery views and probe views; 'probe_view' scores each probe view against all gallery
            views and averages; 'pooled' scores all at once. A cell in which nothing can be
            compared is empty and takes no part in the averages.
        exclude: gallery items not compared with a probe. 'identical_view' leaves out cells (or
            items) of the probe's own view; 'same_subject_view' only those of its own subject;
            'none' compares everything but the sequence itself.
        unmatched: a probe whose subject is absent from what it is compared with (its cell's
            gallery) counts as a 'miss' of the ranks or is left out of them ('skip'). Mean average
            precision and mean inverse negative penalty are averages over the probes with a match
            either way, and unmatched probes are counted.
        ranks: the ranks reported; 1 and 5 always are. A gallery smaller than a rank is searched
            whole.
        round_cells: decimals each cell's percentage is rounded to before averaging, as published
            tables of some datasets do; None for exact averages.
    """

    kind: Literal["retrieval"] = "retrieval"
    title: str
    gallery: Selection | None = None
    probes: dict[str, Probes] = Field(min_length=1)
    shared: Literal["both", "probe", "gallery"] = "both"
    view_part: str | None = None
    cells: Literal["view_pair", "probe_view", "pooled"]
    exclude: Literal["identical_view", "same_subject_view", "none"]
    unmatched: Literal["miss", "skip"] = "miss"
    ranks: list[PositiveInt] = Field(default_factory=lambda: [1, 5])
    round_cells: NonNegativeInt | None = None

    @field_validator("view_part")
    @classmethod
    def _expression(cls, value: str | None) -> str | None:
        try:
            re.compile(value or "")
        except re.error as error:
            raise ValueError(f"not a regular expression ({error})") from None
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        without = [name for name, each in self.probes.items() if each.gallery is None]
        if self.gallery is None and without:
            raise ValueError(f"probes: {without[0]} has no gallery; give the protocol one")
        if self.gallery is not None and not without:
            raise ValueError("gallery: all probes have one of their own; remove the protocol's")
        if "mean" in self.probes:
            raise ValueError("probes: 'mean' is the row of their averages; choose another name")
        if self.cells == "view_pair" and self.exclude == "same_subject_view":
            raise ValueError(
                "exclude: same_subject_view leaves no match in the cells of identical views; with "
                "cells: view_pair choose identical_view or none"
            )
        return self

    def gallery_of(self, probe: str) -> Selection:
        """What the probes of a row are compared with."""
        gallery = self.probes[probe].gallery or self.gallery
        assert gallery is not None
        return gallery

    def with_lists(self, lists: Mapping[str, list[str]]) -> Self:
        """The same with keys in place of the names of lists; ValueError for an unknown one."""
        gallery = self.gallery and self.gallery.with_lists(lists)
        probes = {name: each.with_lists(lists) for name, each in self.probes.items()}
        return self.model_copy(update={"gallery": gallery, "probes": probes})

    @property
    def rows(self) -> list[str]:
        """Names of the rows of its table, but for their mean."""
        return list(self.probes)


class Verification(Strict):
    """Pairs are accepted as of one subject, or rejected, by their distance.

    Attributes:
        of: the retrieval whose pairs are decided on, each probe with all that it is compared with
            there; or the name of that protocol, for which a dataset puts the protocol itself.
    """

    kind: Literal["verification"]
    title: str
    of: str | Retrieval

    @property
    def pairs(self) -> Retrieval:
        """The retrieval whose pairs are decided on, once it is in place."""
        assert isinstance(self.of, Retrieval)
        return self.of

    def with_lists(self, lists: Mapping[str, list[str]]) -> Self:
        """The same with keys in place of the names of lists; ValueError for an unknown one."""
        of = self.of if isinstance(self.of, str) else self.of.with_lists(lists)
        return self.model_copy(update={"of": of})

    @property
    def rows(self) -> list[str]:
        """Names of the rows of its table, but for their mean."""
        return self.pairs.rows


class Classification(Strict):
    """A category is told for each test sequence.

    Attributes:
        categories: the sequences of each, in the order of the model's classes; a dataset puts its
            own here.
    """

    kind: Literal["classification"]
    title: str
    categories: dict[str, Selection] = Field(default_factory=dict)

    def with_lists(self, lists: Mapping[str, list[str]]) -> Self:
        """The same with keys in place of the names of lists; ValueError for an unknown one."""
        categories = {name: each.with_lists(lists) for name, each in self.categories.items()}
        return self.model_copy(update={"categories": categories})

    @property
    def rows(self) -> list[str]:
        """Names of the rows of its table, but for their mean."""
        return list(self.categories)


class Submission(Strict):
    """The gallery nearest to each probe is written down, for others to score.

    A line of the file names a probe, by its view or, where that is 'default', by its condition,
    and then the subjects of the nearest gallery sequences, the nearest first. A subject comes as
    often as its sequences do.

    Attributes:
        columns: names of the columns of the file: the probe's, then one for each rank.
        labels: whether subjects are written as they are named, or as whole numbers, without the
            zeros in front.
        rerank: whether neighbours in common count, see `gait.evaluation.rerank`; that takes the
            distances between all sequences into memory at once.
    """

    kind: Literal["submission"]
    title: str
    gallery: Selection
    probes: Selection
    columns: Annotated[Names, Field(min_length=2)]
    labels: Literal["name", "number"] = "name"
    rerank: bool = False

    def with_lists(self, lists: Mapping[str, list[str]]) -> Self:
        """The same with keys in place of the names of lists; ValueError for an unknown one."""
        gallery, probes = self.gallery.with_lists(lists), self.probes.with_lists(lists)
        return self.model_copy(update={"gallery": gallery, "probes": probes})

    @property
    def rows(self) -> list[str]:
        """Names of the rows of its table."""
        return ["all"]


class Segmentation(Strict):
    """What a model takes for the walker is laid over the silhouettes of the test sequences."""

    kind: Literal["segmentation"]
    title: str

    def with_lists(self, lists: Mapping[str, list[str]]) -> Self:
        """Itself, as it names no sequences."""
        return self

    @property
    def rows(self) -> list[str]:
        """Names of the rows of its table."""
        return ["all"]


def kind_of(protocol: Any) -> Any:
    """The kind of a protocol, or of its scores: a record already, or still a mapping."""
    if isinstance(protocol, Mapping):
        return protocol.get("kind", "retrieval")
    return getattr(protocol, "kind", None)


# How a dataset is scored. `kind` tells the schema; retrieval may leave it out.
Protocol = Annotated[
    Annotated[Retrieval, Tag("retrieval")]
    | Annotated[Verification, Tag("verification")]
    | Annotated[Classification, Tag("classification")]
    | Annotated[Submission, Tag("submission")]
    | Annotated[Segmentation, Tag("segmentation")],
    Discriminator(
        kind_of,
        custom_error_type="kind",
        custom_error_message=(
            "expected kind: retrieval, verification, classification, submission or segmentation"
        ),
    ),
]


class ValidationMetric(NamedTuple):
    """The figure of a kind of protocol that is followed while a model is trained.

    Attributes:
        key: what it is called in `history.jsonl`; a percentage.
        title: what people call it.
    """

    key: str
    title: str


# By kind; a submission has none, as only others can score it.
VALIDATION_METRICS = {
    "retrieval": ValidationMetric("rank1_pct", "rank-1"),
    "verification": ValidationMetric("eer_pct", "equal error rate"),
    "classification": ValidationMetric("accuracy_pct", "accuracy"),
    "segmentation": ValidationMetric("miou_pct", "mean intersection over union"),
}


def matches(name: str, patterns: Sequence[str] | None) -> bool:
    """Whether shell-style patterns select a name, see `Selection`; None selects any."""
    if patterns is None:
        return True
    wanted = [each for each in patterns if not each.startswith("!")]
    unwanted = [each[1:] for each in patterns if each.startswith("!")]
    if any(fnmatchcase(name, each) for each in unwanted):
        return False
    return any(fnmatchcase(name, each) for each in wanted) or bool(unwanted and not wanted)


def category_of(categories: Mapping[str, Selection], key: SequenceKey) -> int:
    """The place among `categories` of the one that a sequence belongs to.

    Raises:
        DataError: it belongs to none of them, or to several.
    """
    found = [index for index, each in enumerate(categories.values()) if each.selects(key)]
    if len(found) != 1:
        got = " and ".join(list(categories)[index] for index in found) or "none of them"
        raise DataError(
            f"{key}: expected a sequence of one of the categories {', '.join(categories)}, got "
            f"{got}; change 'categories' in dataset.yaml"
        )
    return found[0]
