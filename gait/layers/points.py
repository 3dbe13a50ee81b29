"""Sampling and grouping of point clouds, all clouds of a batch at once."""

from __future__ import annotations

import torch
from torch import Tensor

from gait.layers.precision import full_precision


@torch.no_grad()
def farthest_points(points: Tensor, count: int) -> Tensor:
    """Indices of points that cover a cloud, each the farthest from all those before it.

    The first is point 0, so that the same cloud always gives the same indices.

    Args:
        points: coordinates [m, 3, N].
        count: how many to take; beyond N, point 0 is taken again.

    Returns:
        Indices [m, count], int64.

    Source: Qi et al., PointNet++, NeurIPS 2017, arXiv 1706.02413, section 3.2.
    """
    points = points.contiguous()
    clouds = torch.arange(len(points), device=points.device)
    nearest = points.new_full((points.shape[0], points.shape[2]), torch.inf)
    last = torch.zeros_like(clouds)
    taken = [last]
    for _ in range(count - 1):
        offsets = points - points[clouds, :, last].unsqueeze(2)
        nearest = torch.minimum(nearest, offsets.square_().sum(1))
        last = nearest.argmax(1)
        taken.append(last)
    return torch.stack(taken, 1)


@torch.no_grad()
def nearest_points(centres: Tensor, points: Tensor, count: int) -> Tensor:
    """Indices [m, q, count] of the points nearest to each centre, in any order.

    Args:
        centres: coordinates [m, 3, q].
        points: coordinates [m, 3, N]; all are taken where N is smaller than `count`.
    """
    distances = _squared_distances(centres, points)
    return distances.topk(min(count, points.shape[2]), largest=False, sorted=False).indices


@torch.no_grad()
def points_in_ball(centres: Tensor, points: Tensor, count: int, radius: float) -> Tensor:
    """Indices [m, q, count] of the first points within a radius of each centre.

    Where the ball holds fewer than `count`, the first of them fills the rest; an empty ball gives
    the point nearest to its centre.

    Args:
        centres: coordinates [m, 3, q].
        points: coordinates [m, 3, N]; all are taken where N is smaller than `count`.
        radius: in the unit of the coordinates.

    Source: Qi et al., PointNet++, NeurIPS 2017, arXiv 1706.02413, section 3.2 (ball query).
    """
    distances = _squared_distances(centres, points)
    total = points.shape[2]
    # Points outside are numbered behind all others; the smallest numbers are the first inside.
    numbers = torch.arange(total, device=points.device)
    numbers = torch.where(distances <= radius**2, numbers, total)
    inside = numbers.topk(min(count, total), largest=False, sorted=True).values
    first = inside[:, :, :1]
    first = torch.where(first == total, distances.argmin(2, keepdim=True), first)
    return torch.where(inside == total, first, inside)


def take_points(values: Tensor, indices: Tensor) -> Tensor:
    """Columns of each cloud by their indices.

    Args:
        values: features [m, c, N].
        indices: [m, ...], int64, each within its cloud.

    Returns:
        [m, c, ...].
    """
    flat = indices.flatten(1).unsqueeze(1).expand(-1, values.shape[1], -1)
    return values.gather(2, flat).view(*values.shape[:2], *indices.shape[1:])


def _squared_distances(centres: Tensor, points: Tensor) -> Tensor:
    """[m, q, N] of coordinates [m, 3, q] and [m, 3, N]."""
    squares = centres.square().sum(1).unsqueeze(2) + points.square().sum(1).unsqueeze(1)
    with full_precision(points):
        return torch.baddbmm(squares, centres.transpose(1, 2), points, alpha=-2)
