"""The records of all firms, folded from the decisions and evidence of all partitions. Pure.

The decisions of a pilot are in one partition, in the order of their numbers; pilots do not depend on each other, and a
record is a sum over them in the order of names. So the order in which partitions arrive changes nothing, and neither
does a decision that arrives again. Evidence has no numbers: the caller passes each observation once, as the position of
its log says.

Bounded: `FIRMS` firms with `PILOTS` pilots and as many applications each, those whose names come first. Which they are
does not depend on the order of arrival either, and all that is kept of them is complete; a record says that it is
`truncated`. An application takes no room of a pilot: a firm applies at will, and would so drop pilots from its record.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, Struct

from monitor.errors import LogBroken
from monitor.firms.pilot_fold import SHORT, PilotFold
from monitor.firms.record import PILOTS, Adverse, FirmRecord, PilotPosition
from monitor.model.records import Closed, Decision, Evidence, Outputs, Reason
from monitor.model.subjects import firm_of, is_pilot

FIRMS = 1_024
ANNULLED = 64  # decisions of a firm
APPLIES = ("draft", "submitted", "screened", "agreed", "refused", "application_withdrawn")
"""States of a pilot that was not admitted."""
COUNTED = (
    "applications", "halts_released", "halts_stopped", "clocks_met", "rectifications_in_time", "guidance_asked",
    "guidance_given", "guidance_followed", "complaints",
)  # fmt: skip
"""Numbers of a record that are sums of those of its pilots."""


class FirmFold(Struct, array_like=True):
    """What is remembered of one firm: its pilots by name, the number of the last act on the firm, and the decisions
    that were annulled (the beginnings of their ids). `in_force` is the class that was set last, "" without one.
    `applicants` has what was decided on applications, by the name of the pilot, admitted or not. New fields are
    appended, with defaults."""

    pilots: dict[str, PilotFold] = {}
    truncated: bool = False
    subject: int = 0
    annulled: list[str] = []
    in_force: str = ""
    applicants: dict[str, PilotFold] = {}

    def pilot(self, name: str, applies: bool = False) -> PilotFold | None:
        """The pilot of this name, or its application; `None` for one that is not kept."""
        those = self.applicants if applies else self.pilots
        lost = _make_room(those, name, PILOTS)
        self.truncated = self.truncated or bool(lost)
        return None if lost == name else those.setdefault(name, PilotFold())

    def counted(self) -> tuple[dict[str, list[PilotFold]], bool]:
        """What a record is the sum of, by pilot: all pilots with their applications, then further applications while
        there is room, by name; and whether some are left out."""
        further = sorted(self.applicants.keys() - self.pilots.keys())
        room = max(0, PILOTS - len(self.pilots))
        names = sorted((*self.pilots, *further[:room]))
        found = {name: [one[name] for one in (self.applicants, self.pilots) if name in one] for name in names}
        return found, len(further) > room

    def act(self, decision: Decision) -> bool:
        """Read an act on the firm; returns whether it is new."""
        if decision.standing <= self.subject:
            return False
        self.subject = decision.standing
        content = decision.finding.content
        if decision.reason is Reason.FIRM_CLASSIFIED and content is not UNSET:
            self.in_force = str(content.get("class", ""))
        if decision.reason is Reason.DECISION_ANNULLED and content is not UNSET and len(self.annulled) < ANNULLED:
            self.annulled.append(str(content.get("decision", ""))[:SHORT])
        return True

    def record(self, firm: str) -> FirmRecord:
        """The record of the firm as far as it was read."""
        annulled = frozenset(self.annulled)
        parts, left_out = self.counted()
        pilots = [one for those in parts.values() for one in those]
        numbers = {name: sum(one.counts.get(name, 0) for one in pilots) for name in COUNTED}
        numbers |= {one.value: sum(pilot.total(one, annulled) for pilot in pilots) for one in Adverse}
        known = {mark.decision for one in pilots for mark in one.marks}
        return FirmRecord(
            firm=firm,
            first=min((one.first for one in pilots if one.first is not None), default=0),
            through=max((one.through for one in pilots), default=0),
            pilots=sum(one.admitted for one in pilots),
            open=sum(one.admitted and not one.ended for one in pilots),
            operated_ms=sum(one.operated_through for one in pilots),
            halts_standing=sum("halted" in one.states and not one.ended for one in pilots),
            rectifications_open=sum((one.window == "open") + len(one.duties) for one in pilots),
            observations=sum(one.observations for one in pilots),
            observations_late=sum(one.late for one in pilots),
            annulled=len(annulled & known),
            truncated=self.truncated or left_out,
            subject=self.subject,
            positions=tuple(PilotPosition(name, those[-1].standing, those[-1].read) for name, those in parts.items()),
            **numbers,
        )


class FirmsFold:
    """Every firm. `changed` are the firms whose fold changed since the caller cleared it."""

    def __init__(self) -> None:
        self.firms: dict[str, FirmFold] = {}
        self.changed: set[str] = set()

    def add(self, outputs: Outputs) -> None:
        """Read what was emitted."""
        for decision in outputs.decisions:
            self.decide(decision)
        for one in outputs.evidence:
            if not isinstance(one, Closed):
                self.observe(one)

    def decide(self, decision: Decision) -> None:
        """Read one decision, on a pilot or on a firm; any other is passed over."""
        if (firm := firm_of(decision.pilot)) is not None:
            fold = self._firm(firm)
            new = fold is not None and fold.act(decision)
        elif is_pilot(decision.pilot) and decision.participant:
            firm, fold = decision.participant, self._firm(decision.participant)
            pilot = None if fold is None else fold.pilot(decision.pilot, _of_application(decision))
            new = pilot is not None and pilot.add(decision)
        else:
            return
        if new:
            self.changed.add(firm)

    def observe(self, evidence: Evidence) -> None:
        """Read one observation."""
        if not evidence.participant:
            return
        fold = self._firm(evidence.participant)
        pilot = None if fold is None else fold.pilot(evidence.pilot)
        if pilot is not None:
            pilot.observe(evidence)
            self.changed.add(evidence.participant)

    def record(self, firm: str) -> FirmRecord:
        """The record of a firm; one without a pilot for a firm that is not known."""
        return self.firms.get(firm, FirmFold()).record(firm)

    def class_in_force(self, firm: str) -> str:
        """The class of a firm that an officer set last; "" without one."""
        return self.firms[firm].in_force if firm in self.firms else ""

    def records(self) -> list[FirmRecord]:
        """Every record, by firm."""
        return [self.firms[name].record(name) for name in sorted(self.firms)]

    def snapshot(self, firm: str) -> bytes | None:
        """What is remembered of a firm as bytes; `None` of one that is not known."""
        fold = self.firms.get(firm)
        return None if fold is None else msgspec.msgpack.encode(fold)

    def restore(self, firm: str, raw: bytes) -> None:
        """Continue from a snapshot of a firm. Raises LogBroken when it cannot be read."""
        self.firms[firm] = restored(raw)

    def _firm(self, name: str) -> FirmFold | None:
        lost = _make_room(self.firms, name, FIRMS)
        if lost == name:
            return None
        if lost:
            self.changed.add(lost)
        return self.firms.setdefault(name, FirmFold())


def restored(raw: bytes) -> FirmFold:
    """The fold of a firm from its snapshot. Raises LogBroken when it cannot be read."""
    try:
        return _decode(raw)
    except msgspec.MsgspecError as error:
        raise LogBroken(f"the record of a firm cannot be read: {error}") from error


def _of_application(decision: Decision) -> bool:
    """Whether a decision was made before the pilot was admitted: those name its states."""
    return decision.states is not UNSET and decision.states.split(" ", 1)[0] in APPLIES


_decode = msgspec.msgpack.Decoder(FirmFold).decode


def _make_room(those: dict[str, Any], name: str, most: int) -> str:
    """Make room for a name, so that of more than `most` names the first ones in order stay. Returns the name that is
    not kept therefore, which may be this one, "" where all are."""
    if name in those or len(those) < most:
        return ""
    last = max(those)
    if name > last:
        return name
    del those[last]
    return last
