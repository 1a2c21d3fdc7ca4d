"""A small shop: clicks, purchases and money spent after a click, and a search over them."""

import numpy as np
import polars as pl

from automtl.data.synthetic import impressions

SPEC = """
version: 1
name: shop
data:
  path: rows.parquet
  split: {column: split}
  categorical: [user_id, item_id, context]
  numeric: [x0, x1]
  sequence: {history: {shares: item_id, max_len: 3}}
tasks:
  click: {label: click}
  buy: {label: conversion, given: click}
  spend: {label: spend, type: regression, given: click, loss: lognormal}
objectives: [click.auc, buy.auc, params]
space:
  embedding_dim: {choice: [4, 8]}
  sharing:
    - {family: shared_bottom}
    - {family: ple, num_levels: 2, num_shared_experts: 1, num_task_experts: {int: [1, 2]}}
  dependency: {choice: [esmm, none]}
  expert_dims: [8]
  tower_dims: [4]
  weighting: {choice: [decay, fixed]}
  loss_weights: {buy: {float: [0.5, 2], log: true}}
  loss_decay: {buy: 0.9}
  lr: 1e-2
  batch_size: 256
trial: {device: cpu}
search: {trials: 6, epochs: 1, rungs: 1, sampler: random, seed: 3}
"""


def write_shop(directory):
    """The rows and the spec, to be searched; -> the spec's path."""
    make_rows().write_parquet(directory / "rows.parquet")
    (directory / "spec.yaml").write_text(SPEC)
    return directory / "spec.yaml"


def make_rows(num_rows=3000):
    """Impressions with a list column, a positive number after a click, and splits at random."""
    frame = impressions(num_rows, 0, num_users=60, num_items=40, conversion_rate=0.3)
    rng = np.random.default_rng(0)
    split = rng.choice(["train", "valid", "test"], num_rows, p=[0.6, 0.2, 0.2])
    history = [rng.integers(0, 45, rng.integers(0, 5)).tolist() for _ in range(num_rows)]
    spend = np.exp(frame["x0"].to_numpy() + 0.1 * rng.normal(size=num_rows))
    return frame.with_columns(
        split=pl.Series(split),
        history=pl.Series(history, dtype=pl.List(pl.Int32)),
        spend=pl.when(frame["click"] == 1).then(pl.Series(spend)),
        note=pl.int_range(num_rows).cast(pl.String),
    )
