"""One flipped bit in a file of ours, as an old disk does it: nothing else of the file changes."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

from tests.faults import chain
from tests.faults.disturb import Outcome
from tests.faults.processes import Command
from tests.workflow.workspace import Workspace

_LIMIT_S = 300
_PRINTED = 2500

# What is not ours, what is read by people only, and what the other dataset makes as this one does.
_LEFT_OUT = re.compile(
    rf"/raw/|\.(html|svg)$|events\.out|/figures/|{chain.ADOPTED}/(?!shards)|{chain.ADOPTED}/GEI"
)


def files(root: Path) -> list[str]:
    """One file of each kind that the stages make and that something reads again."""
    kinds: dict[str, str] = {}
    for top in ("data", "results"):
        for folder, _, names in sorted(os.walk(root / top)):
            for name in sorted(names):
                path = (Path(folder) / name).relative_to(root).as_posix()
                if not _LEFT_OUT.search(path):
                    kinds.setdefault(kind_of(path), path)
    return list(kinds.values())


def kind_of(path: str) -> str:
    """What a file is: its name, with numbers and the parts of a key left open."""
    *folders, name = path.split("/")
    kind = re.sub(r"\d+", "N", name)
    return f"{folders[-1]}/{kind}" if folders[-1] in ("packed", "shards", "pretreat") else kind


def flip(finished: Workspace, root: Path, path: str, generator: random.Random) -> Outcome:
    """Flip a bit of a copy's file, make again what follows from it, and mend it as it is said.

    Args:
        finished: the undisturbed workspace.
        root: where to put a copy of it.
        path: the file, below the workspace.
        generator: draws the bit.
    """
    expected = chain.content(finished.root)
    copy = chain.copy_of(finished, root)
    file = root / path
    status = file.stat()
    data = bytearray(file.read_bytes())
    position = generator.randrange(len(data))
    data[position] ^= 1 << generator.randrange(8)
    file.write_bytes(data)
    # As an old disk does it: nobody sees by the time that the file has changed.
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    maker = _maker(path)
    after = [each for each in chain.STAGES[maker + 1 :] if each.rule != "import_pkl"]
    chain.forget(root, after)
    if path.startswith(f"data/{chain.ADOPTED}/"):
        chain.forget(root, [chain.AFTER_ADOPTION])
    command = Command(copy, *chain.TARGETS)
    outcome = Outcome("flip, mended by itself", detail=f"byte {position} of {path}\n")
    is_over = command.end(_LIMIT_S)
    outcome.detail += command.output[-_PRINTED:]
    if not is_over:
        outcome.faults.append("the command does not end")
    elif command.code:
        outcome.kind = "flip, named and then mended"
        said = [line for line in command.output.splitlines() if "gait: error:" in line]
        if not any(file.name in line for line in said):
            outcome.faults.append(f"fails without a sentence about {path}")
        # What the sentence says: the file goes, with what was made in one go with it. Of a rule
        # with outputs that are not declared, what follows goes, too, or nobody would ask for them.
        file.unlink(missing_ok=True)
        is_declared = chain.RULES[maker] not in ("segment", "pack", "train")
        chain.forget(root, [chain.STAGES[maker]] if is_declared else [chain.STAGES[maker], *after])
        command = Command(copy, *chain.TARGETS)
        command.end(_LIMIT_S)
        outcome.detail += f"\n--- again ---\n{command.output[-_PRINTED:]}"
        if command.code:
            outcome.faults.append("the same command fails after the file was removed")
    # What nothing reads again stays as it is.
    unread = {f"differs: {path}"} if path.endswith((".sha256", "check.csv")) else set()
    if not command.code and outcome.kind == "flip, mended by itself":
        # No model of the chain reads poses, and no stage a finished table.
        differs = {f"differs: {path}"} & set(chain.differences(expected, chain.content(root)))
        if differs - unread and _is_named_by_check(root, path):
            outcome.kind, unread = "flip of what nothing reads, named by gait check", differs
    outcome.faults += set(chain.differences(expected, chain.content(root))) - unread
    return outcome


def _is_named_by_check(root: Path, path: str) -> bool:
    folder = path.split("/")[1]
    dataset = folder if (root / "data" / folder).is_dir() else chain.DATASET
    command = [sys.executable, "-m", "gait", "check", dataset]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return done.returncode != 0 and path in done.stderr


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
        if any(Path(target).name == name for target in stage.targets):
            return number
    raise ValueError(f"no stage is known to make {path}")
