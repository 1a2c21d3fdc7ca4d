"""What people see of a fused score."""

import dataclasses

from support.golden import check

from automtl.analysis.interval import Interval
from automtl.fusion.fuse import Fusion, Rival
from automtl.fusion.text import fusion_text


def interval(estimate, half):
    return Interval(
        estimate=estimate, low=estimate - half, high=estimate + half, standard_error=half / 2
    )


FUSION = Fusion(
    trial="t0004",
    model="mmoe·esmm",
    why="It was named by its id; it is on the front.",
    score="click^a * long_view^b",
    filled="click * long_view^2.09",
    parameters={"a": 1.0, "b": 2.09},
    fixed="a",
    num_tried=241,
    num_searched=27_224,
    metric="ndcg@5",
    event="long_view and click",
    value=None,
    group="user_id",
    num_rows={"valid": 27_224, "test": 29_434},
    num_events={"valid": 8_094, "test": 9_244},
    num_groups={"valid": 5_523, "test": 6_195},
    validation=0.8837,
    test=interval(0.8834, 0.0048),
    rivals=(
        Rival(
            name="best prediction alone",
            score="p_long_view_and_click",
            validation=0.8826,
            test=interval(0.8827, 0.005),
            lead=interval(0.0007, 0.0012),
        ),
        Rival(
            name="every parameter 1",
            score="click * long_view",
            validation=0.8826,
            test=interval(0.8807, 0.005),
            lead=interval(0.0027, 0.0012),
        ),
    ),
    notes=("left out: 6,381 test groups of user_id without the event",),
)


def told(**changes):
    return fusion_text(dataclasses.replace(FUSION, **changes))


def test_a_score_of_lists():
    check("fusion.txt", told())


def told_intervals(**changes):
    (line,) = (one for one in told(**changes).splitlines() if one.startswith("intervals"))
    return line


def test_how_intervals_were_made_depends_on_the_metric_and_the_groups():
    assert told_intervals() == "intervals  95 %, 1,000 draws of 6,195 whole groups of user_id"
    assert told_intervals(metric="auc") == (
        "intervals  95 %, DeLong's, 6,195 whole groups of user_id taken as independent"
    )
    assert told_intervals(metric="auc", group=None, num_groups={}) == (
        "intervals  95 %, DeLong's, rows taken as independent"
    )


def test_money_is_told_in_its_own_units():
    (alone, ones) = FUSION.rivals
    better = {"test": interval(41_250, 1200), "lead": interval(1520, 390)}
    worse = {"test": interval(0.25, 0.1), "lead": interval(-3.5, 1)}
    text = told(
        metric="value@3",
        value="price",
        validation=41_140.0,
        test=interval(42_770, 1200),
        rivals=(
            dataclasses.replace(alone, validation=39_510.2, **better),
            dataclasses.replace(ones, validation=0.25, **worse),
        ),
    )
    check("fusion_value.txt", text)


def test_the_verdict_names_what_is_not_beaten():
    (alone, ones) = FUSION.rivals
    behind = dataclasses.replace(alone, lead=interval(-0.01, 0.001))
    assert "It cannot be told from: best prediction alone.\n" in told()
    assert "It is BEHIND: best prediction alone.\n" in told(rivals=(behind, ones))
    assert "It is ahead of all of them.\n" in told(rivals=(ones,))


def test_rows_of_one_list_and_nothing_to_search():
    text = told(group=None, metric="auc", num_tried=1)
    assert "searched   nothing: no free parameter can change the order\n" in text
    assert "metric     auc of long_view and click, over all rows\n" in text
    assert "intervals  95 %, DeLong's, rows taken as independent\n" in text
