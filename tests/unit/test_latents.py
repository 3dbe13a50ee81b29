"""Latents of a tiny Stable Diffusion with random weights, built offline."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from gait.cli import app
from gait.errors import CheckpointError, DataError, MissingExtraError
from gait.formats.manifest import manifest_text
from gait.formats.pkl import read_pkl, write_pkl
from gait.prepare.catalogue.pkl_names import Pkl
from gait.prepare.sequences.import_tree import manifest_of_tree
from gait.prepare.sequences.latents import Diffusion, LatentSettings, write_latents

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("diffusion")
    torch.manual_seed(0)
    diffusers.AutoencoderKL(
        block_out_channels=(4, 4, 4, 4),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=2,
        scaling_factor=0.2,
    ).save_pretrained(folder / "vae")
    diffusers.UNet2DConditionModel(
        block_out_channels=(4, 8),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=8,
        attention_head_dim=2,
        norm_num_groups=2,
    ).save_pretrained(folder / "unet")
    text = transformers.CLIPTextConfig(
        vocab_size=4,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=5,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
    )
    transformers.CLIPTextModel(text).save_pretrained(folder / "text_encoder")
    words = {"<|startoftext|>": 0, "<|endoftext|>": 1, "a</w>": 2, "a": 3}
    (folder / "vocab.json").write_text(json.dumps(words))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.save_pretrained(folder / "tokenizer")
    return str(folder)


def settings(weights: str, **changes: Any) -> LatentSettings:
    return LatentSettings(weights, **{"height_px": 64, "width_px": 32, **changes})


def crops(seed: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, 64, 32), np.uint8)


@torch.no_grad()
def test_the_answer_to_the_clean_latent_under_an_empty_prompt(weights: str) -> None:
    frames = crops(0)
    found = Diffusion(settings(weights), CPU)(frames)
    assert found.shape == (3, 4, 8, 4) and found.dtype == np.float16
    autoencoder = diffusers.AutoencoderKL.from_pretrained(weights, subfolder="vae")
    network = diffusers.UNet2DConditionModel.from_pretrained(weights, subfolder="unet")
    text_encoder = transformers.CLIPTextModel.from_pretrained(weights, subfolder="text_encoder")
    clean = 0.2 * autoencoder.encode(torch.from_numpy(frames) / 127.5 - 1).latent_dist.mean
    prompt = text_encoder(torch.tensor([[0, 1, 1, 1, 1]])).last_hidden_state
    expected = network(clean, 700, prompt.expand(3, -1, -1)).sample
    np.testing.assert_allclose(found, expected.numpy(), rtol=2e-3, atol=2e-3)


def test_what_latents_depend_on(weights: str) -> None:
    frames = crops(1, 5)
    usual = Diffusion(settings(weights), CPU)(frames)
    by_two = Diffusion(settings(weights, frames_per_batch=2), CPU)(frames)
    np.testing.assert_allclose(usual, by_two, rtol=2e-3, atol=2e-3)
    assert not np.allclose(usual, Diffusion(settings(weights, step=10), CPU)(frames), atol=1e-2)
    larger = Diffusion(settings(weights, height_px=128, width_px=64), CPU)(frames)
    assert larger.shape == (5, 4, 16, 8)


def listed(root: Path, pkl: Pkl = "silhouettes") -> None:
    """The manifest of a tree that was taken over."""
    text = manifest_text(manifest_of_tree(root, pkl).rows)
    (root / "manifest.csv").write_text(text, encoding="utf-8")


@pytest.mark.parametrize("name", ["rgb", "aligned-rgbs"])
def test_a_tree_gets_latents_beside_its_crops_once(
    weights: str, tmp_path: Path, name: str
) -> None:
    leaf = tmp_path / "pkl/001/nm-01/090"
    for number, condition in enumerate(("nm-01", "nm-02")):
        path = tmp_path / f"pkl/001/{condition}/090/090-{name}.pkl"
        write_pkl(path, crops(number), "rgb")
    pkl = {"rgb": "{view}-*rgbs.pkl"}
    listed(tmp_path, pkl)
    summary = write_latents(tmp_path, settings(weights), CPU)
    assert (summary.sequences, summary.unchanged, summary.frames_kept) == (2, 0, 6)
    latent = read_pkl(leaf / "090-latent.pkl", "latent")
    expected = Diffusion(settings(weights), CPU)(crops(0))
    np.testing.assert_array_equal(latent, expected)
    assert [row.modality for row in manifest_of_tree(tmp_path, pkl).rows] == ["latent", "rgb"] * 2

    # As the workflow lists them with the latents.
    listed(tmp_path, pkl)
    assert write_latents(tmp_path, settings(weights), CPU).unchanged == 2
    write_pkl(leaf / f"090-{name}.pkl", crops(7), "rgb")
    assert write_latents(tmp_path, settings(weights), CPU).unchanged == 1
    assert write_latents(tmp_path, settings(weights, step=10), CPU).unchanged == 0
    (leaf / "090-latent.pkl").unlink()
    assert write_latents(tmp_path, settings(weights, step=10), CPU).unchanged == 1
    assert (leaf / "090-latent.pkl").exists()


def test_the_command(weights: str, tmp_path: Path) -> None:
    write_pkl(tmp_path / "pkl/001/nm-01/090/090-rgb.pkl", crops(0), "rgb")
    listed(tmp_path)
    command = ["latents", "--root", str(tmp_path), "--weights", weights]
    result = CliRunner().invoke(app, [*command, "--height-px", "64", "--width-px", "32"])
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("1 sequences (0 unchanged); 3 of 3 frames kept")


def test_what_is_missing_is_said(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DataError, match=r"manifest\.csv: expected .*; make it with snakemake "):
        write_latents(tmp_path, settings(weights), CPU)
    leaf = tmp_path / "pkl/001/nm-01/090"
    write_pkl(leaf / "00-DenoisingFea_8x4.pkl", np.ones((3, 4, 8, 4), np.float16), "latent")
    listed(tmp_path)
    with pytest.raises(DataError, match=r"manifest\.csv: expected sequences of rgb.*latent$"):
        write_latents(tmp_path, settings(weights), CPU)
    write_pkl(leaf / "090-rgb.pkl", crops(0), "rgb")
    listed(tmp_path)
    with pytest.raises(DataError, match=r"00-DenoisingFea_8x4\.pkl holds latents.*move"):
        write_latents(tmp_path, settings(weights), CPU)
    with pytest.raises(CheckpointError, match=r"--weights .*none: cannot be loaded"):
        Diffusion(settings(str(tmp_path / "none")), CPU)

    real = builtins.__import__

    def absent(name: str, *rest: Any, **named: Any) -> Any:
        if name == "diffusers":
            raise ImportError(name)
        return real(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingExtraError, match=r"extra \[foundation\]: "):
        Diffusion(settings(weights), CPU)
