"""Messages in the language that is spoken."""

from __future__ import annotations

import asyncio

import pytest
from htpy import a

from monitor.translation import PSEUDO, current, language_of, mark, speaking, tr, trm, trn


def test_english_without_a_language() -> None:
    assert current() == "en"
    assert tr("{n} late", n=3) == "3 late"
    assert mark("x") == "x"


def test_values_are_no_placeholders() -> None:
    """A name with braces stays as it is."""
    assert tr("{pilot} is late", pilot="{0} {x}") == "{0} {x} is late"


def test_one_and_many() -> None:
    assert [trn("{n} pilot", "{n} pilots", n) for n in (0, 1, 2)] == ["0 pilots", "1 pilot", "2 pilots"]


def test_html_keeps_elements_and_escapes_all_else() -> None:
    shown = trm("<see> {link} of {name}", link=a(href="/x")["here"], name="<b>")
    assert shown == '&lt;see&gt; <a href="/x">here</a> of &lt;b&gt;'


def test_the_pseudo_language_shows_what_is_translated() -> None:
    with speaking(PSEUDO):
        assert tr("late") == "⟦late⟧"
        assert trn("{n} pilot", "{n} pilots", 2) == "⟦2 pilots⟧"


def test_the_language_ends_with_its_block() -> None:
    with pytest.raises(ValueError, match="x"), speaking("zh"):
        raise ValueError("x")
    assert current() == "en"


def test_tasks_do_not_share_a_language() -> None:
    async def spoken(language: str, wait: asyncio.Event, done: asyncio.Event) -> str:
        with speaking("zh" if language == "zh" else "en"):
            done.set()
            await wait.wait()
            return current()

    async def both() -> list[str]:
        first, second = asyncio.Event(), asyncio.Event()
        return list(await asyncio.gather(spoken("zh", first, second), spoken("en", second, first)))

    assert asyncio.run(both()) == ["zh", "en"]


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en"), ("zh", "zh"), ("zh-Hans-CN", "zh"), ("zh_CN", "zh"), ("fr, zh-CN;q=0.8, en;q=0.9", "en"),
        ("fr, zh;q=0.8", "zh"), ("zh;q=0, en", "en"), ("de", "en"), ("zh;q=x", "en"), (";;,=," * 1000, "en"),
    ],
)  # fmt: skip
def test_the_language_that_a_reader_asks_for(asked: str, language: str) -> None:
    assert language_of(asked) == language
