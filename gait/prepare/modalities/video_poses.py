"""Joints of the walker in a video, estimated elsewhere: one .npz file beside the video."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError
from gait.files import write_if_changed
from gait.formats import arrays
from gait.limits import FILE_BYTES
from gait.modalities import MODALITIES, POSE
from gait.screen import LONGEST_MESSAGE, shown
from gait.types import SequenceKey

OTHER_LENGTH = "pose of another length than the video"
BROKEN = "unusable pose file"
PROBLEMS = (OTHER_LENGTH, BROKEN)

_EXPECTED = "float32 [frames, joints, 3] named 'pose' in a .npz file"


def save_pose(path: Path, pose: NDArray[np.float32]) -> int:
    """Write the joints in each frame of a video; gives the size of the file in bytes.

    The same joints give the same bytes, and a file that has them keeps its modification time.

    Args:
        path: the .npz file; its folder is made.
        pose: float32 [s, v, 3]: x and y in pixels of the video, confidence from 0 to 1.

    Raises:
        DataError: the file cannot be written.
    """
    content = io.BytesIO()
    np.savez_compressed(content, pose=pose)
    write_if_changed(path, content.getvalue())
    return content.tell()


def load_pose(path: Path) -> NDArray[np.float32]:
    """Read a file of `save_pose`, or one like it of any type of real number; [s, v, 3].

    Raises:
        DataError: the file is missing, is not such a file, or holds what is not finite.
    """
    try:
        with path.open("rb") as file, arrays.opened(file, path) as archive:
            pose = arrays.view(arrays.read_member(archive, POSE, FILE_BYTES.value))
    except FileNotFoundError:
        raise DataError(
            f"{path}: is in the catalogue and not on disk any more; put it back, or run gait "
            "rearrange again"
        ) from None
    except DataError:
        raise
    except arrays.BROKEN as error:
        raise DataError(
            f"{path}: expected {_EXPECTED}, got a file that cannot be read as such "
            f"({shown(error)}); mend it or remove it"
        ) from None
    if not MODALITIES[POSE].fits(pose.dtype.name, pose.shape):
        raise DataError(
            f"{path}: expected {_EXPECTED}, got {pose.dtype.name} {list(pose.shape)}; mend it or "
            "remove it"
        )
    # What does not fit is told as not finite.
    with np.errstate(over="ignore"):
        joints: NDArray[np.float32] = pose.astype(np.float32, order="C")
    if not np.isfinite(joints).all():
        raise DataError(
            f"{path}: expected finite numbers, got some that are not; give joints that were not "
            "found as 0, 0 with confidence 0"
        )
    return joints


def pose_of_frames(
    path: Path, key: SequenceKey, frames_read: int, numbers: NDArray[np.integer]
) -> tuple[NDArray[np.float32] | None, str]:
    """The joints in some frames of a video, or none and the reason, which is reported on stderr.

    Args:
        path: the video's file of joints.
        key: its sequence.
        frames_read: how many frames it has.
        numbers: which of them are wanted, from 0.
    """
    try:
        pose = load_pose(path)
    except DataError as error:
        print(f"{key}: {shown(error, LONGEST_MESSAGE)}", file=sys.stderr)
        return None, BROKEN
    if len(pose) != frames_read or numbers.max() >= len(pose):
        print(
            f"{key}: {path}: expected the joints in each of the {frames_read} frames of the "
            f"video, got those in {len(pose)}; estimate them from that video, or remove the file",
            file=sys.stderr,
        )
        return None, OTHER_LENGTH
    return pose[numbers], ""
