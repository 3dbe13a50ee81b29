"""BigGait: gait from the tokens of a large vision model, without segmentation or poses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.attention_fusion import AttentionFusion
from gait.layers.backbones.resnet9 import ResNet9
from gait.layers.dinov2 import DINOv2
from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.mask_branch import MaskBranch
from gait.layers.part_head import PartHead
from gait.layers.residual import stage
from gait.layers.set_pooling import set_max, set_mean
from gait.layers.sobel import steepness
from gait.types import ModelOutput

# Height and width of the canvas that a frame of another shape is put on.
_CANVAS_PX = (256, 128)
# Rows at the top, and as many at the bottom, where hardly anything belongs to a walker.
_EDGE_ROWS = 5


class BigGait(nn.Module):
    """Two views of a vision model's tokens, of parts and of appearance, recognised as by GaitBase.

    Its mask branch is to be trained first, for some 500 iterations, and then kept: a second
    experiment starts from the first (`init`) and freezes it (`parameters`).

    Args:
        num_classes: identities of the training set.
        weights: see `gait.layers.dinov2.DINOv2`.
        mask_weights: file of a trained mask branch to start from: the `model.pt` of a BigGait, or
            a published file.
        transformer: parameters of `DINOv2` other than `weights`.
        frame_px: height and width that the transformer sees frames in.
        map_size: height and width of the maps that the gait network sees.
        layers: transformer layers whose tokens are read, numbered from 1.
        map_channels: channels of either view.
        mask_dropout: share of the tokens' channels that the mask branch drops in training.
        masked: share of training sequences of which one view, drawn at random, is hidden.
        squeeze: by how much the inner layers of the fusion are narrower.
        channels: channels of the four stages of the gait network.
        blocks: residual blocks of each stage; the first is there for either view.
        strides: stride of each stage.
        embedding_channels: channels of each part's embedding.
        bins: strips of the horizontal pooling.
        frames_at_once: frames that go through the transformer together; bounds memory.

    Source: Ye et al., BigGait: Learning Gait Representation You Want by Large Vision Models,
    CVPR 2024, arXiv 2402.19122.
    """

    def __init__(
        self,
        num_classes: int,
        weights: str | None = None,
        mask_weights: str | None = None,
        transformer: dict[str, Any] | None = None,
        frame_px: Sequence[int] = (448, 224),
        map_size: Sequence[int] = (64, 32),
        layers: Sequence[int] = (3, 6, 9, 12),
        map_channels: int = 16,
        mask_dropout: float = 0.5,
        masked: float = 0.2,
        squeeze: int = 16,
        channels: Sequence[int] = (64, 128, 256, 512),
        blocks: Sequence[int] = (1, 1, 1, 1),
        strides: Sequence[int] = (1, 2, 2, 1),
        embedding_channels: int = 256,
        bins: Sequence[int] = (16,),
        frames_at_once: int = 96,
    ) -> None:
        super().__init__()
        self.mask_weights, self.masked = mask_weights, masked
        self.frame_px, self.map_size = tuple(frame_px), tuple(map_size)
        self.layers, self.frames_at_once = tuple(layers), frames_at_once
        dinov2 = DINOv2(weights, **{"offset": 0.1, **(transformer or {})})
        width = dinov2.hidden_size * len(layers)
        self.mask_branch = MaskBranch(dinov2.hidden_size, mask_dropout)
        self.denoising = nn.Sequential(
            nn.BatchNorm1d(width, affine=False),
            nn.Linear(width, width // 2),
            nn.BatchNorm1d(width // 2, affine=False),
            nn.GELU(),
            nn.Linear(width // 2, map_channels),
            nn.Softmax(1),
        )
        self.appearance = nn.Sequential(
            nn.BatchNorm1d(width, affine=False),
            nn.Linear(width, map_channels),
            nn.BatchNorm1d(map_channels, affine=False),
            nn.Sigmoid(),
        )
        self.stems = nn.ModuleList(
            ResNet9(channels[:1], blocks[:1], strides[:1], map_channels) for _ in range(2)
        )
        self.fusion = AttentionFusion(channels[0], squeeze, interleaved=True)
        self.trunk = nn.Sequential(
            *(
                stage(*each)
                for each in zip(channels[:-1], channels[1:], blocks[1:], strides[1:], strict=True)
            )
        )
        self.head = PartHead(channels[-1], num_classes, embedding_channels, bins)
        initialise(self)
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
        """Embeddings [n, embedding_channels, p] and fields as `PartHead` gives them.

        In training there are also losses for `AuxiliaryLoss`, one value per sequence [n]:
        'shape_connect' and 'part_connect' (outlines of the mask and of the parts are short),
        'shape_mse' (the mask tells the tokens apart) and 'part_diversity' (all parts are used).

        Args:
            inputs: frames [n, s, 3, h, w], normalised by ImageNet's mean and deviation, and the
                width of the walker's box over its height, [n, s]; packed on the frame axis when
                `lengths` is given. Frames half as wide as high hold the box at its own aspect,
                others fill it.
            lengths: frames of each packed sequence.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        ratios = inputs[1].flatten()
        pieces = zip(
            torch.split(frames, self.frames_at_once),
            torch.split(ratios, self.frames_at_once),
            strict=True,
        )
        read = (self._read(*each) for each in pieces)
        fields: dict[str, Tensor] = {}
        if self.training:
            # Batch normalisation sees all frames, however many went through the transformer.
            tokens, last, valid = (torch.cat(each) for each in zip(*read, strict=True))
            views, fields = self._views(tokens, last, valid, lengths)
            views = self._hide(views, lengths)
        else:
            seen = [self._views(*each)[0] for each in read]
            views = [torch.cat(each) for each in zip(*seen, strict=True)]
        maps = self.fusion([stem(each) for stem, each in zip(self.stems, views, strict=True)])
        output: ModelOutput = self.head(set_max(self.trunk(maps), lengths))
        output.fields |= fields
        return output

    def _read(self, frames: Tensor, ratios: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Tokens of all layers and last ones, by the patch, and where the walker's box is."""
        images = F.interpolate(on_canvas(frames, ratios), self.frame_px, mode="bilinear")
        layers, last = self.dinov2(images, self.layers)
        tokens = torch.cat(layers, 1).permute(0, 2, 3, 1)
        tokens = F.layer_norm(tokens, tokens.shape[3:], eps=1e-6)
        return tokens.permute(0, 3, 1, 2), last, box(ratios, *self.map_size)

    def _views(
        self, tokens: Tensor, last: Tensor, valid: Tensor, lengths: list[int] | None = None
    ) -> tuple[list[Tensor], dict[str, Tensor]]:
        """Parts and appearance, [m, map_channels, h, w] and zero off the walker; losses."""
        # What lies off the box says nothing of the walker, nor of what is usual around him.
        inside = valid.squeeze(1) > 0
        rows = self._enlarged(last)[inside]
        told = self.mask_branch(rows)
        shares = _placed(told, inside)
        walker = foreground(shares.detach(), valid)
        chosen = torch.cat(
            [
                self._enlarged(piece)[where]
                for piece, where in zip(
                    torch.split(tokens, self.frames_at_once),
                    torch.split(walker, self.frames_at_once),
                    strict=True,
                )
            ]
        )
        views = [_placed(branch(chosen), walker) for branch in (self.denoising, self.appearance)]
        if lengths is None:
            return views, {}
        restored = self.mask_branch.restore(told)
        errors = (restored.float() - rows.float()).square().mean(1, keepdim=True)
        errors = _placed(errors, inside)
        return views, self._terms(errors, shares, valid, views[0], walker, lengths)

    def _enlarged(self, tokens: Tensor) -> Tensor:
        """Maps [m, c, h, w] in the size of the gait network's, channels last."""
        return F.interpolate(tokens, self.map_size, mode="bilinear").permute(0, 2, 3, 1)

    def _terms(
        self,
        errors: Tensor,
        shares: Tensor,
        valid: Tensor,
        parts: Tensor,
        walker: Tensor,
        lengths: list[int],
    ) -> dict[str, Tensor]:
        """The losses that need no labels, one value per sequence."""
        outline = steepness(shares[:, :1])
        # Every sequence by itself: then the losses do not depend on how a batch is cut.
        used = set_mean(parts.float().sum((2, 3)), lengths)
        used = used / set_mean(walker.float().sum((1, 2)), lengths).clamp(min=1e-6).unsqueeze(1)
        entropy = -(used * used.clamp(min=1e-6).log2()).sum(1)
        return {
            "shape_connect": set_mean(_mean(outline, valid[:, :, 1:-1, 1:-1]), lengths),
            "shape_mse": set_mean(_mean(errors, valid), lengths),
            "part_connect": set_mean(steepness(parts[:, :-1]).mean((1, 2, 3)), lengths),
            "part_diversity": math.log2(parts.shape[1]) - entropy,
        }

    def _hide(self, views: list[Tensor], lengths: list[int]) -> list[Tensor]:
        """The views, of which some sequences lose one."""
        drawn = torch.rand(len(lengths), device=views[0].device)
        drawn = drawn.repeat_interleave(torch.tensor(lengths, device=drawn.device))
        first, second = drawn < self.masked / 2, drawn < self.masked
        hidden = (first, second & ~first)
        return [
            each * (~where).to(each.dtype).view(-1, 1, 1, 1)
            for each, where in zip(views, hidden, strict=True)
        ]


def on_canvas(frames: Tensor, ratios: Tensor) -> Tensor:
    """Frames half as wide as high, the walker's box in the middle at its own aspect.

    Args:
        frames: [m, c, h, w]; such that are half as wide as high are returned as they are, in
            others the box fills the frame.
        ratios: width of the box over its height, [m].

    Returns:
        [m, c, h, w], or [m, c, 256, 128] with zeros beside narrow boxes and wide ones cut off.
    """
    if frames.shape[2] == 2 * frames.shape[3]:
        return frames
    height, width = _CANVAS_PX
    widths = (ratios.float() * height).floor().clamp(min=1)
    left = ((width - widths) / 2).floor()
    # Centres of the canvas's pixels in the frame, whose edges are at -1 and 1.
    pixels = torch.arange(width, device=frames.device) + 0.5
    x = 2 * (pixels - left.unsqueeze(1)) / widths.unsqueeze(1) - 1
    y = 2 * (torch.arange(height, device=frames.device) + 0.5) / height - 1
    x, y = x.unsqueeze(1).expand(-1, height, -1), y.view(1, -1, 1).expand(len(x), -1, width)
    grid = torch.stack([x, y], 3).to(frames.dtype)
    drawn = F.grid_sample(frames, grid, padding_mode="border", align_corners=False)
    return drawn * (x.abs() < 1).to(frames.dtype).unsqueeze(1)


def box(ratios: Tensor, height: int, width: int) -> Tensor:
    """Where the walker's box is on a map of its frame, [m, 1, height, width] of zeros and ones.

    Args:
        ratios: width of the box over its height, [m]; the box is as high as the map.
    """
    widths = (ratios.float() * height).floor().clamp(max=width).unsqueeze(1)
    left = ((width - widths) / 2).floor()
    columns = torch.arange(width, device=ratios.device)
    inside = (columns >= left) & (columns < left + widths)
    return inside.float().view(-1, 1, 1, width).expand(-1, 1, height, -1)


def foreground(shares: Tensor, valid: Tensor) -> Tensor:
    """Which pixels belong to the walker, bool [m, h, w], grown by one pixel inside the box.

    Args:
        shares: two channels that add up to one in the box and are zero off it, [m, 2, h, w]. The
            first is the walker, unless it holds most of the outer rows, the parts of these that
            lie off the box included.
        valid: where the box is, [m, 1, h, w].
    """
    rounded = shares.round()
    outer = torch.cat([rounded[:, 0, :_EDGE_ROWS], rounded[:, 0, -_EDGE_ROWS:]], 1)
    swapped = (outer.mean((1, 2)) > 0.5).view(-1, 1, 1, 1)
    walker = torch.where(swapped, rounded[:, 1:], rounded[:, :1])
    return (F.max_pool2d(walker, 3, 1, 1) * valid).squeeze(1) > 0


def _placed(values: Tensor, where: Tensor) -> Tensor:
    """Map [m, c, h, w] with the values [k, c] at the k pixels of `where`, zero elsewhere."""
    maps = values.new_zeros(*where.shape, values.shape[1])
    maps[where] = values
    return maps.permute(0, 3, 1, 2)


def _mean(maps: Tensor, where: Tensor) -> Tensor:
    """Mean [m] of maps [m, 1, h, w] over the pixels of `where`."""
    return (maps * where).sum((1, 2, 3)) / where.sum((1, 2, 3)).clamp(min=1)
