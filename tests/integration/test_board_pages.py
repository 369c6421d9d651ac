"""Every page of the board in a real browser: accessible (axe-core), within the width of a phone and of a desk, light
and dark, in both languages, whatever the names on it; nothing breaks the content security policy.

`BOARD_PICTURES=DIR` keeps a screenshot of every page, width, scheme and language.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from selenium import webdriver

from monitor.console.pages import PAGES
from monitor.model.records import Outputs
from monitor.testing.records import evidence
from tests.board_world import AUTHORITY, CONTRADICTED, HALTED, LONG_FIRM, LONG_PILOT, MODEL, ROLLOUT, World, world
from tests.contract.test_board_pages import CANARIES, canary
from tests.integration.test_board import Served, problems, size
from tests.integration.test_board import browser as browser  # the fixture

pytestmark = pytest.mark.servers

AXE = Path(__file__).parents[1] / "browser" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = {"phone": 390, "desk": 1280}
LANGUAGES = {"en": "Sandbox monitor", "zh": "沙盒"}
NAMES = {
    "pilot": (HALTED, LONG_PILOT, CONTRADICTED, ROLLOUT, CANARIES[0]), "firm": ("firm-1", LONG_FIRM),
    "authority": (AUTHORITY,), "model": (MODEL,), "ledger": (HALTED,), "subject": (HALTED,),
}  # fmt: skip
COMBINED = (
    ("phone", "light", "en"), ("phone", "dark", "zh"), ("desk", "dark", "en"), ("desk", "light", "zh"),
    ("phone", "dark", "en"), ("phone", "light", "zh"), ("desk", "light", "en"), ("desk", "dark", "zh"),
)  # fmt: skip
"""Devices, schemes and languages: the first four have each of them twice, and each pair of scheme and device once."""
QUERIES = {"/search": {"q": "pilot"}}


def addresses() -> Iterator[str]:
    """The address of every page, for the names that are most difficult to show."""
    for path in PAGES:
        variables = re.findall(r"\{(\w+)", path)
        for name in NAMES[variables[0]] if variables else ("",):
            where = re.sub(r"/\{entry:.*", "/1", path)
            where = re.sub(r"\{\w+[^{}]*\}", lambda _, name=name: quote(name, safe=""), where)
            yield where + ("?" + urlencode(QUERIES[path]) if path in QUERIES else "")


ADDRESSES = tuple(addresses())


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, browser: webdriver.Chrome) -> Iterator[Served]:
    made: World = world(tmp_path_factory.mktemp("world"), publish=True)
    for standing, name in enumerate(CANARIES, 1):
        made.board.apply(Outputs(decisions=[canary(name, standing)], evidence=[evidence(1, name, indicator=name)]))
    server = Served(made.board, lambda: made.now)
    yield server
    browser.get("about:blank")
    server.stop()


def at(served: Served, browser: webdriver.Chrome, where: str, width: int, scheme: str, language: str) -> None:
    size(browser, width)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    browser.get(served.url + where + ("&" if "?" in where else "?") + f"lang={language}")


def too_wide(browser: webdriver.Chrome) -> list[str]:
    """The elements that reach beyond the screen, where the page scrolls sideways."""
    found: list[str] = browser.execute_script(
        """
        const width = document.documentElement.clientWidth;
        if (document.documentElement.scrollWidth <= width) return [];
        return [...document.querySelectorAll('body *')].filter(e => e.getBoundingClientRect().right > width + 1)
            .map(e => e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 60));
        """
    )
    return found


def cut_off(browser: webdriver.Chrome) -> list[str]:
    """Texts whose box hides a part of them."""
    found: list[str] = browser.execute_script(
        """
        return [...document.querySelectorAll('body *')].filter(e => {
            const style = getComputedStyle(e);
            return e.childElementCount === 0 && e.textContent.trim() && style.overflowX === 'hidden'
                && !e.closest('svg') && e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 1;
        }).map(e => e.tagName + '.' + e.className + ': ' + e.textContent.slice(0, 60));
        """
    )
    return found


def violations(browser: webdriver.Chrome) -> list[str]:
    """What axe-core finds against WCAG 2.2 AA and its best practices."""
    browser.execute_script(AXE.read_text())
    found: list[dict[str, Any]] = browser.execute_async_script(
        """
        const done = arguments[arguments.length - 1];
        axe.run(document, {resultTypes: ['violations']}).then(r => done(r.violations), e => done([{id: String(e)}]));
        """
    )
    return [
        f"{one['id']}: {one.get('help')}: " + json.dumps([node["html"][:160] for node in one.get("nodes", [])[:3]])
        for one in found
    ]


def keep(browser: webdriver.Chrome, where: str, kind: str) -> None:
    directory = os.environ.get("BOARD_PICTURES")
    if directory:
        height, width = browser.execute_script("return [document.documentElement.scrollHeight, innerWidth]")
        size(browser, width, min(height, 8_000))
        name = re.sub(r"[^\w-]+", "_", where).strip("_")[:40] or "today"
        browser.save_screenshot(f"{directory}/{name}-{kind}.png")


@pytest.mark.parametrize("where", ADDRESSES)
def test_a_page_fits_every_screen_and_is_accessible(served: Served, browser: webdriver.Chrome, where: str) -> None:
    problems(browser)  # of pages before
    wrong = []
    browser.set_script_timeout(120)
    for device, scheme, language in COMBINED if os.environ.get("BOARD_PICTURES") else COMBINED[:4]:
        kind = f"{device}-{scheme}-{language}"
        at(served, browser, where, WIDTHS[device], scheme, language)
        assert LANGUAGES[language] in browser.find_element("css selector", "header").text
        assert browser.find_element("tag name", "body").get_attribute("class") != "missing", "there is such a page"
        found = [*too_wide(browser), *cut_off(browser)]
        if (device, scheme) in (("phone", "dark"), ("desk", "light")):
            found += violations(browser)
        found += [one for one in problems(browser) if "404" not in one]
        wrong += [f"{kind}: {one}" for one in found]
        keep(browser, where, kind)
    assert not wrong, "\n".join(wrong)
