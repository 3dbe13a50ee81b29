"""Where the project is: the folder with `datasets/` and `config/`."""

from __future__ import annotations

import os
from pathlib import Path

from gait.errors import ConfigError

VARIABLE = "GAIT_ROOT"


def project_root() -> Path:
    """The project's folder: what GAIT_ROOT names, or the nearest one from here upwards.

    An empty path where that is the working folder, so that messages name files as people do.

    Raises:
        ConfigError: there is none.
    """
    here = Path.cwd()
    if given := os.environ.get(VARIABLE):
        root = Path(given).expanduser()
        if not _is_project(root):
            raise ConfigError(f"{VARIABLE}={given}: {_EXPECTED}")
        return Path() if root.resolve() == here else root
    for folder in (here, *here.parents):
        if _is_project(folder):
            return Path() if folder == here else folder
    raise ConfigError(
        f"{here}: {_EXPECTED}; change to the project's folder, or set {VARIABLE} to it"
    )


_EXPECTED = "expected a project, with datasets/<name>/dataset.yaml, here or in a folder above"


def _is_project(folder: Path) -> bool:
    return any((folder / "datasets").glob("*/dataset.yaml"))
