"""Foreground of frames, told from the tokens of a vision transformer without any label."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from gait.errors import CheckpointError
from gait.formats.weights.compatibility import misfits
from gait.formats.weights.read import read_weights


class MaskBranch(nn.Module):
    """Squeezes tokens through two channels that add up to one: the walker and the rest.

    Which of the two is the walker, training does not say. A branch whose parameters are frozen
    stays as it is in training mode too: its statistics do not move, nothing is dropped.

    Args:
        channels: channels of a token.
        dropout: share of a token's channels that are dropped in training.

    Source: Ye et al., BigGait: Learning Gait Representation You Want by Large Vision Models,
    CVPR 2024, arXiv 2402.19122, section 3.2.
    """

    def __init__(self, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.BatchNorm1d(channels, affine=False)
        self.reduce = nn.Linear(channels, 2)
        self.restore = nn.Linear(2, channels)

    def train(self, mode: bool = True) -> MaskBranch:
        """Like `nn.Module.train`, but stay in evaluation mode while frozen."""
        return super().train(mode and any(each.requires_grad for each in self.parameters()))

    def forward(self, tokens: Tensor) -> Tensor:
        """The two channels [m, 2] of tokens [m, channels]."""
        shares: Tensor = self.reduce(self.norm(self.dropout(tokens))).softmax(1)
        return shares

    def load_pretrained(self, path: Path) -> None:
        """Take the weights of a trained branch: of a `model.pt`, or a published file of its own.

        Raises:
            CheckpointError: the file cannot be read, or holds no such branch.
        """
        state = read_weights(path)
        prefix = "mask_branch."
        if any(name.startswith(prefix) for name in state):
            state = {
                name.removeprefix(prefix): each
                for name, each in state.items()
                if name.startswith(prefix)
            }
        else:
            state = {_ours(name): each for name, each in state.items() if "bn_t" not in name}
        if problems := misfits(self.state_dict(), state):
            raise CheckpointError(
                f"model.mask_weights: {path} holds no mask branch: {'; '.join(problems)}; give "
                "the model.pt of a BigGait, or the published file of a branch"
            )
        self.load_state_dict(state)


def _ours(name: str) -> str:
    """Our name of a tensor of the published branch."""
    return (
        name.replace("bn_s", "norm")
        .replace("down_sampling", "reduce")
        .replace("up_sampling", "restore")
    )
