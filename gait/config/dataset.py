"""The schema of `datasets/<name>/dataset.yaml`: layouts, partition, protocols, results."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)

from gait.config.expected import Expected
from gait.config.patterns import check_files, check_pkl
from gait.config.protocol import (
    Classification,
    Keys,
    Names,
    Protocol,
    Retrieval,
    Selection,
    Submission,
    Verification,
)
from gait.config.published import Published
from gait.config.schema import Strict
from gait.errors import ConfigError, nearest
from gait.limits import LIST_ITEMS
from gait.modalities import SILHOUETTES

# Names of datasets, protocols, models and experiments: file names everywhere, and never a path.
NAME = r"[A-Za-z0-9][A-Za-z0-9_.+=-]*"
UNFIT_NAME = "whose name begins with no letter or digit, or has others than A-Z a-z 0-9 _ . + = -"
# A submission's protocol is called like its file, but for the suffix.
SUBMISSION = r"submission(?:-[A-Za-z0-9_.+=-]+)?"


class Pretreat(Strict):
    """How silhouettes, and poses, become the frames that models read.

    Attributes:
        kind: 'normalise' crops each figure and centres it, 'ccpg' does so as that dataset is
            published, 'as_is' takes frames as they come, 'resize' scales the whole image,
            whatever its aspect, 'resize_bicubic' as well.
        size_px: height and width of a frame; as they come, frames of another size are dropped.
        min_frames: shorter sequences are dropped.
        frame_order: how file names are sorted; 'lexical' as published, so that f10 comes before
            f9, or 'natural', by the numbers in them.
        joints: 'coco' keeps COCO's 17 joints of poses, whatever order they come in; without it,
            joints stay as they come.
    """

    kind: Literal["normalise", "ccpg", "as_is", "resize", "resize_bicubic"] = "normalise"
    size_px: PositiveInt = 64
    min_frames: PositiveInt = 1
    frame_order: Literal["lexical", "natural"] = "lexical"
    joints: Literal["coco"] | None = None

    @field_validator("size_px")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("size_px must be even")
        return value


class Partition(Strict):
    """Subjects of the training and the test set, and lists of sequences that protocols name.

    Attributes:
        train: names, and ranges as `named_subjects` reads them; as is `test`.
        sequences: keys `<subject>/<condition>/<view>` by the name of their list. A dataset moves
            them to where its protocols name them.
    """

    train: Names
    test: Names
    sequences: dict[str, Keys] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _disjoint(self) -> Self:
        train, test = named_subjects(self.train), named_subjects(self.test)
        both = sorted(train & test) or (["*"] if train and test and "*" in train | test else [])
        if both:
            raise ValueError(f"the training and the test set share subjects, such as {both[0]}")
        return self


class Population(Strict):
    """A synthetic population of walkers.

    Attributes:
        subjects: how many walkers; named 001, 002, ...
        views_deg: camera views; 0 sees the walker come, 90 from the side, 180 go.
        sequences: number of sequences of each condition.
        width_px: width of the video, even as the codec wants it; height_px likewise.
        duration_s: length of a clip, before the walker's own cadence varies it.
    """

    seed: NonNegativeInt = 0
    subjects: Annotated[int, Field(ge=1, le=999)]
    views_deg: Annotated[list[Annotated[int, Field(ge=0, le=359)]], Field(min_length=1)]
    sequences: Annotated[
        dict[Literal["nm", "bg", "cl"], Annotated[int, Field(ge=1, le=99)]], Field(min_length=1)
    ]
    width_px: Annotated[int, Field(ge=32, multiple_of=2)] = 320
    height_px: Annotated[int, Field(ge=32, multiple_of=2)] = 240
    fps: PositiveFloat = 25.0
    duration_s: PositiveFloat = 2.0

    @field_validator("views_deg")
    @classmethod
    def _distinct(cls, value: list[int]) -> list[int]:
        if len(set(value)) < len(value):
            raise ValueError("a view must be listed once")
        return value


class Dataset(Strict):
    """A dataset: what it looks like raw, how it is cut, how it is scored.

    Attributes:
        layouts: the forms its raw files may have; none where only a pkl tree can be taken over.
        files: companion files by what they are, of further modalities, or of all where there are
            no silhouette images: a path below the raw folder with `{subject}`, `{condition}`,
            `{view}`, `{folder}` for that of the sequence, or `{place}` for the last three folders
            of that, and a file name in which `*` stands for anything. Where one layout finds
            silhouettes and another poses, `{folder}` is that of the poses.
        pkl: what the pkl files in a sequence's folder hold: the names of files by modality, with
            `{subject}`, `{condition}` and `{view}`, in which `*` stands for anything; or the
            modality in files whose name does not say it, as `<view>.pkl`.
        expected: what it holds when nothing is missing; see `whole`.
        protocols: how it is scored; none where what is given out cannot be.
        categories: for classification, the sequences of each class, in the order of the classes.
    """

    name: str
    title: str
    licence: str
    obtain: str
    layouts: list[str]
    files: dict[str, str] = Field(default_factory=dict)
    pkl: str | dict[str, str] = SILHOUETTES
    expected: Expected = Expected()
    pretreat: Pretreat = Pretreat()
    partition: Partition
    protocols: dict[str, Protocol]
    categories: dict[str, Selection] | None = Field(default=None, min_length=2)
    published: list[Published] = Field(default_factory=list)
    baselines: list[Annotated[str, Field(pattern=f"^{NAME}/{NAME}$")]] = Field(
        default_factory=list
    )
    population: Population | None = None

    @field_validator("name")
    @classmethod
    def _path_safe(cls, value: str) -> str:
        if not re.fullmatch(NAME, value):
            raise ValueError(f"a name must match {NAME}")
        return value

    @field_validator("files")
    @classmethod
    def _known_files(cls, value: dict[str, str]) -> dict[str, str]:
        return check_files(value)

    @field_validator("pkl")
    @classmethod
    def _known_arrays(cls, value: str | dict[str, str]) -> str | dict[str, str]:
        return check_pkl(value)

    @field_validator("protocols")
    @classmethod
    def _protocols_name_files(cls, value: dict[str, Protocol]) -> dict[str, Protocol]:
        if wrong := [name for name in value if not re.fullmatch(NAME, name)]:
            raise ValueError(f"the name {wrong[0]!r} of a protocol must match {NAME}")
        for name, each in value.items():
            if isinstance(each, Submission) != bool(re.fullmatch(SUBMISSION, name)):
                raise ValueError(
                    f"the protocol {name} is of the kind {each.kind}; submissions, and nothing "
                    "else, are called submission or submission-<something>, as their files are"
                )
        return value

    @field_validator("protocols")
    @classmethod
    def _lists_in_place(
        cls, value: dict[str, Protocol], info: ValidationInfo
    ) -> dict[str, Protocol]:
        if "partition" not in info.data:
            return value
        lists = info.data["partition"].sequences
        return {name: protocol.with_lists(lists) for name, protocol in value.items()}

    @field_validator("protocols")
    @classmethod
    def _pairs_in_place(cls, value: dict[str, Protocol]) -> dict[str, Protocol]:
        retrievals = {name: each for name, each in value.items() if isinstance(each, Retrieval)}
        for name, each in value.items():
            if isinstance(each, Verification) and isinstance(each.of, str):
                if each.of not in retrievals:
                    raise ValueError(
                        f"{name}.of: no retrieval protocol is named {each.of!r}; "
                        f"{nearest(each.of, retrievals)}"
                    )
                value = value | {name: each.model_copy(update={"of": retrievals[each.of]})}
        return value

    @field_validator("published")
    @classmethod
    def _published_fits(cls, value: list[Published], info: ValidationInfo) -> list[Published]:
        protocols = info.data.get("protocols")
        if protocols is None:
            return value
        found = [what for each in value for what in each.problems(protocols)]
        if found:
            raise ValueError("; ".join(dict.fromkeys(found)))
        return value

    @model_validator(mode="after")
    def _lists_only_there(self) -> Self:
        partition = self.partition.model_copy(update={"sequences": {}})
        object.__setattr__(self, "partition", partition)
        return self

    @model_validator(mode="after")
    def _categories_in_place(self) -> Self:
        protocols = dict(self.protocols)
        for name, each in protocols.items():
            if isinstance(each, Classification) and not each.categories:
                if self.categories is None:
                    raise ValueError(f"protocols: {name} tells categories, and there are none")
                protocols[name] = each.model_copy(update={"categories": self.categories})
        object.__setattr__(self, "protocols", protocols)
        return self

    @property
    def whole(self) -> Expected:
        """What it holds when nothing is missing; that of a population follows from it."""
        if self.population is None:
            return self.expected
        views = [f"{view:03d}" for view in self.population.views_deg]
        walks = self.population.sequences
        return Expected(
            subjects=self.population.subjects,
            sequences=self.population.subjects * sum(walks.values()) * len(views),
            views=views,
            conditions={f"{kind}-*": number * len(views) for kind, number in walks.items()},
        )


def named_subjects(patterns: list[str]) -> set[str]:
    """Every subject that patterns name.

    A pattern is a name, '*' for all subjects, which stands for itself here, or a range of numbers:
    '001-074', '00001-10305/2' for every second one, 'a01b-a99b' with the same text around all of
    them. Numbers are padded with zeros to the length of the first one.

    Raises:
        ConfigError: a range holds nothing.
        DataError: they stand for more than `limits.LIST_ITEMS` names.
    """
    named: set[str] = set()
    for pattern in patterns:
        numbers = _numbers(pattern)
        if numbers is None:
            named.add(pattern)
            continue
        before, wanted, width, after = numbers
        # The length of a range has to fit the machine's word, and this one may not.
        count = (wanted.stop - wanted.start - 1) // wanted.step + 1
        LIST_ITEMS.check(len(named) + count, f"the range {pattern}", "a set of subjects")
        named.update(f"{before}{number:0{width}d}{after}" for number in wanted)
    return named


def matching_subjects(subjects: list[str], patterns: list[str]) -> list[str]:
    """Those of `subjects` that patterns name, see `named_subjects`, in their order."""
    if "*" in patterns:
        return list(subjects)
    wanted = named_subjects(patterns)
    return [subject for subject in subjects if subject in wanted]


def surplus(subjects: list[str], partition: Partition) -> str:
    """A sentence naming those of `subjects` that are in neither set; empty if there is none."""
    used = set(matching_subjects(subjects, [*partition.train, *partition.test]))
    unused = [each for each in subjects if each not in used]
    if not unused:
        return ""
    return (
        f"{len(unused)} of {len(subjects)} subjects of the data are in neither the training nor "
        f"the test set: {_few(unused)}"
    )


def absence(subjects: list[str], patterns: list[str], which: str) -> str:
    """A sentence naming the subjects of `patterns` that `subjects` lack; empty if there is none.

    Args:
        which: the set they are missing from, 'training' or 'test'.
    """
    wanted = named_subjects(patterns) - {"*"}
    absent = sorted(wanted - set(subjects))
    if not absent:
        return ""
    return f"the data lack {len(absent)} of {len(wanted)} {which} subjects: {_few(absent)}"


def _few(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


_LONGEST_RANGE = 200
_RANGE = re.compile(
    r"(?P<before>\D*)(?P<first>\d+)(?P<after>\D*)-(?P=before)(?P<last>\d+)(?P=after)(/(?P<step>\d+))?"
)


def _numbers(pattern: str) -> tuple[str, range, int, str] | None:
    """A range as the text before its numbers, the numbers, their digits, and the text behind.

    None for what is no range, and stands for itself; see `named_subjects`.
    """
    parts = _RANGE.fullmatch(pattern)
    if parts is None or len(parts["first"]) > len(parts["last"]):
        return None
    if len(pattern) > _LONGEST_RANGE:
        raise ConfigError(
            f"expected a range of at most {_LONGEST_RANGE} characters, got {pattern}"
        )
    first, last, step = int(parts["first"]), int(parts["last"]), int(parts["step"] or 1)
    if first > last or step < 1:
        raise ConfigError(f"the range {pattern} holds nothing; expected <first>-<last>[/<step>]")
    return parts["before"], range(first, last + 1, step), len(parts["first"]), parts["after"]
