"""Measures a segmenter against the truth of a synthetic population.

    python benchmarks/segmentation_iou.py --subjects 8 --views 0,18,36,54,72,90,108,126,144,162,180

A population is rendered with its true masks, every walk is segmented, and the mean intersection
over union is printed for each condition and view. The mean is over frames in which the truth has
a walker and the segmenter found one; frames missed, and masks where nobody is, are counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import yaml

from gait import registry
from gait.config.dataset import Population
from gait.prepare.silhouettes.masks import load_masks
from gait.prepare.silhouettes.segment import Segmenter
from gait.synthgait.population import synthesize


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--subjects", type=int, default=8)
    parser.add_argument("--views", default="0,18,36,54,72,90,108,126,144,162,180")
    parser.add_argument(
        "--seed", type=int, default=1000, help="another population than the demo's"
    )
    parser.add_argument("--segmenter", default="{name: Background}", help="as in config.yaml")
    parser.add_argument("--no-background", action="store_true", help="leave the empty clips out")
    parser.add_argument("--folder", type=Path, help="keeps the population here, and uses it again")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    population = Population(
        seed=args.seed,
        subjects=args.subjects,
        views_deg=[int(view) for view in args.views.split(",")],
        sequences={"nm": 1, "bg": 1, "cl": 1},
    )
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        if not (folder / "raw" / "population.csv").exists():
            synthesize(folder / "raw", population, truth=folder / "truth")
        tool = registry.build("segmenter", yaml.safe_load(args.segmenter))
        frames, seconds = measure(tool, folder, use_background=not args.no_background)
    show(frames)
    print(f"{len(frames) / seconds:.0f} frames/s of one core, with decoding and modelling")


def measure(tool: Segmenter, folder: Path, *, use_background: bool) -> tuple[pd.DataFrame, float]:
    """A row a frame (subject, condition, view, there, found, inside, iou), and processor time."""
    rows = []
    seconds = 0.0
    # Walks before one camera together, as the shard job takes them.
    paths = sorted(
        (folder / "truth").rglob("*.npz"), key=lambda path: (path.parts[-3], path.stem, path)
    )
    for path in paths:
        subject, condition, view = path.parts[-3], path.parent.name, path.stem
        empty = folder / "raw" / f"{subject}-bkgrd-{view}.avi" if use_background else None
        started = time.process_time()
        found = list(tool.segment(folder / "raw" / f"{subject}-{condition}-{view}.avi", empty))
        seconds += time.process_time() - started
        for truth, mask in zip(load_masks(path).masks > 0, found, strict=True):
            there, given = bool(truth.any()), mask is not None
            share = np.nan
            if mask is not None and there:
                share = float((mask & truth).sum() / (mask | truth).sum())
            inside = there and not (truth[:, 0].any() or truth[:, -1].any())
            rows.append((subject, condition[:2], view, there, given, inside, share))
    names = ["subject", "condition", "view", "there", "found", "inside", "iou"]
    return pd.DataFrame(rows, columns=names), seconds


def show(frames: pd.DataFrame) -> None:
    """Print mean IoU by condition and view, and what each condition missed."""
    table = frames.pivot_table(
        values="iou", index="condition", columns="view", margins=True, margins_name="mean"
    )
    print("mean IoU, percent, over frames with a walker that was found")
    print((100 * table).round(1).to_string())
    for condition, group in [*frames.groupby("condition"), ("all", frames)]:
        there, found = group["there"], group["found"]
        whole = group.loc[group["inside"] & found, "iou"]
        print(
            f"{condition}: IoU {group['iou'].mean():.4f} (walker wholly in the frame: "
            f"{whole.mean():.4f}, worst twentieth below {whole.quantile(0.05):.4f}); "
            f"{there.sum()} frames with a walker, {(there & ~found).sum()} missed "
            f"({(group['inside'] & ~found).sum()} of them wholly in the frame); "
            f"{(~there & found).sum()} masks where nobody is"
        )


if __name__ == "__main__":
    main()
