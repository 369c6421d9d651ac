"""Every page of the board in a real browser, on a telephone and on a desk: no page scrolls sideways, whatever the names
on it; nothing breaks the content security policy."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from selenium import webdriver

from monitor.console.pages import PAGES
from monitor.model.records import Outputs
from monitor.testing.records import evidence
from tests.board_world import LONG_FIRM, LONG_PILOT, World, world
from tests.contract.test_board_pages import CANARIES, addresses, canary
from tests.integration.test_board import Served, problems, size
from tests.integration.test_board import browser as browser

pytestmark = pytest.mark.servers

WIDE = """
const seen = document.documentElement.clientWidth;
const scrolls = (e) => { for (; e && e !== document.body; e = e.parentElement) {
  if (["auto", "scroll", "hidden"].includes(getComputedStyle(e).overflowX)) return true; } return false; };
return [...document.querySelectorAll("body *")].filter((e) => !scrolls(e) && e.getBoundingClientRect().right > seen + 1
  && getComputedStyle(e).position !== "absolute").map((e) => e.tagName + "." + e.className).slice(0, 5);
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    found = world(tmp_path_factory.mktemp("board"), publish=True)
    for standing, name in enumerate(CANARIES, 1):
        found.board.apply(Outputs(decisions=[canary(name, standing)], evidence=[evidence(1, name, indicator=name)]))
    return found


@pytest.fixture(scope="module")
def served(made: World, browser: webdriver.Chrome) -> Iterator[Served]:
    server = Served(made.board)
    yield server
    browser.get("about:blank")
    server.stop()


def paths() -> Iterator[str]:
    for path in PAGES:
        pattern = path.split("{")[0]
        for names in addresses(path, (LONG_PILOT, CANARIES[0])):
            if "firm" in names:
                names["firm"] = LONG_FIRM
            yield pattern + "/".join(quote(name, safe="") for name in names.values())


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_scrolls_sideways(served: Served, browser: webdriver.Chrome, width: int, language: str) -> None:
    """Names of 200 letters wrap; wide pictures and tables scroll on their own."""
    size(browser, width)
    wide = {}
    for path in paths():
        browser.get(f"{served.url}{path}?lang={language}")
        if browser.execute_script("return document.documentElement.scrollWidth") > width:
            wide[path] = browser.execute_script(WIDE)
    assert wide == {}
    assert [one for one in problems(browser) if "404" not in one] == []
