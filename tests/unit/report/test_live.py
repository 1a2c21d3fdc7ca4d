"""The served page: anew when the run changed, the old one meanwhile, and never to strangers."""

import html
import http.client
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.study import make_spec, make_study

from automtl import rundir
from automtl.errors import RunError
from automtl.report import figures, live
from automtl.report.live import REST, LivePage, LiveServer, serve_report
from automtl.report.page import render_report
from automtl.study import Study
from automtl.study_writer import create_study, writing


class Clock:
    """Stands still unless it is moved."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Renderer:
    """Says which version it rendered and how often; a rendering takes `takes_s`."""

    def __init__(self, clock, takes_s=0.0):
        self.clock, self.takes_s, self.count = clock, takes_s, 0

    def __call__(self, version):
        self.count += 1
        self.clock.now += self.takes_s
        return f"page {version} «{self.count}»"


class NoRows:
    directory = Path("/cache")
    fingerprint = "f" * 64


@pytest.fixture
def run_dir(tmp_path):
    """A study on disk in which no trial has started."""
    create_study(tmp_path / "run", make_spec(), NoRows())
    return tmp_path / "run"


@contextmanager
def serving(page):
    """A client of a server of `page`: a function of path and headers to status, headers, text."""
    with LiveServer(page, port=0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def get(path, method="GET", **headers):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            text = answer.read().decode()
            connection.close()
            return answer.status, answer.headers, text

        try:
            yield get
        finally:
            server.shutdown()
            thread.join()


def fixed(text="page"):
    return LivePage(lambda version: text, version=lambda: "v1")


# ---- when a page is rendered -----------------------------------------------------------------


def test_the_page_is_rendered_once_for_each_version():
    versions = ["v1"]
    renderer = Renderer(Clock())
    page = LivePage(renderer, version=lambda: versions[-1], clock=renderer.clock)
    assert [page.current().version for _ in range(3)] == ["v1"] * 3
    assert renderer.count == 1
    versions.append("v2")
    assert (page.current().version, page.current().html.decode()) == ("v2", "page v2 «2»")
    assert renderer.count == 2


def test_after_a_rendering_of_t_seconds_there_is_none_for_rest_times_t_seconds():
    clock, versions = Clock(), ["v1"]
    renderer = Renderer(clock, takes_s=2.0)
    page = LivePage(renderer, version=lambda: versions[-1], clock=clock)
    page.current()
    versions.append("v2")
    clock.now = 2.0 + REST * 2.0 - 0.001
    assert page.current().version == "v1"
    clock.now += 0.002
    assert page.current().version == "v2"


def test_what_changes_while_a_page_is_rendered_is_in_the_next_one():
    versions = ["v1"]
    page = LivePage(
        lambda version: versions.append("v2") or version,
        version=lambda: versions[-1],
        clock=Clock(),
    )
    assert page.current().version == "v1"
    assert page.current().version == "v2"


def test_whoever_asks_while_a_newer_page_is_rendered_gets_the_one_before():
    versions, begun, goes_on = ["v1"], threading.Event(), threading.Event()

    def render(version):
        if version == "v2":
            begun.set()
            assert goes_on.wait(30)
        return version

    page = LivePage(render, version=lambda: versions[-1], clock=Clock())
    page.current()
    versions.append("v2")
    renewing = threading.Thread(target=page.current)
    renewing.start()
    assert begun.wait(30)
    assert page.current().version == "v1"
    goes_on.set()
    renewing.join()
    assert page.current().version == "v2"


def test_after_an_error_the_next_call_tries_again():
    outcomes = [ValueError("half a line"), "page"]

    def render(version):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    page = LivePage(render, version=lambda: "v1")
    with pytest.raises(ValueError, match="half a line"):
        page.current()
    assert page.current().html == b"page"


# ---- the version of a run --------------------------------------------------------------------


def test_the_version_is_another_one_after_each_change_that_the_page_shows(run_dir):
    seen = [live.version(run_dir)]
    assert live.version(run_dir) == seen[0]
    with writing(Study.open(run_dir)) as writer:
        seen.append(live.version(run_dir))
        writer.set_budget(7)
        seen.append(live.version(run_dir))
    (run_dir / rundir.INSIDE).mkdir()
    seen.append(live.version(run_dir))
    (run_dir / rundir.CONFIRM).mkdir()
    seen.append(live.version(run_dir))
    with rundir.locked(run_dir):
        seen.append(live.version(run_dir))
    assert len(set(seen)) == len(seen)
    assert live.version(run_dir) == seen[-2]


# ---- what is answered ------------------------------------------------------------------------


def test_the_page_and_its_version_are_answered_and_never_cached():
    with serving(fixed("<p>ü</p>")) as get:
        status, headers, text = get("/?x=1")
        assert (status, text) == (200, "<p>ü</p>")
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert headers["Cache-Control"] == "no-store"
        status, headers, text = get("/version")
        assert (status, text) == (200, "v1")
        assert headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/study.json", "/../study.json", "/version/"])
def test_nothing_but_the_page_and_its_version_is_there(path):
    with serving(fixed()) as get:
        assert get(path)[0] == 404


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:1", 200),  # by a tunnel from another port
        ("localhost", 200),
        ("evil.example", 403),
        ("127.0.0.1.evil.example", 403),
        ("evil.example:80@localhost.evil.example", 403),
    ],
)
def test_a_foreign_name_that_leads_here_is_refused(host, status):
    with serving(fixed()) as get:
        assert get("/", Host=host)[0] == status
        assert get("/version", Host=host)[0] == status


def test_a_run_can_only_be_read():
    with serving(fixed()) as get:
        assert get("/", method="POST")[0] == 501


def test_an_error_is_answered_with_its_reason_and_the_server_goes_on(capfd):
    outcomes = [ValueError("journal.log: half a <line>"), "page"]

    def render(version):
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with serving(LivePage(render, version=lambda: "v1")) as get:
        status, headers, text = get("/")
        assert status == 500
        assert text.endswith("ValueError: journal.log: half a <line>")
        assert headers["Content-Type"].startswith("text/plain")
        assert int(headers["Refresh"]) > 0
        assert get("/")[::2] == (200, "page")
    assert capfd.readouterr() == ("", "")


def test_a_port_that_is_taken_is_an_error_that_says_what_to_do():
    with LiveServer(fixed(), port=0) as server:
        port = server.server_port
        with pytest.raises(RunError, match=rf"--port {port}: .*in use.*; give another"):
            LiveServer(fixed(), port=port)


def test_it_is_bound_to_loopback():
    with LiveServer(fixed(), port=0) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert server.url == f"http://127.0.0.1:{server.server_port}/"


# ---- the page that is served -----------------------------------------------------------------


def test_only_a_page_with_a_version_asks_for_a_newer_one(monkeypatch):
    monkeypatch.setattr(figures, "plotly_js", lambda: "/* plotly */")
    study = make_study(12)
    on_disk, served = render_report(study), render_report(study, version='1-"<2>')
    assert "fetch(" not in on_disk
    assert 'id="live"' not in on_disk
    assert served.count('fetch("version"') == 1
    (version,) = re.findall(r'id="live" data-version="(.*?)"', served)
    assert html.unescape(version) == '1-"<2>'


def test_a_run_without_a_complete_trial_is_served_too(run_dir):
    seen = []

    def announce(url):
        seen.append(url)
        raise KeyboardInterrupt

    serve_report(run_dir, announce=announce)
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", seen[0])
    page = render_report(Study.open(run_dir), version="v1")
    assert 'fetch("version"' in page


def test_ctrl_c_ends_it_with_code_0(run_dir):
    with subprocess.Popen(
        [sys.executable, "-m", "automtl", "report", str(run_dir), "--live"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        url = process.stdout.readline()
        connection = http.client.HTTPConnection(url.split("/")[2], timeout=60)
        connection.request("GET", "/version")
        answered = connection.getresponse().read().decode()
        connection.close()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "", "")
    assert answered == live.version(run_dir)
    assert not (run_dir / "report.html").exists()
