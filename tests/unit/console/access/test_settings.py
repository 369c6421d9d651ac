"""The access file: who may read the board, with every mistake at its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.console.access.roles import SIGHTS, Role
from monitor.console.access.settings import read_access
from monitor.errors import BoardAccessError

GOOD = """\
login: {user_header: X-User}
people:
  - {name: officer@authority.example, role: authority, of: [north]}
  - {name: engineer@firm.example, role: firm, of: [firm-1]}
groups:
  - {name: sandbox-on-call, role: operator}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "access.yaml"
    path.write_text(text)
    return path


def test_a_good_file_is_read(tmp_path: Path) -> None:
    read = read_access(written(tmp_path, GOOD))
    assert read.login.user_header == "X-User"
    assert read.login.secret_header == "X-Board-Secret"
    assert [(grant.name, grant.role, grant.of) for grant in read.people][1] == (
        "engineer@firm.example", Role.FIRM, ("firm-1",),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("people: []\n", 1, "people: no reader is listed; name at least one person or group"),
        ("people:\n  - {name: a, role: boss}\n", 2, "role"),
        ("people:\n  - {name: a, role: firm}\n", 2, "role firm sees nothing; name ids of firms"),
        ("people:\n  - {name: a, role: regulator, of: [x]}\n", 2, "role regulator sees everything; remove `of`"),
        ("groups:\n  - {name: a, role: regulator}\n  - {name: a, role: operator}\n", 3, "two entries"),
        ("login: {user_header: 'X User'}\npeople: [{name: a, role: regulator}]\n", 1, "is no header name"),
        ("people: [{name: a, role: regulator}]\nsecret: x\n", 2, "secret"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(BoardAccessError) as raised:
        read_access(written(tmp_path, text))
    assert f"access.yaml:{line}:" in str(raised.value)
    assert words in str(raised.value)


def test_every_role_says_what_it_sees() -> None:
    assert set(SIGHTS) == set(Role)
    assert all(sight.all_pilots or sight.of for sight in SIGHTS.values())
