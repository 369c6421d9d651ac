"""The access file of the board: how the proxy names a reader, and who has which role.

login:
  secret_header: X-Board-Secret
  user_header: X-Forwarded-User
  groups_header: X-Forwarded-Groups
people:
  - {name: officer@authority.example, role: authority, of: [north]}
  - {name: engineer@firm.example, role: firm, of: [firm-1]}
groups:
  - {name: sandbox-on-call, role: operator}
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from monitor.charter.values import Flaw
from monitor.compile.settings_file import read_settings
from monitor.console.access.roles import SIGHTS, Role
from monitor.errors import BoardAccessError

Name = Annotated[str, Meta(min_length=1, max_length=200)]
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")


class Login(Struct, frozen=True, forbid_unknown_fields=True):
    """The headers that the reverse proxy sets, after it has removed those that a browser sent."""

    secret_header: str = "X-Board-Secret"
    user_header: str = "X-Forwarded-User"
    groups_header: str = "X-Forwarded-Groups"


class Grant(Struct, frozen=True, forbid_unknown_fields=True):
    """A person or group and its role. `of`: ids of authorities (role authority) or of firms (role firm)."""

    name: Name
    role: Role
    of: Annotated[tuple[Name, ...], Meta(max_length=100)] = ()


class AccessFile(Struct, frozen=True, forbid_unknown_fields=True):
    """Who may read the board. A person's own entry counts before groups; of groups the first in this order."""

    people: Annotated[tuple[Grant, ...], Meta(max_length=10_000)] = ()
    groups: Annotated[tuple[Grant, ...], Meta(max_length=1_000)] = ()
    login: Login = Login()


def flaws(settings: AccessFile) -> Iterator[Flaw]:
    """What is wrong with a well-formed access file."""
    for name in ("secret_header", "user_header", "groups_header"):
        value = getattr(settings.login, name)
        if not _HEADER.fullmatch(value):
            yield Flaw(f"login.{name}", f"{value!r} is no header name", "use letters, digits and hyphens")
    if not settings.people and not settings.groups:
        yield Flaw("people", "no reader is listed", "name at least one person or group")
    yield from _grants("people", settings.people)
    yield from _grants("groups", settings.groups)


def _grants(field: str, grants: tuple[Grant, ...]) -> Iterator[Flaw]:
    seen: set[str] = set()
    for at, grant in enumerate(grants):
        where = f"{field}[{at}]"
        if grant.name in seen:
            yield Flaw(f"{where}.name", f"{grant.name} has two entries", "remove one")
        seen.add(grant.name)
        kind = SIGHTS[grant.role].of
        if kind and not grant.of:
            yield Flaw(f"{where}.of", f"role {grant.role} sees nothing", f"name ids of {kind}")
        if not kind and grant.of:
            yield Flaw(f"{where}.of", f"role {grant.role} sees everything", "remove `of`")


def read_access(path: Path) -> AccessFile:
    """The access file. Raises BoardAccessError with every mistake, OSError as `open` does."""
    return read_settings(
        path, AccessFile, flaws, BoardAccessError, smaller="use groups", see="monitor/console/access/README.md"
    )
