"""Compares the test sequences that are there with those that protocols ask for."""

from __future__ import annotations

from collections.abc import Iterator

from gait.config.dataset import Dataset, matching_subjects
from gait.config.protocol import Retrieval, Selection, Submission
from gait.evaluation.feasible import feasible
from gait.prepare.check.findings import Finding, Severity, such_as
from gait.types import SequenceKey


def compare_protocols(keys: list[SequenceKey], definition: Dataset) -> Iterator[Finding]:
    """Galleries and probes of which there is nothing, which scoring would find out last of all.

    Args:
        keys: the sequences that are there, at least one.
        definition: the dataset, with its partition and its protocols.
    """
    subjects = sorted({key.subject for key in keys})
    tested = set(matching_subjects(subjects, definition.partition.test))
    there = [key for key in keys if key.subject in tested]
    if not there:
        return
    galleries: dict[str, None] = {}
    probes = []
    for name, protocol in definition.protocols.items():
        for row, selected, gallery in _asked(name, protocol):
            if not _has_any(there, selected):
                probes.append(row)
            elif not _has_any(there, gallery):
                galleries[f"{name}: {_described(gallery)}"] = None
    if galleries:
        yield Finding(
            Severity.warning,
            "galleries of protocols without a sequence",
            len(galleries),
            such_as(galleries),
            "put these sequences there, or correct 'gallery' in "
            f"datasets/{definition.name}/dataset.yaml; as it is, scoring stops",
        )
    known = feasible(definition.protocols, there)
    # What lacks its gallery is told above, and with what is there.
    told = {each.partition(":")[0] for each in galleries}
    hopeless = [each.problem for name, each in known.items() if each.problem and name not in told]
    if hopeless:
        yield Finding(
            Severity.warning,
            "protocols that cannot be scored",
            len(hopeless),
            such_as(hopeless),
            "experiments that are scored by them are refused before they are trained",
        )
    capped = [
        f"{name}: {row}: {note}"
        for name, each in known.items()
        for row, note in each.notes.items()
        if not each.problem
    ]
    if capped:
        yield Finding(
            Severity.note,
            "rows of protocols that cannot be whole",
            len(capped),
            such_as(capped),
            "their figures are of what is there, and tables say so; put the missing sequences "
            "there if they should not be",
        )
    if probes:
        yield Finding(
            Severity.note,
            "rows of protocols without a probe",
            len(probes),
            such_as(probes),
            "they stay empty; put these sequences there, or correct 'probes' in "
            f"datasets/{definition.name}/dataset.yaml, if they should not",
        )


def _asked(name: str, protocol: object) -> Iterator[tuple[str, Selection, Selection]]:
    """What each row is called, its probes and its gallery."""
    if isinstance(protocol, Retrieval):
        for row, selected in protocol.probes.items():
            yield f"{name}: {row}", selected, protocol.gallery_of(row)
    elif isinstance(protocol, Submission):
        yield name, protocol.probes, protocol.gallery


def _has_any(keys: list[SequenceKey], wanted: Selection) -> bool:
    return any(map(wanted.selects, keys))


def _described(wanted: Selection) -> str:
    named = {"subject": wanted.subject, "condition": wanted.condition, "view": wanted.view}
    texts = [f"{what} {such_as(given)}" for what, given in named.items() if given is not None]
    if wanted.sequences is not None:
        texts.append(f"listed {such_as(wanted.sequences)}")
    return ", ".join(texts) or "any"
