"""A frozen DINOv2 vision transformer, from the library `transformers`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gait.errors import CheckpointError, MissingExtraError
from gait.formats.weights.compatibility import misfits
from gait.formats.weights.read import read_weights
from gait.screen import shown

Tensors = dict[str, Tensor]


class DINOv2(nn.Module):
    """Tokens after some of its blocks, as maps. Nothing here learns.

    Building it takes random weights; `load_pretrained` fetches the published ones, and a
    `model.pt` brings its own.

    Args:
        weights: published weights: a folder or a name of the Hugging Face hub, or a file of Meta's
            (`dinov2_vits14_pretrain.pth`). None leaves the weights as they are.
        hidden_size: channels of a token.
        blocks: number of transformer blocks.
        heads: attention heads of a block.
        patch_px: side of a patch.
        table_px: side of the images whose position table was learnt.
        offset: added to the number of patches when the scale of the position table is computed;
            0.1 in Meta's code, 0 in the library.

    Source: Oquab et al., DINOv2: Learning Robust Visual Features without Supervision, TMLR 2024,
    arXiv 2304.07193.
    """

    def __init__(
        self,
        weights: str | None = None,
        hidden_size: int = 384,
        blocks: int = 12,
        heads: int = 6,
        patch_px: int = 14,
        table_px: int = 518,
        offset: float = 0.0,
    ) -> None:
        super().__init__()
        self.weights = weights
        self.hidden_size, self.blocks = hidden_size, blocks
        self.patch_px, self.offset = patch_px, offset
        library = _transformers()
        self.vit = library.Dinov2Model(
            library.Dinov2Config(
                hidden_size=hidden_size,
                num_hidden_layers=blocks,
                num_attention_heads=heads,
                patch_size=patch_px,
                image_size=table_px,
            )
        )
        self.requires_grad_(False)

    def load_pretrained(self) -> None:
        """Take the published weights.

        Raises:
            CheckpointError: they cannot be had, or are those of another size.
        """
        if self.weights is None:
            return
        path = Path(self.weights)
        state = from_original(read_weights(path)) if path.is_file() else self._of_library()
        problems = misfits(self.vit.state_dict(), state)
        if problems:
            raise CheckpointError(
                f"model.weights: {self.weights} does not fit: {'; '.join(problems)}; give a "
                "folder, a name of the Hugging Face hub or a file of DINOv2 of the size that the "
                "model has"
            )
        self.vit.load_state_dict(state)

    def _of_library(self) -> Tensors:
        """The tensors that the library finds under the name of the weights."""
        try:
            model, found = _transformers().Dinov2Model.from_pretrained(
                self.weights, output_loading_info=True
            )
        # A damaged folder fails in any of the library's layers, each with its own kind of error.
        except Exception as error:
            raise CheckpointError(
                f"model.weights: {self.weights} cannot be loaded ({shown(error)}); give a "
                "folder, a name of the Hugging Face hub or a file of DINOv2"
            ) from error
        # What is missing there, the library draws at random.
        absent = {*found["missing_keys"]} - {"embeddings.mask_token"}
        state: Tensors = model.state_dict()
        return {name: value for name, value in state.items() if name not in absent}

    @torch.no_grad()
    def forward(self, images: Tensor, after: Collection[int]) -> tuple[list[Tensor], Tensor]:
        """Patch tokens after the blocks with these numbers, from 1, and the last ones normalised.

        Args:
            images: [m, 3, h, w], normalised by ImageNet's mean and deviation; h and w are
                multiples of the patch.

        Returns:
            Maps [m, hidden_size, h / patch_px, w / patch_px].
        """
        embeddings = self.vit.embeddings
        size = (images.shape[2] // self.patch_px, images.shape[3] // self.patch_px)
        tokens = embeddings.patch_embeddings(images)
        tokens = torch.cat([embeddings.cls_token.expand(len(tokens), -1, -1), tokens], 1)
        tokens = tokens + self._positions(embeddings.position_embeddings, size)
        maps = []
        for number, block in enumerate(self.vit.encoder.layer, 1):
            tokens = block(tokens)
            if number in after:
                maps.append(_map(tokens, size))
        return maps, _map(self.vit.layernorm(tokens), size)

    def _positions(self, table: Tensor, size: tuple[int, int]) -> Tensor:
        """The position table [1, 1 + patches, hidden_size] of a grid of another size."""
        side = round((table.shape[1] - 1) ** 0.5)
        if size == (side, side):
            return table
        square = table[:, 1:].transpose(1, 2).reshape(1, -1, side, side).float()
        if self.offset:
            scale = tuple((each + self.offset) / side for each in size)
            grid = F.interpolate(square, scale_factor=scale, mode="bicubic")
        else:
            grid = F.interpolate(square, size=size, mode="bicubic")
        assert grid.shape[2:] == size
        return torch.cat([table[:, :1], grid.flatten(2).transpose(1, 2).to(table.dtype)], 1)


def _map(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """Map [m, c, h, w] of tokens [m, 1 + h * w, c], whose first is no patch."""
    return tokens[:, 1:].transpose(1, 2).reshape(len(tokens), -1, *size)


def from_original(state: Mapping[str, Tensor]) -> Tensors:
    """Tensors by the names of Meta's code, as those of the library's `Dinov2Model`."""
    tensors: Tensors = {}
    for name, value in state.items():
        for original, ours in _NAMES:
            name = name.replace(original, ours)
        if ".qkv." in name:
            # Of another number of rows, it fits no model and is said not to.
            for which, part in zip("qkv", value.chunk(3) if value.ndim else [], strict=False):
                tensors[name.replace(".attn.qkv.", f".attention.{which}_proj.")] = part
        else:
            tensors[name] = value
    return tensors


def to_original(state: Mapping[str, Tensor]) -> Tensors:
    """Tensors of the library's `Dinov2Model` by the names of Meta's code."""
    tensors: Tensors = {}
    for name, value in state.items():
        if ".k_proj." in name or ".v_proj." in name:
            continue
        if ".q_proj." in name:
            value = torch.cat([state[name.replace(".q_", f".{each}_")] for each in "qkv"])
            name = name.replace(".attention.q_proj.", ".attn.qkv.")
        for original, ours in _NAMES:
            name = name.replace(ours, original)
        tensors[name] = value
    return tensors


# Parts of the names in Meta's code and in the library.
_NAMES = (
    ("cls_token", "embeddings.cls_token"),
    ("mask_token", "embeddings.mask_token"),
    ("pos_embed", "embeddings.position_embeddings"),
    ("patch_embed.proj.", "embeddings.patch_embeddings.projection."),
    ("blocks.", "encoder.layer."),
    (".attn.proj.", ".attention.o_proj."),
    (".ls1.gamma", ".layer_scale1.lambda1"),
    (".ls2.gamma", ".layer_scale2.lambda1"),
    ("norm.", "layernorm."),
)


def _transformers() -> Any:
    try:
        import transformers
    except ImportError:
        raise MissingExtraError("DINOv2", "foundation") from None
    return transformers
