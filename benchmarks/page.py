"""How soon a reader can use the report page, in a real browser, and how large it is.

    python benchmarks/page.py [--trials 500 5000] [--loads 7]

Made-up studies, their pages opened from disk in headless Chromium (`apt-get install chromium
chromium-driver`, and the extra `test`). Every load has a browser of its own, with nothing cached,
and a second load in the same browser, as when a page is opened again. Milliseconds from the start
of the navigation, medians over the loads:

- shown: a frame with all words and tables and the suggested trial's spec, but no figures yet;
- ready: DOMContentLoaded, all is parsed and the scripts have run;
- figure: the points of the front are in the document;
- interactive: the page has its figure, and no task longer than 50 ms comes for a whole second: the
  end of the last one before that. A click waits no longer than 50 ms from here on.

`processor` is what the page's main thread worked until then, in ms of processor time: of all it
depends least on what else the machine does.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from support.browser import browser, why_no_browser
from support.study import make_study

from automtl.report.page import write_report

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

WATCH = """
window.watched = { shown: null, figure: null, end: 0 };
new PerformanceObserver((list) => {
  for (const task of list.getEntries()) watched.end = task.startTime + task.duration;
}).observe({ type: "longtask", buffered: true });
const look = () => {
  const pinned = document.getElementById("panel-id");
  if (watched.shown === null && pinned && pinned.textContent) watched.shown = performance.now();
  if (document.querySelector("#front .scatterlayer .point")) watched.figure = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
LOOK = """
const [navigation] = performance.getEntriesByType("navigation");
const { shown, figure, end } = watched;
if (figure === null || performance.now() - Math.max(figure, end) < 1000) return null;
const ready = navigation.domContentLoadedEventEnd;
return { shown, ready, figure, interactive: Math.max(figure, end) };
"""
PARTS = ("shown", "ready", "figure", "interactive", "processor")


def load(driver: Chrome, address: str) -> dict[str, float]:
    """One load of the page, in ms."""
    driver.get("about:blank")
    before_s = processor_s(driver)
    driver.get(address)
    while (seen := driver.execute_script(LOOK)) is None:
        time.sleep(0.1)
    return seen | {"processor": 1e3 * (processor_s(driver) - before_s)}


def processor_s(driver: Chrome) -> float:
    found = driver.execute_cdp_cmd("Performance.getMetrics", {})["metrics"]
    return {one["name"]: one["value"] for one in found}["TaskDuration"]


def loads(address: str, num_loads: int) -> Iterator[tuple[str, dict[str, float]]]:
    """For each load its kind, first or again, and its times."""
    for _ in range(num_loads):
        with browser() as driver:
            driver.execute_cdp_cmd("Performance.enable", {"timeDomain": "threadTicks"})
            driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
            yield "first", load(driver, address)
            yield "again", load(driver, address)


def measure(num_trials: int, num_loads: int) -> list[Mapping[str, float | str]]:
    with tempfile.TemporaryDirectory() as scratch:
        started_s = time.process_time()
        page = write_report(make_study(num_trials), Path(scratch) / "report.html")
        written_s = time.process_time() - started_s
        found = list(loads(page.as_uri(), num_loads))
        return [
            {"trials": num_trials, "bytes": page.stat().st_size, "written_s": written_s}
            | {"load": kind}
            | {
                part: statistics.median(times[part] for one, times in found if one == kind)
                for part in PARTS
            }
            for kind in ("first", "again")
        ]


def table(rows: Sequence[Mapping[str, float | str]]) -> str:
    lines = [
        "| trials | MB | written, s | load | shown | ready | figure | interactive | processor |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        size = f"{row['bytes'] / 1e6:.1f}"
        times = (f"{row[part]:,.0f}" for part in PARTS)
        cells = (f"{row['trials']:,}", size, f"{row['written_s']:.1f}", row["load"], *times)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[500, 5000])
    parser.add_argument("--loads", type=int, default=7)
    given = parser.parse_args()
    if missing := why_no_browser():
        parser.error(missing)
    rows = [row for count in given.trials for row in measure(count, given.loads)]
    sys.stdout.write(table(rows) + "\n")


if __name__ == "__main__":
    main()
