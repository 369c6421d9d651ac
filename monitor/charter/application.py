"""The application for a place in the sandbox, as frozen values: what a firm states of itself, its system and the test.

The fields follow the draft implementing act on AI regulatory sandboxes, Art. 5(2)(a) to (g) (not adopted when this was
written); `FIELDS` says which field answers which point. Limits and planned exposure are in the charter that the firm
proposes with it. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta, Struct

from monitor.charter.spec import Charter
from monitor.charter.values import Flaw, text_flaws
from monitor.model.events import Harm, Id
from monitor.model.labels import alike

APPLICATION_BYTES = 24 * 1024  # as MessagePack
Short: TypeAlias = Annotated[str, Meta(min_length=1, max_length=200)]
Passage: TypeAlias = Annotated[str, Meta(min_length=1, max_length=2000)]
MaybePassage: TypeAlias = Annotated[str, Meta(max_length=2000)]
Day: TypeAlias = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]


class ApplicantFirm(Struct, frozen=True, forbid_unknown_fields=True):
    """Who applies; `contact` is where the authority reaches the firm."""

    id: Id
    name: Short
    contact: Short
    size: Literal["micro", "small", "medium", "large"] = "large"  # the smaller ones have priority, Art. 62(1)(a)


class SystemDescription(Struct, frozen=True, forbid_unknown_fields=True):
    """The AI system. `decides`: whether it decides about persons without a person who reviews each case."""

    name: Short
    purpose: Passage
    description: Passage
    decides: bool


class Scope(Struct, frozen=True, forbid_unknown_fields=True):
    """Where and on whom it is tested: at most `cap` people, of these `groups`."""

    description: Passage
    sector: Short
    region: Short
    cap: Annotated[int, Meta(ge=1, le=1 << 53)]
    groups: Annotated[tuple[Short, ...], Meta(max_length=64)] = ()


class DataUse(Struct, frozen=True, forbid_unknown_fields=True):
    """What data is processed. `special`: special categories of personal data (Art. 9 GDPR)."""

    personal: bool
    categories: Annotated[tuple[Short, ...], Meta(max_length=64)]
    legal_basis: MaybePassage = ""
    special: bool = False


class Safeguard(Struct, frozen=True, forbid_unknown_fields=True):
    """A risk, the gravest harm that it may do, and what is done against it."""

    risk: Passage
    harm: Harm
    measure: Passage


class RealWorldTest(Struct, frozen=True, forbid_unknown_fields=True):
    """The plan of a test in real-world conditions, Art. 60; `consent`: how the people who take part give it."""

    plan: Passage
    places: Annotated[tuple[Short, ...], Meta(min_length=1, max_length=64)]
    consent: Passage


class Milestone(Struct, frozen=True, forbid_unknown_fields=True):
    """What is reached by a day."""

    day: Day
    what: Short


class Timeline(Struct, frozen=True, forbid_unknown_fields=True):
    """From when to when, both included."""

    start: Day
    end: Day
    milestones: Annotated[tuple[Milestone, ...], Meta(max_length=32)] = ()


class Application(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An application. `confidential` names its parts that are not for the public; parts of the charter are named there
    (`confidential`)."""

    schema: Literal["sandbox-application/1"]
    applicant: ApplicantFirm
    system: SystemDescription
    objectives: Annotated[tuple[Passage, ...], Meta(min_length=1, max_length=16)]
    scope: Scope
    data: DataUse
    safeguards: Annotated[tuple[Safeguard, ...], Meta(min_length=1, max_length=32)]
    timeline: Timeline
    real_world_test: RealWorldTest | None = None
    confidential: Annotated[tuple[Short, ...], Meta(max_length=16)] = ()


FIELDS: dict[str, str] = {
    "applicant": "Art. 5(2)(a)", "system": "Art. 5(2)(a)", "objectives": "Art. 5(2)(b)", "scope": "Art. 5(2)(b)",
    "data": "Art. 5(2)(c)", "safeguards": "Art. 5(2)(d)", "real_world_test": "Art. 5(2)(e)",
    "confidential": "Art. 5(2)(f)", "timeline": "Art. 5(2)(g)",
}  # fmt: skip
"""Field -> point of the draft that it answers."""


def size_of(application: Application) -> int:
    """Bytes of an application."""
    return len(msgspec.msgpack.encode(application))


def application_flaws(application: Application, charter: Charter) -> Iterator[Flaw]:
    """Every mistake of an application, and every contradiction to the charter that is proposed with it, in the order of
    its fields."""
    yield from text_flaws(msgspec.to_builtins(application, str_keys=True))
    if (size := size_of(application)) > APPLICATION_BYTES:
        yield Flaw("application", f"has {size} bytes of at most {APPLICATION_BYTES}", "shorten its texts")
    yield from _against_charter(application, charter)
    data, time = application.data, application.timeline
    if data.personal and not data.legal_basis.strip():
        yield Flaw("data.legal_basis", "personal data is processed on no legal basis", "name it")
    if data.special and not data.personal:
        yield Flaw("data.personal", "special categories are personal data", "write true")
    for field, text in (("timeline.start", time.start), ("timeline.end", time.end)):
        if not _is_day(text):
            yield Flaw(field, f"{text} is no day of the calendar", "write YYYY-MM-DD")
    for index, milestone in enumerate(time.milestones):
        if not _is_day(milestone.day):
            yield Flaw(f"timeline.milestones[{index}].day", f"{milestone.day} is no day", "write YYYY-MM-DD")
    for name in application.confidential:
        if name not in Application.__struct_fields__:
            yield Flaw("confidential", f"an application has no part {name}", f"choose of {', '.join(FIELDS)}")


def _against_charter(application: Application, charter: Charter) -> Iterator[Flaw]:
    scope, time = application.scope, application.timeline
    if application.applicant.id != charter.participant.id:
        yield Flaw("applicant.id", f"the charter is of {charter.participant.id}", "write the same id")
    for name in ("sector", "region"):
        stated, planned = getattr(scope, name), getattr(charter, name)
        if alike(stated) != alike(planned):
            yield Flaw(f"scope.{name}", f"the charter says {planned or 'nothing'}", "write the same in both")
    if charter.users.cap is None or charter.users.cap > scope.cap:
        stated = "no cap" if charter.users.cap is None else f"{charter.users.cap}"
        yield Flaw("scope.cap", f"the charter's users.cap is {stated}", "write the same in both")
    known = {alike(group) for group in scope.groups}
    for group in charter.users.groups:
        if alike(group) not in known:
            yield Flaw("scope.groups", f"the charter has the group {group}", "name it here too")
    if charter.cycle.start < time.start or charter.cycle.end > time.end:
        cycle = f"{charter.cycle.start} to {charter.cycle.end}"
        yield Flaw("timeline", f"the charter's cycle is {cycle}", "write a timeline that contains it")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def texts_of(application: Application, charter: Charter) -> dict[str, str]:
    """Every text of an application and its charter in which a practice may be described, by field."""
    found: dict[str, str] = {}
    for part, value in msgspec.to_builtins(application, str_keys=True).items():
        _texts(value, part, found)
    own: dict[str, Any] = {
        "scenario": charter.scenario,
        "objects": charter.objects,
        "users.groups": charter.users.groups,
        "data_boundary": charter.data_boundary,
        "sector": charter.sector,
        "changes": [(one.modification, one.impact) for one in charter.changes or ()],
        "exit.conditions": charter.exit.conditions,
    }
    for part, value in own.items():
        _texts(value, f"charter.{part}", found)
    return found


def _texts(value: Any, at: str, found: dict[str, str]) -> None:
    if isinstance(value, str):
        found[at] = value
    elif isinstance(value, dict):
        for key, item in value.items():
            _texts(item, f"{at}.{key}", found)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _texts(item, f"{at}[{index}]", found)
