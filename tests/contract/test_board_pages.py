"""What holds for every page of the board: well-formed HTML with one heading, a title and a language; names from outside
are text; in Chinese no English is left; a function of the board and the time alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from msgspec import structs

from monitor.console.pages import PAGES, Asked
from monitor.model.records import Decision, Finding, Outputs
from monitor.testing.records import decision, evidence
from monitor.translation import speaking
from tests.board_world import (
    APPLICANT,
    AUTHORITY,
    CHINESE,
    EXITED,
    HALTED,
    LONG_PILOT,
    MODEL,
    PAUSED,
    ROLLOUT,
    SHADOWED,
    UNKNOWN,
    World,
    world,
)
from tests.country.nation import sandbox

VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
BLOCK = {"p", "div", "table", "ul", "ol", "dl", "section", "figure", "details", "form", "h1", "h2", "h3", "h4", "nav"}
SEEN = ("title", "aria-label", "placeholder", "data-head")  # attributes that are read
CANARIES = ('<script>alert("x")</script>', "a\"'b", "\u202eright-to-left\u202c", "x" * 200, "line\nbreak", "{0}{x}%s")
NAMES = {"subject": HALTED, "entry": "2", "ledger": HALTED, "firm": "firm-1", "authority": AUTHORITY, "model": MODEL}
PILOTS = (HALTED, EXITED, ROLLOUT, SHADOWED, UNKNOWN, PAUSED, APPLICANT, CHINESE, LONG_PILOT)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    found = world(tmp_path_factory.mktemp("board"))
    for standing, name in enumerate(CANARIES, 1):
        found.board.apply(Outputs(decisions=[canary(name, standing)], evidence=[evidence(1, name, indicator=name)]))
    return found


def canary(name: str, standing: int) -> Decision:
    finding = Finding(indicator=name, segment=name, rule=name, detail=name, statistic=1.0, bar=2.0, observed=1.0)
    return decision(
        standing, name, participant=name, charter=name, author=name, cause=name, unknown=name, finding=finding,
        responsible=(name,),
    )  # fmt: skip


def addresses(path: str, pilots: tuple[str, ...] = PILOTS) -> Iterator[dict[str, str]]:
    """The names in the path of a page, for each thing that it is asked about."""
    variables = re.findall(r"\{([a-z]+):", path)
    if not variables:
        yield {}
    elif "pilot" in variables:
        for pilot in pilots:
            yield {name: pilot if name == "pilot" else "1" for name in variables}
    else:
        yield {name: NAMES.get(name, "1") for name in variables}


CASES = [
    pytest.param(path, names, id=f"{path.split('{')[0]}{next(iter(names.values()), '')[:20]}")
    for path in PAGES
    for names in addresses(path)
]


def shown(made: World, path: str, names: dict[str, str], **query: str) -> str:
    asked = {"q": "firm", **query} if path == "/search" else query
    text = PAGES[path](Asked(made.board, asked, names, made.now))
    assert text is not None, "the page is there"
    return text


class Checked(HTMLParser):
    """Fails where a page is not well-formed. `words` are its visible texts, `titles` its headings."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.headings: list[str] = []
        self.words: list[str] = []
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert not [name for name, _ in attrs if name.startswith("on") or name == "style"], (tag, attrs)
        assert len(found) == len(attrs), (tag, attrs)
        assert not (tag in BLOCK and "p" in self.open), f"{tag} in a paragraph"
        assert not (tag in ("a", "button") and "a" in self.open), "a link in a link"
        if tag not in VOID:
            self.open.append(tag)
        self.attributes.setdefault(tag, found)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        if tag == "a":
            self.links.append(str(found.get("href")))
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(tag)
        self.words += [
            str(found[name]) for name in ("title", "aria-label", "placeholder", "data-head") if found.get(name)
        ]

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, (self.open[-3:], tag)
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if "script" not in self.open and "style" not in self.open:
            self.words.append(data)


@pytest.mark.parametrize(("path", "names"), CASES)
def test_a_page_is_well_formed(made: World, path: str, names: dict[str, str]) -> None:
    """Tags match, ids are unique, links lead to addresses; one first heading; a title; the language; no script and no
    style in the page."""
    page = Checked(shown(made, path, names))
    assert page.headings.count("h1") == 1
    assert page.headings[0] == "h1"
    assert page.attributes["html"]["lang"] == "en"
    assert "title" in page.attributes
    assert len(page.ids) == len(set(page.ids))
    assert not [link for link in page.links if not re.match(r"/|#|\?|https?://", link)]
    assert page.attributes["script"] == {"src": "/board.js", "defer": None}


@pytest.mark.parametrize("path", PAGES)
def test_names_from_outside_are_text(made: World, path: str) -> None:
    """A pilot, firm, authority, indicator, author or cause that looks like HTML, has quotes, a line break or marks of
    direction is shown as it is, and opens no tag."""
    for names in addresses(path, CANARIES):
        page = PAGES[path](Asked(made.board, {}, names, made.now))
        if page is not None:
            Checked(page)
            assert "<script>alert" not in page


@pytest.mark.parametrize(("path", "names"), CASES)
def test_a_page_is_a_function_of_the_board_and_the_time(made: World, path: str, names: dict[str, str]) -> None:
    assert shown(made, path, names) == shown(made, path, names)


@pytest.mark.parametrize(("path", "names"), [case for case in CASES if "{entry:" not in str(case.values[0])])
def test_no_english_is_left_in_chinese(made: World, path: str, names: dict[str, str]) -> None:
    """Every word in Latin letters is of a name, a code or a text that somebody wrote, or a symbol. The page of one
    entry of a ledger shows checks as the verifier names them."""
    with speaking("zh"):
        page = shown(made, path, names)
    page = re.sub(r"(?s)<(pre|code)\b.*?</\1>", "", page)  # charters, hashes, commands to type
    page = re.sub(r"`[^`]*`|--[a-z-]+ [A-Z]+|\b[0-9a-f]{8,}\b", "", page)
    found = {word for text in Checked(page).words for word in re.findall(r"[A-Za-z]{3,}", text)}
    assert sorted(found - given(made) - SYMBOLS) == []


SYMBOLS = {
    "UTC", "JSON", "RFC", "ASCII", "English", "CUSUM", "Ville", "Clopper", "Pearson", "Garwood", "min", "keys",
}  # fmt: skip
"""Abbreviations, names, a function, a setting (`firm_keys`), the other language, and a command."""


def given(made: World) -> set[str]:
    """Words in what people and firms wrote: names, ids, details, titles of deadlines."""
    return {word for text in _texts(made) for word in re.findall(r"[A-Za-z]{3,}", text)}


def _texts(made: World) -> Iterator[str]:
    for view in made.board.pilots.values():
        yield from (view.pilot, view.participant, view.charter, *view.responsible)
        yield from (str(part) for key in view.streams for part in key)
        if view.plan is not None:
            yield from _strings(structs.asdict(view.plan))
        head = made.board.ledger(view.pilot)
        yield head[1] if head else ""
        yield from _strings(structs.asdict(view.shadow)) if view.shadow else ()
    for one in made.outputs.decisions:
        fields = ("pilot", "participant", "charter", "author", "signed", "cause", "id")
        yield from (str(getattr(one, name)) for name in fields)
        yield from one.addressed or ()
        yield from _strings(structs.asdict(one.finding))
    yield from CANARIES
    yield from (text for one in made.outputs.rejected for text in (one.field, one.detail))
    yield from _strings(structs.asdict(sandbox()))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield str(key)
            yield from _strings(part)
    elif isinstance(value, tuple | list | set | frozenset):
        for part in value:
            yield from _strings(part)
    elif hasattr(value, "__struct_fields__"):
        yield from _strings(structs.asdict(value))


def test_the_check_finds_a_broken_page() -> None:
    """The parser fails on a tag that is not closed, a link in a link, a style and a handler."""
    for page in ("<p><b></p>", "<a><a></a></a>", '<p style="x"></p>', '<p onclick="x"></p>', "<p><div></div></p>"):
        with pytest.raises(AssertionError):
            Checked(page)
