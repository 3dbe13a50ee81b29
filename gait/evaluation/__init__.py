"""Scores embeddings by the protocols of a dataset."""

from gait.evaluation.results import Cells, ProbeScore, ProtocolScore, Summary
from gait.evaluation.score import score, score_embeddings

__all__ = ["Cells", "ProbeScore", "ProtocolScore", "Summary", "score", "score_embeddings"]
