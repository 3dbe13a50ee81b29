"""What transforms of poses share."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

# x, y and confidence of each joint, float32 [s, v, 3].
Poses = npt.NDArray[np.float32]
