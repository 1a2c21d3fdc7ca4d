"""Every kind of feature at once, weights too: searched, exported, and scored from raw rows."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from automtl.data.cache import open_data
from automtl.export.pick import pick
from automtl.export.predict import predict_file
from automtl.export.write import export_bundle
from automtl.search.run import run_search
from automtl.spec.schema import Spec

NUM_ROWS = 1500
SPEC = {
    "version": 1,
    "name": "every_kind",
    "data": {
        "path": "rows.parquet",
        "split": {"column": "split"},
        "weight": "counts",
        "categorical": {"user": {"hash": 40}, "tab": {"min_count": 2}},
        "numeric": {
            "price": {"scale": "log1p"},
            "height": {"scale": "quantile"},
            "stay": {"scale": "buckets", "num_buckets": 5},
            "speed": {},
        },
        "time": {
            "shown_at": {"parts": ["hour", "weekday"], "zone": "Asia/Shanghai"},
            "born_at": {"parts": [], "age_at": "shown_at", "age_in": "days"},
        },
        "sequence": {
            "seen": {"shares": "tab", "max_len": 3},
            "friends": {"shares": "user", "max_len": 2},
        },
        "dense": ["text"],
    },
    "tasks": {
        "like": {"label": "rating >= 4"},
        "stays": {"label": "seconds / length > 0.5", "given": "like", "weight": "seconds"},
    },
    "objectives": ["like.auc", "stays.auc"],
    "space": {
        "sharing": [{"family": "mmoe", "num_shared_experts": 2}],
        "dependency": {"choice": ["none", "esmm"]},
        "numeric_encoding": {"choice": ["standard", "buckets", "piecewise_linear"]},
        "embedding_dim": 4,
        "expert_dims": [8],
        "tower_dims": [],
        "batch_size": 128,
        "embedding_dims": {"stay": 2, "shown_at:hour": 3},
        "gate_features": ["text", "born_at:age"],
    },
    "search": {"trials": 4, "epochs": 1, "rungs": 1},
}


def make_rows():
    rng = np.random.default_rng(3)

    def some(values, share=0.1):
        return [
            None if out else one
            for one, out in zip(values, rng.random(NUM_ROWS) < share, strict=True)
        ]

    user, tab = rng.integers(0, 200, NUM_ROWS), rng.integers(0, 6, NUM_ROWS)
    text = rng.normal(size=(NUM_ROWS, 4)).astype(np.float32)
    hour = rng.integers(0, 24 * 20, NUM_ROWS)
    shown_at = [dt.datetime(2024, 5, 1) + dt.timedelta(hours=int(one)) for one in hour]
    score = text[:, 0] + (tab - 2.5) / 2 + 0.5 * rng.normal(size=NUM_ROWS)
    length = rng.integers(5, 60, NUM_ROWS).astype(float)
    return pl.DataFrame(
        {
            "user": user,
            "tab": some([f"t{one}" for one in tab]),
            "price": some(rng.lognormal(2, 2, NUM_ROWS)),
            "height": some(rng.lognormal(0, 3, NUM_ROWS)),
            "stay": some(rng.exponential(size=NUM_ROWS)),
            "speed": rng.normal(size=NUM_ROWS),
            "shown_at": some(shown_at),
            "born_at": [shown_at[i] - dt.timedelta(days=int(tab[i])) for i in range(NUM_ROWS)],
            "seen": [[f"t{one}", "new"][: one % 3] for one in tab],
            "friends": [[int(one), int(one) + 1] for one in user],
            "text": pl.Series(some(text.tolist()), dtype=pl.List(pl.Float32)),
            "rating": np.clip(np.round(3.5 + score), 1, 5),
            "seconds": length * np.clip(0.5 + text[:, 1] / 6, 0.01, 1).astype(float),
            "length": length,
            "counts": rng.integers(0, 4, NUM_ROWS),
            "split": rng.choice(["train", "valid", "test"], NUM_ROWS, p=[0.6, 0.3, 0.1]),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("every_kind")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOMTL_CACHE", str(root / "cache"))
        make_rows().write_parquet(root / "rows.parquet")
        yield root


def test_every_kind_of_feature_goes_from_rows_to_scores(root):
    spec = Spec.from_dict(SPEC, base_dir=root)
    data = open_data(spec)
    kinds = [one.name for one in data.features.categorical]
    assert kinds == ["user", "tab", "shown_at:hour", "shown_at:weekday", "stay"]
    train = data.rows("train")
    assert train.weights_NK is not None
    frame = make_rows()[data.source_rows("train")]
    np.testing.assert_allclose(train.weights_NK, frame.select("counts", "seconds").to_numpy(), 1e-6)

    study = run_search(spec, root / "run", executor="local")
    raw = make_rows().drop("rating", "seconds", "length", "counts")
    raw.write_parquet(root / "unlabelled.parquet")
    is_valid = raw["split"] == "valid"
    liked = is_valid & (make_rows()["rating"] >= 4)
    stayed = make_rows()["seconds"] / make_rows()["length"] > 0.5
    complete = [one for one in study.trials() if one.state == "complete" and one.has_weights]
    assert complete
    for record in complete:
        bundle = export_bundle(study, pick(study, record.id), root / record.id)
        predict_file(bundle, root / "unlabelled.parquet", root / "scores.parquet")
        scores = pl.read_parquet(root / "scores.parquet")
        for name, label, among in [
            ("like", make_rows()["rating"] >= 4, is_valid),
            ("stays", stayed, liked),
        ]:
            auc = roc_auc_score(label.filter(among), scores[f"p_{name}"].filter(among))
            assert auc == pytest.approx(record.metrics[f"{name}.auc"], abs=1e-6), record.config
        assert record.metrics["like.auc"] > 0.6
