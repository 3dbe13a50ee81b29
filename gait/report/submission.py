"""Writes the files that challenges score."""

from __future__ import annotations

from pathlib import Path

from gait.errors import DataError, nearest
from gait.formats.seal import write_sealed_table
from gait.report.metrics import Submission, read_metrics


def write_submission(metrics: Path, protocol: str, output: Path) -> int:
    """Write the lines of a submission; their number, the header left out, is returned.

    Raises:
        DataError: the metrics cannot be read, or hold no such submission, or one of no probes.
    """
    protocols = read_metrics(metrics).protocols
    submissions = {name: each for name, each in protocols.items() if isinstance(each, Submission)}
    if protocol not in submissions:
        raise DataError(
            f"{metrics}: holds no submission {protocol!r}; {nearest(protocol, submissions)}"
        )
    found = submissions[protocol]
    if not found.lines:
        raise DataError(
            f"{metrics}: {protocol} is empty, {found.note}; put the probes into the raw folder, "
            "or leave the protocol out of evaluation.protocols of an experiment"
        )
    write_sealed_table(output, "".join(f"{line}\n" for line in found.lines))
    return found.n_probe
