"""DenoisingGait: flow fields of diffusion features, within frames and from frame to frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.attention_fusion import AttentionFusion
from gait.layers.backbones.resnet9 import ResNet9
from gait.layers.feature_flow import feature_flow
from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.part_head import PartHead
from gait.layers.projection import Projection
from gait.layers.residual import stage
from gait.layers.sequences import stretches
from gait.layers.set_pooling import set_max
from gait.types import ModelOutput


class DenoisingGait(nn.Module):
    """Diffusion features of the walker reduced to directions, which show shape but no texture.

    Args:
        num_classes: identities of the training set.
        channels: channels of the four stages of the backbone.
        blocks: residual blocks of each stage; the first three are there for either field.
        strides: stride of each stage.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.
        latent_channels: channels of the diffusion features.
        radii: how far the fields within a frame reach, in pixels; one field each.
        temporal_radius: how far the field from a frame to the next reaches.
        suppressed: share of training sequences in which steps inside the body are removed.
        threshold: steps at least this long are removed there, in pixels.
        eroded_kernel: the inside is the silhouette eroded by a square of this size.

    Source: Jin et al., On Denoising Walking Videos for Gait Recognition, CVPR 2025,
    arXiv 2505.18582.
    """

    def __init__(
        self,
        num_classes: int,
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 1, 1, 1),
        strides: Sequence[int] = (1, 2, 2, 1),
        embedding_channels: int = 256,
        bins: Sequence[int] = (24,),
        latent_channels: int = 4,
        radii: Sequence[int] = (1, 2, 3),
        temporal_radius: int = 3,
        suppressed: float = 0.0,
        threshold: float = 0.5,
        eroded_kernel: int = 5,
    ) -> None:
        super().__init__()
        self.suppressed, self.threshold = suppressed, threshold
        self.eroded_kernel = eroded_kernel
        self.within = nn.ModuleList(FieldWithin(latent_channels, radius) for radius in radii)
        self.between = FieldBetween(latent_channels, temporal_radius)
        early = (channels[:-1], blocks[:-1], strides[:-1])
        self.within_backbone = ResNet9(*early, in_channels=2 * len(radii))
        self.between_backbone = ResNet9(*early, in_channels=2)
        width = self.within_backbone.out_channels
        self.fusion = AttentionFusion(width, kernel=1, interleaved=True)
        self.trunk = stage(width, channels[-1], blocks[-1], strides[-1])
        self.head = PartHead(channels[-1], num_classes, embedding_channels, bins)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, p] and fields as `PartHead` gives them.

        Args:
            inputs: diffusion features [n, s, latent_channels, h, w] and silhouettes [n, s, h, w],
                of which everything above 0 is the walker; packed on the frame axis when `lengths`
                is given. Frames in order.
            lengths: frames of each packed sequence.
        """
        latents, each = fold_frames(inputs[0], lengths)
        masks, _ = fold_frames(inputs[1], lengths)
        masks = (masks > 0).to(latents.dtype)
        within = torch.cat([field(latents, masks) for field in self.within], 1)
        between = self.between(latents, masks, each)
        if self.training and self.suppressed:
            within = self._suppress(within, masks, each)
        maps = self.fusion([self.within_backbone(within), self.between_backbone(between)])
        output: ModelOutput = self.head(set_max(self.trunk(maps), each))
        return output

    def _suppress(self, fields: Tensor, masks: Tensor, lengths: list[int]) -> Tensor:
        """Fields [m, 2 * radii, h, w] of which some sequences lose long steps inside the body."""
        drawn = torch.rand(len(lengths), device=masks.device) < self.suppressed
        drawn = drawn.repeat_interleave(torch.tensor(lengths, device=masks.device))
        inside = 1 - F.max_pool2d(1 - masks, self.eroded_kernel, 1, self.eroded_kernel // 2)
        steps = fields.reshape(len(fields), -1, 2, *fields.shape[2:])
        long = (steps.norm(dim=2) > self.threshold).to(masks.dtype) * inside
        around = F.max_pool2d(long, 3, 1, 1) * drawn.view(-1, 1, 1, 1)
        return (steps * (1 - around).unsqueeze(2)).flatten(1, 2)


class FieldWithin(nn.Module):
    """Steps from the pixels of one encoding of a frame to their matches in another.

    Args:
        in_channels: channels of the diffusion features.
        radius: how far a step reaches, in pixels.
    """

    def __init__(self, in_channels: int, radius: int) -> None:
        super().__init__()
        self.radius = radius
        self.encoders = nn.ModuleList(_encoder(in_channels, 64, 32, 16) for _ in range(2))
        self.decoders = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(16, 16, 3, padding=1, bias=False),
                nn.BatchNorm2d(16),
                nn.ReLU(inplace=True),
            )
            for _ in range(2)
        )

    def forward(self, latents: Tensor, masks: Tensor) -> Tensor:
        """Steps [m, 2, h, w] of diffusion features [m, c, h, w] and masks [m, 1, h, w]."""
        first, second = (
            decode(encode(latents).sigmoid() * masks)
            for encode, decode in zip(self.encoders, self.decoders, strict=True)
        )
        return feature_flow(first, second, self.radius)


class FieldBetween(nn.Module):
    """Steps from the pixels of a frame to their matches in the next one of the sequence.

    Args:
        in_channels: channels of the diffusion features.
        radius: how far a step reaches, in pixels.
    """

    def __init__(self, in_channels: int, radius: int) -> None:
        super().__init__()
        self.radius = radius
        self.query = _encoder(in_channels, 16, 8, 4)
        self.key = _encoder(in_channels, 16, 8, 4)

    def forward(self, latents: Tensor, masks: Tensor, lengths: list[int]) -> Tensor:
        """Steps [m, 2, h, w] of diffusion features [m, c, h, w] and masks [m, 1, h, w].

        The last frame of a sequence looks for matches in itself.
        """
        following = torch.arange(1, len(latents) + 1, device=latents.device)
        last = torch.tensor(stretches(lengths), device=latents.device).cumsum(0) - 1
        following[last] = last
        queries = self.query(latents).sigmoid() * masks
        keys = self.key(latents[following]).sigmoid() * masks[following]
        return feature_flow(queries, keys, self.radius)


def _encoder(in_channels: int, wide: int, narrow: int, out_channels: int) -> nn.Sequential:
    return nn.Sequential(
        Projection(in_channels, wide),
        nn.BatchNorm2d(wide),
        nn.Conv2d(wide, wide, 3, padding=1, bias=False),
        nn.BatchNorm2d(wide),
        nn.ReLU(inplace=True),
        nn.Conv2d(wide, narrow, 3, padding=1, bias=False),
        nn.BatchNorm2d(narrow),
        nn.ReLU(inplace=True),
        Projection(narrow, out_channels),
        nn.BatchNorm2d(out_channels),
    )
