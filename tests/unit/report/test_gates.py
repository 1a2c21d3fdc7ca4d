from support.inside import make_gate, make_inside

from automtl.analysis.inside import gates_frame
from automtl.report.gates import gates_figure


def draw(*gates):
    return gates_figure(gates_frame([make_inside("t0001", gates=gates)]), "t0001")


def test_a_cell_is_what_a_gate_gives_an_expert_and_empty_where_it_sees_none():
    click = make_gate(0.7, 0.3, tasks=("click",), owners=["", "click"])
    view = make_gate(0.1, 0.9, tasks=("long_view",), owners=["", "long_view"])
    (map_,) = draw(click, view).data
    assert map_.x == ("shared 1", "click·1", "long_view·1")
    assert map_.y == ("click", "long_view")
    assert [list(row) for row in map_.z] == [[0.7, 0.3, None], [0.1, None, 0.9]]
    assert map_.text[0][0] == "0.70<br>±0.10"
    assert map_.text[0][2] == ""


def test_levels_are_named_where_there_are_several():
    (map_,) = draw(make_gate(0.5, 0.5, level=1), make_gate(0.4, 0.6, level=2)).data
    assert map_.y == ("level 1: click", "level 2: click")


def test_a_task_may_be_called_shared():
    gate = make_gate(0.5, 0.2, 0.3, tasks=("shared",), owners=["", "", "shared"])
    (map_,) = draw(gate).data
    assert map_.x == ("shared 1", "shared 2", "shared·1")
