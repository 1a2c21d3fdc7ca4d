"""Ray Tune's side of a search: what it asks of us, answered by the loop, and the actor it runs.

Tune asks our searcher for the next trial and our scheduler whether a trial goes on; both pass the
question to the loop, and what Tune itself remembers is thrown away: the study on disk is the
truth. One actor runs one trial after the other, so a process starts and imports once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import NoopStopper

from automtl.config import Evaluation
from automtl.search.assignment import Assignment, Job, Loop
from automtl.search.endings import LESS_MEMORY, Death, Ended, ended_by, tell
from automtl.search.heartbeat import Watchdog
from automtl.search.ray_home import home_from, this_node

__all__ = [
    "Bridge",
    "TrialActor",
    "TuneLookout",
    "TuneScheduler",
    "TuneSearcher",
    "describe_death",
    "memory_was_short",
    "tuner",
]

WAIT_S = 0.1  # before the loop is asked again when it had nothing to start
LAST_WORDS_S = 30.0  # a whole machine's death is known to Ray some 15 s after it fell silent


class Bridge:
    """Between Tune's callbacks and the loop, by Tune's ids.

    An error of the loop (a full disk, say) is not a trial's: Tune would swallow it. It is kept,
    the search ends, and `raise_error` throws it.
    """

    def __init__(self, loop: Loop, job: Job, watchdog: Watchdog | None) -> None:
        self.loop, self.job, self.watchdog = loop, job, watchdog
        self.numbers: dict[str, int] = {}  # Tune's id of a running trial -> its number
        self.trials: dict[str, Trial] = {}  # and what Tune has of it, as soon as it has it
        self.deaths: dict[str, Death] = {}
        self._error: Exception | None = None

    @contextmanager
    def guard(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self._error = self._error or error

    @property
    def is_broken(self) -> bool:
        return self._error is not None

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def end_all(self, reason: str, workers: int) -> None:
        """What ran is gone: it is run again, once, with fewer beside it; a trial that ran alone
        has failed."""
        self.trials.clear()
        with self.guard():
            while self.numbers:
                _, number = self.numbers.popitem()
                if self.watchdog is not None:
                    self.watchdog.ended(number)
                if workers > 1:
                    self.loop.lose(number, f"{reason}, with {workers} workers; half of them go on")
                else:
                    self.loop.fail(number, f"{reason}, by itself; {_SMALLER}")

    def saw(self, trial_id: str) -> None:
        if self.watchdog is not None and trial_id in self.numbers:
            self.watchdog.saw(self.numbers[trial_id])


class TuneSearcher(Searcher):
    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.bridge = bridge

    def suggest(self, trial_id: str) -> Any:
        """A configuration, or FINISHED, or None for not now."""
        with self.bridge.guard():
            turn = self.bridge.loop.propose() if not self.bridge.is_broken else "finished"
            if isinstance(turn, Assignment):
                self.bridge.numbers[trial_id] = turn.number
                return {"assignment": turn, "job": self.bridge.job, "home": this_node()}
            if turn == "wait":
                time.sleep(WAIT_S)
                return None
        return Searcher.FINISHED

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        number = self.bridge.numbers.pop(trial_id, None)
        self.bridge.trials.pop(trial_id, None)
        if number is None or self.bridge.is_broken:
            return
        with self.bridge.guard():
            if self.bridge.watchdog is not None:
                self.bridge.watchdog.ended(number)
            if error:
                how = self.bridge.deaths.pop(trial_id, _UNKNOWN_DEATH)
            else:
                how = (result or {}).get("ended", Ended())
            tell(self.bridge.loop, number, how)

    def save(self, checkpoint_path: str) -> None:
        """Tune saves its searcher now and then; ours is in the study."""

    def restore(self, checkpoint_path: str) -> None:
        raise AssertionError("a search goes on from its study, never from Tune")

    def __reduce__(self) -> tuple[type[Searcher], tuple[()]]:
        return Searcher, ()  # Tune pickles its configuration for a restore that we never do


class TuneScheduler(FIFOScheduler):
    def __init__(self, bridge: Bridge) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.bridge = bridge

    def on_trial_add(self, tune_controller: Any, trial: Trial) -> None:
        self.bridge.trials[trial.trial_id] = trial

    def on_trial_result(self, tune_controller: Any, trial: Trial, result: dict[str, Any]) -> str:
        if self.bridge.is_broken:
            return str(FIFOScheduler.STOP)
        with self.bridge.guard():
            self.bridge.saw(trial.trial_id)
            number = self.bridge.numbers[trial.trial_id]
            if self.bridge.loop.report(number, result["evaluation"]) == "stop":
                return str(FIFOScheduler.STOP)
        return str(FIFOScheduler.CONTINUE)

    def on_trial_error(self, tune_controller: Any, trial: Trial) -> None:
        with self.bridge.guard():
            if trial.trial_id not in self.bridge.deaths:  # or it hung, and we have killed it
                self.bridge.deaths[trial.trial_id] = describe_death(
                    trial.error_file, trial.temporary_state.ray_actor
                )

    def __reduce__(self) -> tuple[type[FIFOScheduler], tuple[()]]:
        return FIFOScheduler, ()


class TuneLookout(tune.Stopper):
    """Ends trials that hang, and all of them once the loop is broken.

    Tune asks it at every turn of its own loop, ten times a second, whatever the workers do,
    whether to stop; it never says so. A callback would be called as often, but for its statistics
    of callbacks Tune imports all of MLflow, a second's work, where that is installed. A kill is
    Ray's: it counts at once, and after 5 s the process gets a SIGKILL, on any machine.
    """

    def __init__(self, bridge: Bridge) -> None:
        self.bridge = bridge
        self._begun: set[str] = set()
        self._due_s = 0.0

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        bridge = self.bridge
        with bridge.guard():
            if bridge.is_broken:
                for trial in bridge.trials.values():
                    _kill(trial)
            elif bridge.watchdog is not None:
                self._see_who_begins()
                if time.monotonic() >= self._due_s:
                    self._due_s = time.monotonic() + bridge.watchdog.check_s
                    self._end_hung(bridge.watchdog.hung())
        return False

    def _see_who_begins(self) -> None:
        """Until then a trial may wait for room, as long as that takes."""
        running = {i for i, trial in self.bridge.trials.items() if trial.status == Trial.RUNNING}
        for trial_id in running - self._begun:
            self.bridge.saw(trial_id)
        self._begun = running

    def _end_hung(self, hung: dict[int, str]) -> None:
        for trial_id, number in self.bridge.numbers.items():
            if number in hung and trial_id in self.bridge.trials:
                self.bridge.deaths[trial_id] = Death(hung[number])
                _kill(self.bridge.trials[trial_id])

    def __reduce__(self) -> tuple[type[NoopStopper], tuple[()]]:
        return NoopStopper, ()


def _kill(trial: Trial) -> None:
    if (actor := trial.temporary_state.ray_actor) is not None:
        ray.kill(actor)


def describe_death(error_file: str | None, actor: Any) -> Death:
    """What became of a trial's process, from what Tune wrote of it; of a machine's end Ray learns
    later, by asking for the actor again."""
    text = Path(error_file).read_text().strip() if error_file else ""
    if _UNREACHABLE in text:
        text = _last_words(actor) or text
    if _UNREACHABLE in text or _NODE_DIED in text:
        return Death("the machine that ran it died, or fell silent", text, is_lost=True)
    if _CONNECTION_LOST in text:
        return Death(
            "the worker died: its process was killed (signal 9) or crashed; if memory was short "
            f"(dmesg tells), {LESS_MEMORY}",
            text,
        )
    if any(sign in text for sign in _OUT_OF_MEMORY):  # Ray may have taken it for another's need
        return Death(f"{_SHORT_OF_MEMORY}; {LESS_MEMORY}", text, is_lost=True)
    lines = text.splitlines()
    return Death(f"the worker died: {lines[-1].split('. ')[0]}", text) if lines else _UNKNOWN_DEATH


def memory_was_short(error: RuntimeError) -> str | None:
    """Whether Tune gave up since Ray had ended workers for want of memory, in words; a worker that
    is ended between two tasks is a death like others."""
    short = isinstance(error.__cause__, ray.exceptions.OutOfMemoryError)
    return _SHORT_OF_MEMORY if short else None


_UNKNOWN_DEATH = Death("the worker process died")
_UNREACHABLE = "temporarily unavailable"
_NODE_DIED = "node has died"
_OUT_OF_MEMORY = ("OUT_OF_MEMORY", "running low on memory")
_SHORT_OF_MEMORY = "the worker died: Ray ended it as memory was short"
_SMALLER = "a smaller batch_size or smaller embeddings need less"
_CONNECTION_LOST = "connection error code 2"  # all that a signal leaves


def _last_words(actor: Any) -> str:
    """What Ray says of an actor that could not be reached, once it knows; "" if it never does, or
    the actor answers again."""
    if actor is not None:
        try:
            ray.get(actor.get_current_ip_pid.remote(), timeout=LAST_WORDS_S)
        except ray.exceptions.ActorDiedError as error:
            return str(error)
        except ray.exceptions.RayError:
            pass
    return ""


class TrialActor(tune.Trainable):
    """Runs in a worker: one step is one evaluation; the step after the last says done.

    An exception travels as a value, so the actor lives on for the next trial.
    """

    def setup(self, config: dict[str, Any]) -> None:
        home = home_from(config["home"])
        self._evaluations: Iterator[Evaluation] = config["job"].run(config["assignment"], home)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.setup(new_config)
        return True

    def step(self) -> dict[str, Any]:
        try:
            evaluation = next(self._evaluations, None)
        except Exception as error:
            return {"done": True, "ended": ended_by(error)}
        return {"done": evaluation is None, "evaluation": evaluation}


def tuner(
    bridge: Bridge, *, cpus: float, gpus: float, workers: int, scratch: Path, name: str
) -> tune.Tuner:
    """Runs what the bridge has to give; a trial takes `cpus` and `gpus`, `workers` run at once."""
    return tune.Tuner(
        tune.with_resources(TrialActor, {"cpu": cpus, "gpu": gpus}),
        tune_config=tune.TuneConfig(
            search_alg=TuneSearcher(bridge),
            scheduler=TuneScheduler(bridge),
            num_samples=-1,
            max_concurrent_trials=workers,
            reuse_actors=True,
            trial_dirname_creator=lambda trial: str(trial.trial_id),
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(scratch),
            verbose=0,
            stop=TuneLookout(bridge),
            # weights are the job's business; by default Tune saves every trial at its end
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    )
