"""How large what comes from outside may be: each bound stated once, and how to raise it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gait.errors import ConfigError, DataError


@dataclass(frozen=True, slots=True)
class Limit:
    """A bound on what a file from outside may ask for, checked before anything is reserved.

    Attributes:
        variable: the environment variable that raises it.
        default: its value without that variable.
        unit: what is counted.
    """

    variable: str
    default: int
    unit: str

    @property
    def value(self) -> int:
        """The bound in force.

        Raises:
            ConfigError: the variable is no whole number above 0.
        """
        given = os.environ.get(self.variable)
        if given is None:
            return self.default
        if not (given.isascii() and given.isdecimal() and int(given[:20]) > 0):
            raise ConfigError(f"{self.variable}={given!r}: expected a whole number of {self.unit}")
        return int(given[:20])

    def check(self, actual: int, source: Path | str, what: str) -> None:
        """Refuse more than the bound.

        Args:
            actual: what the file asks for, in the unit of this limit.
            source: the file, as messages name it.
            what: what is that large, such as 'an image'.

        Raises:
            DataError: `actual` exceeds the bound; the message names the variable that raises it.
        """
        if actual > self.value:
            raise DataError(
                f"{source}: {what} of {actual:,} {self.unit}, expected at most {self.value:,}; "
                f"if it is right, set {self.variable}={actual} in the environment"
            )


IMAGE_PX = Limit("GAIT_MAX_IMAGE_PX", 2**26, "pixels")
IMAGE_BYTES = Limit("GAIT_MAX_IMAGE_BYTES", 2**26, "bytes")
# Frames of a video, of which a decoder holds up to twenty: those of 8K.
VIDEO_PX = Limit("GAIT_MAX_VIDEO_PX", 2**25, "pixels")
# Ten hours at 60 frames per second.
VIDEO_FRAMES = Limit("GAIT_MAX_VIDEO_FRAMES", 2**21, "frames")
# A file, or a member of an archive, that is read as a whole: a pkl, a point cloud, masks.
FILE_BYTES = Limit("GAIT_MAX_FILE_BYTES", 2**30, "bytes")
# JSON of poses, partitions and submissions; parsed, it takes some ten times as much memory.
JSON_BYTES = Limit("GAIT_MAX_JSON_BYTES", 2**26, "bytes")
# Parsed at about a megabyte per second.
YAML_BYTES = Limit("GAIT_MAX_YAML_BYTES", 2**22, "bytes")
# Names, comments and whatever else precedes the content of a file or of an archive's member.
HEADER_BYTES = Limit("GAIT_MAX_HEADER_BYTES", 2**20, "bytes")
# What a short text stands for, such as the identifiers of a range.
LIST_ITEMS = Limit("GAIT_MAX_LIST_ITEMS", 2**20, "items")
# Opcodes of a pickle: some twenty per array, two per number in lists. What one makes may take 200
# bytes and some microseconds, and one byte of the file.
PICKLE_STEPS = Limit("GAIT_MAX_PICKLE_STEPS", 2**20, "opcodes")
# What a weights file says about its tensors: some 100 bytes each, read by an interpreter of our
# own in some seconds per megabyte, which takes up to two hundred times as much memory.
WEIGHTS_INDEX_BYTES = Limit("GAIT_MAX_WEIGHTS_INDEX_BYTES", 2**20, "bytes")
# The longest that training waits for a batch. Less than the ten minutes that processes wait for
# each other, so that the one that lacks data is heard first.
WAIT_S = Limit("GAIT_MAX_WAIT_S", 500, "seconds")
# The list of its members that a zip file ends with, some 150 bytes each; it is held in memory.
ARCHIVE_INDEX_BYTES = Limit("GAIT_MAX_ARCHIVE_INDEX_BYTES", 2**29, "bytes")
# Of a 7z file, whose reader takes about a kilobyte for each.
ARCHIVE_MEMBERS = Limit("GAIT_MAX_ARCHIVE_MEMBERS", 2**20, "members")
# Folders in an archive, each with its counts; the largest datasets have a million sequences.
ARCHIVE_FOLDERS = Limit("GAIT_MAX_ARCHIVE_FOLDERS", 2**22, "folders")
# How many times as large as the file on disk an archive may become. Uncompressed masks of
# 1920 x 1080 become about 300 times as large; zeros in a zip file, 1,030 times.
EXPANSION = Limit("GAIT_MAX_EXPANSION", 2**10, "times its size")
