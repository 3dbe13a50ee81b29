"""LidarGait++: point clouds, described around ever fewer points."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gait.errors import ConfigError
from gait.layers.frames import fold_frames
from gait.layers.initialise import initialise
from gait.layers.part_bn_neck import PartBNNeck
from gait.layers.part_linear import PartLinear
from gait.layers.point_pooling import PointMaximum, PointPartPooling, PointVlad
from gait.layers.set_abstraction import SetAbstraction, point_layers
from gait.layers.set_pooling import set_max
from gait.types import ModelOutput

RADII = (0.1, 0.2, 0.4)
DEEPEST = 256


class LidarGaitPP(nn.Module):
    """Three set abstractions frame by frame, body parts by height, temporal maximum.

    Args:
        num_classes: identities of the training set.
        channels: width of the first layer; all others are multiples of it.
        points: points that each set abstraction keeps.
        neighbours: points of a group.
        grouping: 'knn' for the nearest points, 'ball' for the first within a radius.
        scale_aware: points have their height above ground as a fourth coordinate.
        normalise_radius: divide relative coordinates by the radius of their abstraction.
        pooling: 'PPP_HAP', 'PPP_UAP' or 'PPP_UDP' (see `PointPartPooling`), 'GMaxP' for the
            maximum of all points, or 'VLAD' for clusters of points.
        bins: slices of the three PPP poolings.
        embedding_channels: channels of each part's embedding.

    Source: Shen et al., LidarGait++: Learning Local Features and Size Awareness from LiDAR Point
    Clouds for 3D Gait Recognition, CVPR 2025.
    """

    def __init__(
        self,
        num_classes: int,
        channels: int = 16,
        points: Sequence[int] = (512, 256, 128),
        neighbours: int = 32,
        grouping: str = "knn",
        scale_aware: bool = True,
        normalise_radius: bool = True,
        pooling: str = "PPP_HAP",
        bins: Sequence[int] = (1, 2, 4, 8, 16),
        embedding_channels: int = 256,
    ) -> None:
        super().__init__()
        if grouping not in ("knn", "ball"):
            raise ConfigError(f"model.grouping: expected 'knn' or 'ball', got {grouping!r}")
        if len(points) != len(RADII):
            raise ConfigError(f"model.points: expected {len(RADII)} numbers, got {list(points)}")
        if pooling == "PPP_HAP" and not scale_aware:
            raise ConfigError(
                "model.pooling: 'PPP_HAP' needs heights above ground; set scale_aware to true"
            )
        self.coordinates = 4 if scale_aware else 3
        stages = []
        width, inner = 0, 2 * channels
        for count, radius in zip(points, RADII, strict=True):
            stages.append(
                SetAbstraction(
                    count,
                    neighbours,
                    radius if grouping == "ball" else None,
                    radius if normalise_radius else 1.0,
                    self.coordinates,
                    width,
                    [inner, inner, 2 * inner],
                )
            )
            width = inner = 2 * inner
        self.stages = nn.ModuleList(stages)
        self.last = point_layers(self.coordinates + width, [width, width, DEEPEST])
        self.pooling: PointPartPooling | PointMaximum | PointVlad
        if pooling == "GMaxP":
            self.pooling = PointMaximum()
        elif pooling == "VLAD":
            self.pooling = PointVlad(DEEPEST)
        else:
            self.pooling = PointPartPooling(bins, pooling)
        self.part_linear = PartLinear(self.pooling.parts, DEEPEST, embedding_channels)
        self.neck = PartBNNeck(self.pooling.parts, embedding_channels, num_classes)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, embedding_channels, p] of point clouds.

        Fields: 'logits' [n, num_classes, p].

        Args:
            inputs: one tensor, points [n, s, N, 4]: x, y, z about the cloud's centre, at most 1
                from it, and metres above ground ([n, s, N, 3] without `scale_aware`); packed on
                the frame axis when `lengths` is given.
            lengths: frames of each packed sequence.

        Raises:
            ValueError: points with other coordinates.
        """
        frames, lengths = fold_frames(inputs[0], lengths)
        points = frames.squeeze(1).transpose(1, 2)
        if points.shape[1] != self.coordinates:
            raise ValueError(
                f"points have shape {list(inputs[0].shape)}; expected [n, s, N, "
                f"{self.coordinates}]"
            )
        features = points[:, :0]
        for stage in self.stages:
            points, features = stage(points, features)
        features = self.last(torch.cat([points, features], 1))
        parts = set_max(self.pooling(points, features), lengths)
        embeddings = self.part_linear(parts).float()
        _, logits = self.neck(embeddings)
        return ModelOutput(embeddings, {"logits": logits.float()})
