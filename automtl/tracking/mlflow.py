"""MLflow: a parent run for the search, and a nested run for each trial.

The only home of mlflow. Nothing global is touched: no active run, no autologging, no thread for
system metrics, no telemetry. What is logged follows from the study's records and what MLflow has
already, so that telling again adds only what is missing.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from automtl.config import Evaluation, to_jsonable
from automtl.records import TrialRecord
from automtl.tracking.events import (
    Confirmed,
    Event,
    Outcome,
    SearchEnded,
    SearchStarted,
    Standing,
    TrialChanged,
)
from automtl.tracking.memory import recall, redacted, remember
from automtl.tracking.values import flat, plain_name, plain_text

# What MLflow takes at most (mlflow.utils.validation, since 2.8).
NAME, PARAM, TAG = 250, 6000, 5000
PARAMS, METRICS = 100, 1000  # in one call

SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # stdout is for data
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # s; MLflow's own 120 s and 7 retries take minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
}  # what the user has set stays; MLflow reads some of it as it is imported
for _name, _value in SETTINGS.items():
    os.environ.setdefault(_name, _value)

from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import Metric, Param, Run, RunTag  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

__all__ = ["MlflowTracker", "log_bundle", "log_confirmed"]


Status = Literal["FINISHED", "FAILED", "KILLED"]
OF_TRIAL: Mapping[str, Status] = {
    "complete": "FINISHED",
    "pruned": "KILLED",
    "interrupted": "KILLED",
    "failed": "FAILED",
}
OF_SEARCH: Mapping[Outcome, Status] = {
    "finished": "FINISHED",
    "interrupted": "KILLED",
    "failed": "FAILED",
}


class _Silent(logging.Filter):
    """Keeps what is logged in our threads off stderr: an error comes as an exception, too."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: set[int] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        return record.thread not in self.threads


_SILENT = _Silent()
for _name in ("alembic", "mlflow"):
    for _handler in logging.getLogger(_name).handlers:  # they are MLflow's own
        _handler.addFilter(_SILENT)
logging.getLogger("urllib3.connectionpool").addFilter(_SILENT)


def open_client(uri: str) -> MlflowClient:
    """A client of the server or the store at `uri`, which is silent beside its exceptions."""
    _SILENT.threads.add(threading.get_ident())
    return MlflowClient(tracking_uri=uri or None)


@dataclass(slots=True)
class _Nested:
    """The run of a trial, and how much of it MLflow has."""

    run_id: str
    has_params: bool = False
    num_evaluations: int = 0
    is_over: bool = False


class MlflowTracker:
    """`uri` is "" for MLflow's own default, a file in the working directory."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._start: SearchStarted | None = None
        self._parent: Run | None = None
        self._nested: dict[str, _Nested] = {}

    @property
    def place(self) -> str:
        return f"MLflow at {redacted(self._uri)}" if self._uri else "MLflow"

    def tell(self, event: Event) -> None:
        match event:
            case SearchStarted():
                self._start = event
                self._follow_all(event.trials)
            case TrialChanged():
                self._follow(event.record)
                if event.standing is not None:
                    self._log_standing(event.standing)
            case SearchEnded():
                try:
                    self._follow_all(event.trials)
                finally:
                    self._end(event)

    # ---- the search ------------------------------------------------------------------------

    @cached_property
    def _client(self) -> MlflowClient:
        return open_client(self._uri)

    def _run(self) -> Run:
        """The parent run: that of before, or a new one; made when it is first asked for."""
        if self._parent is not None:
            return self._parent
        assert self._start is not None, "the start of the search comes first"
        start, client = self._start, self._client
        uri = _absolute(client.tracking_uri)
        run_id = recall(start.run_dir).get(redacted(uri))
        if run_id is None:
            page = (start.run_dir / "report.html").as_uri()
            run = client.create_run(
                _experiment(client, start.name),
                run_name=start.run_dir.name,
                tags={
                    "mlflow.source.name": "automtl search",
                    "mlflow.note.content": f"Report: <{page}>, or `automtl report RUN`",
                    "automtl.report": page,
                    "automtl.run": plain_text(str(start.run_dir), TAG),
                    **{f"automtl.version.{key}": str(v) for key, v in start.versions.items()},
                },
            )
            remember(start.run_dir, uri, run.info.run_id)
        else:
            run = client.get_run(run_id)
            client.update_run(run_id, status="RUNNING")
            self._nested = dict(self._find_nested(run))
        if not run.data.params:
            self._log_params(run.info.run_id, flat(start.spec))
            client.log_artifact(run.info.run_id, str(start.run_dir / "spec.yaml"))
        self._parent = run
        return run

    def _find_nested(self, parent: Run) -> Iterator[tuple[str, _Nested]]:
        token: str | None = None
        while True:
            page = self._client.search_runs(
                [parent.info.experiment_id],
                f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'",
                page_token=token,
            )
            for run in page:
                run_id, is_over = run.info.run_id, run.info.status != "RUNNING"
                seen = [] if is_over else self._client.get_metric_history(run_id, "epochs")
                yield (
                    run.data.tags["automtl.trial"],
                    _Nested(run_id, bool(run.data.params), len(seen), is_over),
                )
            token = page.token
            if not token:
                return

    def _log_standing(self, standing: Standing) -> None:
        self._log_metrics(
            self._run().info.run_id, standing.figures(), step=standing.num_ended, at_ms=None
        )

    def _end(self, event: SearchEnded) -> None:
        run_id = self._run().info.run_id
        for nested in self._nested.values():
            if not nested.is_over:  # it ran when the search was interrupted
                self._close(nested, {"state": "interrupted", "reason": ""}, "KILLED", None)
        self._client.set_tag(run_id, "automtl.ended", plain_text(event.reason, TAG))
        self._client.set_terminated(run_id, OF_SEARCH[event.outcome])

    # ---- a trial ---------------------------------------------------------------------------

    def _follow_all(self, trials: tuple[TrialRecord, ...]) -> None:
        self._run()
        for record in trials:
            self._follow(record)

    def _follow(self, record: TrialRecord) -> None:
        """Logs of a trial what MLflow has not yet."""
        nested = self._nested.get(record.id) or self._start_nested(record)
        if nested.is_over:
            return
        if not nested.has_params:
            params = flat(to_jsonable(record.config)) | {"seed": record.seed}
            knobs = {f"knob/{name}": value for name, value in record.params.items()}
            self._log_params(nested.run_id, params | knobs)
            nested.has_params = True
        for evaluation in record.evaluations[nested.num_evaluations :]:
            self._log_evaluation(nested.run_id, record, evaluation)
            nested.num_evaluations += 1
        if record.state == "running":
            return
        if record.measured and not record.evaluations:
            self._log_metrics(nested.run_id, record.measured, step=0, at_ms=_ended_ms(record))
        if record.values is not None:
            values = {f"objective/{name}": value for name, value in record.values.items()}
            examples = record.evaluations[-1].examples
            self._log_metrics(nested.run_id, values, step=examples, at_ms=_ended_ms(record))
        tags: dict[str, Any] = {
            "state": record.state,
            "reason": record.reason,
            "feasible": record.feasible,
        }
        if record.notes:
            tags["notes"] = "\n".join(record.notes)
        self._close(nested, tags, OF_TRIAL[record.state], _ended_ms(record))

    def _close(
        self, nested: _Nested, tags: Mapping[str, Any], status: Status, at_ms: int | None
    ) -> None:
        said = [RunTag(f"automtl.{key}", plain_text(value, TAG)) for key, value in tags.items()]
        self._client.log_batch(nested.run_id, tags=said)
        self._client.set_terminated(nested.run_id, status, end_time=at_ms)
        nested.is_over = True

    def _start_nested(self, record: TrialRecord) -> _Nested:
        parent = self._run()
        if (known := self._nested.get(record.id)) is not None:
            return known  # found when the parent was
        run = self._client.create_run(
            parent.info.experiment_id,
            start_time=None if record.started is None else int(1000 * record.started.timestamp()),
            run_name=record.id,
            tags={
                "mlflow.parentRunId": parent.info.run_id,
                "mlflow.source.name": "automtl search",
                "automtl.trial": record.id,
                "automtl.role": record.role,
                "automtl.state": "running",
                **({"automtl.planned": record.planned} if record.planned else {}),
            },
        )
        self._nested[record.id] = nested = _Nested(run.info.run_id)
        return nested

    def _log_evaluation(self, run_id: str, record: TrialRecord, evaluation: Evaluation) -> None:
        figures = {
            **evaluation.metrics,
            "epochs": evaluation.epochs,
            "train_s": evaluation.wall_s,
        }
        started = record.started
        at_ms = None if started is None else int(1000 * (started.timestamp() + evaluation.wall_s))
        self._log_metrics(run_id, figures, step=evaluation.examples, at_ms=at_ms)

    # ---- calls -----------------------------------------------------------------------------

    def _log_params(self, run_id: str, values: Mapping[str, Any]) -> None:
        params = [Param(plain_name(k, NAME), plain_text(v, PARAM)) for k, v in values.items()]
        for first in range(0, len(params), PARAMS):
            self._client.log_batch(run_id, params=params[first : first + PARAMS])

    def _log_metrics(
        self, run_id: str, values: Mapping[str, float], *, step: int, at_ms: int | None
    ) -> None:
        metrics = _metrics(values, step=step, at_ms=at_ms)
        for first in range(0, len(metrics), METRICS):
            self._client.log_batch(run_id, metrics=metrics[first : first + METRICS])


def log_bundle(uri: str, run_id: str, directory: Path, trial: str) -> None:
    """Copies an exported model to the artifacts of the search's run, as `bundles/t0042`."""
    client = open_client(uri)
    client.log_artifacts(run_id, str(directory), artifact_path=f"bundles/{trial}")
    client.set_tag(run_id, "automtl.bundle", trial)


def log_confirmed(uri: str, run_id: str, events: Sequence[Confirmed]) -> None:
    """Adds what was confirmed to the nested runs of the search's run: metrics with the number of
    seeds as their step, and whether the trial is on the confirmed front."""
    client = open_client(uri)
    parent = client.get_run(run_id)
    for event in events:
        for run in client.search_runs(
            [parent.info.experiment_id],
            f"tags.`mlflow.parentRunId` = '{run_id}' and tags.`automtl.trial` = '{event.trial}'",
        ):
            metrics = _metrics(event.figures(), step=event.num_seeds, at_ms=None)
            said = {"seeds": event.num_seeds, "on_front": event.is_on_front}
            tags = [RunTag(f"automtl.confirmed.{key}", str(value)) for key, value in said.items()]
            client.log_batch(run.info.run_id, metrics=metrics[:METRICS], tags=tags)


def _experiment(client: MlflowClient, name: str) -> str:
    """The id of the experiment called as the study, made if there is none."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return str(client.create_experiment(name))
        except MlflowException:
            found = client.get_experiment_by_name(name)
            if found is None:  # else another search was faster
                raise
    if found.lifecycle_stage != "active":
        raise ValueError(f"the experiment {name} was deleted; restore it, or rename the search")
    return str(found.experiment_id)


def _metrics(values: Mapping[str, float], *, step: int, at_ms: int | None) -> list[Metric]:
    now_ms = int(1000 * time.time()) if at_ms is None else at_ms
    return [Metric(plain_name(k, NAME), float(v), now_ms, step) for k, v in values.items()]


def _ended_ms(record: TrialRecord) -> int | None:
    return None if record.finished is None else int(1000 * record.finished.timestamp())


def _absolute(uri: str) -> str:
    """A place in the working directory as one that is found from any other."""
    for scheme in ("sqlite:///", "file:"):
        rest = uri.removeprefix(scheme)
        if rest != uri:
            return uri if rest.startswith("/") else f"{scheme}{_here(rest, scheme)}"
    return uri if "://" in uri or uri.startswith("databricks") else Path(uri).absolute().as_uri()


def _here(path: str, scheme: str) -> str:
    absolute = str(Path(path).absolute())
    return absolute if scheme == "sqlite:///" else f"//{absolute}"
