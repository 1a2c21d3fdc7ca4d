"""Gradient boosting with every seed, each once: its predictions are kept like those of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from automtl.confirm.boosting import NAME, boosted_scores
from automtl.data.cache import EncodedData
from automtl.search.scores import has_scores, read_scores, write_scores
from automtl.training.metrics import evaluate

__all__ = ["boost", "run_name"]


def run_name(seed: int) -> str:
    """The name of a seed's predictions for TEST rows."""
    return f"boosting-{seed}"


def boost(
    data: EncodedData, scores_dir: Path, *, seeds: int, on_step: Callable[[str], None]
) -> list[dict[str, float]]:
    """All metrics on VALIDATION rows by seed (0, 1, …); trains what has no predictions yet."""
    labels_NK = np.asarray(data.rows("valid").labels_NK)
    found = []
    for seed in range(seeds):
        valid = f"{run_name(seed)}-valid"
        if not has_scores(scores_dir, valid):
            on_step(f"{NAME}, seed {seed + 1} of {seeds}")
            scores = boosted_scores(data, seed=seed)
            write_scores(scores_dir, run_name(seed), scores.get("test", {}))
            write_scores(scores_dir, valid, scores["valid"])  # last: it says that both are there
        found.append(evaluate(read_scores(scores_dir, valid), labels_NK, data.tasks))
    return found
