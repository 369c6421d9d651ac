"""The labels of charts in a real browser: none is cut off, none lies on another, on a desk and on a phone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from monitor.console.svg.picture import chart
from monitor.console.svg.style import STYLE
from monitor.translation import LANGUAGES, Language, speaking
from tests.unit.console.svg.awkward import AWKWARD

pytestmark = pytest.mark.servers

PAGE = (
    '<!doctype html><html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<meta name="color-scheme" content="light dark"><style>body{{max-width:1000px;margin:0 auto;padding:0 16px}}'
    "figure{{margin:0}}{}</style></head><body>{}</body></html>"
)
PROBLEMS = """
const found = [];
for (const svg of document.querySelectorAll("svg.smp")) {
  const box = svg.getBoundingClientRect();
  if (!box.width) continue;
  const title = svg.closest("figure").id;
  const texts = [...svg.querySelectorAll("text")].map((t) => {
    const words = [...t.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data).join("");
    return [words, t.getBoundingClientRect()];
  });
  for (const [words, r] of texts)
    if (r.left < box.left - 1 || r.right > box.right + 1 || r.top < box.top - 1 || r.bottom > box.bottom + 1)
      found.push(`${title}: cut off: ${words}`);
  for (let i = 0; i < texts.length; i++)
    for (let j = i + 1; j < texts.length; j++) {
      const [a, b] = [texts[i][1], texts[j][1]];
      const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (wide > 2 && high > 4) found.push(`${title}: ${texts[i][0]} / ${texts[j][0]}`);
    }
}
return [document.documentElement.scrollWidth, document.querySelectorAll("svg.smp text").length, found];
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    options = Options()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", "hide-scrollbars"):
        options.add_argument(f"--{flag}")
    driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
    yield driver
    driver.quit()


def size(browser: webdriver.Chrome, width: int) -> None:
    """A screen of this width in CSS pixels."""
    browser.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": True}
    )


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("width", [1280, 390])
def test_no_label_is_cut_off_or_lies_on_another(
    browser: webdriver.Chrome, tmp_path: Path, width: int, language: Language
) -> None:
    """Over a set of awkward series: constant, two points, ten thousand, gaps, huge and tiny numbers, long and Chinese
    names, in both languages. The page is never wider than the screen."""
    with speaking(language):
        figures = "".join(f'<figure id="{name}">{chart(*made()).svg}</figure>' for name, made in AWKWARD.items())
    path = tmp_path / "charts.html"
    path.write_text(PAGE.format(STYLE, figures), encoding="utf-8")
    size(browser, width)
    browser.get(path.as_uri())
    wide, texts, found = browser.execute_script(PROBLEMS)
    assert texts > 500
    assert found == []
    assert wide <= width


def test_each_screen_shows_one_drawing(browser: webdriver.Chrome, tmp_path: Path) -> None:
    """The wide drawing on a desk and on paper, the narrow one on a phone; never both."""
    path = tmp_path / "chart.html"
    path.write_text(PAGE.format(STYLE, f"<figure>{chart(*AWKWARD['two halts']()).svg}</figure>"), encoding="utf-8")
    for width, media, shown in ((1280, "screen", "wide"), (390, "screen", "narrow"), (390, "print", "wide")):
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": True},
        )
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media})
        browser.get(path.as_uri())
        visible = browser.execute_script(
            "return [...document.querySelectorAll('svg.smp')].filter((s) => s.getBoundingClientRect().width)"
            ".map((s) => s.classList[1])"
        )
        assert visible == [shown], (width, media)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    if directory := os.environ.get("BOARD_PICTURES"):
        browser.save_screenshot(f"{directory}/chart.png")
