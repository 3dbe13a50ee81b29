"""GaitGraph2: graph convolutions over joints, their motion and their bones."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gait.layers.initialise import initialise
from gait.layers.res_gcn import ResGCN
from gait.layers.sequences import by_length
from gait.skeleton import graph_streams, skeleton_of
from gait.types import ModelOutput

STREAMS = 3


class GaitGraph2(nn.Module):
    """A residual graph network with one branch for each of the streams of a pose.

    At test time, the sequence, its reversal and the sequence with left and right exchanged may
    give one part of the embedding each. Their streams are made anew, relative to the skeleton's
    own centre, and the exchange renames the joints but mirrors no place: published weights and
    figures are for embeddings of this kind.

    Args:
        num_joints: joints v of a pose.
        branch: channels of each stream's first modules, from those of the stream on.
        trunk: channels of the modules after them.
        reduction: by how much bottlenecks are narrower than their module.
        embedding_channels: channels of an embedding.
        tta: at test time, append the embeddings of the reversed and the exchanged sequence.

    Source: Teepe et al., Towards a Deeper Understanding of Skeleton-based Gait Recognition,
    CVPRW 2022, arXiv 2204.07855.
    """

    def __init__(
        self,
        num_joints: int,
        branch: Sequence[int] = (5, 64, 32),
        trunk: Sequence[int] = (128, 256),
        reduction: int = 8,
        embedding_channels: int = 128,
        tta: bool = True,
    ) -> None:
        super().__init__()
        self.tta = tta
        self.skeleton = skeleton_of(num_joints)
        self.backbone = ResGCN(num_joints, STREAMS, branch, trunk, reduction, embedding_channels)
        initialise(self)

    def forward(self, inputs: list[Tensor], lengths: list[int] | None = None) -> ModelOutput:
        """Embeddings [n, c, 1] of poses, c three times `embedding_channels` with `tta`.

        Args:
            inputs: one tensor, the streams that `GaitGraphInput` makes of joints [n, s, v, 15];
                packed on the frame axis, with n = 1, when `lengths` is given.
            lengths: frames of each packed sequence.
        """
        return by_length(self._embedded, inputs[0], lengths)

    def _embedded(self, streams: Tensor) -> ModelOutput:
        versions = [streams]
        if self.tta and not self.training:
            poses = streams[..., :3]
            versions += [
                graph_streams(each, self.skeleton.centre)
                for each in (poses.flip(1), poses[:, :, self.skeleton.mirrored])
            ]
        maps = torch.cat(versions)
        maps = maps.view(*maps.shape[:3], STREAMS, -1).permute(0, 3, 4, 1, 2)
        features = self.backbone(maps).float().chunk(len(versions))
        return ModelOutput(torch.cat(features, dim=1).unsqueeze(2))
