"""The search that a team builds by hand: Ray Tune, OptunaSearch, our models.

Its trials are ours: the same space (define by run), Trainer, encoded and memory-mapped rows, one
thread, an actor that is used again. OptunaSearch has its defaults (TPE), the three objectives and
their directions, and a seed. Nothing is stopped early, as Tune has no rule for several objectives.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import ray
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from automtl.config import ExecutorName, TrialConfig, from_jsonable, to_jsonable
from automtl.data.cache import load_cached, open_data
from automtl.search.loop import trial_seed
from automtl.search.ray_cluster import DRIVER_ENVIRONMENT, OBJECT_STORE_BYTES
from automtl.space import sample
from automtl.spec.domains import Choice, Domain, FloatRange, IntRange
from automtl.spec.schema import Spec
from searches.result import Found, Result

__all__ = ["search"]

NAME = "Ray Tune + OptunaSearch"


def search(
    spec: Spec,
    directory: Path,
    *,
    workers: int,
    executor: ExecutorName,
    elapsed_s: Callable[[], float],
) -> Result:
    """`spec.search` says how many trials and which seed; weights of all trials stay in
    `directory`. Whatever `executor` ours has, by hand it is Ray."""
    os.environ.update(DRIVER_ENVIRONMENT)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
    seed, trials, objectives = spec.search.seed, spec.search.trials, spec.objective_list()
    space = _Space(spec, open_data(spec).directory, directory)
    clock = _Clock(elapsed_s)
    with tempfile.TemporaryDirectory(prefix="automtl-", ignore_cleanup_errors=True) as scratch:
        ray.init(
            num_cpus=workers,
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            logging_level=logging.ERROR,
            log_to_driver=False,
            runtime_env={"env_vars": {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}},
            _temp_dir=f"{scratch}/ray",
        )
        grid = tune.Tuner(
            tune.with_resources(_Trial, {"cpu": 1}),
            tune_config=tune.TuneConfig(
                search_alg=OptunaSearch(
                    space,
                    metric=[one.name for one in objectives],
                    mode=[one.direction[:3] for one in objectives],
                    seed=seed,
                ),
                num_samples=trials,
                max_concurrent_trials=workers,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="search",
                storage_path=scratch,
                verbose=0,
                callbacks=[clock],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            ),
        ).fit()
        ray.shutdown()
    for error in grid.errors:
        print(f"a trial failed: {error}", file=sys.stderr)
    return Result(
        method=NAME,
        spec=spec.name,
        seed=seed,
        wall_s=elapsed_s(),
        epochs=clock.epochs,
        num_trials=trials,
        found=tuple(clock.found),
    )


@dataclass(frozen=True, slots=True)
class _Space:
    """The space as Optuna's define-by-run function; Tune pickles it now and then."""

    spec: Spec
    cache: Path
    weights: Path

    def __call__(self, trial: optuna.Trial) -> dict[str, Any]:
        config = sample(self.spec, lambda name, domain: _suggest(trial, name, domain))
        return {
            "trial": to_jsonable(config),
            "seed": trial_seed(self.spec.search.seed, trial.number),
            "cache": str(self.cache),
            "weights": str(self.weights / f"{trial.number:04d}.safetensors"),
        }


def _suggest(trial: optuna.Trial, name: str, domain: Domain) -> Any:
    match domain:
        case IntRange(low, high, log):
            return trial.suggest_int(name, low, high, log=log)
        case FloatRange(low, high, log):
            return trial.suggest_float(name, low, high, log=log)
        case Choice(options):  # Optuna's choices are scalars
            return json.loads(trial.suggest_categorical(name, [json.dumps(o) for o in options]))
    raise AssertionError(f"{name} is fixed")


@dataclass
class _Clock(tune.Callback):
    """Notes when trials end, in the driver."""

    elapsed_s: Callable[[], float]
    epochs: float = 0.0
    found: list[Found] = field(default_factory=list)

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        config: Mapping[str, Any] = trial.config
        self.epochs += config["trial"]["train"]["epochs"]
        self.found.append(
            Found(
                at_s=self.elapsed_s(),
                epochs=self.epochs,
                config=config["trial"],
                seed=config["seed"],
                weights=config["weights"],
                valid=trial.last_result["valid"],
            )
        )


class _Trial(tune.Trainable):
    def setup(self, config: dict[str, Any]) -> None:
        self.config = config

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.config = new_config
        return True

    def step(self) -> dict[str, Any]:
        import torch
        from safetensors.torch import save_file

        from automtl.training.fit import Trainer
        from automtl.training.memory import keep_freed_memory

        torch.set_num_threads(1)
        keep_freed_memory()
        trainer = Trainer(
            from_jsonable(TrialConfig, self.config["trial"]),
            load_cached(Path(self.config["cache"])),
            seed=self.config["seed"],
            device="cpu",
        )
        (evaluation,) = trainer.run()
        save_file(trainer.model.state_dict(), self.config["weights"])
        metrics = dict(evaluation.metrics)
        return {**metrics, "valid": metrics, "done": True}
