"""A search as a dry run plans it."""

from automtl.search.dry_run import DryRun
from automtl.training.burst import Burst

PLANNED = DryRun(
    name="kuairand",
    num_rows={"train": 171_671, "valid": 28_000, "test": 28_658},
    num_trials=24,
    num_done=0,
    wall_hours=0.5,
    device_hours=None,
    epochs="1.0",
    rungs=(1 / 9, 1 / 3),
    eta=3,
    why="",
    num_references=5,
    baselines=("shared_bottom", "mmoe"),
    num_search=17,
    num_judged=21,
    expected_ends=((1 / 9, 21 * 2 / 3), (1 / 3, 21 * 2 / 9), (1.0, 21 / 9)),
    num_reruns=0,
    workers=2,
    examples=2.1e6,
    examples_without_rungs=4.1e6,
    bursts=(
        Burst(
            family="single_task",
            params=1.4e6,
            batch_size=1024,
            examples_per_s=41_000,
            scored_per_s=2e5,
        ),
        Burst(
            family="mmoe", params=8.1e5, batch_size=1024, examples_per_s=30_100, scored_per_s=1e5
        ),
    ),
    seconds=(31.0, 190.0),
    ends_by="",
)
