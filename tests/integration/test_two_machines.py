"""Trials on a machine that shares no disk with the search's: rows go there once, results come back.

Both machines are Ray nodes of this one; what the other one does not see is hidden from its
processes (`support/other_machine`). The search's machine has no room for trials.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster
from safetensors.torch import load_file

from automtl.data.cache import EncodedData, open_data
from automtl.data.copies import list_files
from automtl.errors import RunError
from automtl.search.heartbeat import Watchdog
from automtl.search.loop import SearchLoop
from automtl.search.ray_executor import RayExecutor
from automtl.search.scores import read_scores
from automtl.search.trial import make_job
from automtl.spec.schema import Spec
from automtl.study import Study
from automtl.study_writer import create_study, writing

TESTS = Path(__file__).parents[1]
NODE = {"include_dashboard": False, "object_store_memory": 100_000_000}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

Join = Callable[..., RayExecutor]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """The search's machine alone."""
    cluster = Cluster(initialize_head=True, head_node_args={**NODE, "num_cpus": 0})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def join(cluster: Cluster, tmp_path: Path) -> Iterator[Join]:
    """Starts the other machine, with `theirs` as its cache; -> who searches on both."""
    others = []

    def start(theirs: Path, *, hidden: str) -> RayExecutor:
        python = [str(TESTS / "support" / "other_machine"), os.environ.get("PYTHONPATH", "")]
        environment = {
            "PYTHONPATH": os.pathsep.join(filter(None, python)),
            "AUTOMTL_CACHE": str(theirs),
            "HIDDEN": hidden,
            "HIDDEN_LOG": str(tmp_path / "log"),
        }
        others.append(cluster.add_node(**NODE, num_cpus=2, env_vars=environment))
        return RayExecutor(workers=2, cpus=1, gpus=0, address=cluster.address)

    yield start
    ray.shutdown()
    for other in others:
        cluster.remove_node(other)


@pytest.fixture
def first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The disk of the search's machine: its cache, and the run."""
    monkeypatch.setenv("AUTOMTL_CACHE", str(tmp_path / "first" / "cache"))
    return tmp_path / "first"


@pytest.fixture
def spec() -> Spec:
    return Spec.from_dict(
        {
            "version": 1,
            "name": "small",
            "data": {
                "generate": {"name": "impressions", "num_rows": 4000},
                "split": {"column": "split"},
                "categorical": ["user_id", "item_id"],
                "numeric": ["x0"],
            },
            "tasks": {"click": {"label": "click"}},
            "objectives": ["click.auc", "params"],
            "space": {
                "embedding_dim": 4,
                "sharing": [{"family": "shared_bottom"}],
                "expert_dims": {"choice": [[8], [16]]},
                "tower_dims": [8],
                "lr": {"float": [1e-3, 1e-2], "log": True},
            },
            "search": {"trials": 4, "epochs": 0.5, "rungs": 1, "sampler": "random"},
            "trial": {"device": "cpu"},
        }
    )


def search(study: Study, spec: Spec, data: EncodedData, executor: RayExecutor) -> None:
    executor.watchdog = Watchdog(study.alive_dir, stall_s=120)
    scores_dir = study.run_dir / "scores"
    scores_dir.mkdir()
    with writing(study) as writer:
        loop = SearchLoop(writer, spec, features=data.features, tasks=data.tasks)
        executor.run(loop, make_job(writer, spec, data, rungs=(), scores_dir=scores_dir))
        assert list(study.alive_dir.iterdir()) == []


def content(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in list_files(directory)}


def test_rows_come_to_a_machine_once_and_weights_and_predictions_come_back(
    join: Join, first: Path, tmp_path: Path, spec: Spec
) -> None:
    data, theirs = open_data(spec), tmp_path / "theirs"
    study = create_study(first / "run", spec, data)
    search(study, spec, data, join(theirs, hidden=str(first)))

    assert [(r.state, r.reason) for r in study.trials()] == [("complete", "")] * 4
    copy = theirs / data.directory.name
    assert content(copy) == content(data.directory), "every byte"
    assert [path.name for path in theirs.iterdir()] == [copy.name]
    log = (tmp_path / "log").read_text().splitlines()
    assert any(line.startswith(f"hidden {data.directory}") for line in log), "two disks"
    arrivals = [line for line in log if line.startswith("renamed") and line.endswith(copy.name)]
    assert len(arrivals) == 1, "two workers of one machine, and four trials, need one copy"
    for record in study.front():
        assert load_file(study.weights_path(record.number))
    for record in study.trials():
        scores = read_scores(study.run_dir / "scores", record.number)
        assert {len(p_N) for p_N in scores.values()} == {data.num_rows["test"]}


def test_where_all_machines_see_the_cache_nothing_is_copied(
    join: Join, first: Path, tmp_path: Path, spec: Spec
) -> None:
    data, theirs = open_data(spec), tmp_path / "theirs"
    study = create_study(first / "run", spec, data)
    search(study, spec, data, join(theirs, hidden="nothing"))
    assert {record.state for record in study.trials()} == {"complete"}
    assert not theirs.exists()


def test_a_machine_that_rows_cannot_come_to_ends_the_search_and_no_trial_fails(
    join: Join, first: Path, tmp_path: Path, spec: Spec
) -> None:
    (tmp_path / "file").touch()
    theirs, data = tmp_path / "file" / "cache", open_data(spec)
    study = create_study(first / "run", spec, data)
    told = (
        rf"(?s)node [\d.]+: .*{data.directory} is not there.*{theirs}.*AUTOMTL_CACHE.*data\.cache"
    )
    with pytest.raises(RunError, match=told):
        search(study, spec, data, join(theirs, hidden=str(first)))
    assert {record.state for record in study.trials()} <= {"running"}, "and it can be resumed"
