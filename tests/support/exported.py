"""Untrained models as bundles: small ones of any family, for what has to be true of all."""

import numpy as np
import torch
from safetensors.torch import save_file

from automtl.config import (
    CategoricalFeature,
    DenseFeature,
    FeatureSchema,
    ModelConfig,
    NumericFeature,
    SequenceFeature,
    Table,
    TaskSchema,
    TrainConfig,
    TrialConfig,
)
from automtl.data.encode import Inputs
from automtl.export.manifest import WEIGHTS_FILE, Manifest, Measured, Provenance, output_columns
from automtl.models.model import MultiTaskModel

FEATURES = FeatureSchema(
    tables=(
        Table(name="user", num_rows=30),
        Table(name="item", num_rows=20),
        Table(name="word", num_rows=15),
    ),
    categorical=(
        CategoricalFeature(name="user", table="user"),
        CategoricalFeature(name="item", table="item"),
    ),
    numeric=(
        NumericFeature(name="age", edges=(-1.5, -0.5, 0.0, 1.0, 2.0)),
        NumericFeature(name="is_new"),
        NumericFeature(name="price", edges=(-1.0, 0.25, 1.5)),
    ),
    sequence=(
        SequenceFeature(name="seen", table="item", max_len=4),
        SequenceFeature(name="words", table="word", max_len=3),
    ),
    dense=(DenseFeature(name="picture", width=5),),
)
TASKS = (
    TaskSchema(name="click"),
    TaskSchema(name="returned", given="buy"),
    TaskSchema(name="buy", given="click"),
    TaskSchema(name="minutes", kind="regression", loss="huber", mean=3.0, std=2.5),
    TaskSchema(name="spend", kind="regression", loss="lognormal", given="click", mean=1.0, std=0.8),
)


def small_model(family, **knobs):
    """A config of a few hundred parameters; experts and levels where the family has them."""
    own = {
        "omoe": {"num_shared_experts": 3},
        "mmoe": {"num_shared_experts": 3},
        "cgc": {"num_shared_experts": 2, "num_task_experts": 2},
        "ple": {"num_levels": 2, "num_shared_experts": 2, "num_task_experts": 2},
    }
    dims = {"embedding_dim": 4, "expert_dims": (6,), "tower_dims": (5,)}
    return ModelConfig(family=family, **(dims | own.get(family, {}) | knobs))


def write_model(directory, model, features=FEATURES, tasks=TASKS, seed=0):
    """Writes weights that are nowhere near zero, and returns a manifest that describes them."""
    generator = torch.Generator().manual_seed(seed)
    built = MultiTaskModel(model, features, tasks, generator=generator)
    state = {
        name: torch.empty_like(tensor).uniform_(-0.7, 0.7, generator=generator)
        for name, tensor in built.state_dict().items()
    }
    save_file(state, directory / WEIGHTS_FILE)
    return Manifest(
        features=features,
        tasks=tasks,
        config=TrialConfig(model=model, train=TrainConfig()),
        inputs=(),
        outputs=output_columns(tasks),
        objectives=(),
        num_rows={},
        labels=(),
        costs={},
        measured=Measured(trial="t0000", epochs=1.0, validation={}),
        reference=None,
        test_scores=(),
        provenance=Provenance(
            study="",
            trial="t0000",
            role="search",
            seed=seed,
            why="",
            reference_trials=0,
            data=(),
            data_fingerprint="",
            command="",
            trained="",
            exported="",
            versions={},
        ),
    )


def random_inputs(num_rows, features=FEATURES, seed=0):
    """Encoded rows: ids of every kind, sequences of any length (0 too), numbers beyond all bins."""
    rng = np.random.default_rng(seed)
    sizes = {table.name: table.num_rows for table in features.tables}
    ids = [rng.integers(0, sizes[one.table], (num_rows, 1)) for one in features.categorical]
    for one in features.sequence:
        items = rng.integers(1, sizes[one.table], (num_rows, one.max_len))
        length = rng.integers(0, one.max_len + 1, (num_rows, 1))
        ids.append(np.where(np.arange(one.max_len) < length, items, 0))
    return Inputs(
        ids_NC=np.hstack([np.empty((num_rows, 0)), *ids]).astype(np.int32),
        numeric_NF=2 * rng.standard_normal((num_rows, features.num_number_columns), np.float32),
    )
