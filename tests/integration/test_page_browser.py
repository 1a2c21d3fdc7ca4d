"""The page in a real browser: what a reader clicks, sorts, opens again, and must never be run."""

import csv
import io
import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
from support.browser import browser, why_no_browser
from support.inside import make_inside
from support.searched import make_searched
from support.study import StudyOfRecords, make_record, make_spec, make_study

from automtl.analysis.inside import wanted, write_inside
from automtl.report.live import LivePage, LiveServer
from automtl.report.page import render_report
from automtl.space import fixed_spec
from automtl.spec.load import dump_yaml
from automtl.spec.schema import Spec

pytestmark = pytest.mark.skipif(bool(why_no_browser()), reason=why_no_browser())

NUM_TRIALS = 500
MAX_BYTES = {500: 8_000_000, 5000: 22_000_000}
WAIT_S = 120
SCRIPT = "<script>alert(1)</script>"
IMAGE = "<img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def driver():
    with browser() as driver:
        yield driver


@pytest.fixture(scope="module")
def study():
    return make_study(NUM_TRIALS)


@pytest.fixture(scope="module")
def address(study, tmp_path_factory):
    """Where the page of `study` is, as a file."""
    return written(study, tmp_path_factory.mktemp("page"))


@pytest.fixture(autouse=True)
def _quiet_console(driver):
    """Whatever a test does, the console has nothing to say about it."""
    driver.get("about:blank")
    driver.get_log("browser")
    yield
    assert console(driver) == []


def console(driver):
    """What the console noted since it was last asked, but not how fast the graphics driver is."""
    noted = driver.get_log("browser")
    return [one for one in noted if "GL Driver Message (OpenGL, Performance" not in one["message"]]


def written(study, directory):
    path = directory / "report.html"
    path.write_text(render_report(study), encoding="utf-8")
    return path.as_uri()


def until(driver, script, *arguments):
    """The value of a JavaScript expression as soon as it is a true one."""
    from selenium.webdriver.support.ui import WebDriverWait

    return WebDriverWait(driver, WAIT_S, poll_frequency=0.05).until(
        lambda driver: driver.execute_script(f"return {script}", *arguments)
    )


def until_true(holds):
    """Waits until `holds` says so."""
    end_s = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def draw_all(driver):
    """Draws what has not come into view yet, as for a printer, and waits for it."""
    until(driver, "document.readyState === 'complete' && window.Plotly !== undefined")
    driver.execute_script("dispatchEvent(new Event('beforeprint'))")
    until(
        driver,
        "[...document.querySelectorAll('.figure')].every(one => one.querySelector('.main-svg'))",
    )


def text_of(driver, selector):
    """As it is written: hidden text and white space, too."""
    return driver.execute_script(
        "return document.querySelector(arguments[0]).textContent", selector
    )


def click_at(driver, x, y):
    """Presses the mouse at a place of the window, as a hand does: it comes from somewhere."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    actions = ActionBuilder(driver)
    actions.pointer_action.move_to_location(round(x) - 30, round(y) - 30)
    actions.pointer_action.move_to_location(round(x), round(y))
    actions.pointer_action.pause(0.3)  # hovering is what tells a figure which point is meant
    actions.pointer_action.click()
    actions.perform()


def lone_front_trial(study, x, y):
    """Of the front's members in view, the one farthest from any other trial; x and y are AUCs."""
    places = {
        one.number: np.array([one.values[x], one.values[y]])
        for one in study.trials()
        if one.state == "complete"
    }
    every = np.array(list(places.values()))

    def apart(one):
        steps = (every - places[one.number]) / every.std(axis=0)
        return sorted(np.hypot(*steps.T))[1]  # the first is its own

    in_view = [
        one for one in study.front() if (places[one.number] > np.median(every, axis=0)).all()
    ]
    return max((one for one in in_view if one != study.knee()), key=apart)


@pytest.mark.parametrize("num_trials", [500, pytest.param(5000, marks=pytest.mark.slow)])
def test_the_page_is_small_draws_every_figure_and_says_nothing_to_the_console(
    driver, tmp_path, num_trials
):
    study = make_study(num_trials, num_failed=2, num_pruned=3, run_dir=tmp_path)
    for record in wanted(study):
        write_inside(study, record, make_inside(record.id))
    driver.get(written(study, tmp_path))
    draw_all(driver)
    kinds = driver.execute_script(
        "return [...new Set([...document.querySelectorAll('.figure')]"
        ".flatMap(one => one.data.map(trace => trace.type)))]"
    )
    assert set(kinds) == {"scatter", "bar", "heatmap", "parcoords"}  # all that a page can have
    assert len(driver.find_elements("css selector", "#trials tbody tr")) == num_trials
    assert (tmp_path / "report.html").stat().st_size < MAX_BYTES[num_trials]


def test_a_click_on_a_point_of_the_front_shows_the_spec_of_that_trial(driver, address, study):
    driver.get(address)
    until(driver, "document.querySelector('#front .scatterlayer .point') !== null")
    assert text_of(driver, "#panel-id") == study.knee().id
    wanted = lone_front_trial(study, "click.auc", "long_view.auc")
    x, y = driver.execute_script(
        """
        const front = document.getElementById("front");
        front.scrollIntoView({ block: "center" });
        const { xaxis, yaxis } = front._fullLayout;
        const box = front.getBoundingClientRect();
        return [box.x + xaxis._offset + xaxis.d2p(arguments[0]),
                box.y + yaxis._offset + yaxis.d2p(arguments[1])];
        """,
        wanted.values["click.auc"],
        wanted.values["long_view.auc"],
    )
    click_at(driver, x, y)
    until(driver, "location.hash === arguments[0]", f"#{wanted.id}")
    assert text_of(driver, "#panel-id") == wanted.id
    assert text_of(driver, "#panel-yaml") == dump_yaml(fixed_spec(study.spec, wanted.config))
    values = text_of(driver, "#panel-values")
    assert f"{wanted.values['click.auc']:.4f}" in values


def test_a_click_on_a_row_of_the_table_pins_its_trial(driver, address, study):
    driver.get(address)
    row = driver.find_elements("css selector", "#trials tbody tr")[1]
    number = int(row.get_attribute("data-number"))
    driver.execute_script("arguments[0].scrollIntoView({ block: 'center' })", row)
    row.find_elements("css selector", "td")[1].click()
    until(driver, "location.hash === arguments[0]", f"#t{number:04d}")
    config = study.trials()[number].config
    assert text_of(driver, "#panel-yaml") == dump_yaml(fixed_spec(study.spec, config))
    assert "selected" in row.get_attribute("class")


def test_an_address_opens_the_same_trial_again_and_back_leads_to_the_one_before(driver, address):
    driver.get(f"{address}#t0042")
    until(driver, "document.getElementById('panel-id')?.textContent === 't0042'")
    driver.refresh()  # it may come back while the old page goes
    until(driver, "document.getElementById('panel-id')?.textContent === 't0042'")
    driver.execute_script("location.hash = 't0007'")
    until(driver, "document.getElementById('panel-id').textContent === 't0007'")
    driver.back()
    until(driver, "document.getElementById('panel-id').textContent === 't0042'")


def test_an_address_of_no_trial_shows_the_suggested_one(driver, address, study):
    driver.get(f"{address}#t9999")
    shown = f"document.getElementById('panel-id')?.textContent === '{study.knee().id}'"
    until(driver, shown)  # the page may only just have come


def test_a_click_on_the_name_of_a_column_sorts_by_it_best_first_then_worst(driver, address, study):
    driver.get(address)
    names = ["click.auc", "long_view.auc", "params"]
    for column, name in enumerate(names, start=2):
        best_first = sorted(
            (one.values[name] for one in study.trials() if one.state == "complete"),
            reverse=name != "params",
        )
        button = driver.find_element("css selector", f"#trials th:nth-child({column + 1}) button")
        driver.execute_script("arguments[0].scrollIntoView({ block: 'center' })", button)
        for order in (best_first, best_first[::-1]):
            button.click()
            shown = driver.execute_script(
                "return [...document.getElementById('trials').tBodies[0].rows]"
                ".map(row => Number(row.cells[arguments[0]].dataset.sort))",
                column,
            )
            assert shown == order


def test_the_axes_of_the_front_can_be_chosen(driver, address):
    driver.get(address)
    until(driver, "document.querySelector('#front .scatterlayer .point') !== null")
    driver.find_element("css selector", "#pick-x option:nth-child(3)").click()
    until(driver, "document.querySelector('#front .xtitle').textContent.startsWith('params')")


def test_the_table_is_saved_as_it_is_shown_in_utf_8_that_excel_reads(driver, address, tmp_path):
    driver.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    driver.get(address)
    driver.find_element("id", "save").click()
    until_true(lambda: list(tmp_path.glob("*.csv")))
    (path,) = tmp_path.glob("*.csv")
    content = path.read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    head, *rows = csv.reader(io.StringIO(content.decode("utf-8-sig")))
    shown = driver.execute_script(
        "return [...document.querySelectorAll('#trials tbody tr')]"
        ".filter(row => row.offsetParent).map(row => row.cells[0].textContent)"
    )
    assert [row[0] for row in rows] == shown
    assert head[2] == "click.auc ↑"


def test_text_from_data_is_shown_and_never_run(driver, tmp_path):
    """Tasks have plain names by the spec's rules; all other names are the data's."""
    plain = make_spec(
        tasks={
            "click": {"label": f"[a{SCRIPT}]"},
            "long_view": {"label": f"[b{IMAGE}]", "given": "click"},
        }
    ).to_dict()
    plain["data"]["categorical"] = ["user_id", SCRIPT, IMAGE]
    plain["space"]["embedding_dims"] = {name: {"choice": [4, 8]} for name in (SCRIPT, IMAGE)}

    def metrics(config, rng):
        gain = 0.01 * rng.normal()
        return {"click.auc": 0.7 + gain, "long_view.auc": 0.6 - gain, "params": 1e6 * rng.random()}

    made = make_searched(Spec.from_dict(plain), metrics, 90, stopped=0.2)
    reason = f"</script>{SCRIPT}{IMAGE}"
    number = len(made.trials())
    failed = make_record(number, state="failed", reason=reason, traceback=reason)
    study = StudyOfRecords([*made.trials(), failed], made.spec)
    study.meta = {**study.meta, "command": reason}
    watch = driver.execute_cdp_cmd(
        "Page.addScriptToEvaluateOnNewDocument",
        {"source": "window.alerts = []; window.alert = (what) => alerts.push(what);"},
    )
    try:
        driver.get(written(study, tmp_path))
        draw_all(driver)
        assert driver.execute_script("return alerts") == []
        assert driver.find_elements("css selector", "img, main script") == []
        page = driver.execute_script("return document.querySelector('main').textContent")
        assert f"embedding_dims.{SCRIPT}" in page
        assert f"embedding_dims.{IMAGE}" in page
        assert reason in page
        assert SCRIPT in text_of(driver, "#panel-yaml")
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", watch)


# ---- a page that is served -------------------------------------------------------------------


@contextmanager
def serving(page):
    with LiveServer(page, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.url
        finally:
            server.shutdown()
            thread.join()


def test_an_open_page_follows_the_run_and_stays_as_its_reader_left_it(driver):
    num_trials = [60]
    page = LivePage(
        lambda version: render_report(make_study(num_trials[-1]), version=version),
        version=lambda: str(num_trials[-1]),
        clock=lambda: 0.0,
    )
    with serving(page) as url:
        driver.get(f"{url}#t0042")
        driver.find_element("id", "all").click()
        driver.find_element("css selector", "#trials th:nth-child(5) button").click()
        driver.find_element("css selector", "#pick-x option:nth-child(3)").click()
        driver.find_element("css selector", "footer summary, .failures summary").click()
        driver.execute_script("scrollTo(0, 700); window.isOld = true")
        num_trials.append(61)
        until(driver, "window.isOld !== true && document.readyState === 'complete'")
        assert "62 trials over" in " ".join(text_of(driver, ".lead").split())
        assert text_of(driver, "#panel-id") == "t0042"
        left = driver.execute_script(
            """
            return [scrollY, location.hash, document.getElementById("all").checked,
                    document.getElementById("pick-x").value,
                    document.querySelector("#trials th[aria-sort]").cellIndex,
                    document.querySelectorAll("details[open]").length];
            """
        )
        assert left == [700, "#t0042", True, "params", 4, 1]


def test_an_open_page_outlives_errors_and_its_server(driver):
    num_trials, has_failed = [24], threading.Event()

    def render(version):
        if version == "0":
            has_failed.set()
            raise ValueError("half a line")
        return render_report(make_study(int(version)), version=version)

    page = LivePage(render, version=lambda: str(num_trials[-1]), clock=lambda: 0.0)
    with serving(page) as url:
        driver.get(url)
        num_trials.append(0)
        assert has_failed.wait(WAIT_S)
        assert text_of(driver, "#live") == "live"
    until(driver, "document.getElementById('live').textContent.startsWith('no longer live')")
    assert "25 trials over" in " ".join(text_of(driver, ".lead").split())
    assert {one["source"] for one in console(driver)} == {"network"}  # that it failed
