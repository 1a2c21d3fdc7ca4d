"""SIGKILL in the middle of a full training: it goes on, and ends with the same weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.shop import write_shop

from automtl.export.bundle import Bundle
from automtl.final.run import run_training
from automtl.spec.load import load_spec
from automtl.study import Study
from automtl.training.checkpoint import Checkpoints

FIXED = (
    "space.embedding_dim=4",
    "space.sharing=[{family: shared_bottom}]",
    "space.dependency=esmm",
    "space.weighting=decay",
    "space.loss_weights={buy: 1.5}",
    "space.dropout=0.1",
    "search.epochs=20",
)


def start(directory: Path, *options: str) -> subprocess.Popen[str]:
    sets = [part for one in FIXED for part in ("--set", one)]
    arguments = ["train", "spec.yaml", "--out", "run", "--seeds", "2", "--checkpoint", "0", *sets]
    return subprocess.Popen(
        [sys.executable, "-m", "automtl", *arguments, *options],
        cwd=directory,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    write_shop(tmp_path)
    checkpoints = tmp_path / "run" / "checkpoints"
    training = start(tmp_path)
    try:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            assert training.poll() is None, training.communicate()
            found = [
                Checkpoints(one, every_s=0).load() for one in checkpoints.glob("*.safetensors")
            ]
            if any(one is not None and one.step >= 40 for one in found):
                break
            time.sleep(0.01)
    finally:
        training.send_signal(signal.SIGKILL)
        training.communicate()
    run_dir = tmp_path / "run"
    assert any(one.state == "running" for one in Study.open(run_dir).trials())

    refused = start(tmp_path)
    assert refused.wait() == 2
    assert "go on with --resume" in refused.communicate()[1]

    resumed = start(tmp_path, "--resume")
    told, errors = resumed.communicate(timeout=600)
    assert resumed.returncode == 0, errors
    assert told.count("median") == 1
    killed = Study.open(run_dir)
    assert not list(checkpoints.iterdir())

    spec = load_spec(tmp_path / "spec.yaml", overrides=FIXED)
    whole, _ = run_training(spec, tmp_path / "whole", seeds=2)
    for one, same in zip(killed.trials(), whole.trials(), strict=True):
        assert one.seed == same.seed
        assert one.metrics == same.metrics
        weights = [study.weights_path(r.number) for study, r in ((killed, one), (whole, same))]
        assert weights[0].read_bytes() == weights[1].read_bytes()
    assert Bundle.load(run_dir / "bundle").manifest.trained_on == "train+valid"
