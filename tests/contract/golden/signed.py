"""A scripted hour of a partition with keys and a journal: acts and heartbeats are signed, some are forged, the monitor
was away, the log lost telemetry, a topic belongs to one participant, a cycle is over."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from . import names
from .story import OFFICERS, SECOND, Step

MINUTE = 60_000
FIRM, OFFICER, ADMITTER, OTHER = (names.Signer(bytes([n]) * 32) for n in (1, 2, 3, 4))
PILOTS = ("signed", "plain", "over")


def charters() -> dict[str, names.Charter]:
    """One charter with keys, one without, one whose cycle is over."""
    fleet = names.Fleet(3, pilots=3, scenarios=("calm",), hours=60, period="60s")
    made = {
        pilot: replace(fleet.charter_for(fleet.pilots[n]), pilot=pilot, participant=names.Participant(f"firm-{n}"))
        for n, pilot in enumerate(PILOTS)
    }
    (authority,) = made["signed"].authorities
    made["signed"] = replace(
        made["signed"],
        participant=names.Participant("firm-0", keys=(FIRM.public,)),
        authorities=(
            replace(
                authority,
                officers=("officer-1",),
                keys=dict(zip(OFFICERS, (OFFICER.public, OTHER.public), strict=True)),
            ),
        ),
    )
    made["over"] = replace(made["over"], cycle=replace(made["over"].cycle, start="2025-01-01", end="2025-12-31"))
    return made


class SignedScript:
    """The steps. They do not depend on the outputs of a machine."""

    def __init__(self) -> None:
        self.start = names.Fleet(3, pilots=1).start
        self.steps: list[Step] = []
        self.emitters = {pilot: names.Emitter(f"svc/{pilot}", pilot) for pilot in PILOTS}
        self.offset = self.acts = 0
        made = charters()
        for pilot in PILOTS:
            self.act(0, "admission", pilot, made[pilot], ADMITTER, author="admitter")
        self.act(0, "admission", "unsigned", replace(made["plain"], pilot="unsigned"), None, author="admitter")
        for tick in range(1, 240):
            self.at(tick * 10 * SECOND, tick)

    def at(self, at: int, tick: int) -> None:
        """One tick of ten seconds."""
        if tick == 120:
            at += 20 * MINUTE  # no time entry for as long
        at += 20 * MINUTE if tick > 120 else 0
        self.steps.append(("time", self.start + at))
        for pilot in PILOTS:
            if tick % 6 == 0:
                self.work(at, pilot, tick)
            self.beat(at + 1, pilot, forged=tick in (9, 10))
        acts = {
            20: ("override", "signed", OFFICER, {"level": "watch", "reason": "signed"}),
            21: ("override", "signed", None, {"level": "watch", "reason": "not signed"}),
            22: ("override", "signed", FIRM, {"level": "watch", "reason": "signed by the firm"}),
            23: ("override", "signed", OFFICER, {"level": "watch", "reason": "no validity", "expected_standing": None}),
            30: ("override", "plain", None, {"level": "halt", "reason": "a halt"}),
            40: ("drill", "signed", OFFICER, {"expected_standing": 3}),
            41: ("drill", "signed", OTHER, {"expected_standing": 900}),
        }
        if tick in acts:
            kind, pilot, signer, fields = acts[tick]
            self.act(at + 2, kind, pilot, None, signer, **fields)
        if tick == 50:
            stray = names.encode(names.Emitter("svc/stray", "plain").complaint(self.start + at))
            self.steps.append(("elsewhere", names.Record(0, self.start + at, b"plain", stray)))
        if tick == 200:
            self.steps.append(("lost", {"telemetry": (self.offset, self.offset + 7)}))
            self.offset += 7

    def work(self, at: int, pilot: str, tick: int) -> None:
        """Telemetry of one minute; once without a model."""
        emit = self.emitters[pilot]
        events: list[Any] = [emit.exposure(self.start + at, 16.0), emit.complaint(self.start + at, segment="north")]
        if tick == 60:
            emit.model = ""
            events.append(emit.complaint(self.start + at, segment="south"))
            emit.model = "m1"
        value = b"[" + b",".join(names.encode(event) for event in events) + b"]"
        self.send(at, pilot, value, FIRM if pilot == "signed" else None)

    def beat(self, at: int, pilot: str, forged: bool = False) -> None:
        """A heartbeat, signed where the charter asks for it."""
        raw = names.encode(self.emitters[pilot].heartbeat(self.start + at))
        signer = OFFICER if forged else FIRM
        self.send(at, pilot, raw, signer if pilot == "signed" else None)

    def send(self, at: int, pilot: str, value: bytes, signer: Any = None) -> None:
        """One record of telemetry."""
        headers = () if signer is None else ((names.HEADER, signer.sign("telemetry", value).encode()),)
        key = None if self.offset == 11 else pilot.encode()
        self.steps.append(("telemetry", names.Record(self.offset, self.start + at, key, value, headers)))
        self.offset += 1

    def act(
        self, at: int, kind: str, pilot: str, charter: Any, signer: Any, author: str = OFFICERS[0], **fields: Any
    ) -> None:
        """One act that carries all that a signed one must."""
        now = self.start + at
        valid = {
            "expected_standing": 0 if kind == "admission" else 1,
            "not_before": names.as_instant(now - MINUTE),
            "not_after": names.as_instant(now + MINUTE),
        }
        body = {"type": f"sandbox.control.{kind}", "id": f"act-{self.acts}", "pilot": pilot, "author": author}
        body |= valid | fields | ({} if charter is None else {"charter": charter})
        raw = msgspec.json.encode(body)
        headers = () if signer is None else ((names.HEADER, signer.sign("control", raw).encode()),)
        self.steps.append(("control", names.Record(self.acts, now, pilot.encode(), raw, headers)))
        self.acts += 1


def machine(kind: type[names.Machine]) -> names.Machine:
    """A machine of a deployment with an admitter's key, and topics that belong to participants."""
    return kind(
        3,
        epoch=5,
        secret=b"secret",
        keyed=True,
        owner_of={"elsewhere": "firm-9"}.get,
        admitters=names.Trusted([ADMITTER.public]),
    )
