"""Messages at the end of the workflow: which frames were left out, and why jobs failed."""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from gait.errors import GaitError
from gait.formats.manifest import read_manifest
from gait.prepare.summary import lost_line
from gait.screen import printable
from gait.workflow.state import WorkflowState

# Stages that leave out frames they cannot use, and say so in their logs only.
_LOSING_STAGES = ("segment", "pretreat", "import_pkl")
# Less than that is no room for a log.
_FULL_BYTES = 2**16
# Beginnings of the lines that say why a job ended; the second kind comes from a job that saved its
# state and left.
_CAUSES = ("gait: error:", "told to stop:")


def left_out(flow: WorkflowState) -> str:
    """Sum up the frames left out since the workflow started: one line per dataset, if any."""
    datasets = {
        log.relative_to(flow.root / "logs").parts[1].removesuffix(".log")
        for stage in _LOSING_STAGES
        for log in (flow.root / "logs" / stage).rglob("*.log")
        if log.stat().st_mtime >= flow.started
    }
    lines = []
    for dataset in sorted(datasets & set(flow.datasets)):
        rows = []
        for table in map(flow.root.joinpath, flow.pkl_tables(dataset)):
            # What is missing or cannot be read is the job's to tell.
            with suppress(GaitError):
                rows += read_manifest(table)
        if lost := lost_line(rows):
            lines.append(f"gait: {dataset}: {lost}; see {flow.folder(dataset)}/manifest.csv\n")
    return "".join(lines)


def failures(flow: WorkflowState) -> str:
    """Collect the causes of failures from the logs written since the workflow started."""
    lines: dict[str, None] = {}
    for log in sorted((flow.root / "logs").rglob("*.log")):
        if log.stat().st_mtime >= flow.started:
            text = log.read_text(encoding="utf-8", errors="replace")
            lines_of_log = map(printable, text.split("\n"))
            said = [line for line in lines_of_log if line.startswith(_CAUSES)]
            lines |= dict.fromkeys(said)
    return "\n".join(lines) or _silence(flow.root)


def _silence(root: Path) -> str:
    """Name the likely cause where no log holds one."""
    ended = "gait: error: a job ended without a word"
    if (free := shutil.disk_usage(root).free) < _FULL_BYTES:
        return (
            f"{ended}, as the disk of {root.resolve()} is full ({free:,} bytes free); "
            "make room, then run again"
        )
    return f"{ended}: interrupted, or killed for memory or time; its log is named above"
