"""Generated rows whose truth is known: what the best possible model would reach can be computed.

Shapes: N rows, D features, U users, I items, Z latent factors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

if TYPE_CHECKING:
    from automtl.spec.schema import GenerateSpec

__all__ = ["GENERATORS", "best_auc", "generate", "impressions", "regression_pair"]

Floats = npt.NDArray[np.float64]
NUM_CONTEXTS = 8
NUM_LATENT = 8
TRAIN_SHARE, VALID_SHARE = 0.8, 0.1


def impressions(
    num_rows: int,
    seed: int,
    *,
    num_users: int = 2000,
    num_items: int = 500,
    click_rate: float = 0.2,
    conversion_rate: float = 0.1,
) -> pl.DataFrame:
    """A log of impressions: `click`, and `conversion` which only follows a click.

    Features: `user_id`, `item_id`, `context` (8 letters), `x0` … `x3` (standard normal). The logit
    of a click is a bias for each user, item and context, the product of their latent factors, and
    a linear term; that of a conversion after a click has half of its variance in common. The
    truth is `p_click` and `p_conversion` (after a click): columns to judge by, never features.
    `conversion_rate` is that of clicked rows; `conversion` is 0 without a click, as in a log.
    `split` marks the first 80 % of rows train, then 10 % valid, 10 % test.
    """
    rng = np.random.default_rng(seed)
    user_N = rng.integers(num_users, size=num_rows)
    popularity_I = 1.0 / np.arange(1, num_items + 1) ** 0.7  # a long tail of items
    item_N = rng.choice(num_items, size=num_rows, p=popularity_I / popularity_I.sum())
    context_N = rng.integers(NUM_CONTEXTS, size=num_rows)
    x_ND = rng.standard_normal((num_rows, 4))

    def affinity() -> Floats:
        """One utility a row, of mean 0 and variance 1, from effects drawn anew at each call."""
        user_UZ = rng.standard_normal((num_users, NUM_LATENT))
        item_IZ = rng.standard_normal((num_items, NUM_LATENT))
        user_U, item_I = rng.standard_normal(num_users), rng.standard_normal(num_items)
        context_C, weight_D = rng.standard_normal(NUM_CONTEXTS), rng.standard_normal(4)
        product_N = np.einsum("nz,nz->n", user_UZ[user_N], item_IZ[item_N]) / NUM_LATENT**0.5
        parts = [product_N, user_U[user_N], item_I[item_N], context_C[context_N]]
        utility_N = np.asarray(sum(parts) + 0.5 * (x_ND @ weight_D))
        return np.asarray((utility_N - utility_N.mean()) / (utility_N.std() or 1.0))

    shared_N = affinity()
    click_logit_N = 1.2 * (0.8 * shared_N + 0.6 * affinity())
    conversion_logit_N = 1.2 * (0.7 * shared_N + 0.7 * affinity())
    p_click_N = _at_rate(click_logit_N, np.ones(num_rows), click_rate)
    p_conversion_N = _at_rate(conversion_logit_N, p_click_N, conversion_rate)
    click_N = rng.random(num_rows) < p_click_N
    conversion_N = click_N & (rng.random(num_rows) < p_conversion_N)
    letters = pl.Series([chr(ord("a") + index) for index in range(NUM_CONTEXTS)])
    return pl.DataFrame(
        {
            "user_id": user_N.astype(np.int32),
            "item_id": item_N.astype(np.int32),
            "context": letters.gather(context_N),
            **{f"x{index}": x_ND[:, index].astype(np.float32) for index in range(4)},
            "click": click_N.astype(np.int8),
            "conversion": conversion_N.astype(np.int8),
            "p_click": p_click_N,
            "p_conversion": p_conversion_N,
            "split": _splits(num_rows),
        }
    )


def regression_pair(
    num_rows: int, seed: int, *, correlation: float = 0.5, num_features: int = 256
) -> pl.DataFrame:
    """Two regression tasks of known relatedness: Ma et al., MMoE, KDD 2018, §3.2.

    y_k = w_k·x + Σ_i sin(α_i w_k·x + β_i) + ε with x ~ N(0, I), ε of variance 0.01 and |w_1| =
    |w_2| = 1; the cosine of w_1 and w_2 is `correlation`. α = 1 … 4; both tasks have the same β,
    drawn by the seed (the paper gives neither). Columns `x0` …, `y1`, `y2`, and `split` as in
    `impressions`.
    """
    rng = np.random.default_rng(seed)
    basis_D2, _ = np.linalg.qr(rng.standard_normal((num_features, 2)))
    first_D, second_D = basis_D2.T
    weights = (first_D, correlation * first_D + np.sqrt(1 - correlation**2) * second_D)
    frequency_S = np.arange(1.0, 5.0)
    phase_S = rng.uniform(0, 2 * np.pi, size=len(frequency_S))
    x_ND = rng.standard_normal((num_rows, num_features)).astype(np.float32)

    def label(weight_D: Floats) -> Floats:
        linear_N = x_ND @ weight_D
        waves_N = np.sin(np.outer(linear_N, frequency_S) + phase_S).sum(axis=1)
        return np.asarray(linear_N + waves_N + rng.normal(scale=0.1, size=num_rows))

    columns: dict[str, npt.NDArray[np.float32] | Floats | pl.Series] = {
        f"x{index}": x_ND[:, index] for index in range(num_features)
    }
    columns |= {f"y{index}": label(weight_D) for index, weight_D in enumerate(weights, start=1)}
    return pl.DataFrame(columns | {"split": _splits(num_rows)})


def best_auc(frame: pl.DataFrame) -> dict[str, float]:
    """The AUC of the true probabilities of `impressions`: what no model can beat but by luck.

    `click.auc` over all rows, `conversion.auc` after a click, `conversion.joint_auc` over all rows.
    """
    clicked = frame.filter(pl.col("click") == 1)
    return {
        "click.auc": _auc(frame["click"], frame["p_click"]),
        "conversion.auc": _auc(clicked["conversion"], clicked["p_conversion"]),
        "conversion.joint_auc": _auc(frame["conversion"], frame["p_click"] * frame["p_conversion"]),
    }


GENERATORS: Mapping[str, Callable[..., pl.DataFrame]] = {
    "impressions": impressions,
    "regression_pair": regression_pair,
}


def generate(spec: GenerateSpec) -> pl.DataFrame:
    """The rows that `data.generate` asks for."""
    options = spec.model_dump()
    return GENERATORS[options.pop("name")](**options)


def _at_rate(logit_N: Floats, weight_N: Floats, rate: float) -> Floats:
    """Probabilities of the shifted logits whose weighted mean is `rate`; by bisection."""
    low, high = -50.0, 50.0
    for _ in range(60):
        shift = (low + high) / 2
        mean = np.average(_sigmoid(logit_N + shift), weights=weight_N)
        low, high = (shift, high) if mean < rate else (low, shift)
    return _sigmoid(logit_N + (low + high) / 2)


def _sigmoid(logit_N: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-logit_N)))


def _auc(label: pl.Series, score: pl.Series) -> float:
    """The share of (positive, negative) pairs in the right order, ties half: Mann-Whitney U."""
    num_positive = int((label == 1).sum())
    num_negative = len(label) - num_positive
    rank_sum = float(score.rank("average").filter(label == 1).sum())
    return (rank_sum - num_positive * (num_positive + 1) / 2) / (num_positive * num_negative)


def _splits(num_rows: int) -> pl.Series:
    """Rows are drawn independently, so cutting them in order is a random split."""
    cuts = [round(TRAIN_SHARE * num_rows), round((TRAIN_SHARE + VALID_SHARE) * num_rows)]
    names = np.repeat(["train", "valid", "test"], np.diff([0, *cuts, num_rows]))
    return pl.Series(names, dtype=pl.String)
