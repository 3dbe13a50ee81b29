"""The order of a pose's joints in files: COCO's 17, or OpenPose's 18."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from gait.errors import DataError

# The joints of OpenPose's 18 that are COCO's 17, in COCO's order; the neck is left out.
OPENPOSE_TO_COCO = (0, 15, 14, 17, 16, 5, 2, 6, 3, 7, 4, 11, 8, 12, 9, 13, 10)

# How many each has; of BODY_25, OpenPose's later model, its 18, without mid hip and feet.
COCO, OPENPOSE, BODY_25 = 17, 18, 25
BODY_25_TO_OPENPOSE = (*range(8), *range(9, 19))

_Real = TypeVar("_Real", bound=np.floating)


def to_coco(pose: NDArray[_Real]) -> NDArray[_Real]:
    """COCO's joints of a pose, [s, 17, 3].

    Args:
        pose: [s, 17, 3] in COCO's order, which is taken as it is, or [s, 18, 3] in OpenPose's.

    Raises:
        DataError: it has other joints.
    """
    joints = pose.shape[1]
    if joints == COCO:
        return pose
    if joints == BODY_25:
        raise DataError(
            f"expected poses of {COCO} joints (COCO) or {OPENPOSE} (OpenPose), got {joints}, "
            f"perhaps OpenPose's BODY_25: keep its joints {list(BODY_25_TO_OPENPOSE)} in that "
            "order, or give OpenPose's JSON files, of which this is known"
        )
    if joints != OPENPOSE:
        raise DataError(
            f"expected poses of {COCO} joints (COCO) or {OPENPOSE} (OpenPose), got {joints}; "
            "estimate them with a model of one of these"
        )
    return np.ascontiguousarray(pose[:, OPENPOSE_TO_COCO])


# By the names that a dataset.yaml gives them under `pretreat`; None where joints stay as given.
JOINTS: dict[str | None, Callable[[NDArray[Any]], NDArray[Any]]] = {
    None: lambda pose: pose,
    "coco": to_coco,
}
