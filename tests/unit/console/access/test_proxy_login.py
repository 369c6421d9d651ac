"""The reader is who the proxy says, and only the proxy."""

from __future__ import annotations

import pytest

from monitor.console.access.proxy_login import LoginRefusal, LoginRefused, ProxyLogin
from monitor.console.access.roles import Reader, Role
from monitor.console.access.settings import AccessFile, Grant

SECRET = "s" * 32
FILE = AccessFile(
    people=(Grant("ann", Role.FIRM, ("firm-1",)),),
    groups=(Grant("night", Role.OPERATOR), Grant("north", Role.AUTHORITY, ("north",))),
)
LOGIN = ProxyLogin(FILE, SECRET)


def headers(user: str = "ann", groups: str = "", secret: str = SECRET) -> list[tuple[str, str]]:
    return [("x-forwarded-user", user), ("X-FORWARDED-GROUPS", groups), ("x-board-secret", secret)]


def test_the_own_entry_counts_before_groups() -> None:
    assert LOGIN.reader(headers(groups="night")) == Reader("ann", Role.FIRM, frozenset({"firm-1"}))


def test_the_first_group_of_the_file_counts() -> None:
    assert LOGIN.reader(headers("bob", "north, night")).role is Role.OPERATOR
    assert LOGIN.reader(headers("bob", "north")) == Reader("bob", Role.AUTHORITY, frozenset({"north"}))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (headers(secret=""), LoginRefusal.NOT_BY_PROXY),
        (headers(secret="s" * 31), LoginRefusal.NOT_BY_PROXY),
        (headers(secret="é" * 32), LoginRefusal.NOT_BY_PROXY),
        ([("X-Forwarded-User", "ann")], LoginRefusal.NOT_BY_PROXY),
        (headers(" "), LoginRefusal.NO_USER),
        (headers("eve"), LoginRefusal.NOT_LISTED),
        (headers("eve", "nigh,"), LoginRefusal.NOT_LISTED),
        (headers("ANN"), LoginRefusal.NOT_LISTED),
    ],
)
def test_others_are_refused(sent: list[tuple[str, str]], reason: LoginRefusal) -> None:
    with pytest.raises(LoginRefused) as raised:
        LOGIN.reader(sent)
    assert raised.value.reason is reason


def test_a_member_of_a_group_may_have_a_name_that_is_no_utf_8() -> None:
    """Such a name can be on no page and in no log as it is."""
    name = b"M\xfcller".decode("utf-8", "surrogateescape")
    assert LOGIN.reader(headers(name, "night")).name == "M\\xfcller"


def test_a_repeated_header_is_refused() -> None:
    """A browser's own header next to that of the proxy: the proxy did not remove it."""
    with pytest.raises(LoginRefused) as raised:
        LOGIN.reader([*headers(), ("X-Forwarded-User", "boss")])
    assert raised.value.reason is LoginRefusal.REPEATED_HEADER


def test_a_secret_that_can_be_guessed_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        ProxyLogin(FILE, "s" * 31)


@pytest.mark.parametrize(
    ("reader", "pilot", "other"),
    [
        (Reader("r", Role.REGULATOR), True, True),
        (Reader("o", Role.OPERATOR), True, True),
        (Reader("f", Role.FIRM, frozenset({"firm-1"})), True, False),
        (Reader("f", Role.FIRM, frozenset({"north"})), False, False),
        (Reader("a", Role.AUTHORITY, frozenset({"north"})), True, False),
        (Reader("a", Role.AUTHORITY, frozenset({"firm-1"})), False, False),
    ],
)
def test_each_role_sees_its_pilots(reader: Reader, pilot: bool, other: bool) -> None:
    """An id of an authority is no id of a firm, even where both are written the same."""
    assert reader.sees_pilot("firm-1", frozenset({"north"})) is pilot
    assert reader.sees_pilot("firm-2", frozenset({"south"})) is other
