"""The gait energy image: the oldest and simplest appearance model."""

from __future__ import annotations

from torch import Tensor, nn

from gait.layers.frames import fold_frames
from gait.layers.set_pooling import set_mean
from gait.types import ModelOutput


class GEI(nn.Module):
    """The mean silhouette of a sequence; nothing is trained.

    Source: Han and Bhanu, Individual Recognition Using Gait Energy Image, TPAMI 2006.
    """

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, h * w, 1]: one part, so that part distance is the images' distance.

        Args:
            inputs: one tensor, silhouettes [n, s, h, w] in 0..1; packed on the frame axis, with
                n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        return ModelOutput(set_mean(frames, lengths).flatten(1).unsqueeze(2).float())
