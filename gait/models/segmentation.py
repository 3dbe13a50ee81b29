"""Segmentation: which pixels of an image show the walker."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.overlap import intersection_over_union
from gait.layers.set_pooling import set_mean
from gait.layers.u_net import UNet
from gait.types import ModelOutput


class Segmentation(nn.Module):
    """A U-Net frame by frame; embeddings tell how much of the walker it found.

    Args:
        in_channels: channels of an image.
        channels: channels of the U-Net's steps.

    Source: Liang et al., GaitEdge: Beyond Plain End-to-end Gait Recognition for Better
    Practicality, ECCV 2022, arXiv 2203.03972, section 3.3.
    """

    def __init__(self, in_channels: int = 3, channels: Sequence[int] = (16, 32, 64, 128)) -> None:
        super().__init__()
        self.segmenter = UNet(in_channels, channels)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, 1, 1], intersection over union with the silhouettes, mean over frames.

        Fields, one row per frame, [frames, 1, h, w]: 'probabilities' of the foreground, 'masks' as
        given, 'pred' and 'mask', the two as 0 and 1.

        Args:
            inputs: images [n, s, 3, h, w], of which ImageNet's mean and deviation are taken out,
                and silhouettes [n, s, h, w] in 0..1; packed on the frame axis when `lengths` is
                given.
            lengths: frames of each packed sequence.
        """
        masks, _ = fold_frames(inputs[1], lengths)
        images, lengths = fold_frames(inputs[0], lengths)
        probabilities = self.segmenter(images).float().sigmoid()
        predicted = (probabilities > 0.5).float()
        fields = {
            "probabilities": probabilities,
            "masks": masks.float(),
            "pred": predicted,
            "mask": masks.round().float(),
        }
        overlaps = intersection_over_union(predicted, masks)
        return ModelOutput(set_mean(overlaps, lengths).view(-1, 1, 1), fields)
