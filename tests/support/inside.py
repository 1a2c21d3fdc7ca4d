"""What a look inside a trial may have found, without a model."""

from automtl.analysis.calibration import reliability
from automtl.analysis.inside import Chain, Expert, Gate, Inside, Output


def make_gate(*means, tasks=("click",), level=1, owners=None, stds=None, per_row=1.5):
    """A gate over experts of these mean weights: shared ones if no `owners` are given."""
    owners = owners or [""] * len(means)
    stds = stds or [0.1] * len(means)
    return Gate(
        level=level,
        tasks=tasks,
        experts=tuple(
            Expert(owner=owner, place=owners[:number].count(owner) + 1, mean=mean, std=std)
            for number, (owner, mean, std) in enumerate(zip(owners, means, stds, strict=True))
        ),
        effective_per_row=per_row,
    )


def make_inside(trial="t0000", *, run=None, gates=None, split="test", num_rows=40, num_all=40):
    """Two tasks in a chain; predictions of click are too large by a tenth."""
    labels = [number % 2 for number in range(num_rows)]
    scores = [(0.1 + 0.8 * number / num_rows) * 1.1 for number in range(num_rows)]
    bins = reliability(labels, scores, num_bins=4)
    return Inside(
        trial=trial,
        run=run,
        split=split,
        num_rows=num_rows,
        num_all=num_all,
        gates=(make_gate(0.7, 0.3),) if gates is None else tuple(gates),
        outputs=(
            Output(name="click", task="click", space="all rows", is_binary=True, bins=bins),
            Output(
                name="long_view.joint",
                task="long_view",
                space="all rows",
                is_binary=True,
                bins=bins[:2],
            ),
        ),
        chains=(
            Chain(
                task="long_view",
                given="click",
                output="long_view.joint",
                joint=0.25,
                own=0.6,
                product=0.25,
                largest_difference=1e-7,
            ),
        ),
    )
