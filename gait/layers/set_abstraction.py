"""Set abstraction: fewer points, each with a feature of its neighbourhood."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.layers.points import farthest_points, nearest_points, points_in_ball, take_points
from gait.layers.precision import full_precision


class PointLayer(nn.Module):
    """A linear map of each point's channels, batch normalisation and ReLU.

    On a CPU, channels before points: the statistics of rows of channels would be added up so
    coarsely that gradients differ in the third digit.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_channels, out_channels)
        self.bn = nn.BatchNorm1d(out_channels)

    def map(self, points: Tensor) -> Tensor:
        """The linear map alone."""
        weight = self.linear.weight.expand(len(points), -1, -1)
        return torch.baddbmm(self.linear.bias.unsqueeze(1), weight, points)

    def forward(self, points: Tensor) -> Tensor:
        """[m, out_channels, N] of points [m, in_channels, N]."""
        return F.relu(self.bn(self.map(points)), inplace=True)


def point_layers(in_channels: int, out_channels: Sequence[int]) -> nn.Sequential:
    """Point layers one after the other."""
    widths = [in_channels, *out_channels]
    return nn.Sequential(*(PointLayer(*pair) for pair in pairwise(widths)))


class SetAbstraction(nn.Module):
    """Samples centres, groups the points around each and describes each group.

    A group's points have coordinates relative to the centre, beside their features; layers with
    batch normalisation and ReLU work on each point, and the group keeps each channel's maximum.

    Args:
        count: number of centres.
        neighbours: points of a group.
        radius: reach of a ball query; None takes the nearest points instead.
        scale: what relative coordinates are divided by.
        coordinates: coordinates of a point; sampling and grouping look at the first three.
        in_channels: channels of the features that come with the points, 0 for none.
        out_channels: channels of the layers, two or more.

    Source: Qi et al., PointNet++, NeurIPS 2017, arXiv 1706.02413, section 3.2; Shen et al.,
    LidarGait++, CVPR 2025 (height as a coordinate).
    """

    def __init__(
        self,
        count: int,
        neighbours: int,
        radius: float | None,
        scale: float,
        coordinates: int,
        in_channels: int,
        out_channels: Sequence[int],
    ) -> None:
        super().__init__()
        self.count = count
        self.neighbours = neighbours
        self.radius = radius
        self.scale = scale
        self.coordinates = coordinates
        self.layers = point_layers(coordinates + in_channels, out_channels)

    def forward(self, points: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        """Centres and the features of their groups.

        Args:
            points: coordinates [m, coordinates, N].
            features: [m, in_channels, N].

        Returns:
            Coordinates [m, coordinates, count] and features [m, out_channels[-1], count].
        """
        places = points[:, :3]
        centres = take_points(points, farthest_points(places, self.count))
        if self.radius is None:
            groups = nearest_points(centres[:, :3], places, self.neighbours)
        else:
            groups = points_in_ball(centres[:, :3], places, self.neighbours, self.radius)
        first, *between, last = cast("Iterable[PointLayer]", self.layers)
        values = F.relu(first.bn(self._relative(first, points, features, centres, groups)))
        for layer in between:
            values = layer(values)
        # The maximum before ReLU: that is increasing, and then works on far fewer values.
        values = last.bn(last.map(values)).unflatten(2, groups.shape[1:])
        return centres, F.relu(values.max(3).values)

    def _relative(
        self,
        layer: PointLayer,
        points: Tensor,
        features: Tensor,
        centres: Tensor,
        groups: Tensor,
    ) -> Tensor:
        """The linear map of all groups' points, [m, c, count * neighbours].

        It works on each point once instead of once for each group that the point is in: of a
        difference of points it makes the difference of their images.
        """
        of_place, of_feature = layer.linear.weight.tensor_split([self.coordinates], 1)
        # In full precision, as differences are much smaller than the images.
        with full_precision(points):
            images = of_place @ (points / self.scale) + layer.linear.bias.unsqueeze(1)
            of_centres = of_place @ (centres / self.scale)
        if features.shape[1]:
            images = images + of_feature @ features
        return (take_points(images, groups) - of_centres.unsqueeze(3)).flatten(2)
