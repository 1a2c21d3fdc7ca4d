"""The files of a run: how they are made at once, who may write, and what a kill leaves."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from automtl.errors import RunError

__all__ = [
    "check_new",
    "create",
    "digest",
    "first_change",
    "is_locked",
    "locked",
    "read_meta",
    "repair_journal",
    "signs_of_life",
    "trial_id",
    "versions",
    "weights_name",
    "weights_number",
]

FORMAT = 1
META = "study.json"
LOCK = "lock"
JOURNAL = "journal.log"
WEIGHTS = "weights"
INSIDE = "inside"
ALIVE = "alive"

DOMAINS = frozenset({"choice", "float", "int"})  # a free knob changes as a whole
CONFIRM = "confirm"
NOT_COMPARED = frozenset(
    {
        CONFIRM,
        "data.cache",
        "search.trials",
        "search.wall_hours",
        "search.device_hours",
        "search.sampler",
        "trial.cpus",
        "trial.gpus",
        "trial.stall_minutes",
    }
)  # how much, by whom and where: what a trial reaches does not depend on it


def trial_id(number: int) -> str:
    """How a trial is called wherever people meet it."""
    return f"t{number:04d}"


def weights_name(number: int) -> str:
    """The file of a trial's weights, in the directory of weights."""
    return f"{trial_id(number)}.safetensors"


def weights_number(name: str) -> int | None:
    """The trial whose weights a file of this name holds: the inverse of `weights_name`."""
    found = re.fullmatch(r"t(\d{4,})\.safetensors", name)
    return int(found[1]) if found else None


def check_new(run_dir: Path) -> None:
    """Raises RunError unless a new run can be made at `run_dir`. Writes nothing."""
    with _looking_at(run_dir, "choose another --out"):
        _check_new(run_dir)


def _check_new(run_dir: Path) -> None:
    if run_dir.exists() and not run_dir.is_dir():
        raise RunError(f"{run_dir}: this is a file; choose another --out")
    if run_dir.is_dir() and any(run_dir.iterdir()):
        what = "already holds a search" if (run_dir / META).exists() else "is not empty"
        raise RunError(
            f"{run_dir}: the directory {what}, and a run is never overwritten; "
            "choose another --out, or go on with --resume"
        )
    parent = next(place for place in run_dir.absolute().parents if place.exists())
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        raise RunError(f"{run_dir}: cannot write in {parent}; choose another --out")


def create(run_dir: Path, meta: Mapping[str, Any], fill: Callable[[Path], None]) -> None:
    """Makes a run aside, with what `fill` adds, and moves it into place: all of it or nothing.

    Raises RunError if `run_dir` holds something already or cannot be written.
    """
    check_new(run_dir)
    try:
        run_dir.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{run_dir.name}-", dir=run_dir.parent))
        try:
            aside.chmod(0o755)
            (aside / WEIGHTS).mkdir()
            (aside / LOCK).touch()
            text = json.dumps({"format": FORMAT, **meta}, indent=2) + "\n"
            (aside / META).write_text(text, encoding="utf-8")
            fill(aside)
            aside.rename(run_dir)  # fails if someone else was faster
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise RunError(
            f"{run_dir}: cannot write the run ({error.strerror}); choose another --out"
        ) from error


def read_meta(run_dir: Path) -> dict[str, Any]:
    """What `create` was given; raises RunError where there is no run or it cannot be read."""
    with _looking_at(run_dir, "give the run's directory"):
        is_there, is_run = run_dir.is_dir(), (run_dir / META).exists()
    if not is_there:
        raise RunError(f"{run_dir}: no such run; make it with `automtl search SPEC --out ...`")
    if not is_run:
        raise RunError(f"{run_dir}: not a run (no {META} in it); give the run's directory")
    try:
        meta: dict[str, Any] = json.loads((run_dir / META).read_text(encoding="utf-8"))
        if meta["format"] == FORMAT:
            return meta
        rule = f"written as format {meta['format']}, this version reads format {FORMAT}"
        hint = f"use automtl {meta['versions']['automtl']}"
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise RunError(f"{run_dir}/{META}: the study is damaged ({error})") from error
    raise RunError(f"{run_dir}/{META}: {rule}; {hint}")


@contextmanager
def locked(run_dir: Path) -> Iterator[None]:
    """The right to write, for one process at a time; the kernel takes it from the dead.

    BlockingIOError if another has it, RunError if the run is not this user's to write.
    """
    try:
        file = (run_dir / LOCK).open("rb+")
    except OSError as error:
        raise RunError(
            f"{run_dir}/{LOCK}: cannot be written ({error.strerror}); go on as the run's owner, "
            "or choose another --out"
        ) from error
    with file:
        for attempt in reversed(range(20)):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:  # or one who only looks, for microseconds
                if attempt == 0:
                    raise
                time.sleep(0.01)
        yield


@contextmanager
def signs_of_life(run_dir: Path) -> Iterator[None]:
    """The directory where running trials show that they live, empty at first and gone at the end;
    what a killed search left in it says nothing any more."""
    shutil.rmtree(run_dir / ALIVE, ignore_errors=True)
    (run_dir / ALIVE).mkdir(exist_ok=True)
    try:
        yield
    finally:
        shutil.rmtree(run_dir / ALIVE, ignore_errors=True)


def is_locked(run_dir: Path) -> bool:
    """Whether a process has the right to write at this moment."""
    try:
        with (run_dir / LOCK).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:  # a copy without it: nobody can write there
        return False
    return False


def repair_journal(run_dir: Path) -> None:
    """Takes off what a killed writer left: half a last line, and the lock of its last write."""
    (run_dir / f"{JOURNAL}.lock").unlink(missing_ok=True)
    with (run_dir / JOURNAL).open("rb+") as journal:
        content = journal.read()
        journal.truncate(content.rfind(b"\n") + 1)


@contextmanager
def _looking_at(run_dir: Path, way_out: str) -> Iterator[None]:
    """RunError where the system will not even say what is there: no rights on the way to it, a
    name that is too long."""
    try:
        yield
    except OSError as error:
        raise RunError(f"{run_dir}: cannot be looked at ({error.strerror}); {way_out}") from error


def digest(plain: Mapping[str, Any]) -> str:
    """Of all in a spec that makes trials comparable (everything but NOT_COMPARED)."""
    return hashlib.sha256(json.dumps(_compared(plain), sort_keys=True).encode()).hexdigest()


def first_change(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """The first key in which two specs are not comparable, with both values; "" if they are."""
    before, after = _compared(old), _compared(new)
    changed = sorted(
        key for key in before.keys() | after.keys() if before.get(key) != after.get(key)
    )
    if not changed:
        return ""
    key = changed[0]
    more = f" (and {len(changed) - 1} more)" if len(changed) > 1 else ""
    return f"{key} was {before.get(key)!r} and is now {after.get(key)!r}{more}"


def versions() -> dict[str, str]:
    """Of Python and of what a result depends on, without importing it."""
    names = ("automtl", "numpy", "optuna", "ray", "torch")
    return {"python": platform.python_version()} | {n: importlib.metadata.version(n) for n in names}


def _compared(plain: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in plain.items() if key not in NOT_COMPARED}
    return {key: value for key, value in _flat(kept).items() if key not in NOT_COMPARED}


def _flat(plain: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in plain.items():
        if isinstance(value, Mapping) and value and not value.keys() & DOMAINS:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat
