"""Sentences in the data of the board are English unless the address asks for a language."""

from types import SimpleNamespace

import pytest

from monitor.console.routes import spoken_data


@pytest.mark.parametrize(("query", "spoken"), [({"lang": "zh"}, "zh"), ({"lang": "en"}, "en"), ({}, "en")])
def test_a_cookie_or_a_browser_does_not_change_the_language_of_data(query: dict[str, str], spoken: str) -> None:
    request = SimpleNamespace(query=query, cookies={"lang": "zh"}, headers={"Accept-Language": "zh"})
    assert spoken_data(request) == spoken  # type: ignore[arg-type]
