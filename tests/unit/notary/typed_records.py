"""A charter with confidential parts, its amendment, the decisions that put both in force, and evidence."""

from __future__ import annotations

from pathlib import Path

from msgspec import structs

from monitor.charter.spec import Charter, Users, charter_hash
from monitor.compile.load import load_charter
from monitor.model.records import Decision, Evidence, Finding, Reason
from monitor.notary.charters import CharterKey
from monitor.testing.records import decision, evidence

DATA = Path(__file__).parents[2] / "data"
SECRET = bytes(range(32))


def charter(version: int = 1, **changes: object) -> Charter:
    """A charter of `p-1` that withholds its users and objects."""
    whole = load_charter(DATA / "charters" / "complaints-dsny.yaml")
    authority = structs.replace(whole.authorities[0], officers=("Ada Lovelace",), approvers=("B. Babbage", "C. Clarke"))
    fields = {
        "pilot": "p-1",
        "version": version,
        "authorities": (authority, *whole.authorities[1:]),
        "users": Users(groups=("patients of ward 7",)),
        "objects": ("lung nodules",),
        "confidential": ("users", "objects"),
    }
    return structs.replace(whole, **(fields | changes))


def amended() -> Charter:
    """The second version: another limit, and other users, which are withheld."""
    first = charter()
    specs = (structs.replace(first.indicators[0], limit=0.5), *first.indicators[1:])
    return charter(2, indicators=specs, users=Users(groups=("patients of ward 8",)))


def puts(standing: int, given: Charter, reason: Reason = Reason.ADMITTED) -> Decision:
    """The decision that puts a charter in force."""
    return decision(
        standing,
        kind="act",
        reason=reason,
        cause=f"control:act-{standing}",
        charter=charter_hash(given),
        author="Ada Lovelace",
        finding=Finding(rule=f"version {given.version}"),
    )


def key(standing: int, given: Charter) -> CharterKey:
    """The name of the charter that `puts` puts in force."""
    return f"act-{standing}", charter_hash(given)


def period(number: int, indicators: int = 2, pilot: str = "p-1") -> list[Evidence]:
    """What is observed of hour `number`: so many indicators."""
    return [evidence(number, pilot, indicator=f"indicator-{n}", allowed=6.2) for n in range(indicators)]
