"""Of plotly.js a page holds only what it draws, and all of it where that is not sure to work."""

import pytest

from automtl.report.figures import plotly_js
from automtl.report.plotly_js import trimmed

# two kinds of traces and what they need, as esbuild bundles modules
HEAD = "/* licence */\nvar Plotly=(()=>{var W=(e,t)=>()=>t;var E=(e,t)=>()=>t;"
CORE = "var core=W((e,t)=>{t.exports={scatter:dots(),register(){}}});"
DOTS = "var dots=W((e,t)=>{t.exports=1});"
BAR = 'var bar=W((e,t)=>{t.exports={plot:boxes(),moduleType:"trace",name:"bar"}});'
BOXES = "var boxes=W((e,t)=>{t.exports=(colors(),tint)});"
PIE = 'var pie=W((e,t)=>{t.exports={moduleType:"trace",name:"pie",also:slices()}});'
SLICES = "var slices=W((e,t)=>{t.exports=3});"
LIST = "var list=W(e=>{e.bar=bar()});"  # stands before `tint`, which belongs to `colors`
TINT = "function tint(a){return a}"
COLORS = "var colors=E(()=>{tint(1)});"
INDEX = "var index=W((e,t)=>{var c=core();c.register([bar(),pie(),calendars()]);t.exports=c});"
CALENDARS = 'var calendars=W((e,t)=>{t.exports={moduleType:"component"}});'
TAIL = "return index();})();/* other licences */"
BUNDLE = "".join(
    (HEAD, CORE, DOTS, BAR, BOXES, PIE, SLICES, CALENDARS, LIST, TINT, COLORS, INDEX, TAIL)
)


def test_what_only_other_kinds_need_is_left_out():
    expected = BUNDLE.replace(PIE, "").replace(SLICES, "").replace("pie(),", "")
    assert trimmed(BUNDLE, frozenset({"bar", "scatter"})) == expected


def test_functions_that_stand_before_a_module_stay_with_it():
    assert TINT in trimmed(BUNDLE, frozenset({"bar"}))
    assert TINT not in trimmed(BUNDLE, frozenset({"pie"}))


def test_the_core_and_what_is_no_kind_of_trace_always_stay():
    found = trimmed(BUNDLE, frozenset())
    assert found == "".join((HEAD, CORE, DOTS, CALENDARS, INDEX.replace("bar(),pie(),", ""), TAIL))


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("/* plotly */", {"bar"}),
        (BUNDLE, {"sankey"}),
        (BUNDLE.replace(DOTS, f"{DOTS}var stray=1"), {"bar"}),
        (BUNDLE.replace("c.register([", "c.register(...["), {"bar"}),
        (BUNDLE.replace("bar(),pie()", "bar(),lost()"), {"bar"}),
        (BUNDLE.replace("=W(", "=_W(", 1).replace(COLORS, f"var c2=F(()=>{{}});{COLORS}"), {"bar"}),
        (BUNDLE.replace(DOTS, DOTS * 2), {"bar"}),
    ],
    ids=["no bundle", "a kind it has not", "something between", "another register",
         "a module it has not", "three kinds of modules", "a module twice"],
)  # fmt: skip
def test_a_text_of_another_shape_stays_whole(source, kinds):
    assert trimmed(source, frozenset(kinds)) == source


def test_of_the_plotly_that_is_installed_a_third_is_enough():
    """If this fails after an update of plotly, pages are whole and right, but slow to start."""
    source = plotly_js()
    found = trimmed(source, frozenset({"scatter", "bar", "heatmap", "parcoords"}))
    assert len(found) < 0.35 * len(source)
    assert found[:200] == source[:200]
    assert found.endswith(source[-20_000:][source[-20_000:].index("/*!") :])
