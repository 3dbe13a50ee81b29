"""The strips that FoundationGait's training cuts frames into."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gait.errors import TrainingError
from gait.layers.foundation_encoder import FoundationEncoder
from gait.layers.strips import encode_strips


def halved(clips: Tensor) -> Tensor:
    """Maps of half the height, each row of which tells of its own rows only."""
    return clips[:, 0, :, ::2]


@pytest.mark.parametrize("strips", [1, 2, 4])
def test_strips_come_together_in_their_places(strips: int) -> None:
    clips = torch.rand(4, 2, 3, 16, 5)
    assert torch.equal(encode_strips(halved, clips, strips), halved(clips))


def test_the_second_half_is_cut_between_the_borders_of_the_first() -> None:
    clips = torch.ones(2, 1, 1, 8, 3)
    given: list[Tensor] = []

    def marked(pieces: Tensor) -> Tensor:
        given.append(pieces)
        maps = pieces[:, 0].clone()
        maps[:, :, 0] = 7
        return maps

    straight, shifted = encode_strips(marked, clips, 2)
    assert straight[0, :, 0].tolist() == [7, 1, 1, 1, 7, 1, 1, 1]
    assert shifted[0, :, 0].tolist() == [1, 1, 7, 1, 1, 1, 7, 1]
    # All at once, so that batch normalisation sees them together.
    assert [len(each) for each in given] == [2 + 3]
    assert given[0][2, 0, 0, :, 0].tolist() == [0, 0, 1, 1]
    assert given[0][4, 0, 0, :, 0].tolist() == [1, 1, 0, 0]


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="3 strips do not divide frames 16 pixels high"):
        encode_strips(halved, torch.rand(2, 1, 1, 16, 4), 3)
    encoder = FoundationEncoder((4, 4, 4, 4), (1, 1, 1, 1), (1,))
    with pytest.raises(TrainingError, match=r"2 sequences of the batch, .* into 4 groups"):
        encoder(torch.rand(2, 2, 64, 44), None, (8, 4, 2, 1))
