"""GaitEdge: from images to embeddings in one network, of which only edges are learnt."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.errors import ConfigError
from gait.layers.frames import fold_frames
from gait.layers.gait_align import gait_align
from gait.layers.initialise import initialise
from gait.layers.morphology import dilate, erode
from gait.layers.u_net import UNet
from gait.models.gaitgl import GaitGL
from gait.types import ModelOutput

HEIGHT_PX, WIDTH_PX = 64, 44


class GaitEdge(nn.Module):
    """A U-Net's silhouettes, aligned and recognised by GaitGL; losses train both.

    Args:
        num_classes: identities of the training set.
        edge: take from the U-Net only a band along the contour of the given silhouettes, whose
            inside stays as it is; else all of what it finds (plain end-to-end).
        align: align the walkers; else bring whole frames to the size that GaitGL takes.
        kernel_size: pixels of the square that makes the band, odd.
        channels: channels of GaitGL, see there.
        in_channels: channels of an image.
        segmenter_channels: channels of the U-Net's steps.

    Source: Liang et al., GaitEdge: Beyond Plain End-to-end Gait Recognition for Better
    Practicality, ECCV 2022, arXiv 2203.03972.
    """

    def __init__(
        self,
        num_classes: int,
        edge: bool = True,
        align: bool = True,
        kernel_size: int = 3,
        channels: Sequence[int] = (32, 64, 128, 128),
        in_channels: int = 3,
        segmenter_channels: Sequence[int] = (16, 32, 64, 128),
    ) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ConfigError(f"model.kernel_size: expected an odd number, got {kernel_size}")
        self.edge = edge
        self.align = align
        self.kernel_size = kernel_size
        self.segmenter = UNet(in_channels, segmenter_channels)
        initialise(self.segmenter)
        self.recogniser = GaitGL(num_classes, channels)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, channels[-1], p]; fields 'logits' [n, num_classes, p].

        Further fields, one row per frame, [frames, 1, h, w]: 'probabilities' of the foreground and
        'masks', the silhouettes as given.

        Args:
            inputs: width over height of walkers [n, s], images [n, s, 3, h, w], of which
                ImageNet's mean and deviation are taken out, and silhouettes [n, s, h, w] in 0..1;
                packed on the frame axis when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        ratios, images, silhouettes = inputs
        masks, _ = fold_frames(silhouettes, lengths)
        frames, lengths = fold_frames(images, lengths)
        probabilities = self.segmenter(frames).float().sigmoid()
        masks = masks.float()
        if self.edge:
            walkers, where = self._edged(probabilities, masks), masks
        else:
            walkers, where = probabilities, probabilities.detach().round()
        if self.align:
            ratios = ratios.flatten().float()
            walkers = gait_align(walkers, where, ratios, HEIGHT_PX, WIDTH_PX)
        else:
            walkers = F.interpolate(
                walkers, (HEIGHT_PX, WIDTH_PX), mode="bilinear", antialias=True
            )
        recognised: ModelOutput = self.recogniser([walkers.transpose(0, 1)], lengths)
        fields = {**recognised.fields, "probabilities": probabilities, "masks": masks}
        return ModelOutput(recognised.embeddings, fields)

    def _edged(self, probabilities: Tensor, masks: Tensor) -> Tensor:
        """Silhouettes whose contour is what the U-Net found there."""
        with torch.no_grad():
            inside = erode(masks, self.kernel_size) > 0.5
            band = (dilate(masks, self.kernel_size) > 0.5) & ~inside
        return band * probabilities + inside * masks
