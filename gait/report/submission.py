"""Writes the files that challenges score."""

from __future__ import annotations

from pathlib import Path

from gait.errors import DataError, nearest
from gait.files import write_if_changed
from gait.report.metrics import Submission, read_metrics


def write_submission(metrics: Path, protocol: str, output: Path) -> int:
    """Write the lines of a submission; their number, the header left out, is returned.

    Raises:
        DataError: the metrics cannot be read, or hold no such submission.
    """
    protocols = read_metrics(metrics).protocols
    submissions = {name: each for name, each in protocols.items() if isinstance(each, Submission)}
    if protocol not in submissions:
        raise DataError(
            f"{metrics}: holds no submission {protocol!r}; {nearest(protocol, submissions)}"
        )
    found = submissions[protocol]
    write_if_changed(output, "".join(f"{line}\n" for line in found.lines))
    return found.n_probe
