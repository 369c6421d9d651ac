"""Who a request comes from, by the headers of a reverse proxy that has logged the reader in. Pure."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from enum import StrEnum

from monitor.console.access.roles import Reader
from monitor.console.access.settings import AccessFile
from monitor.errors import SetAside

SHORTEST_SECRET = 32  # characters


class LoginRefusal(StrEnum):
    """Why a request has no reader."""

    NOT_BY_PROXY = "not_by_proxy"
    REPEATED_HEADER = "repeated_header"  # the proxy kept what the browser sent
    NO_USER = "no_user"
    NOT_LISTED = "not_listed"


class LoginRefused(SetAside):
    """A request without a reader; `reason` is a `LoginRefusal`."""


class ProxyLogin:
    """Reads the reader from headers that only the proxy can set: it proves itself with a shared secret.

    A request without the secret is refused, so that a client that reaches the port directly cannot choose its user.
    """

    def __init__(self, settings: AccessFile, secret: str) -> None:
        """Raises ValueError for a secret that can be guessed."""
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(f"the secret of the proxy has {len(secret)} characters; use at least {SHORTEST_SECRET}")
        self._login = settings.login
        self._secret = secret.encode()
        self._people = {grant.name: grant for grant in settings.people}
        self._groups = settings.groups

    def reader(self, headers: Iterable[tuple[str, str]]) -> Reader:
        """The reader of a request, from its header fields as name and value.

        Raises:
            LoginRefused: the request did not come through the proxy, names no user, or one without a role.
        """
        login = self._login
        sent: dict[str, str] = {}
        for name in (login.secret_header, login.user_header, login.groups_header):
            values = [value for field, value in headers if field.lower() == name.lower()]
            if len(values) > 1:
                raise LoginRefused(name, LoginRefusal.REPEATED_HEADER, "the proxy must remove what a browser sends")
            sent[name] = values[0].strip() if values else ""
        if not hmac.compare_digest(sent[login.secret_header].encode("utf-8", "surrogateescape"), self._secret):
            raise LoginRefused(login.secret_header, LoginRefusal.NOT_BY_PROXY, "open the board through its proxy")
        user = sent[login.user_header]
        if not user:
            raise LoginRefused(login.user_header, LoginRefusal.NO_USER, "log in")
        groups = {group.strip() for group in sent[login.groups_header].split(",")}
        grant = self._people.get(user) or next((one for one in self._groups if one.name in groups), None)
        if grant is None:
            raise LoginRefused(login.user_header, LoginRefusal.NOT_LISTED, f"{user} has no role on this board")
        shown = user.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")  # a member of a group
        return Reader(shown, grant.role, frozenset(grant.of))
