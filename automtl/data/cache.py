"""Encoded rows on disk, made once and memory-mapped by every trial.

    ROOT/KEY/  ids.npy [N, C] int32 · numeric.npy [N, F] float32 · labels.npy [N, K] float32 ·
               weights.npy [N, K] float32, or [N, 0] · rows.npy [N] int64 (row numbers of the
               source) · encoder/ · meta.json

Train rows come first, then valid, then test. KEY covers everything that the content depends on.
Importing this module imports neither polars nor numpy: only who opens or builds a cache does.

Shapes: N rows, C id columns, F numeric columns, K tasks.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automtl.config import FeatureSchema, TaskSchema, TrainedOn, from_jsonable, to_jsonable
from automtl.data.files import stamp
from automtl.data.fingerprint import hashing
from automtl.data.only_one import only_one
from automtl.data.paths import cache_root
from automtl.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from automtl.data.encode import Encoder
    from automtl.data.source import Source
    from automtl.spec.schema import Spec

__all__ = [
    "DONE",
    "HASHING",
    "WAITING",
    "EncodedData",
    "Report",
    "Rows",
    "find_cached",
    "load_cached",
    "open_data",
]

Report = Callable[[str, float, int], None]
WAITING, DONE = "waiting for another process that encodes the same rows", "done"
HASHING = "fingerprint of the files"

CACHE_VERSION = 6  # goes up with ENCODER_VERSION, and when the layout or the fingerprint changes
META_FILE, ENCODER_DIR = "meta.json", "encoder"
ARRAYS = {
    "ids": "int32",
    "numeric": "float32",
    "labels": "float32",
    "weights": "float32",
    "rows": "int64",
}
OURS_ASIDE = re.compile(r"\.[0-9a-f]{16}(\.[0-9a-f]{8}){1,2}")
MAX_HEADER_BYTES = 256  # before the values of an .npy file
ABANDONED_AFTER_S = 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Encoded rows: ids_NC int32 local to each table, numeric_NF float32, labels_NK float32 with
    NaN where a label is not observed; weights_NK in each task's loss, None: all the same."""

    ids_NC: npt.NDArray[np.int32]
    numeric_NF: npt.NDArray[np.float32]
    labels_NK: npt.NDArray[np.float32]
    weights_NK: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.ids_NC)


@dataclass(frozen=True, kw_only=True)
class EncodedData:
    """An open cache. Arrays are mapped when first asked for; writing to them changes no file.

    `fingerprint` is the same wherever equal files lie; `num_rows` is by split, and of the `num_all`
    rows there are `data.where` keeps `num_read`. `is_weighted`: at least one task has weights.
    `trained_on` says which rows the encoder was fitted on, and that `rows("train")` gives: with
    "train+valid" those of valid too, behind the others. Test rows are apart in any case.
    """

    directory: Path
    fingerprint: str
    features: FeatureSchema
    tasks: tuple[TaskSchema, ...]
    num_rows: Mapping[str, int]
    num_read: int = 0
    num_all: int = 0
    is_weighted: bool = False
    trained_on: TrainedOn = "train"

    @cached_property
    def encoder(self) -> Encoder:
        from automtl.data.encode import Encoder

        return Encoder.load(self.directory / ENCODER_DIR)

    @cached_property
    def _arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {name: _map_array(self, name) for name in ARRAYS}

    def ids_of(self, keys: Sequence[str]) -> dict[str, dict[str, int]]:
        """By table, those of `keys` that it has, with their ids; the other keys are not read."""
        from automtl.data.encode import ids_of

        return ids_of(self.directory / ENCODER_DIR, keys)

    def __reduce__(self) -> tuple[Callable[[Path], EncodedData], tuple[Path]]:
        return load_cached, (self.directory,)  # another process maps the files, rows do not travel

    def rows(self, split: str) -> Rows:
        """The rows of `train`, `valid` or `test`, each split in the order of the source."""
        part = self._part(split)
        return Rows(
            ids_NC=self._arrays["ids"][part],
            numeric_NF=self._arrays["numeric"][part],
            labels_NK=self._arrays["labels"][part],
            weights_NK=self._arrays["weights"][part] if self.is_weighted else None,
        )

    def source_rows(self, split: str) -> npt.NDArray[np.int64]:
        """The row number of each row in the source (all files in order, counted from 0)."""
        return self._arrays["rows"][self._part(split)]

    def _part(self, split: str) -> slice:
        names = list(self.num_rows)
        start = sum(self.num_rows[name] for name in names[: names.index(split)])
        stop = start + self.num_rows[split]
        if split == "train" and self.trained_on == "train+valid":
            stop += self.num_rows["valid"]
        return slice(start, stop)


def open_data(
    spec: Spec,
    *,
    frame: Any = None,
    report: Report | None = None,
    trained_on: TrainedOn = "train",
) -> EncodedData:
    """The encoded rows of `spec`: from the cache, else encoded now and kept there.

    A search learns from train rows. For the model that goes out, `trained_on` "train+valid" fits
    vocabularies, scalings and label statistics on valid rows too, and counts these as train rows.
    `frame` (a polars or pandas frame, or an Arrow table) takes the place of its files. Of several
    processes that ask for the same rows at once one encodes them, the others wait. `report` is
    told the step, the share of it that is done and how many rows that is; at last DONE.

    Raises DataError when the rows cannot be used as the spec says (see `build.py`), when a file
    changes while it is read, or when the cache cannot be written; nothing half-written stays.
    """
    source = None if frame is None else _source_of(frame, spec)
    key = _key(spec, source, trained_on)
    directory = cache_root(spec.cache_dir()) / key
    if (found := _load_or_none(directory)) is not None:
        return found
    report = report or (lambda *_: None)
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        lock = directory.parent / f".{key[:16]}.lock"
        with only_one(lock, waiting=lambda: report(WAITING, 0.0, 0)) as is_alone:
            if _load_or_none(directory) is None:
                _sweep(directory.parent, dead=f".{key[:16]}." if is_alone else None)
                with _filled_aside(directory) as aside:
                    _build(spec, source, aside, key, report, trained_on)
                    if _key(spec, source, trained_on) != key:
                        raise DataError("data.path: a file changed while it was read; start again")
    except OSError as error:
        free = _free_bytes(directory.parent)
        raise DataError(
            f"{directory.parent}: the cache cannot be written ({error.strerror or error}{free});"
            " free some space (`automtl data clean` lists old caches), or set AUTOMTL_CACHE to a"
            " directory of yours"
        ) from error
    finally:
        report(DONE, 1.0, 0)
    return load_cached(directory)


@contextlib.contextmanager
def _filled_aside(directory: Path) -> Iterator[Path]:
    """A new folder beside `directory`, which takes its place in the end; else nothing is left."""
    aside = directory.parent / f".{directory.name[:16]}.{uuid.uuid4().hex[:8]}"
    aside.mkdir()
    try:
        yield aside
        _put_in_place(aside, directory)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _source_of(frame: Any, spec: Spec) -> Source:
    # they import polars: only who has a frame pays for it
    from automtl.data.build import source_columns
    from automtl.data.source import frame_source

    return frame_source(frame, spec.data.where, source_columns(spec))


def _free_bytes(root: Path) -> str:
    with contextlib.suppress(OSError):
        return f", {shutil.disk_usage(root).free / 2**30:.1f} GiB are free"
    return ""


def find_cached(spec: Spec) -> EncodedData | None:
    """The cache of `spec` if there is a whole one; reads file sizes and JSON only."""
    try:
        return _load_or_none(cache_root(spec.cache_dir()) / _key(spec))
    except DataError:  # a data file is missing: whoever opens the data says so
        return None


def load_cached(directory: Path) -> EncodedData:
    """The cache in `directory`. Raises DataError when it is missing or damaged."""
    try:
        meta = json.loads((directory / META_FILE).read_text(encoding="utf-8"))
        data = EncodedData(
            directory=directory,
            fingerprint=meta["fingerprint"],
            features=from_jsonable(FeatureSchema, meta["features"]),
            tasks=tuple(from_jsonable(TaskSchema, task) for task in meta["tasks"]),
            num_rows=dict(meta["num_rows"]),
            num_read=int(meta["num_read"]),
            num_all=int(meta["num_all"]),
            is_weighted=bool(meta["is_weighted"]),
            trained_on=meta.get("trained_on", "train"),
        )
        _check_files(data)
    except (OSError, EOFError, LookupError, TypeError, ValueError) as error:
        raise DataError(
            f"{directory}: no encoded rows, or damaged ones ({error}); run the search again, it"
            " encodes them anew"
        ) from error
    return data


def _load_or_none(directory: Path) -> EncodedData | None:
    try:
        return load_cached(directory)
    except DataError:
        return None


def _check_files(data: EncodedData) -> None:
    """Raises ValueError unless every file is there in its full length; reads none of them."""
    for name, shape in _shapes(data).items():
        size = (data.directory / f"{name}.npy").stat().st_size
        header = size - 4 * math.prod(shape) * (2 if ARRAYS[name] == "int64" else 1)
        if not 0 < header <= MAX_HEADER_BYTES or header % 64:  # NumPy aligns the values
            raise ValueError(f"{name}.npy has {size:,} bytes, not those of {shape}")
    for file in ("encoder.json", "vocabularies.parquet"):
        if not (data.directory / ENCODER_DIR / file).is_file():
            raise ValueError(f"{ENCODER_DIR}/{file} is missing")


def _shapes(data: EncodedData) -> dict[str, tuple[int, ...]]:
    num_rows = sum(data.num_rows.values())
    return {
        "ids": (num_rows, data.features.num_id_columns),
        "numeric": (num_rows, data.features.num_number_columns),
        "labels": (num_rows, len(data.tasks)),
        "weights": (num_rows, len(data.tasks) * data.is_weighted),
        "rows": (num_rows,),
    }


def _map_array(data: EncodedData, name: str) -> npt.NDArray[Any]:
    import numpy as np

    # copy-on-write: torch wants writable memory, and the file must never change
    path = data.directory / f"{name}.npy"
    array: npt.NDArray[Any] = np.load(path, mmap_mode="c", allow_pickle=False)
    if array.shape != _shapes(data)[name] or array.dtype != ARRAYS[name]:
        raise DataError(
            f"{path}: holds {array.dtype} {array.shape}, not {ARRAYS[name]}"
            f" {_shapes(data)[name]}; remove {data.directory}, the search encodes the rows anew"
        )
    return array


def _key(spec: Spec, source: Source | None = None, trained_on: TrainedOn = "train") -> str:
    """The cache's name: a file counts by its place, size and time, so that it need not be read.

    How `data.path` names the files does not count: a resolved copy of a spec has the same cache.
    """
    if source is not None:
        return _digest(spec, source.digests(), trained_on)
    return _digest(spec, [stamp(file) for file in spec.data_files()], trained_on)


def _digest(spec: Spec, files: Sequence[object], trained_on: TrainedOn) -> str:
    # what came later counts where it is given: else caches and runs from before would be of others
    unused = {"missing"} if spec.data.missing is None else set()
    depends_on = {
        "version": CACHE_VERSION,
        "data": spec.data.model_dump(mode="json", exclude={"path", "cache", *unused}),
        "tasks": {name: task.model_dump(mode="json") for name, task in spec.tasks.items()},
        "files": files,
        **({} if trained_on == "train" else {"trained_on": trained_on}),
    }
    return hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()


def _build(
    spec: Spec,
    source: Source | None,
    directory: Path,
    key: str,
    report: Report,
    trained_on: TrainedOn,
) -> None:
    from automtl.data.build import encode_rows  # polars: only who encodes pays for it

    files = spec.data_files() if source is None else []
    with hashing(files) as hashes:
        encoded = encode_rows(
            spec,
            directory,
            ARRAYS,
            encoder_directory=directory / ENCODER_DIR,
            source=source,
            report=report,
            trained_on=trained_on,
        )
        contents = hashes.result(lambda share: report(HASHING, share, 0))
    meta = {
        # a frame's key is of its content already
        "fingerprint": key if source is not None else _digest(spec, contents, trained_on),
        "trained_on": trained_on,
        "num_rows": encoded.num_rows,
        "num_read": encoded.num_read,
        "num_all": encoded.num_all,
        "is_weighted": bool(encoded.encoder.weight_columns),
        "split": encoded.split,
        "features": to_jsonable(encoded.encoder.features),
        "tasks": [to_jsonable(task) for task in encoded.encoder.tasks],
    }
    with (directory / META_FILE).open("w", encoding="utf-8") as file:
        json.dump(meta, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(aside: Path, directory: Path) -> None:
    """Renames `aside` to `directory`; if another process was first, its cache stays."""
    for _ in range(10):
        try:
            aside.rename(directory)
        except OSError:
            if not directory.exists():
                raise
            if _load_or_none(directory) is not None:
                return
            damaged = aside.with_name(f"{aside.name}.{uuid.uuid4().hex[:8]}")
            try:
                directory.rename(damaged)
            except FileNotFoundError:  # another process moved it away
                continue
            shutil.rmtree(damaged, ignore_errors=True)
        else:
            return
    raise DataError(f"{directory}: other processes keep replacing this cache; start again")


def _sweep(root: Path, *, dead: str | None) -> None:
    """Removes what a killed process left aside: names that begin with `dead` now, others a day
    after."""
    for path in root.iterdir():
        if not OURS_ASIDE.fullmatch(path.name):  # the root may be shared with anything
            continue
        with contextlib.suppress(FileNotFoundError):  # another process removed it
            is_old = time.time() - path.stat().st_mtime > ABANDONED_AFTER_S
            if is_old or (dead is not None and path.name.startswith(dead)):
                shutil.rmtree(path, ignore_errors=True)
