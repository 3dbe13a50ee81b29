"""What parameters of models do that no shape shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gait import registry
from gait.layers import foundation_encoder
from gait.layers.dinov2 import to_original
from tests.populations import SMALL

CLASSES = {"num_classes": 3, "num_categories": 3}


def built(name: str, **changes: Any) -> Any:
    torch.manual_seed(0)
    recipe = name.replace("Gait", "Gait_", 1) if name.startswith("Foundation") else name
    component = {"name": name, **SMALL[recipe], **changes}
    return registry.build("model", component, **CLASSES)


@pytest.mark.parametrize("name", ["BigGait", "BiggerGait"])
def test_a_transformer_starts_from_its_weights(name: str, tmp_path: Path) -> None:
    donor = built(name).dinov2.vit
    for each in donor.parameters():
        each.data += 1
    torch.save(to_original(donor.state_dict()), tmp_path / "dino.pth")
    model = built(name, weights=str(tmp_path / "dino.pth"))
    model.load_pretrained()
    found = model.dinov2.vit.state_dict()
    assert all(torch.equal(found[key], each) for key, each in donor.state_dict().items())


@pytest.mark.parametrize("name", ["BigGait", "BiggerGait"])
def test_a_mask_branch_starts_from_its_weights(name: str, tmp_path: Path) -> None:
    donor = built(name).mask_branch
    for each in donor.parameters():
        each.data += 1
    published = {"reduce": "down_sampling", "restore": "up_sampling", "norm": "bn_s"}
    state = {
        f"{published[key.partition('.')[0]]}.{key.partition('.')[2]}": each
        for key, each in donor.state_dict().items()
    }
    torch.save(state, tmp_path / "mask.pt")
    model = built(name, mask_weights=str(tmp_path / "mask.pt"))
    model.load_pretrained()
    found = model.mask_branch.state_dict()
    assert all(torch.equal(found[key], each) for key, each in donor.state_dict().items())


@pytest.mark.parametrize("masked", [0.0, 0.2, 1.0])
def test_a_share_of_sequences_loses_one_view(masked: float) -> None:
    torch.manual_seed(1)
    sequences = 2000
    views = [torch.ones(sequences, 1, 1, 1) for _ in range(2)]
    first, second = (
        each.flatten() == 0
        for each in built("BigGait", masked=masked)._hide(views, [1] * sequences)
    )
    assert not (first & second).any()
    # Four standard deviations of 2000 draws are 0.04 at most.
    for hidden in (first, second):
        assert float(hidden.float().mean()) == pytest.approx(masked / 2, abs=0.04)
    assert float((first | second).float().mean()) == pytest.approx(masked, abs=0.04)


class Certain(nn.Module):
    """A mask branch that takes every token for its first channel."""

    def forward(self, tokens: Tensor) -> Tensor:
        return torch.tensor([0.9, 0.1]).expand(len(tokens), -1)


@pytest.mark.parametrize("foreground", [0, 1])
def test_the_foreground_is_the_channel_that_is_named(foreground: int) -> None:
    model = built("BiggerGait", foreground=foreground).eval()
    model.mask_branch = Certain()
    _, masks = model._read(torch.rand(2, 3, 56, 28))
    assert torch.equal(masks, torch.full((2, 1, 16, 8), 1.0 - foreground))


def test_long_steps_inside_the_body_are_suppressed() -> None:
    masks = torch.zeros(1, 1, 16, 16)
    masks[:, :, 2:14, 2:14] = 1
    steps = torch.zeros(1, 2, 16, 16)
    # In the middle, long and short; at the border, long.
    steps[0, 0, 7, 5], steps[0, 1, 7, 10], steps[0, 0, 3, 7] = 0.8, 0.4, 0.8
    places = [(7, 5), (7, 10), (3, 7)]

    def kept(**changes: Any) -> list[bool]:
        model = built("DenoisingGait", **{"suppressed": 1.0, **changes})
        found = model._suppress(steps, masks, [1])
        return [bool(found[0, :, y, x].any()) for y, x in places]

    # Eroded by 5 x 5, the body begins at its third pixel; by 1 x 1, at its first.
    assert kept() == [False, True, True]
    assert kept(threshold=0.3) == [False, False, True]
    assert kept(threshold=0.9) == [True, True, True]
    assert kept(eroded_kernel=1) == [False, True, False]
    assert kept(eroded_kernel=13) == [True, True, True]
    torch.manual_seed(0)
    model = built("DenoisingGait", suppressed=0.25)
    many = model._suppress(
        steps.expand(2000, -1, -1, -1), masks.expand(2000, -1, -1, -1), [1] * 2000
    )
    gone = (many[:, :, 7, 5] == 0).all(1).float().mean()
    assert float(gone) == pytest.approx(0.25, abs=0.04)


@pytest.mark.parametrize(
    "name", ["FoundationGaitFinetune", "FoundationGaitLinearProbing", "FoundationGaitPretrain"]
)
@pytest.mark.parametrize("crops", [[1, 1], [2, 4]])
def test_training_cuts_sequences_into_so_many_crops(
    name: str, crops: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"channels": [4, 4, 8, 8], "blocks": [1, 1, 1, 1], "bins": [2]}
    model = built(name, **settings, crops=crops).train()
    cut: list[tuple[int, int]] = []

    def noted(encode: Any, clips: Tensor, strips: int) -> Tensor:
        cut.append((len(clips), strips))
        return encode(clips)

    monkeypatch.setattr(foundation_encoder, "encode_strips", noted)
    model([torch.rand(8, 2, 64, 44)])
    # Where views come in pairs, one of each four is cut.
    sequences = 4 if name.endswith("Pretrain") else 8
    assert set(cut) == {(sequences // 2, each) for each in crops}
    cut.clear()
    with torch.no_grad():
        model.eval()([torch.rand(2, 2, 64, 44)])
    assert cut == []


def test_the_band_along_the_contour_is_as_wide_as_its_kernel() -> None:
    masks = torch.zeros(1, 1, 64, 64)
    masks[:, :, 20:40, 20:40] = 1
    for kernel in (1, 3, 7):
        probabilities = torch.full((1, 1, 64, 64), 0.5)
        found = built("GaitEdge", kernel_size=kernel)._edged(probabilities, masks)
        reach = kernel // 2
        # The square grown by its reach, less the square shrunk by it.
        assert int((found == 0.5).sum()) == (20 + 2 * reach) ** 2 - (20 - 2 * reach) ** 2
        assert int((found == 1).sum()) == (20 - 2 * reach) ** 2


@torch.no_grad()
def test_gaitedge_recognises_what_its_settings_say() -> None:
    masks = torch.zeros(1, 2, 64, 64)
    masks[:, :, 30:50, 4:14] = 1
    inputs = [torch.full((1, 2), 0.5), torch.rand(1, 2, 3, 64, 64), masks]

    def walkers(probability: float, **settings: Any) -> Tensor:
        model = built("GaitEdge", **settings).eval()
        given: list[Tensor] = []
        model.recogniser.register_forward_pre_hook(lambda _, args: given.extend(args[0]))
        model.segmenter.last.weight.zero_()
        model.segmenter.last.bias.fill_(torch.logit(torch.tensor(probability)))
        model(inputs)
        return given[0]

    # What the U-Net finds everywhere is seen at the contour only, or everywhere.
    edged, whole = walkers(0.6, align=False), walkers(0.6, align=False, edge=False)
    torch.testing.assert_close(whole, torch.full_like(whole, 0.6))
    assert float(edged[..., :20, :].max()) == 0 and float(edged.max()) > 0.9
    # Aligned, the walker is as high as the frame; else as high as he was.
    rows = [
        int((each > 0.3).any(-1).flatten(0, -2)[0].sum())
        for each in (walkers(0.6), walkers(0.6, align=False))
    ]
    assert rows[0] >= 60 and 18 <= rows[1] <= 24


def test_gaitgl_sees_so_many_strips_by_themselves() -> None:
    for halving, strips in ((0, 1), (2, 4)):
        model = built("GaitGL", halving=halving).eval()
        stage = model.stages[0]
        stage.whole.weight.data.zero_()
        maps = torch.zeros(1, 4, 3, 16, 8)
        maps[:, :, :, 4] = 1
        with torch.no_grad():
            seen = stage(maps).abs().amax((0, 1, 2, 4)) > 0
        # Row 4 begins the second of four strips, whose border the one above does not see over.
        assert seen.nonzero().flatten().tolist() == ([3, 4, 5] if strips == 1 else [4, 5])
