"""A real browser for the page: Chromium and its driver, as Debian's packages install them."""

from __future__ import annotations

import importlib.util
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

__all__ = ["browser", "why_no_browser"]

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--window-size=1280,900",
    "--enable-unsafe-swiftshader",  # WebGL without a GPU, and no warning of it on the console
)

PATIENCE_S = 240  # fifty figures drawn at once, on a machine that runs other tests beside


def why_no_browser() -> str:
    """What is missing for `browser`, "" if nothing is."""
    if importlib.util.find_spec("selenium") is None:
        return "selenium comes with the extra `test`"
    missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    names = " and ".join(missing)
    return f"no {names}: apt-get install chromium chromium-driver" if missing else ""


@contextmanager
def browser() -> Iterator[Chrome]:
    """A new, empty browser, which notes whatever its console says."""
    from selenium.webdriver import Chrome, ChromeOptions
    from selenium.webdriver.chrome.service import Service

    options = ChromeOptions()
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for argument in ARGUMENTS:
        options.add_argument(argument)
    driver = Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.set_script_timeout(PATIENCE_S)
    try:
        yield driver
    finally:
        driver.quit()
