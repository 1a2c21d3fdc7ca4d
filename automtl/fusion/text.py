"""What a terminal shows of a fused score."""

from __future__ import annotations

from automtl.analysis import text
from automtl.analysis.interval import Interval
from automtl.fusion.expression import shown
from automtl.fusion.fuse import Fusion
from automtl.fusion.intervals import NUM_RESAMPLES
from automtl.terminal.console import aligned, rows_text

__all__ = ["fusion_text"]

# an AUC and an NDCG are told alike: four decimals, and what one leads by in points
LIKE_AUC = ("auc", "ndcg")


def fusion_text(fusion: Fusion) -> str:
    """The score with its numbers, then a table of it and its rivals on TEST rows."""
    head = rows_text(
        {
            "model": f"{fusion.trial} {fusion.model}: {fusion.why}",
            "score": shown(fusion.score),
            "found": shown(fusion.filled),
            "searched": _searched(fusion),
            "metric": _metric(fusion),
            "test rows": f"{fusion.num_rows['test']:,}, {fusion.num_events['test']:,} of them with "
            f"{fusion.event}",
            "intervals": f"95 %, {_how(fusion)}",
        }
    )
    table = [
        ("", "valid", "TEST", "", "lead", ""),
        ("this score", _value(fusion, fusion.validation), *_both(fusion, fusion.test), "", ""),
        *(
            (
                rival.name,
                _value(fusion, rival.validation),
                *_both(fusion, rival.test),
                _gain(fusion, rival.lead.estimate),
                f"[{_gain(fusion, rival.lead.low)}, {_gain(fusion, rival.lead.high)}]",
            )
            for rival in fusion.rivals
        ),
    ]
    unit = ", in points (0.01)" if _is_share(fusion) else ""
    lines = [
        *(f"{rival.name}: {shown(rival.score)}" for rival in fusion.rivals),
        f"A lead is by how much this score is ahead on the same rows{unit}. {_verdict(fusion)}",
        *(f"note: {shown(one)}" for one in fusion.notes),
    ]
    return f"{head}\n{aligned([*zip(*table, strict=True)])}\n" + "".join(
        f"{line}\n" for line in lines
    )


def _metric(fusion: Fusion) -> str:
    worth = f", worth {shown(fusion.value)}" if fusion.value else ""
    where = "over all rows"
    if fusion.metric != "auc" and fusion.group is not None:
        where = f"mean over the lists of {shown(fusion.group)}"
    return f"{fusion.metric} of {fusion.event}{worth}, {where}"


def _searched(fusion: Fusion) -> str:
    if fusion.num_tried == 1:
        return "nothing: no free parameter can change the order"
    where = f"{fusion.num_tried:,} settings on {fusion.num_searched:,} validation rows"
    held = f"; {fusion.fixed} is held at 1, only ratios count" if fusion.fixed else ""
    return where + held


def _how(fusion: Fusion) -> str:
    if fusion.group is None:
        return "DeLong's, rows taken as independent"
    groups = f"{fusion.num_groups['test']:,} whole groups of {shown(fusion.group)}"
    if fusion.metric == "auc":
        return f"DeLong's, {groups} taken as independent"
    return f"{NUM_RESAMPLES:,} draws of {groups}"


def _verdict(fusion: Fusion) -> str:
    same = [rival.name for rival in fusion.rivals if not rival.lead.excludes(0.0)]
    before = [rival.name for rival in fusion.rivals if rival.lead.high < 0]
    told = [f"It cannot be told from: {', '.join(same)}."] if same else []
    told += [f"It is BEHIND: {', '.join(before)}."] if before else []
    return " ".join(told) or "It is ahead of all of them."


def _is_share(fusion: Fusion) -> bool:
    return fusion.metric.startswith(LIKE_AUC)


def _value(fusion: Fusion, value: float) -> str:
    """`0.7312`; what is no share of 1 as `42,770`, or with four digits if it is small."""
    if _is_share(fusion):
        return f"{value:.4f}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _both(fusion: Fusion, interval: Interval) -> tuple[str, str]:
    low, high = (_value(fusion, one) for one in (interval.low, interval.high))
    return _value(fusion, interval.estimate), f"[{low}, {high}]"


def _gain(fusion: Fusion, difference: float) -> str:
    if _is_share(fusion):
        return text.gain("score.auc", difference)
    return f"{'-' if difference < 0 else '+'}{_value(fusion, abs(difference))}"
