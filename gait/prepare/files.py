"""Moved to gait/files.py (shared by all packages); import from there. This shim goes away."""

from gait.files import atomic_path, write_if_changed

__all__ = ["atomic_path", "write_if_changed"]
