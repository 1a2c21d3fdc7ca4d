"""TensorBoard: event files in RUN/tensorboard, a directory a trial and one for the search.

The only home of tensorboard, of which the record writer and the messages are used: neither needs
TensorFlow. A file that ended whole has a neighbour, `ended`; what a killed search left is written
anew from the study's records.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from tensorboard.compat.proto.event_pb2 import Event as Message
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.plugins.hparams import api_pb2
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
from tensorboard.summary.writer.record_writer import RecordWriter

from automtl.records import TrialRecord
from automtl.tracking.events import (
    Confirmed,
    Event,
    SearchEnded,
    SearchStarted,
    Standing,
    TrialChanged,
)
from automtl.tracking.memory import TENSORBOARD as DIRECTORY
from automtl.tracking.values import plain_name, plain_text

__all__ = ["TensorBoardTracker", "write_confirmed"]

ENDED = "ended"
NAME, TEXT = 250, 1000  # what is still read on a screen


class TensorBoardTracker:
    """Writes a trial's scalars as they come, by examples seen, and its knobs as hparams."""

    def __init__(self) -> None:
        self._directory = Path(DIRECTORY)
        self._objectives: tuple[str, ...] = ()
        self._open: dict[str, _TrialFile] = {}
        self._search: _EventFile | None = None

    @property
    def place(self) -> str:
        return f"TensorBoard files in {self._directory}"

    def tell(self, event: Event) -> None:
        match event:
            case SearchStarted():
                self._directory = event.run_dir / DIRECTORY
                self._objectives = tuple(event.spec["objectives"])
                self._follow_all(event.trials)
            case TrialChanged():
                self._follow(event.record)
                if event.standing is not None:
                    self._write_standing(event.standing)
            case SearchEnded():
                try:
                    self._follow_all(event.trials)
                finally:
                    self._close()

    def _follow_all(self, trials: tuple[TrialRecord, ...]) -> None:
        for record in trials:
            self._follow(record)

    def _follow(self, record: TrialRecord) -> None:
        directory = self._directory / record.id
        if (directory / ENDED).exists():
            return
        try:
            if record.id not in self._open:
                shutil.rmtree(directory, ignore_errors=True)
                self._open[record.id] = _TrialFile(directory, record, self._objectives)
            self._open[record.id].follow(record)
        except OSError:  # a full disk: what is half written is of no use, and written anew
            self._open.pop(record.id, None)
            raise
        if record.state != "running":
            del self._open[record.id]

    def _write_standing(self, standing: Standing) -> None:
        if self._search is None:
            self._search = _EventFile(self._directory / "search")
        try:
            self._search.scalars(standing.figures(), step=standing.num_ended, at_s=time.time())
        except OSError:
            self._search = None
            raise

    def _close(self) -> None:
        for trial in self._open.values():  # it ran when the search was interrupted
            trial.interrupt()
        self._open.clear()
        if self._search is not None:
            self._search.close()
            self._search = None


def write_confirmed(run_dir: Path, events: Sequence[Confirmed]) -> None:
    """Adds a file to the directory of each trial: scalars, by the number of seeds."""
    for event in events:
        file = _EventFile(run_dir / DIRECTORY / event.trial)
        file.scalars(event.figures(), step=event.num_seeds, at_s=time.time())
        file.close()


class _TrialFile:
    """The file of one trial; it knows how many evaluations it has."""

    def __init__(self, directory: Path, record: TrialRecord, objectives: tuple[str, ...]) -> None:
        self._directory, self._num_evaluations = directory, 0
        self._started_s = time.time() if record.started is None else record.started.timestamp()
        self._file = _EventFile(directory)
        for content in _session(record, objectives, self._started_s):
            self._file.plugin("hparams", content, at_s=self._started_s)

    def follow(self, record: TrialRecord) -> None:
        for evaluation in record.evaluations[self._num_evaluations :]:
            figures = {**evaluation.metrics, "epochs": evaluation.epochs}
            at_s = self._started_s + evaluation.wall_s
            self._file.scalars(figures, step=evaluation.examples, at_s=at_s)
            self._num_evaluations += 1
        if record.state != "running":
            self._end(record)

    def interrupt(self) -> None:
        """Ends the file, but not for good: what the trial became is not known yet."""
        self._end_session(time.time(), is_complete=False)
        self._file.close()

    def _end(self, record: TrialRecord) -> None:
        at_s = time.time() if record.finished is None else record.finished.timestamp()
        if record.measured and not record.evaluations:
            self._file.scalars(record.measured, step=0, at_s=at_s)
        if record.values is not None:
            values = {f"objective/{name}": value for name, value in record.values.items()}
            self._file.scalars(values, step=record.evaluations[-1].examples, at_s=at_s)
        said = [f"**{record.state}**", record.reason, *record.notes]
        self._file.text("state", "\n\n".join(filter(None, said)), at_s=at_s)
        self._end_session(at_s, is_complete=record.state in ("complete", "pruned"))
        self._file.close()
        (self._directory / ENDED).touch()

    def _end_session(self, at_s: float, *, is_complete: bool) -> None:
        status = api_pb2.STATUS_SUCCESS if is_complete else api_pb2.STATUS_FAILURE
        content = HParamsPluginData(
            session_end_info={"status": status, "end_time_secs": at_s}, version=0
        )
        self._file.plugin("hparams", content, at_s=at_s, tag="_hparams_/session_end_info")


def _session(
    record: TrialRecord, objectives: tuple[str, ...], at_s: float
) -> Iterator[HParamsPluginData]:
    """What the HPARAMS page needs of a trial: which knobs and objectives there are, its values."""
    model = record.config.model
    knobs = {"family": model.family, "dependency": model.dependency, **record.params}
    kinds, values = _hparams(knobs)
    yield HParamsPluginData(
        version=0,
        experiment={
            "hparam_infos": [{"name": name, "type": kind} for name, kind in kinds.items()],
            "metric_infos": [
                {"name": {"tag": plain_name(f"objective/{name}", NAME)}} for name in objectives
            ],
        },
    )
    start = HParamsPluginData(version=0)
    start.session_start_info.start_time_secs = at_s
    for name, value in values.items():
        match value:
            case bool():
                start.session_start_info.hparams[name].bool_value = value
            case int() | float():
                start.session_start_info.hparams[name].number_value = value
            case _:
                start.session_start_info.hparams[name].string_value = value
    yield start


def _hparams(knobs: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, bool | float | str]]:
    """(TensorBoard's type, value) by plain names: numbers and switches as such, others as text."""
    kinds: dict[str, Any] = {}
    values: dict[str, bool | float | str] = {}
    for key, value in knobs.items():
        name = plain_name(key, NAME)
        match value:
            case bool():
                kinds[name], values[name] = api_pb2.DATA_TYPE_BOOL, value
            case int() | float():
                kinds[name], values[name] = api_pb2.DATA_TYPE_FLOAT64, value
            case _:
                kinds[name], values[name] = api_pb2.DATA_TYPE_STRING, plain_text(value, TEXT)
    return kinds, values


class _EventFile:
    """A new event file in `directory`; each call is on disk when it returns.

    A call that raises OSError closes the file.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        now = time.time()
        # names sort by time; a resumed search adds a file
        name = f"events.out.tfevents.{now:017.6f}.automtl.{os.getpid()}"
        self._file: BinaryIO = (directory / name).open("xb")
        self._writer = RecordWriter(self._file)
        self._write(Message(wall_time=now, file_version="brain.Event:2"))

    def scalars(self, values: Mapping[str, float], *, step: int, at_s: float) -> None:
        summary = Summary(
            value=[
                Summary.Value(tag=plain_name(name, NAME), simple_value=float(value))
                for name, value in values.items()
            ]
        )
        self._write(Message(wall_time=at_s, step=step, summary=summary))

    def text(self, tag: str, text: str, *, at_s: float) -> None:
        """Shown as Markdown."""
        tensor = {"dtype": "DT_STRING", "string_val": [text.encode()], "tensor_shape": _ONE}
        value = Summary.Value(tag=tag, tensor=tensor, metadata=_metadata("text", b""))
        self._write(Message(wall_time=at_s, summary=Summary(value=[value])))

    def plugin(self, name: str, content: HParamsPluginData, *, at_s: float, tag: str = "") -> None:
        """A message of a plugin's own, under the tag that belongs to it."""
        tag = tag or f"_hparams_/{content.WhichOneof('data')}"
        value = Summary.Value(tag=tag, metadata=_metadata(name, content.SerializeToString()))
        self._write(Message(wall_time=at_s, summary=Summary(value=[value])))

    def close(self) -> None:
        self._file.close()

    def _write(self, message: Message) -> None:
        try:
            self._writer.write(message.SerializeToString())
            self._writer.flush()
        except OSError:
            with suppress(OSError):  # what waits to be written finds no room either
                self._file.close()
            raise


_ONE = {"dim": [{"size": 1}]}


def _metadata(plugin: str, content: bytes) -> SummaryMetadata:
    return SummaryMetadata(plugin_data={"plugin_name": plugin, "content": content})
