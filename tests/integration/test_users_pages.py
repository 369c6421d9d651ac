"""The users' pages in a real browser: a complaint from the first page to redress, at the width of a telephone and of a
desk, without an error of the console."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from monitor.testing.wait import Until
from tests.integration.test_board import browser as browser
from tests.integration.test_users_door import World, opened

until = Until(60.0, every=0.1)
WIDTHS = (390, 1280)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A monitor with the door open, in a thread."""
    directory, found, ended = tmp_path_factory.mktemp("users"), list[World](), threading.Event()

    def run(directory: Path) -> None:
        async def serve() -> None:
            async with opened(directory) as made:
                found.append(made)
                while not ended.is_set():
                    await asyncio.sleep(0.05)

        asyncio.run(serve())

    thread = threading.Thread(target=run, args=(directory,))
    thread.start()
    until(lambda: found)
    yield found[0]
    ended.set()
    thread.join()


def at_width(browser: webdriver.Chrome, width: int) -> None:
    """The layout of a window of this width; a browser without a screen has none below 500."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def fits(browser: webdriver.Chrome) -> bool:
    return bool(browser.execute_script("return document.documentElement.scrollWidth <= innerWidth"))


def press(browser: webdriver.Chrome, label: str) -> None:
    next(one for one in browser.find_elements(By.TAG_NAME, "button") if one.text == label).click()


def shown(browser: webdriver.Chrome) -> str:
    """What the page says; read in one step, as the page may be replaced meanwhile."""
    return str(browser.execute_script("return document.body ? document.body.innerText : ''"))


@pytest.mark.servers
@pytest.mark.parametrize("width", WIDTHS)
def test_a_user_complains_looks_and_asks_for_redress(world: World, browser: webdriver.Chrome, width: int) -> None:
    """Every page fits the window, every field has a label, and no request or style is blocked."""
    at_width(browser, width)
    browser.get_log("browser")
    browser.get(world.url)
    assert fits(browser)
    browser.find_element(By.LINK_TEXT, "p").click()
    for field in browser.find_elements(By.CSS_SELECTOR, "textarea, select, input[type=checkbox]"):
        assert field.accessible_name
    assert fits(browser)
    browser.find_element(By.NAME, "text").send_keys("It refused my loan, and gave no reason.")
    press(browser, "Send the complaint")
    until(lambda: "Your receipt" in shown(browser))
    receipt = browser.find_element(By.CLASS_NAME, "receipt").text
    assert len(receipt) >= 26
    assert fits(browser)

    def on_record() -> bool:
        browser.get(f"{world.url}/receipt?lang=en")
        browser.find_element(By.ID, "receipt").send_keys(receipt)
        press(browser, "Show")
        until(lambda: "received:" in shown(browser))
        return "\non record" in shown(browser)

    until(on_record)
    assert fits(browser)
    press(browser, "Ask for redress")
    until(lambda: "your request was received" in shown(browser))
    until(lambda: on_record() and "redress asked for" in shown(browser))
    browser.get(f"{world.url}/complain/p?lang=zh")
    assert fits(browser)
    assert browser.find_element(By.TAG_NAME, "html").get_attribute("lang") == "zh-Hans"
    assert not [line for line in browser.get_log("browser") if line["level"] == "SEVERE"]
