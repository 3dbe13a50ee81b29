"""Times scoring on fabricated embeddings of the sizes of CASIA-B and OU-MVLP.

    python benchmarks/scoring.py              # CASIA-B, beside a plain loop over pairs of views
    python benchmarks/scoring.py --oumvlp     # OU-MVLP's number of sequences, with peak memory

The loop is what an evaluator without regard for time does: for each kind of probe and each pair
of views it selects both sides again by their names, computes the distances part by part, and
looks at the nearest. Both sides are timed in turn in one process, on the same embeddings.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import time
from collections.abc import Callable
from itertools import product

import numpy as np
import torch

from gait.config.protocol import Probes, Retrieval, Selection
from gait.evaluation import score_embeddings

VIEWS = [f"{degrees:03d}" for degrees in range(0, 181, 18)]
ENROLLED = ["nm-01", "nm-02", "nm-03", "nm-04"]
ROWS = {"NM": ["nm-05", "nm-06"], "BG": ["bg-01", "bg-02"], "CL": ["cl-01", "cl-02"]}
SINGLE_VIEW = Retrieval(
    title="rank-1 over all pairs of views, identical views excluded",
    gallery=Selection(condition=ENROLLED),
    probes={row: Probes(condition=names) for row, names in ROWS.items()},
    cells="view_pair",
    exclude="identical_view",
    round_cells=2,
)


def plain_loop(
    embeddings: np.ndarray, subject: np.ndarray, condition: np.ndarray, view: np.ndarray
) -> dict[str, float]:
    """Mean rank-1 over pairs of different views, one pair at a time."""
    means = {}
    for row, names in ROWS.items():
        table = np.full((len(VIEWS), len(VIEWS)), np.nan)
        for (i, probe_view), (j, gallery_view) in product(enumerate(VIEWS), enumerate(VIEWS)):
            enrolled = np.isin(condition, ENROLLED) & np.isin(view, [gallery_view])
            asked = np.isin(condition, names) & np.isin(view, [probe_view])
            gallery, probe = (torch.from_numpy(embeddings[each]) for each in (enrolled, asked))
            total = torch.zeros(len(probe), len(gallery))
            for part in range(probe.shape[2]):
                left, right = probe[:, :, part], gallery[:, :, part]
                squared = left.square().sum(1)[:, None] + right.square().sum(1)
                squared = squared - 2 * left @ right.T
                total += squared.clamp(min=0).sqrt()
            nearest = total.topk(1, largest=False).indices[:, 0].numpy()
            if i != j:
                right_ones = subject[enrolled][nearest] == subject[asked]
                table[i, j] = np.round(right_ones.mean() * 100, 2)
        means[row] = float(np.nanmean(table))
    return means


def fabricate(
    subjects: int, conditions: list[str], views: list[str], channels: int, parts: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A noisy cloud of embeddings around each subject, and the names of the sequences."""
    generator = np.random.default_rng(0)
    names = [f"{number:05d}" for number in range(subjects)]
    records = list(product(names, conditions, views))
    subject, condition, view = (np.array(column) for column in zip(*records, strict=True))
    embeddings = generator.standard_normal((len(records), channels, parts), np.float32)
    embeddings *= 6
    each = len(conditions) * len(views)
    for number in range(subjects):
        centre = generator.standard_normal((channels, parts), np.float32)
        embeddings[number * each : (number + 1) * each] += centre
    return embeddings, subject, condition, view


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def casia_b(repetitions: int, channels: int, parts: int) -> None:
    conditions = [*ENROLLED, *(name for names in ROWS.values() for name in names)]
    data = fabricate(50, conditions, VIEWS, channels, parts)
    protocols = {"single_view": SINGLE_VIEW}
    ours = score_embeddings(*data, protocols)["single_view"]
    theirs = plain_loop(*data)
    for row, mean in theirs.items():
        got = ours.probes[row].summary.rank_pct[1]
        assert got is not None
        # A near tie may fall either way: one probe in one cell, say.
        assert abs(got - mean) < 0.05, f"{row}: {got} and {mean}"
    pairs = [
        (timed(lambda: score_embeddings(*data, protocols)), timed(lambda: plain_loop(*data)))
        for _ in range(repetitions)
    ]
    fast, slow = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{len(data[0])} sequences x {channels} x {parts}, rank-1 {theirs}")
    print(f"gait, ranks, mAP, mINP and CMC  {fast:8.3f} s, median of {repetitions}")
    print(f"loop over pairs of views, rank-1{slow:8.3f} s, median of {repetitions}")
    print(f"ratio                           {slow / fast:8.1f}")


def oumvlp(channels: int, parts: int) -> None:
    views = [f"{degrees:03d}" for degrees in (*range(0, 91, 15), *range(180, 271, 15))]
    data = fabricate(4750, ["00", "01"], views, channels, parts)
    protocol = Retrieval(
        title="rank-1 over all pairs of views, identical views excluded",
        gallery=Selection(condition=["01"]),
        probes={"NM": Probes(condition=["00"])},
        cells="view_pair",
        exclude="identical_view",
    )
    before = peak_gib()
    seconds = timed(lambda: score_embeddings(*data, {"single_view": protocol}, bootstrap=1000))
    print(f"{len(data[0])} sequences x {channels} x {parts}: {seconds:.1f} s")
    print(f"embeddings {data[0].nbytes / 2**30:.2f} GiB, peak before scoring {before:.2f} GiB,")
    print(f"peak with scoring {peak_gib():.2f} GiB")


def peak_gib() -> float:
    """Most memory that this process held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--oumvlp", action="store_true", help="133,000 sequences, memory too")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--channels", type=int, default=256)
    parser.add_argument("--parts", type=int, default=16)
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads")
    if options.oumvlp:
        oumvlp(options.channels, options.parts)
    else:
        casia_b(options.repetitions, options.channels, options.parts)


if __name__ == "__main__":
    main()
