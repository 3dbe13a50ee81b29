"""BiggerGait: what every layer of a vision transformer knows of gait."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.errors import ConfigError
from gait.layers.backbones.resnet9 import ResNet9
from gait.layers.dinov2 import DINOv2
from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.mask_branch import MaskBranch
from gait.layers.part_head import PartHead
from gait.layers.projection import Projection
from gait.layers.set_pooling import set_max
from gait.types import ModelOutput


class BiggerGait(nn.Module):
    """Groups of transformer layers become maps, each recognised by one of a few gait networks.

    Args:
        num_classes: identities of the training set.
        weights: see `gait.layers.dinov2.DINOv2`.
        mask_weights: file of a trained mask branch, which is frozen here: the `model.pt` of a
            BigGait, or a published file.
        foreground: channel of that branch that is the walker.
        transformer: parameters of `DINOv2` other than `weights`.
        frame_px: height and width that frames are brought to.
        map_size: height and width of the maps that the gait networks see.
        layers_per_group: transformer layers that make one map.
        inner_channels: channels between a group's tokens and its map.
        map_channels: channels of a map.
        heads: gait networks; each serves as many groups as the others, in the order of the layers.
        channels: channels of the stages of a gait network.
        blocks: residual blocks of each stage.
        strides: stride of each stage.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.
        frames_at_once: frames that go through the transformer together; bounds memory.

    Source: Ye et al., BiggerGait: Unlocking Gait Recognition with Layer-wise Representations from
    Large Vision Models, NeurIPS 2025, arXiv 2505.18132.
    """

    def __init__(
        self,
        num_classes: int,
        weights: str | None = None,
        mask_weights: str | None = None,
        foreground: int = 1,
        transformer: dict[str, Any] | None = None,
        frame_px: Sequence[int] = (448, 224),
        map_size: Sequence[int] = (64, 32),
        layers_per_group: int = 1,
        inner_channels: int = 192,
        map_channels: int = 16,
        heads: int = 12,
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 1, 1, 1),
        strides: Sequence[int] = (1, 2, 1, 1),
        embedding_channels: int = 256,
        bins: Sequence[int] = (32,),
        frames_at_once: int = 96,
    ) -> None:
        super().__init__()
        self.mask_weights, self.foreground = mask_weights, foreground
        self.frame_px, self.map_size = tuple(frame_px), tuple(map_size)
        self.frames_at_once = frames_at_once
        dinov2 = DINOv2(weights, **(transformer or {}))
        groups = dinov2.blocks // layers_per_group
        if groups * layers_per_group != dinov2.blocks or groups % heads:
            raise ConfigError(
                f"model.layers_per_group: {dinov2.blocks} layers do not make groups of "
                f"{layers_per_group} that {heads} heads can share evenly"
            )
        self.groups_per_head = groups // heads
        self.projections = nn.ModuleList(
            nn.Sequential(
                nn.BatchNorm2d(dinov2.hidden_size * layers_per_group, affine=False),
                Projection(dinov2.hidden_size * layers_per_group, inner_channels, bias=True),
                nn.BatchNorm2d(inner_channels, affine=False),
                nn.GELU(),
                Projection(inner_channels, map_channels, bias=True),
                nn.Upsample(self.map_size, mode="bilinear"),
                nn.BatchNorm2d(map_channels, affine=False),
                nn.Sigmoid(),
            )
            for _ in range(groups)
        )
        self.backbones = nn.ModuleList(
            ResNet9(channels, blocks, strides, map_channels) for _ in range(heads)
        )
        self.heads = nn.ModuleList(
            PartHead(channels[-1], num_classes, embedding_channels, bins) for _ in range(heads)
        )
        self.mask_branch = MaskBranch(dinov2.hidden_size)
        initialise(self)
        self.mask_branch.requires_grad_(False)
        # After the initial values, which are not for it.
        self.dinov2 = dinov2

    def load_pretrained(self) -> None:
        """Take the published weights of the transformer and those of the mask branch.

        To be called once, before training; trained weights hold both.

        Raises:
            CheckpointError: they cannot be had, or do not fit.
        """
        self.dinov2.load_pretrained()
        if self.mask_weights is not None:
            self.mask_branch.load_pretrained(Path(self.mask_weights))

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, groups * p] and fields as `PartHead` gives them.

        Args:
            inputs: one tensor, frames [n, s, 3, h, w], normalised by ImageNet's mean and
                deviation; packed on the frame axis when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        read = [self._read(each) for each in frames.split(self.frames_at_once)]
        if self.training:
            # Batch normalisation sees all frames, however many went through the transformer.
            groups, masks = (torch.cat(each) for each in zip(*read, strict=True))
            maps = self._project(groups, masks)
        else:
            pieces = [self._project(*each) for each in read]
            maps = [torch.cat(each) for each in zip(*pieces, strict=True)]
        outputs = []
        for number, each in enumerate(maps):
            head = number // self.groups_per_head
            pooled = set_max(self.backbones[head](each), lengths)
            outputs.append(self.heads[head](pooled))
        fields = {
            name: torch.cat([each[name] for each in outputs], 2) for name in outputs[0].fields
        }
        return ModelOutput(torch.cat([each.embeddings for each in outputs], 2), fields)

    def _read(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised tokens of all layers [m, layers * c, h, w] and the walker's mask [m, 1, h, w]."""
        images = F.interpolate(frames, self.frame_px, mode="bilinear")
        layers, _ = self.dinov2(images, range(1, self.dinov2.blocks + 1))
        tokens = torch.cat(layers, 1).permute(0, 2, 3, 1)
        tokens = F.layer_norm(tokens, tokens.shape[3:], eps=1e-6)
        last = layers[-1].permute(0, 2, 3, 1)
        last = F.layer_norm(last, last.shape[3:], eps=1e-6)
        shares = self.mask_branch(last.flatten(0, 2))[:, self.foreground]
        masks = (shares > 0.5).to(tokens.dtype).view(len(frames), 1, *last.shape[1:3])
        return tokens.permute(0, 3, 1, 2), F.interpolate(masks, self.map_size)

    def _project(self, tokens: Tensor, masks: Tensor) -> list[Tensor]:
        """One map [m, map_channels, h, w] a group, zero outside the walker."""
        groups = tokens.chunk(len(self.projections), 1)
        return [
            project(group) * masks for project, group in zip(self.projections, groups, strict=True)
        ]
