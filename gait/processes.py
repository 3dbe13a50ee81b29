"""What every worker process needs."""

from __future__ import annotations

import multiprocessing
import os
import threading


def follow_parent() -> None:
    """Make a worker process, spawned or from a fork server, end when its parent is gone."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
