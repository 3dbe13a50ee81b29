"""One flipped bit in a file of ours, as an old disk does it: nothing else of the file changes."""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

from tests.faults import chain
from tests.faults.processes import Command
from tests.workflow.workspace import Workspace

# What is made last, and read by people only.
_FINAL = re.compile(r"\.(html|svg)$|events\.out|/figures/")


def files(root: Path) -> list[str]:
    """One file of each kind that the stages make and that something reads again."""
    kinds: dict[str, str] = {}
    for top in ("data", "results"):
        for folder, _, names in sorted(os.walk(root / top)):
            for name in sorted(names):
                path = (Path(folder) / name).relative_to(root).as_posix()
                if "/raw/" not in path and not _FINAL.search(path):
                    kinds.setdefault(kind_of(path), path)
    return list(kinds.values())


def kind_of(path: str) -> str:
    """What a file is: its name, with numbers and the parts of a key left open."""
    *folders, name = path.split("/")
    kind = re.sub(r"\d+", "N", name)
    return f"{folders[-1]}/{kind}" if folders[-1] in ("packed", "shards", "pretreat") else kind


def flip(
    finished: Workspace, root: Path, path: str, generator: random.Random
) -> tuple[list[str], str, str]:
    """Flip a bit of a copy's file, make again what follows from it, and mend it as it is said.

    Returns:
        What is wrong, what was printed, and how it went.
    """
    expected = chain.content(finished.root)
    copy = chain.copy_of(finished, root)
    file = root / path
    status = file.stat()
    data = bytearray(file.read_bytes())
    position = generator.randrange(len(data))
    data[position] ^= 1 << generator.randrange(8)
    file.write_bytes(data)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    maker = _maker(path)
    later = chain.STAGES[maker + 1 :]
    chain.forget(root, [stage for stage in later if stage.rule != "adopt"])
    command = Command(copy, *chain.TARGETS)
    command.end(180)
    detail = f"byte {position} of {path}\n{command.output[-2500:]}"
    how = "flip mended by itself"
    if command.code:
        how = "flip named, then mended"
        last = "\n".join(
            line for line in command.output.splitlines() if line.startswith("gait: error:")
        )
        if Path(path).name not in last:
            return [f"fails without a sentence about {path}"], detail, "flip"
        # What the sentences say: the file goes, with what it was made with.
        file.unlink(missing_ok=True)
        chain.forget(root, [chain.STAGES[maker]])
        command = Command(copy, *chain.TARGETS)
        command.end(180)
        detail += f"\n--- again ---\n{command.output[-2500:]}"
        if command.code:
            return ["the same command fails after the file was removed"], detail, "flip"
    found = chain.content(root)
    # A damaged file that nothing reads any more stays as it is.
    unread = {path} if path.endswith((".sha256", "check.csv")) else set()
    wrong = [
        each for each in chain.differences(expected, found) if each.split(": ")[1] not in unread
    ]
    return wrong, detail, how


def _maker(path: str) -> int:
    """The position of the stage that makes a file."""
    owners = (
        ("/silhouettes/", "segment"),
        ("/pkl/", "pretreat"),
        ("/journal/", "pretreat"),
        ("/checkpoints/", "train"),
        ("history.jsonl", "train"),
    )
    for part, rule in owners:
        if part in path:
            return chain.RULES.index(rule)
    for number, stage in enumerate(chain.STAGES):
        if any(Path(path).match(pattern) for pattern in stage.outputs):
            return number
        if any(path.startswith(f"{pattern}/") for pattern in stage.outputs):
            return number
    name = Path(path).name.removesuffix(".sha256")
    for number, stage in enumerate(chain.STAGES):
        if Path(stage.target).name == name:
            return number
    raise ValueError(f"no stage is known to make {path}")
