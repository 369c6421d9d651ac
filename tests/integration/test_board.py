"""The board in a real browser, served over HTTP by its own routes, as a regulator would open it."""

from __future__ import annotations

import asyncio
import math
import os
import random
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from monitor.charter.spec import charter_hash
from monitor.clock import wall_ms
from monitor.console.fleet_view import FleetView
from monitor.console.routes import routes
from monitor.model.records import Decision, Evidence, Finding, Level, Outputs, Reason
from monitor.notary.notary import Notary
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import decision, evidence
from tests import board_world

pytestmark = pytest.mark.servers

EVIL = '<script>alert("x")</script>/pilot'
BAR = math.log(164)


def fleet(notary: Notary) -> FleetView:
    """Six pilots, one of each kind that a regulator meets, with 60 hours of evidence each; seeded."""
    draw = random.Random(7)
    board = FleetView(ledger=notary.head)
    stories: dict[str, tuple[Level, Reason, float]] = {
        "credit-scoring-nord": (Level.HALT, Reason.LIMIT_EXCEEDED, 0.14),
        "robotaxi-west": (Level.ESCALATE, Reason.LIMIT_HALF_WAY, 0.075),
        "triage-assistant": (Level.WATCH, Reason.DRIFT_SUSPECTED, 0.02),
        "benefit-eligibility": (Level.NORMAL, Reason.ADMITTED, 0.0),
        "dark-pilot": (Level.NORMAL, Reason.ADMITTED, 0.0),
        EVIL: (Level.NORMAL, Reason.ADMITTED, 0.0),
    }
    start, end = evidence(0).start, evidence(60).start
    for number, (pilot, (level, reason, slope)) in enumerate(stories.items()):
        plan = charter(pilot, number=number, period_ms=3_600_000, cap=2000.0, dispersion=1.0, start=start, end=end)
        firm, digest = plan.participant.id, charter_hash(plan)
        board.learn(plan)
        records: list[Decision] = [
            decision(1, pilot, participant=firm, charter=digest, kind="act", level=Level.NORMAL, reason=Reason.ADMITTED,
                     at=start, finding=Finding(), author="authority-1")
        ]  # fmt: skip
        statistic, log_rows = 0.0, []
        for hour in range(60):
            k = draw.choice((2.0, 3.0, 4.0)) * (1 + (3 * slope * 10 if hour > 30 else 0))
            statistic = max(0.0, statistic + draw.uniform(-0.08, 0.08)) + (slope if hour > 20 else 0)
            scores = {"limit_e_process": (statistic, BAR), "cusum": (min(9.0, statistic * 1.7), 5.0)}
            log_rows.append(
                evidence(hour, pilot, participant=firm, k=round(k), scores=scores, indicator="incident_rate")
            )
        numbers = Finding(
            indicator="incident_rate",
            rule="cusum" if level is Level.WATCH else "limit_e_process",
            statistic=statistic,
            bar=BAR,
            observed=15.0,
            expected=6.2,
            alpha=0.0061,
            alpha_spent=0.0061,
            period_start=log_rows[-1].start,
            period_end=log_rows[-1].end,
        )
        if level:
            records.append(
                decision(
                    2,
                    pilot,
                    participant=firm,
                    charter=digest,
                    level=level,
                    reason=reason,
                    at=log_rows[-1].end,
                    finding=numbers,
                    first_out=True,
                )
            )
        if pilot == "dark-pilot":
            records.append(
                decision(
                    2,
                    pilot,
                    participant=firm,
                    charter=digest,
                    kind="flag",
                    level=Level.NORMAL,
                    reason=Reason.SILENCE,
                    unknown="silence",
                    at=log_rows[40].end,
                    finding=Finding(rule="heartbeat/"),
                )
            )
            log_rows = log_rows[:40]
        notary.record(records)
        periods: list[Evidence] = log_rows
        board.apply(Outputs(decisions=records, evidence=list(periods)))
    return board


class Served:
    """The board's routes on a free loopback port, in a separate thread."""

    def __init__(self, board: FleetView, clock: Callable[[], int] = wall_ms) -> None:
        self.board, self._clock = board, clock
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.url = ""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        assert self._ready.wait(60)

    def _run(self) -> None:
        app = web.Application()
        app.add_routes(routes(self.board, self._clock))
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._loop.run_until_complete(runner.setup())
        site = web.TCPSite(runner, "127.0.0.1", 0)
        self._loop.run_until_complete(site.start())
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        self._ready.set()
        self._loop.run_forever()
        self._loop.run_until_complete(runner.cleanup())
        self._loop.close()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(10)


@pytest.fixture
def served(tmp_path: Path, browser: webdriver.Chrome) -> Iterator[Served]:
    notary = Notary(tmp_path / "ledger")
    server = Served(fleet(notary))
    yield server
    browser.get("about:blank")  # a page that refreshes itself would log an error about the stopped server
    problems(browser)
    server.stop()
    notary.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in (
        "headless",
        "no-sandbox",
        "disable-gpu",
        "disable-background-networking",
        "no-first-run",
        "disable-component-update",
        "disable-sync",
        f"user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


def text(browser: webdriver.Chrome) -> str:
    return browser.find_element(By.TAG_NAME, "main").text


def picture_to(browser: webdriver.Chrome, name: str) -> None:
    """With BOARD_PICTURES set to a directory, keep what the browser shows, for people to look at."""
    directory = os.environ.get("BOARD_PICTURES")
    if directory:
        height, width = browser.execute_script("return [document.documentElement.scrollHeight, innerWidth]")
        size(browser, width, height)
        browser.save_screenshot(f"{directory}/{name}.png")


def size(browser: webdriver.Chrome, width: int, height: int = 900) -> None:
    """A viewport of exactly `width` CSS pixels: a window itself is never narrower than 500."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
    )


def opened(served: Served, browser: webdriver.Chrome, width: int, scheme: str) -> None:
    """The fleet page on a screen of that width, `scheme` being light or dark."""
    size(browser, width)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    browser.get(served.url + "/fleet")


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_fleet_page_shows_every_pilot_with_its_level_and_why(
    served: Served, browser: webdriver.Chrome, width: int, scheme: str
) -> None:
    """On wide and narrow screens, light and dark: pilots are sorted by severity with level and reason in words, nothing
    overflows, no script fails."""
    opened(served, browser, width, scheme)
    picture_to(browser, f"fleet-{width}-{scheme}")
    names = [cell.text.split("\n")[0] for cell in browser.find_elements(By.CSS_SELECTOR, "tbody th")]
    assert names[:3] == ["credit-scoring-nord", "robotaxi-west", "triage-assistant"]
    assert EVIL in names
    assert names[3] == "dark-pilot"
    page = text(browser)
    for words in ("■ halt", "◆ escalate", "▲ watch", "● normal", "? unknown"):
        assert words in page
    assert "15 counted where at most 6.2 were allowed" in page
    assert "No data for longer than usual" in page
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert problems(browser) == []
    assert contrast_below(browser, 4.5) == []


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_pilot_page_shows_evidence_decisions_charter_and_ledger(
    served: Served, browser: webdriver.Chrome, width: int, scheme: str
) -> None:
    """One click from the fleet page: reason, chart, each decision with its numbers, charter digest and ledger root."""
    opened(served, browser, width, scheme)
    browser.find_element(By.LINK_TEXT, "credit-scoring-nord").click()
    WebDriverWait(browser, 20).until(lambda b: b.find_elements(By.CSS_SELECTOR, ".picture svg"))
    picture_to(browser, f"pilot-{width}-{scheme}")
    assert browser.current_url == served.url + "/pilot/credit-scoring-nord"
    page = text(browser)
    head = served.board.ledger("credit-scoring-nord")
    assert head is not None
    assert head[1] in page
    plan = served.board.pilots["credit-scoring-nord"].plan
    assert plan is not None
    assert charter_hash(plan) in page
    assert "high" in page
    assert "Charter limit exceeded: incident rate: 15 counted where at most 6.2 were allowed" in page
    assert "threshold 164" in page
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    assert problems(browser) == []
    assert contrast_below(browser, 4.5) == []


def test_a_pilot_id_that_contains_a_script_is_escaped(served: Served, browser: webdriver.Chrome) -> None:
    """A pilot with HTML in its id has a page that its link opens, and no code in the id runs."""
    size(browser, 1280)
    browser.get(served.url + "/fleet")
    browser.find_element(By.LINK_TEXT, EVIL).click()
    WebDriverWait(browser, 20).until(lambda b: b.find_element(By.TAG_NAME, "h1").text == EVIL)
    assert browser.current_url.startswith(served.url + "/pilot/" + quote(EVIL, safe="")[:6])
    assert [s.get_attribute("src") for s in browser.find_elements(By.TAG_NAME, "script")] == [served.url + "/board.js"]
    browser.get(served.url + "/?words=" + quote('"><script>alert(1)</script>'))
    assert "No pilot matches" in text(browser)
    browser.get(served.url + "/pilot/stranger")
    assert "No such pilot" in text(browser)
    assert [p for p in problems(browser) if "404" not in p] == []


def test_a_new_halt_appears_without_a_reload_and_an_unavailable_monitor_is_reported(
    served: Served, browser: webdriver.Chrome
) -> None:
    """The page updates without a reload; when the monitor is unavailable it says that its data are stale."""
    size(browser, 1280)
    browser.get(served.url + "/fleet")
    assert browser.find_elements(By.CSS_SELECTOR, "tbody th")[0].text.startswith("credit-scoring-nord")
    halted = decision(
        3, "aaa", level=Level.HALT, was=Level.NORMAL, reason=Reason.HARD_RULE, at=0, finding=Finding(rule="a_death")
    )
    served.board.apply(Outputs(decisions=[halted]))
    WebDriverWait(browser, 20).until(
        lambda b: b.execute_script("return document.querySelector('tbody th').innerText").startswith("aaa")
    )
    served.stop()
    WebDriverWait(browser, 20).until(lambda b: "does not answer" in b.find_element(By.ID, "fresh").text)
    browser.get("about:blank")
    problems(browser)


def test_the_board_works_from_the_keyboard_alone(served: Served, browser: webdriver.Chrome) -> None:
    """The first Tab focuses the skip link, then links and filters follow, and Enter applies a filter."""
    size(browser, 1280)
    browser.get(served.url + "/fleet")
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.text == "Skip to content"
    field = browser.find_element(By.NAME, "words")
    field.send_keys("robotaxi", Keys.ENTER)
    WebDriverWait(browser, 20).until(lambda b: "words=robotaxi" in b.current_url)
    assert [cell.text.split("\n")[0] for cell in browser.find_elements(By.CSS_SELECTOR, "tbody th")] == [
        "robotaxi-west"
    ]


def test_the_pages_read_without_scripts(served: Served, browser: webdriver.Chrome) -> None:
    """Scripts only refresh the page: without them it has the same content and refreshes by a meta tag."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(served.url + "/fleet")
        source = browser.page_source
        assert "credit-scoring-nord" in source
        assert 'http-equiv="refresh"' in source
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def problems(browser: webdriver.Chrome) -> list[str]:
    """What the browser complained about since last asked."""
    return [entry["message"] for entry in browser.get_log("browser")]  # type: ignore[no-untyped-call]


CONTRAST = """
const least = arguments[0];
const parse = (c) => c.match(/[\\d.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const ground = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor);
  if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
const bad = [];
for (const e of document.querySelectorAll("body *")) {
  if (e.closest("svg, noscript, .skip") || ![...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim())) continue;
  if (!e.getClientRects().length) continue;
  const [a, b] = [light(parse(getComputedStyle(e).color)), light(ground(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < least)
    bad.push(e.tagName + "." + e.className + " " + ratio.toFixed(2) + " " + e.textContent.slice(0, 30));
}
return bad;
"""


def contrast_below(browser: webdriver.Chrome, least: float) -> list[str]:
    """Elements whose text stands out from its ground by less than `least` (WCAG 2.2, 1.4.3: 4.5 for small text)."""
    found: list[str] = browser.execute_script(CONTRAST, least)
    return found


PILOT = board_world.HALTED
INSTITUTION = (
    "/halts", "/clocks", "/models", f"/model/{board_world.MODEL}", "/firms", "/firm/firm-2",
    f"/firm/{board_world.LONG_FIRM}", "/authorities", "/authority/north", "/ledger", f"/ledger/{PILOT}",
    f"/ledger/{PILOT}/3",
)  # fmt: skip
"""The pages about what is more than one pilot."""


@pytest.fixture(scope="module")
def institution(tmp_path_factory: pytest.TempPathFactory, browser: webdriver.Chrome) -> Iterator[Served]:
    """A board with every situation, its ledger published."""
    made = board_world.world(tmp_path_factory.mktemp("world"), publish=True)
    server = Served(made.board, lambda: made.now)
    yield server
    browser.get("about:blank")
    problems(browser)
    server.stop()


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("path", INSTITUTION)
def test_a_page_about_the_institution_fits_every_screen_and_is_readable(
    institution: Served, browser: webdriver.Chrome, path: str, language: str
) -> None:
    """On wide and narrow screens, light and dark, in both languages: nothing overflows, also with ids of 200 letters;
    text stands out from its ground; the browser has nothing to complain about."""
    for width in (1280, 390):
        for scheme in ("light", "dark"):
            opened(institution, browser, width, scheme)
            browser.get(f"{institution.url}{path}?lang={language}")
            picture_to(browser, f"{path.strip('/').replace('/', '-')[:40]}-{width}-{scheme}-{language}")
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width
            assert problems(browser) == []
            assert contrast_below(browser, 4.5) == []


def answered(url: str) -> tuple[int, str]:
    """Status and text of an answer."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_every_link_of_these_pages_leads_to_a_page_and_each_page_has_its_data(institution: Served) -> None:
    """No link to a page of the board is broken, whatever the id; `/api` has the data of each page."""
    seen: dict[str, int] = {}
    for path in INSTITUTION:
        status, shown = answered(institution.url + path)
        assert status == 200, path
        for link in re.findall(r'href="(/[^"#]*)', shown):
            if link not in seen:
                seen[link] = answered(institution.url + link.replace("&amp;", "&"))[0]
        status, data = answered(f"{institution.url}/api{path}.json")
        assert (status, data[:1]) == (200, "{"), path
    assert len(seen) > 100
    assert {link: status for link, status in seen.items() if status != 200} == {}


def test_what_is_not_known_is_a_page_that_says_so(institution: Served) -> None:
    """Unknown names, numbers beyond the end and pages that do not exist: 404 for what is not there, never an error."""
    missing = (
        "/model/x",
        "/firm/x",
        "/authority/x",
        "/ledger/x",
        f"/ledger/{PILOT}/99999",
        f"/ledger/{PILOT}/{'f' * 32}",
    )
    for path in missing:
        assert answered(institution.url + path)[0] == 404, path
        assert answered(f"{institution.url}/api{path}.json")[0] == 404, path
    for query in ("?page=0", "?page=-1", "?page=99999999999999", "?page=x", "?firm=%00", "?log=evidence&year=99999"):
        for path in INSTITUTION:
            assert answered(institution.url + path + query)[0] in (200, 404), path + query
