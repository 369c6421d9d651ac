"""Documents printed by a real Chromium: the text of the PDF, its header, its page numbers, its size."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from pypdf import PdfReader

from monitor.cli.report import report
from monitor.public_record.documents.source import read_source
from tests.unit.public_record.canaries import MARKS, PILOT, fields_that_may_be_confidential, write
from tests.unit.public_record.made import make

pytestmark = pytest.mark.servers
A4 = (595, 842)  # points


def printed(out: Path, *arguments: str) -> tuple[PdfReader, list[str]]:
    """The PDF of a document, and the text of each page."""
    ran = CliRunner().invoke(report, [*arguments, "--pdf", str(out)])
    assert ran.exit_code == 0, ran.output
    reader = PdfReader(out)
    return reader, [page.extract_text() for page in reader.pages]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("printed") / "ledger"
    write(where, tuple(sorted(fields_that_may_be_confidential())))
    return where


@pytest.mark.parametrize(
    ("language", "title", "footer", "heading"),
    [
        ("en", "Halt 1 of pilot p-1", "Page {} of {}", "What was measured"),
        ("zh", "试点 p-1 的第 1 次停止", "第 {} 页，共 {} 页", "测量了什么"),
    ],
)
def test_each_page_has_header_and_number_and_the_text_can_be_read(
    home: Path, tmp_path: Path, language: str, title: str, footer: str, heading: str
) -> None:
    """A4; pilot and checkpoint above, title and number below; numbers as on the page; nothing confidential."""
    arguments = ("halt", PILOT, "--ledger", str(home), "--entry", "2", "--lang", language)
    reader, pages = printed(tmp_path / "halt.pdf", *arguments)
    root = read_source([home], PILOT).ledger.root
    for number, (page, text) in enumerate(zip(reader.pages, pages, strict=True), 1):
        flat = re.sub(r"\s+", " ", text)
        assert abs(float(page.mediabox.width) - A4[0]) < 2
        assert abs(float(page.mediabox.height) - A4[1]) < 2
        for said in (title, footer.format(number, len(pages)), root[:16], PILOT):
            assert said.replace(" ", "") in flat.replace(" ", ""), (number, said)
    whole = re.sub(r"\s", "", "".join(pages))
    assert heading.replace(" ", "") in whole
    assert root in whole
    assert "1,000decisions" in whole
    assert not [mark for mark in MARKS.values() if mark in whole]


def test_a_year_of_a_fleet_is_of_bounded_size(tmp_path: Path) -> None:
    """A page for some pilots at most: tables that grow with the fleet are cut, and say so."""
    names = make(tmp_path / "ledger", 5, pilots=30, decisions=40, days=0)
    arguments = ("fleet", "--ledger", str(tmp_path / "ledger"), "--days", "365")
    reader, pages = printed(tmp_path / "fleet.pdf", *arguments)
    assert len(reader.pages) < 10 + len(names)
    assert any("Fleet report" in page for page in pages)
