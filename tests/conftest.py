"""The order of tests: folders whose files take minutes first, so that processes end together."""

from __future__ import annotations

import pytest

_LONG = ("tests/workflow/", "tests/faults/", "tests/distributed/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(_LONG))
