"""Poolings that turn the points of a cloud into a row of body parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.errors import ConfigError

# Metres above ground that fixed heights cut into parts; no walker is taller.
TALLEST_M = 2.0


class PointPartPooling(nn.Module):
    """A pyramid of horizontal slices of a cloud, each described by its maximum plus its mean.

    Args:
        bins: numbers of slices; the slices of all scales follow each other.
        slices: 'PPP_HAP' cuts 0 to 2 m above ground evenly, points above 2 m belonging to the
            highest slice; 'PPP_UAP' cuts evenly between the lowest and highest point of each
            cloud; 'PPP_UDP' gives each slice as many points. A point on an inner border belongs
            to the slice below, a slice without points is 0.

    Source: Shen et al., LidarGait++: Learning Local Features and Size Awareness from LiDAR Point
    Clouds for 3D Gait Recognition, CVPR 2025.
    """

    def __init__(self, bins: Sequence[int], slices: str) -> None:
        super().__init__()
        if slices not in _SLICES:
            raise ConfigError(
                f"model.pooling: expected one of {', '.join(_SLICES)}, got {slices!r}"
            )
        self.bins = tuple(bins)
        self.slice_of = _SLICES[slices]

    @property
    def parts(self) -> int:
        """Number of slices of all scales."""
        return sum(self.bins)

    def forward(self, points: Tensor, features: Tensor) -> Tensor:
        """Parts [m, c, p] of coordinates [m, 3 or 4, N] and features [m, c, N]."""
        scales = [
            _pool(features, self.slice_of(points.detach(), each), each) for each in self.bins
        ]
        return torch.cat(scales, 2)


class PointMaximum(nn.Module):
    """One part, the maximum over all points."""

    parts = 1

    def forward(self, points: Tensor, features: Tensor) -> Tensor:
        """Parts [m, c, 1] of features [m, c, N]; where the points are does not matter."""
        return features.max(2, keepdim=True).values


class PointVlad(nn.Module):
    """One part a cluster: how the cluster's points differ from its centre.

    Args:
        channels: channels of the features.
        clusters: number of clusters.

    Source: Arandjelovic et al., NetVLAD: CNN architecture for weakly supervised place
    recognition, CVPR 2016, arXiv 1511.07247, section 3.1.
    """

    def __init__(self, channels: int, clusters: int = 16) -> None:
        super().__init__()
        self.assign = nn.Linear(channels, clusters)
        self.centres = nn.Parameter(torch.rand(clusters, channels))

    @property
    def parts(self) -> int:
        """Number of clusters."""
        return len(self.centres)

    def forward(self, points: Tensor, features: Tensor) -> Tensor:
        """Parts [m, c, clusters] of features [m, c, N]; where the points are does not matter."""
        features = F.normalize(features, dim=1)
        shares = (self.assign.weight @ features + self.assign.bias.unsqueeze(1)).softmax(1)
        sums = features @ shares.transpose(1, 2)
        residuals = sums - shares.sum(2).unsqueeze(1) * self.centres.t()
        parts = F.normalize(residuals, dim=1)
        return F.normalize(parts.flatten(1), dim=1).view(parts.shape)


def _by_height(points: Tensor, bins: int) -> Tensor:
    return _even(points[:, 3], points.new_tensor(0.0), points.new_tensor(TALLEST_M), bins)


def _by_extent(points: Tensor, bins: int) -> Tensor:
    z = points[:, 2]
    return _even(z, z.amin(1, keepdim=True), z.amax(1, keepdim=True), bins)


def _by_rank(points: Tensor, bins: int) -> Tensor:
    total = points.shape[2]
    ranks = points[:, 2].argsort(dim=1, stable=True).argsort(dim=1)
    return ranks * bins // total


def _even(values: Tensor, low: Tensor, high: Tensor, bins: int) -> Tensor:
    """Slice of each value: as many inner borders as lie below it."""
    fractions = torch.arange(1, bins, device=values.device) / bins
    borders = low.unsqueeze(-1) + (high - low).unsqueeze(-1) * fractions
    return (values.unsqueeze(-1) > borders).sum(-1)


def _pool(features: Tensor, slices: Tensor, bins: int) -> Tensor:
    """Maximum plus mean of each slice, [m, c, bins], of features [m, c, N] in slices [m, N]."""
    members = F.one_hot(slices, bins).to(features.dtype)
    means = (features @ members) / members.sum(1).clamp(min=1).unsqueeze(1)
    maxima = features.new_zeros(*features.shape[:2], bins).scatter_reduce(
        2, slices.unsqueeze(1).expand_as(features), features, "amax", include_self=False
    )
    return means + maxima


_SLICES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "PPP_HAP": _by_height,
    "PPP_UAP": _by_extent,
    "PPP_UDP": _by_rank,
}
