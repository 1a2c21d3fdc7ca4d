"""What the training knobs are worth on real rows: each alone against the default recipe.

    python benchmarks/recipes.py [SPEC] [--seeds 5] [--processes 2] [--family shared_bottom]
                                 [--only NAME ...] [--as-numbers COLUMN ...] [--out JSON]

Trains the family's default model of a spec (a baseline of its search) with one knob changed at a
time, and prints AUC on VALIDATION rows: the mean over seeds, and the difference to the default seed
by seed with its 95 % Student interval. Nothing is chosen; the TEST rows stay unseen.

Shapes: S seeds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from repeats import Floats, interval_text, over_seeds, table

from automtl.config import TrialConfig
from automtl.data.cache import open_data
from automtl.space import Pinned, default_values, sample
from automtl.spec.load import load_spec
from automtl.spec.schema import Spec
from automtl.training.fit import Trainer

ROOT = Path(__file__).parent.parent
KUAIRAND = ROOT / "search_spaces" / "kuairand.yaml"
DEFAULT = "default"
SECONDS = "seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is changed of the default."""

    model: Mapping[str, Any]
    train: Mapping[str, Any]


def recipe(epochs: float | None = None, **changes: Any) -> Recipe:
    train = {key: value for key, value in changes.items() if key in TRAIN_KNOBS}
    model = {key: value for key, value in changes.items() if key not in TRAIN_KNOBS}
    return Recipe(model=model, train=train | ({} if epochs is None else {"epochs": epochs}))


LARGE_COLUMNS = ("user_id", "video_id", "author_id", "tag")
TRAIN_KNOBS = (
    "embedding_l2",
    "embedding_lr",
    "embedding_optimizer",
    "weight_decay",
)
RECIPES: Mapping[str, Recipe] = {
    DEFAULT: recipe(),
    "rowwise_adagrad": recipe(embedding_optimizer="rowwise_adagrad"),
    "adam, embedding_lr .001": recipe(embedding_optimizer="adam", embedding_lr=1e-3),
    "2 epochs": recipe(2.0),
    "2 epochs, embedding_dropout .2": recipe(2.0, embedding_dropout=0.2),
    "2 epochs, embedding_dropout .5": recipe(2.0, embedding_dropout=0.5),
    "2 epochs, embedding_l2 1e-5": recipe(2.0, embedding_l2=1e-5),
    "2 epochs, embedding_l2 1e-4": recipe(2.0, embedding_l2=1e-4),
    "2 epochs, embedding_l2 1e-3": recipe(2.0, embedding_l2=1e-3),
    "2 epochs, dropout .2": recipe(2.0, dropout=0.2),
    "2 epochs, embedding_lr .01": recipe(2.0, embedding_lr=0.01),
    "embedding_dropout .2": recipe(embedding_dropout=0.2),
    "embedding_l2 1e-5": recipe(embedding_l2=1e-5),
    "embedding_l2 1e-4": recipe(embedding_l2=1e-4),
    "drop user_id": recipe(drop_features=("user_id",)),
    "drop watch_seq": recipe(drop_features=("watch_seq",)),
    "sequence_pooling sum": recipe(sequence_pooling="sum"),
    "sequence_pooling attention": recipe(sequence_pooling="attention"),
    "numeric_encoding buckets": recipe(numeric_encoding="buckets"),
    "numeric_encoding piecewise_linear": recipe(numeric_encoding="piecewise_linear"),
    "embedding_dim 4 but for large columns": recipe(
        embedding_dim=4, embedding_dims=dict.fromkeys(LARGE_COLUMNS, 16)
    ),
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("spec", type=Path, nargs="?", default=KUAIRAND)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--family", default="shared_bottom")
    parser.add_argument("--only", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument(
        "--as-numbers", nargs="+", default=[], metavar="COLUMN", help="numbers, not ids as the spec"
    )
    parser.add_argument("--out", type=Path, help="write every value as JSON to this file")
    options = parser.parse_args(arguments)
    names = [DEFAULT, *(name for name in options.only if name != DEFAULT)]
    read = partial(read_spec, options.spec, options.as_numbers)
    open_data(read())  # encoded once, before the processes
    values = over_seeds(
        partial(measure, read, options.family),
        names,
        range(options.seeds),
        processes=options.processes,
    )
    print(report(values))
    if options.out:
        plain = {
            name: {metric: values_S.tolist() for metric, values_S in by_metric.items()}
            for name, by_metric in values.items()
        }
        options.out.write_text(json.dumps(plain, indent=1) + "\n", encoding="utf-8")


def read_spec(path: Path, as_numbers: Sequence[str]) -> Spec:
    """The spec at `path`, some of its categorical columns taken for numbers."""
    raw = load_spec(path).to_dict()
    columns = raw["data"]["categorical"]
    kept = {name: columns[name] if isinstance(columns, dict) else {} for name in columns}
    raw["data"]["categorical"] = {
        name: block for name, block in kept.items() if name not in as_numbers
    }
    raw["data"]["numeric"] = [*raw["data"]["numeric"], *as_numbers]
    return Spec.from_dict(raw, base_dir=path.parent)


def measure(read: Callable[[], Spec], family: str, name: str, seed: int) -> dict[str, float]:
    """The AUCs of one training, and how long it took."""
    spec = read()
    changed = RECIPES[name]
    values = default_values(spec, family, "none")
    base = sample(spec, Pinned(values))
    config = TrialConfig(
        model=replace(base.model, **changed.model), train=replace(base.train, **changed.train)
    )
    trainer = Trainer(config, open_data(spec), seed=seed, device="cpu")
    (evaluation,) = trainer.run()
    aucs = {key: value for key, value in evaluation.metrics.items() if key.endswith(".auc")}
    return {**aucs, SECONDS: evaluation.wall_s}


def report(values: Mapping[str, Mapping[str, Floats]]) -> str:
    metrics = [metric for metric in values[DEFAULT] if metric != SECONDS]
    rows = []
    for name, by_metric in values.items():
        cells = [name]
        for metric in metrics:
            gap_S = by_metric[metric] - values[DEFAULT][metric]
            gap = "" if name == DEFAULT else f" ({interval_text(gap_S, signed=True)})"
            cells.append(f"{by_metric[metric].mean():.4f}{gap}")
        rows.append([*cells, f"{sorted(by_metric[SECONDS])[len(by_metric[SECONDS]) // 2]:.1f}"])
    return table(["recipe", *metrics, "seconds"], rows)


if __name__ == "__main__":
    main()
