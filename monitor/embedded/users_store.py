"""What the users' door keeps: complaints with their texts, readable by the owner of the file only.

The texts never leave this file: the log has a pseudonym and a salted SHA-256. The receipt is not kept; the pseudonym is
made of it, so that only who has the receipt can ask for the state, withdraw or ask for redress.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import sqlite3
from pathlib import Path
from typing import NamedTuple

MOST = 100_000  # complaints in the file: with the longest texts 1.7 GiB
MOST_OF_PILOT = 10_000  # of one pilot, so that a flood about it leaves space for the others
WAITING = 2_000  # of one pilot that are not on record yet
TEXT_CHARACTERS = 4_000
PENDING, SENT, ON_RECORD = 0, 1, 2
WITHDRAW, ASK, LEAVE = 1, 2, 4  # what a user wants
SCHEMA = """
CREATE TABLE IF NOT EXISTS complaints (
  id TEXT PRIMARY KEY, pilot TEXT NOT NULL, at INTEGER NOT NULL, segment TEXT NOT NULL, text TEXT NOT NULL,
  digest TEXT NOT NULL, salt TEXT NOT NULL, filed INTEGER NOT NULL DEFAULT 0, wants INTEGER NOT NULL DEFAULT 0,
  told INTEGER NOT NULL DEFAULT 0, state INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS pilots ON complaints (pilot, filed);
CREATE INDEX IF NOT EXISTS pending ON complaints (pilot, at, filed) WHERE filed = 0;
CREATE INDEX IF NOT EXISTS wanting ON complaints (pilot) WHERE wants <> told;
"""


_COLUMNS = "id, pilot, at, segment, '', digest, salt, filed, wants, told, state"  # without the text, which may be long


class Complaint(NamedTuple):
    """One complaint as kept; `state` are the bits of `monitor/state/users.py`. `text` is empty in lists."""

    id: str
    pilot: str
    at: int
    segment: str
    text: str
    digest: str
    salt: str
    filed: int
    wants: int
    told: int
    state: int


def new_receipt() -> str:
    """An unguessable receipt: 26 letters and digits in groups (128 bits)."""
    text = base64.b32encode(secrets.token_bytes(16)).decode().rstrip("=")
    return "-".join(text[at : at + 5] for at in range(0, len(text), 5))


def pseudonym_of(receipt: str) -> str:
    """The id of a complaint in the log, 32 hex digits; spelling of the receipt in groups and case does not matter.

    >>> pseudonym_of("AB-cd") == pseudonym_of(" abcd "), len(pseudonym_of(""))
    (True, 32)
    """
    plain = "".join(receipt.split()).replace("-", "").upper()
    return hashlib.sha256(b"complaint:" + plain.encode("utf-8", "replace")).hexdigest()[:32]


class UsersStore:
    """One SQLite file. Every method that changes something returns once the change is durable; called from one thread
    at a time. Raises sqlite3.Error when the file is damaged or the disk is full."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(SCHEMA)
        # Whether what was sent took effect is not known after a start: it is resent, and counts once.
        self._db.execute("UPDATE complaints SET filed = 0 WHERE filed = 1")
        self._db.execute("UPDATE complaints SET told = told & ~? WHERE wants & ?", (ASK | WITHDRAW, ASK | WITHDRAW))

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def add(self, pilot: str, at: int, segment: str, text: str, wants: int) -> str | None:
        """Keep a complaint. Returns its receipt; `None` if there is no space for a further one of this pilot."""
        (waiting,) = self._db.execute(
            "SELECT count(*) FROM complaints WHERE filed < 2 AND pilot = ?", (pilot,)
        ).fetchone()
        (whole,) = self._db.execute("SELECT count(*) FROM complaints INDEXED BY pilots").fetchone()
        (mine,) = self._db.execute("SELECT count(*) FROM complaints WHERE pilot = ?", (pilot,)).fetchone()
        if waiting >= WAITING or whole >= MOST or mine >= MOST_OF_PILOT:
            return None
        receipt, salt = new_receipt(), secrets.token_hex(16)
        digest = hashlib.sha256(bytes.fromhex(salt) + text.encode()).hexdigest() if text else ""
        self._db.execute(
            "INSERT INTO complaints (id, pilot, at, segment, text, digest, salt, wants) VALUES (?,?,?,?,?,?,?,?)",
            (pseudonym_of(receipt), pilot, at, segment, text, digest, salt, wants),
        )
        return receipt

    def find(self, receipt: str) -> Complaint | None:
        """The complaint of a receipt."""
        row = self._db.execute("SELECT * FROM complaints WHERE id = ?", (pseudonym_of(receipt),)).fetchone()
        return None if row is None else Complaint(*row)

    def want(self, name: str, bit: int) -> None:
        """Note what a user wants."""
        self._db.execute("UPDATE complaints SET wants = wants | ? WHERE id = ?", (bit, name))

    def pending(self, most: int) -> dict[str, list[Complaint]]:
        """Complaints that were not sent, up to `most` of each pilot."""
        pilots = self._db.execute("SELECT DISTINCT pilot FROM complaints WHERE filed = 0 ORDER BY pilot").fetchall()
        query = f"SELECT {_COLUMNS} FROM complaints WHERE filed = 0 AND pilot = ? ORDER BY at, id LIMIT ?"
        return {pilot: [*map(Complaint._make, self._db.execute(query, (pilot, most)))] for (pilot,) in pilots}

    def wanting(self, bit: int, done: int, most: int) -> dict[str, list[Complaint]]:
        """Complaints on record whose users want this, of which it was not sent, and of which the record does not say
        one of the bits `done`."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM complaints WHERE wants <> told AND filed = 2 AND wants & ? AND NOT told & ? "
            "AND NOT state & ? ORDER BY at",
            (bit, bit, done),
        ).fetchall()
        return _by_pilot(map(Complaint._make, rows), most)

    def mark(self, names: list[str], filed: int, told: int = 0) -> None:
        """Set how far complaints are sent, and what else of them was."""
        marks = [(filed, told, name) for name in names]
        self._db.execute("BEGIN")
        self._db.executemany("UPDATE complaints SET filed = max(filed, ?), told = told | ? WHERE id = ?", marks)
        self._db.execute("COMMIT")

    def refused(self, names: list[str]) -> None:
        """The complaints that were sent had no effect, and are resent later."""
        self._db.execute("BEGIN")
        self._db.executemany("UPDATE complaints SET filed = 0 WHERE filed = 1 AND id = ?", [(n,) for n in names])
        self._db.execute("COMMIT")

    def learn(self, pilot: str, names: list[str], bits: int) -> None:
        """The record of a pilot says this of complaints; other ids are no complaints of this door about this pilot."""
        self._db.execute("BEGIN")
        self._db.executemany(
            "UPDATE complaints SET filed = 2, state = state | ? WHERE id = ? AND pilot = ?",
            [(bits, name, pilot) for name in names],
        )
        self._db.execute("COMMIT")


def _by_pilot(found: map[Complaint], most: int) -> dict[str, list[Complaint]]:
    by_pilot: dict[str, list[Complaint]] = {}
    for one in found:
        mine = by_pilot.setdefault(one.pilot, [])
        if len(mine) < most:
            mine.append(one)
    return by_pilot
