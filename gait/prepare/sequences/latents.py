"""What a frozen Stable Diffusion makes of colour crops: the latents that DenoisingGait reads."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from gait.errors import CheckpointError, DataError, MissingExtraError
from gait.formats.manifest import ManifestRow, pkl_name, pkl_path, read_manifest
from gait.formats.pkl import read_pkl, write_pkl
from gait.modalities import LATENT, RGB
from gait.prepare.sequences.cache import SequenceCache, file_state
from gait.prepare.summary import ShardSummary
from gait.types import SequenceKey

# Raised when the same crops would give other latents than before.
ALGORITHM = "latents-1"


@dataclass(frozen=True, slots=True)
class LatentSettings:
    """How latents are made.

    Attributes:
        weights: Stable Diffusion 1.5, or another of its kind: a folder as `diffusers` saves it, or
            a name of the Hugging Face hub.
        step: the time step that the network is told.
        height_px: height that crops are scaled to.
        width_px: width that crops are scaled to.
        frames_per_batch: frames that are worked on at a time.
    """

    weights: str
    step: int = 700
    height_px: int = 768
    width_px: int = 384
    frames_per_batch: int = 8

    def __str__(self) -> str:
        """All that the latents depend on."""
        return f"{ALGORITHM} {self.weights} {self.step} {self.height_px} x {self.width_px} px"


class Diffusion:
    """The answer of a denoising network to images that nothing has been added to.

    An image's latent, as the autoencoder's mean gives it, enters the network at a late time step
    under an empty prompt. The network takes most of it for noise: what it answers holds shape and
    little texture. Nothing is drawn at random.

    Args:
        settings: weights, time step and sizes.
        device: where it computes; in half precision on a GPU.

    Raises:
        CheckpointError: the weights cannot be had.
        MissingExtraError: the libraries are not installed.

    Source: Jin et al., On Denoising Walking Videos for Gait Recognition, CVPR 2025,
    arXiv 2505.18582, equation 3; Rombach et al., High-Resolution Image Synthesis with Latent
    Diffusion Models, CVPR 2022, arXiv 2112.10752.
    """

    def __init__(self, settings: LatentSettings, device: torch.device) -> None:
        diffusers, transformers = _libraries()
        self._settings, self._device = settings, device
        self._dtype = torch.float16 if device.type == "cuda" else torch.float32

        # The library otherwise asks for another one, to save memory that is not short here.
        in_place = {"torch_dtype": self._dtype, "low_cpu_mem_usage": False}

        def loaded(kind: Any, part: str, **how: Any) -> Any:
            return kind.from_pretrained(settings.weights, subfolder=part, **how)

        try:
            tokenizer = loaded(transformers.CLIPTokenizer, "tokenizer")
            text_encoder = loaded(transformers.CLIPTextModel, "text_encoder")
            autoencoder = loaded(diffusers.AutoencoderKL, "vae", **in_place)
            network = loaded(diffusers.UNet2DConditionModel, "unet", **in_place)
        except (OSError, RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"--weights {settings.weights}: cannot be loaded: {error}; give a folder of "
                "Stable Diffusion as diffusers saves it, or its name on the Hugging Face hub"
            ) from error
        self._autoencoder, self._network = autoencoder.to(device), network.to(device)
        length = text_encoder.config.max_position_embeddings
        tokens = tokenizer("", padding="max_length", max_length=length, return_tensors="pt")
        with torch.inference_mode():
            prompt = text_encoder(tokens.input_ids).last_hidden_state
        self._prompt = prompt.to(device, self._dtype)

    @torch.inference_mode()
    def __call__(self, frames: NDArray[np.uint8]) -> NDArray[np.float16]:
        """Latents [s, 4, height_px / 8, width_px / 8] of crops [s, 3, h, w], red, green, blue."""
        batches = torch.split(torch.from_numpy(frames), self._settings.frames_per_batch)
        latents = torch.cat([self._latents(batch).half().cpu() for batch in batches])
        return np.asarray(latents.numpy())

    def _latents(self, frames: Tensor) -> Tensor:
        size = (self._settings.height_px, self._settings.width_px)
        images = F.interpolate(
            frames.to(self._device).float(), size, mode="bilinear", antialias=True
        )
        images = (images / 127.5 - 1.0).to(self._dtype)
        clean = self._autoencoder.encode(images).latent_dist.mode()
        clean = clean * self._autoencoder.config.scaling_factor
        prompts = self._prompt.expand(len(clean), -1, -1)
        answer: Tensor = self._network(clean, self._settings.step, prompts).sample
        return answer


def write_latents(root: Path, settings: LatentSettings, device: torch.device) -> ShardSummary:
    """Write the latents of every sequence that has colour crops, beside them.

    The manifest says which files the crops are. A sequence is left alone when its crops, the
    settings and its latents are as a former run left them. A run that was cut short continues
    after the last subject it had finished.

    Args:
        root: the dataset's folder, with `manifest.csv`, whose `pkl/` gets `<view>-latent.pkl`.
        settings: weights, time step and sizes.
        device: where to compute.

    Raises:
        CheckpointError: the weights cannot be had.
        DataError: the manifest is not there or lists no crops, crops cannot be read, or there
            are latents from elsewhere.
        MissingExtraError: the libraries are not installed.
    """
    started = time.perf_counter()
    crops = _crops(root)
    keys = sorted(crops)
    journal = SequenceCache(root, "latents", dict.fromkeys(keys, ""))
    states = {key: f"{settings} {file_state(crops[key])}" for key in keys}
    waiting = [key for key in keys if journal.unchanged(key, states[key]) is None]
    summary = ShardSummary(sequences=len(keys), unchanged=len(keys) - len(waiting))
    unfinished = Counter(key.subject for key in waiting)
    diffusion = Diffusion(settings, device) if waiting else None
    for key in waiting:
        assert diffusion is not None
        frames = read_pkl(crops[key], RGB)
        assert isinstance(frames, np.ndarray)
        pkl = pkl_name(key, LATENT)
        write_pkl(root / pkl, diffusion(frames), LATENT)
        row = ManifestRow(key, pkl, len(frames), len(frames), modality=LATENT)
        journal.record((row,), states[key])
        summary.frames_done += len(frames)
        unfinished[key.subject] -= 1
        if not unfinished[key.subject]:
            journal.save(journal.name(key))
    journal.close()
    for key in keys:
        rows = journal.unchanged(key, states[key])
        assert rows is not None
        summary.add(rows[0].frames_read, rows[0].frames_kept, {})
    summary.seconds = time.perf_counter() - started
    return summary


def _crops(root: Path) -> dict[SequenceKey, Path]:
    """The file of each sequence's colour crops."""
    manifest = root / "manifest.csv"
    if not manifest.is_file():
        raise DataError(
            f"{manifest}: expected the table of the dataset's pkl files, found none; make it with "
            f"snakemake --cores all {manifest}"
        )
    rows = [row for row in read_manifest(manifest) if row.pkl]
    crops = {row.key: pkl_path(root, row.pkl, manifest) for row in rows if row.modality == RGB}
    if not crops:
        listed = ", ".join(sorted({row.modality for row in rows}))
        raise DataError(f"{manifest}: expected sequences of {RGB}, colour crops, got {listed}")
    for row in rows:
        if row.modality == LATENT and row.pkl != pkl_name(row.key, LATENT):
            raise DataError(
                f"{root / row.pkl} holds latents already; move such files out of the tree to have "
                "others made"
            )
    return crops


def _libraries() -> tuple[Any, Any]:
    try:
        import diffusers
        import transformers
    except ImportError:
        raise MissingExtraError("Stable Diffusion", "foundation") from None
    return diffusers, transformers
