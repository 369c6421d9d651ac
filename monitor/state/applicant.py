"""What a partition remembers of a pilot before its admission: its application, the charter that is screened and agreed,
and its state. Pure.

Everything is bounded. At a bound an application is refused; none is forgotten, as the name of a pilot is used once and
its ledger continues.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct, structs

from monitor.charter.application import Application
from monitor.compile.plan import Plan, unpacked
from monitor.deadlines.engine import Clocks, next_due
from monitor.lifecycle.arrows import NEVER_ADMITTED
from monitor.lifecycle.life import Lifecycle
from monitor.state.acts_once import ActMemory
from monitor.state.marked import MarkedSnapshot

OPEN_APPLICATIONS = 256  # of a partition
OPEN_OF_FIRM = 8
CLOSED_APPLICATIONS = 2048  # refused or withdrawn
CLOSED_OF_FIRM = 64
CHARTER_BYTES = 24 * 1024  # of the charter of an application, compressed
APPLICATIONS_BYTES = 4 * 1024 * 1024  # of the open applications of a partition


class Applicant(Struct, array_like=True, frozen=True, gc=False):
    """A pilot that is not admitted. `standing` is the number of its last record, `at` when (ms) that was received, and
    `applied` when the application was; `hash` is that of the charter that was proposed, or screened. Application and
    charter are compressed, and empty once the application is closed; `clocks` are its legal deadlines, `wait` until
    when (ms) none is found to be missed, as what was sent during an outage of the monitor may still be unread. New
    fields are appended, with defaults."""

    firm: str
    life: Lifecycle
    standing: int
    applied: int
    at: int
    hash: str
    application: bytes = b""
    charter: bytes = b""
    acts: ActMemory = msgspec.field(default_factory=ActMemory)
    clocks: Clocks = Clocks()
    wait: int | None = None

    @property
    def due(self) -> int | None:
        """When its first legal deadline is found to be missed (ms); `None` if none has a due instant."""
        due = next_due(self.clocks)
        return None if due is None else max(due, self.wait or due)

    @property
    def closed(self) -> bool:
        """Whether the application was refused or withdrawn."""
        return self.life.pilot in NEVER_ADMITTED

    @property
    def size(self) -> int:
        """Bytes of application and charter."""
        return len(self.application) + len(self.charter)

    @property
    def plan(self) -> Plan:
        """The compiled charter. Only of an open application."""
        return unpacked(self.charter)

    def read(self) -> Application:
        """The application. Only of an open one."""
        return _application.decode(zlib.decompress(self.application))

    def close(self) -> Applicant:
        """Without what only an open application needs."""
        return structs.replace(self, application=b"", charter=b"", acts=ActMemory())


def pack_application(application: Application) -> bytes:
    """An application as compressed bytes."""
    return zlib.compress(msgspec.msgpack.encode(application), 9)


def applicant_snapshot(applicant: Applicant) -> bytes:
    """The bytes of an applicant: stored under the pilot's name, as its state is after the admission."""
    return _snapshot.encode(applicant)


def restored_applicant(raw: bytes) -> Applicant | None:
    """The applicant of a snapshot; `None` for one of a pilot, and for damaged bytes."""
    return _snapshot.decode(raw)


def too_many(those: Mapping[str, Applicant], firm: str, more: int) -> str:
    """Why another application of a firm with `more` bytes is refused, in words; "" if it is not."""
    theirs = [one for one in those.values() if one.firm == firm]
    bounds = (
        (_open(theirs), OPEN_OF_FIRM, f"open applications of {firm} in this partition"),
        (len(theirs) - _open(theirs), CLOSED_OF_FIRM, f"closed applications of {firm} in this partition"),
        (_open(those.values()), OPEN_APPLICATIONS, "open applications in this partition"),
        (len(those) - _open(those.values()), CLOSED_APPLICATIONS, "closed applications in this partition"),
    )
    for number, most, what in bounds:
        if number >= most:
            return f"there are {number} {what}, at most {most} are kept"
    size = sum(one.size for one in those.values()) + more
    if size > APPLICATIONS_BYTES:
        return f"the open applications would have {size} bytes of at most {APPLICATIONS_BYTES}"
    return ""


def _open(those: Iterable[Applicant]) -> int:
    return sum(not one.closed for one in those)


_snapshot = MarkedSnapshot("application", Applicant)
_application = msgspec.msgpack.Decoder(Application)
