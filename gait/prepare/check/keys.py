"""Compares the sequences that are there with those that a dataset should hold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase

from gait.config.dataset import Dataset, named_subjects
from gait.prepare.check.findings import Finding, Severity, such_as
from gait.types import SequenceKey


def compare_keys(keys: list[SequenceKey], definition: Dataset) -> Iterator[Finding]:
    """Subjects, sequences and views that are missing, and those nobody expects.

    Args:
        keys: the sequences that are there, at least one.
        definition: the dataset, with its partition and what it holds when it is whole.
    """
    yield from _subjects(keys, definition)
    yield from _conditions(keys, definition)
    yield from _views(keys, definition)
    wanted = definition.whole.sequences
    counted = any(definition.whole.conditions.values())
    if wanted is not None and wanted != len(keys) and not counted:
        kind = "missing sequences" if len(keys) < wanted else "sequences too many"
        yield Finding(
            Severity.warning,
            kind,
            abs(wanted - len(keys)),
            f"{len(keys):,} are there, expected {wanted:,}",
            f"compare with {_file(definition, 'dataset.yaml')}, how to obtain the dataset",
        )


def _subjects(keys: list[SequenceKey], definition: Dataset) -> Iterator[Finding]:
    there = {key.subject for key in keys}
    partition = f"the partition in datasets/{definition.name}"
    sets = {
        "training": named_subjects(definition.partition.train),
        "test": named_subjects(definition.partition.test),
    }
    named = sets["training"] | sets["test"]
    if "*" in named:
        wanted = definition.whole.subjects
        if wanted is not None and wanted != len(there):
            kind = "missing subjects" if len(there) < wanted else "subjects too many"
            example = f"{len(there):,} are there, expected {wanted:,}"
            fix = f"put their files there, or correct {_file(definition, 'dataset.yaml')}"
            yield Finding(Severity.warning, kind, abs(wanted - len(there)), example, fix)
        return
    if not there & named:
        yield Finding(
            Severity.error,
            "subjects of the partition, of whom none is there",
            len(named),
            f"expected {such_as(sorted(named))}, got {such_as(sorted(there))}",
            "look whether the folders are one level too deep or too high, or belong to another "
            f"dataset, or name the subjects in {partition}",
        )
        return
    for which, subjects in sets.items():
        if missing := sorted(subjects - there):
            without = "trained" if which == "training" else "scored"
            consequence = f"; without any, nothing can be {without}"
            yield Finding(
                Severity.warning,
                f"missing {which} subjects",
                len(missing),
                such_as(missing),
                f"put their files there, or take them out of {partition}"
                + (consequence if len(missing) == len(subjects) else ""),
            )
    if unnamed := sorted(there - named):
        yield Finding(
            Severity.note,
            "subjects that are in neither the training nor the test set",
            len(unnamed),
            such_as(unnamed),
            f"they are prepared and not used; name them in {partition} if they should be",
        )


def _conditions(keys: list[SequenceKey], definition: Dataset) -> Iterator[Finding]:
    patterns = definition.whole.conditions
    if not patterns:
        return
    fitting = {
        condition: [each for each in patterns if fnmatchcase(condition, each)]
        for condition in {key.condition for key in keys}
    }
    counts = Counter((key.subject, each) for key in keys for each in fitting[key.condition])
    subjects = sorted({key.subject for key in keys})
    for pattern, wanted in patterns.items():
        if wanted is None:
            continue
        fewer = {
            each: wanted - counts[each, pattern]
            for each in subjects
            if counts[each, pattern] < wanted
        }
        if fewer:
            first = next(iter(fewer))
            absent = _usual_but_absent(keys, first, pattern)
            yield Finding(
                Severity.warning,
                f"missing sequences of {pattern}",
                sum(fewer.values()),
                f"of {such_as(fewer)}" + (f": {such_as(absent)}" if absent else ""),
                f"a subject has {wanted}; copy these again if your copy should be whole",
            )
        if more := [each for each in subjects if counts[each, pattern] > wanted]:
            yield Finding(
                Severity.warning,
                f"subjects with more than {wanted} sequences of {pattern}",
                len(more),
                such_as(f"{each} with {counts[each, pattern]}" for each in more),
                "look whether two of them were put under one name",
            )
    if unknown := sorted({key for key in keys if not fitting[key.condition]}):
        yield Finding(
            Severity.warning,
            "sequences of an unknown condition",
            len(unknown),
            such_as(unknown),
            f"expected {', '.join(patterns)}: rename or remove them, or add their condition to "
            f"'expected' in {_file(definition, 'dataset.yaml')}",
        )


def _usual_but_absent(keys: list[SequenceKey], subject: str, pattern: str) -> list[str]:
    """The sequences that this subject lacks and most subjects have."""
    usual = Counter(key[1:] for key in keys if fnmatchcase(key.condition, pattern))
    half = len({key.subject for key in keys}) / 2
    own = {key[1:] for key in keys if key.subject == subject}
    absent = sorted(each for each, number in usual.items() if number > half and each not in own)
    return ["/".join((subject, *each)) for each in absent]


def _views(keys: list[SequenceKey], definition: Dataset) -> Iterator[Finding]:
    patterns = definition.whole.views
    if not patterns:
        return
    there = {key.view for key in keys}
    unseen = [each for each in patterns if not any(fnmatchcase(view, each) for view in there)]
    if unseen:
        yield Finding(
            Severity.warning,
            "missing views",
            len(unseen),
            such_as(unseen),
            "copy their files again if your copy should be whole",
        )
    unknown = {view for view in there if not any(fnmatchcase(view, each) for each in patterns)}
    if unknown:
        yield Finding(
            Severity.warning,
            "sequences of an unknown view",
            sum(key.view in unknown for key in keys),
            such_as(sorted(unknown)),
            f"expected {', '.join(patterns)}: rename or remove them, or add their view to "
            f"'expected' in {_file(definition, 'dataset.yaml')}",
        )


def _file(definition: Dataset, name: str) -> str:
    return f"datasets/{definition.name}/{name}"
