"""The records sent in a history: seeded telemetry of several pilots, invalid records at batch edges, acts of
regulators.

A seed determines all records and their times after the start. Each burst is sent in one call, so that a batch begins,
ends and is split at invalid records, at duplicates and between packs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Literal

import msgspec
from msgspec import Struct

from monitor.charter.control import (
    Agreement,
    Amendment,
    ApplicationRefusal,
    ApplicationWithdrawal,
    Approval,
    ControlBase,
    Drill,
    Evaluation,
    Override,
    Rectification,
    Release,
    Screening,
    Shelving,
    Withdrawal,
)
from monitor.charter.exit_acts import (
    Assessing,
    ExitApproval,
    Graduation,
    Recall,
    ReportIssue,
    StepEvaluation,
    TemplateMaking,
    Termination,
    TierApproval,
    Withholding,
)
from monitor.charter.incident_acts import ChangeNotice, IncidentReportAct, Reclassification
from monitor.charter.running_acts import (
    ChangeProposal,
    ChangeRefusal,
    CycleProposal,
    Decline,
    EvidenceHold,
    Extension,
    Grant,
    Guidance,
    GuidanceRequest,
    HoldLift,
    Inspection,
    InspectionFinding,
    PauseRequest,
    Resumption,
)
from monitor.charter.spec import ChangeKind
from monitor.charter.users_acts import (
    ComplaintAnswer,
    ComplaintFiling,
    RedressStep,
    UserComplaint,
    UserDeparture,
)
from monitor.model.builders import BATCH, Emitter, packed
from monitor.model.clock_record import IncidentClass
from monitor.model.events import Envelope, encode, instant
from monitor.model.records import digest
from monitor.simulation.fleet import Fleet
from monitor.testing.history.firm_story import FirmStory
from monitor.testing.history.model_story import ModelStory
from monitor.testing.history.sandbox_story import SandboxStory
from monitor.validate.rejections import MAX_BYTES

SCENES = ("step", "death", "silence", "late", "gaps", "duplicates", "spike", "group", "silent_model", "upgrade", "calm")
PERIOD_MS = 200
PACKED = (("content-type", BATCH.encode()),)
JUNK: tuple[bytes | None, ...] = (None, b"", b"\xff\xfe", b"{}", b"[1]", b"{", b'{"id":5}', b"[" * 200)


class Item(Struct, frozen=True):
    """One record to send. `to` is a telemetry topic by number, or `control`."""

    to: int | str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Burst(Struct, frozen=True):
    """Records sent together, `at` ms after the start. `aborted`: in a transaction that the firm aborts."""

    at: int
    items: list[Item]
    aborted: bool = False


class Workload:
    """All sends of one history. `start` (ms) is when its first period begins; `topics` how many telemetry topics there
    are. A period lasts `period_ms`; bursts are sent twice per period."""

    def __init__(
        self,
        seed: int,
        *,
        start: int,
        partitions: int = 2,
        topics: int = 1,
        periods: int = 0,
        period_ms: int = PERIOD_MS,
    ) -> None:
        self.seed, self.partitions, self.topics, self._slice = seed, partitions, topics, period_ms // 2
        rng = self._rng = Random(f"story/{seed}")
        count = rng.randrange(2, 6)
        scenes = rng.sample(SCENES, count)
        if rng.random() < 0.7 and "death" not in scenes:
            scenes[0] = "death"
        self.fleet = Fleet(
            seed,
            pilots=count,
            scenarios=scenes,
            start=start,
            hours=periods or rng.randrange(10, 18),
            period=f"{period_ms}ms",
            onset=rng.randrange(2, 6),
            volume=rng.choice((100.0, 300.0, 800.0)),
        )
        self.pilots = self.fleet.pilots
        self._versions = dict.fromkeys(self.pilots, 1)
        self._acts = 0
        self._sandbox, self._models, self._firms = SandboxStory(seed), ModelStory(seed), FirmStory(seed)

    @property
    def length_ms(self) -> int:
        """From the start of the first period to the end of the last (ms)."""
        return self.fleet.end - self.fleet.start

    def partition(self, pilot: str) -> int:
        """The partition of a pilot."""
        return int(pilot.rsplit("-", 1)[1]) % self.partitions

    def topic(self, pilot: str) -> int:
        """Number of the telemetry topic that may speak of the pilot (topics are per participant: firm-1, firm-2,
        ...)."""
        return 0 if self.topics == 1 else (int(pilot.rsplit("-", 1)[1]) - 1) % 5 % self.topics

    # ---- the bursts

    def bursts(self) -> Iterator[Burst]:
        """Every burst in order of time, admissions first."""
        rng = self._rng
        admissions = [self._control(self.fleet.admission(p)) for p in self.pilots]
        early = rng.random() < 0.8  # else some telemetry comes before its pilot is admitted
        yield Burst(-2 * self._slice if early else 3 * self._slice, admissions)
        if self._sandbox.founded:
            yield Burst(4 * self._slice, self._everywhere(self._sandbox.founding()))
        events: dict[int, list[Envelope]] = {}
        for received, event in self.fleet:
            events.setdefault((received - self.fleet.start) // self._slice, []).append(event)
        released = False
        for number in range(max(events, default=0) + 8):
            at = (number + 1) * self._slice
            items = self._records(events.get(number, []))
            if items:
                yield Burst(at, self._spoiled(items))
            if rng.random() < 0.25:
                yield Burst(at, [self._control(act) for act in self._some_acts()])
            if self._sandbox.founded and number > 4 and number % 6 == 0:
                yield Burst(at, [item for act in self._sandbox.change() for item in self._everywhere(act)])
            if self._sandbox.founded and number > 4 and number % 3 == 1:
                yield Burst(at, [self._control(act) for act in self._models.acts()])
                yield Burst(at, [item for act in self._firms.acts() for item in self._everywhere(act)])
            if rng.random() < 0.03:
                yield Burst(at, [self._bad(rng.choice(self.pilots)) for _ in range(3)], aborted=True)
            if number * self._slice > self.length_ms * 0.6 and not released:
                released = True
                pilot = rng.choice(self.pilots)
                for i, act in enumerate(self._release(pilot)):
                    yield Burst(at + self._slice * i * rng.randrange(0, 3) // 3, [self._control(act)])

    def landing(self, number: int) -> list[Item]:
        """A burst of control and telemetry for the moment of fault `number`."""
        rng = Random(f"landing/{self.seed}/{number}")
        items = [self._control(act) for act in self._some_acts(rng)]
        pilot = rng.choice(self.pilots)
        items += [self._bad(pilot, rng) for _ in range(rng.randrange(0, 3))]
        return items

    def closing(self, at: int) -> list[Item]:
        """The last records: a heartbeat of a new source of every pilot, an invalid record and an act in every
        partition."""
        items = []
        for pilot in self.pilots:
            beat = Emitter(f"end/{pilot}/{self.seed}", pilot).heartbeat(at)
            items.append(self._item(pilot, encode(beat)))
            items.append(self._bad(pilot))
            items.append(self._control(self._override(pilot, self._rng)))
        return items

    def _records(self, events: Sequence[Envelope]) -> list[Item]:
        """Events as records, single or packed, in the order of each pilot."""
        rng, items = self._rng, []
        queues: dict[str, list[Envelope]] = {}
        for event in events:
            queues.setdefault(event.subject, []).append(event)
        for pilot, queue in queues.items():
            while queue:
                size = rng.choice((1, 1, 2, 7, 50))
                group, queue = queue[:size], queue[size:]
                value = encode(group[0]) if size == 1 else packed(group)
                items.append(self._item(pilot, value, () if size == 1 else PACKED))
        return items

    def _spoiled(self, items: list[Item]) -> list[Item]:
        """Bad records at the edges and in the middle, whole records twice, a record that is too large."""
        rng = self._rng
        if rng.random() < 0.25:
            items.insert(0, self._bad(rng.choice(self.pilots)))
        if rng.random() < 0.25:
            items.append(self._bad(rng.choice(self.pilots)))
        if rng.random() < 0.25:
            items.insert(rng.randrange(len(items) + 1), self._bad(rng.choice(self.pilots)))
        if rng.random() < 0.2:
            twice = rng.choice(items)
            items.insert(rng.randrange(items.index(twice) + 1, len(items) + 1), twice)
        if rng.random() < 0.01:
            pilot = rng.choice(self.pilots)
            items.append(self._item(pilot, b'{"pad":"' + b"x" * MAX_BYTES + b'"}'))
        return items

    def _bad(self, pilot: str, rng: Random | None = None) -> Item:
        """A record that `validate` or the machine refuses: junk, a wrong key, no key, of another or of no pilot
        pilot."""
        rng = rng or self._rng
        kind = rng.randrange(5)
        if kind == 0:
            stranger = Emitter("stranger/1", "pilot-9999").complaint(self.fleet.start)
            return self._item(pilot, encode(stranger), key=b"pilot-9999")
        if kind == 1:
            return self._item(pilot, encode(Emitter("other/1", pilot).gain(self.fleet.start)), key=b"pilot-0000")
        if kind == 2:
            junk = rng.choice(JUNK) or b"\x00"  # a client cannot send a record that has neither key nor value
            return Item(self.topic(pilot), self.partition(pilot), None, junk)
        good = encode(Emitter(f"half/{pilot}", pilot).gain(self.fleet.start))
        return self._item(pilot, rng.choice((*JUNK, good[:-3], b"[" + good + b",{}]")), rng.choice(((), PACKED)))

    def _item(
        self, pilot: str, value: bytes | None, headers: tuple[tuple[str, bytes], ...] = (), key: bytes | None = None
    ) -> Item:
        return Item(self.topic(pilot), self.partition(pilot), key or pilot.encode(), value, headers)

    # ---- acts of regulators

    def _control(self, act: ControlBase) -> Item:
        return Item("control", self.partition(act.pilot), act.pilot.encode(), msgspec.json.encode(act))

    def _everywhere(self, act: ControlBase) -> list[Item]:
        """An act on the sandbox or on a firm, in every partition."""
        body = msgspec.json.encode(act)
        return [Item("control", number, act.pilot.encode(), body) for number in range(self.partitions)]

    def _id(self, *parts: object) -> str:
        self._acts += 1
        return digest("act", self.seed, self._acts, *parts)

    def _override(self, pilot: str, rng: Random) -> Override:
        levels: tuple[Literal["normal", "watch", "escalate", "halt"], ...] = ("normal", "watch", "escalate", "halt")
        level = rng.choice(levels)
        return Override(id=self._id(), pilot=pilot, author="regulator-1", level=level, reason="to be looked at")

    def _some_acts(self, rng: Random | None = None) -> list[ControlBase]:
        """One to three acts. Many are refused; a refusal must be recorded exactly once too."""
        rng = rng or self._rng
        acts: list[ControlBase] = []
        for _ in range(rng.randrange(1, 4)):
            pilot = rng.choice(self.pilots)
            kind = rng.randrange(10)
            common: dict[str, Any] = {"id": self._id(), "pilot": pilot, "author": "regulator-1"}
            if kind < 4:
                acts.append(self._override(pilot, rng))
            elif kind < 6:
                self._versions[pilot] += 1
                charter = self.fleet.charter_for(pilot)
                spec = charter.indicators[0]
                limit = (spec.limit or 1.0) * rng.choice((0.5, 1.0, 2.0))
                first = msgspec.structs.replace(spec, limit=limit)
                amended = msgspec.structs.replace(
                    charter, version=self._versions[pilot], indicators=(first, *charter.indicators[1:])
                )
                acts.append(Amendment(**common, charter=amended))
            elif kind == 6:
                acts.append(Drill(**common))
            elif kind == 7:
                acts.append(Shelving(**common, finding="incidents//cusum", reason="known", span="1s"))
            elif kind == 8:
                acts.append(Override(**{**common, "author": "stranger"}, level="watch", reason="not allowed to"))
            elif rng.random() < 0.3:
                acts += self._about_incidents(common, rng)
                acts += self._of_users(common, rng)
            elif rng.random() < 0.5:
                acts += self._running(pilot, rng)
            elif rng.random() < 0.2:
                acts.append(self._exit(common, rng))
            else:
                acts.append(Release(**common))
        if rng.random() < 0.2:
            acts.append(acts[0])  # a duplicate record
        return acts

    def _running(self, pilot: str, rng: Random) -> list[ControlBase]:
        """A pair of acts of the firm and an officer on a pilot that runs, in order."""
        firm = self.fleet.charter_for(pilot).participant.id

        def by(author: str = "regulator-1") -> dict[str, Any]:
            return {"id": self._id(), "pilot": pilot, "author": author}

        asked = GuidanceRequest(**by(firm), question="which log format?")
        pairs: tuple[tuple[ControlBase, ControlBase], ...] = (
            (PauseRequest(**by(firm), reason="moving"), Grant(**by())),
            (Resumption(**by(firm)), Decline(**by(), reason="no reason")),
            (
                ChangeProposal(**by(firm), kind=ChangeKind.DATA_TYPE, subjects=("logs",), summary="more logs"),
                ChangeRefusal(**by(), reason="too early"),
            ),
            (asked, Guidance(**by(), answer="JSON", about=asked.id)),
            (EvidenceHold(**by(), reason="to be looked at"), HoldLift(**by(), reason="seen")),
            (
                CycleProposal(**by(firm), start="2027-01-01", end="2027-06-30", reason="second cycle"),
                Extension(**by(), end="2027-12-31", reason="more data"),
            ),
            (
                Inspection(
                    **by(),
                    scope=("logs",),
                    seen="retention",
                    findings=(InspectionFinding("rule", "none", instant(self.fleet.end)),),
                ),
                Rectification(**by(firm), finding="inspection", cause="c", action="a", evidence="e"),
            ),
        )
        return list(rng.choice(pairs))

    def _exit(self, common: dict[str, Any], rng: Random) -> ControlBase:
        """An act of an assessment, an exit or what follows it; most are refused in the state of the pilot."""
        digest = "0" * 64
        kinds: tuple[tuple[type[ControlBase], dict[str, Any]], ...] = (
            (Assessing, {"outcome": "continue", "reason": "r"}),
            (ExitApproval, {}),
            (TierApproval, {"charter": digest, "tier": "minimal"}),
            (Withdrawal, {"reason": "done"}),
            (Withdrawal, {"reason": "done", "outcome": rng.choice(("scale", "stop"))}),
            (Termination, {"basis": "art-57", "reason": "r"}),
            (ReportIssue, {"report": digest, "proof": digest}),
            (Withholding, {"reason": "r"}),
            (Graduation, {"months": 1}),
            (Recall, {"reason": "r"}),
            (StepEvaluation, {"reason": "r"}),
            (TemplateMaking, {"template": "t", "reason": "r"}),
            (Agreement, {"charter": digest}),
            (Screening, {}),
            (ApplicationRefusal, {"reason": "r"}),
            (ApplicationWithdrawal, {}),
        )
        kind, fields = rng.choice(kinds)
        return kind(**common, **fields)

    def _about_incidents(self, common: dict[str, Any], rng: Random) -> list[ControlBase]:
        """A classification, a notice and the firm's report."""
        firm = {**common, "id": self._id(), "author": self.fleet.charter_for(common["pilot"]).participant.id}
        incident = f"i-{rng.randrange(4)}"
        classes = (rng.choice(list(IncidentClass)),) if rng.random() < 0.8 else ()
        return [
            Reclassification(**common, incident=incident, classes=classes, reason="looked at"),
            ChangeNotice(**{**common, "id": self._id()}, notice="told", incident=rng.choice(("", incident))),
            IncidentReportAct(**firm, incident=incident, complete=rng.random() < 0.5, report="sent"),
        ]

    def _of_users(self, common: dict[str, Any], rng: Random) -> list[ControlBase]:
        """What users report outside the firm: a complaint, a request for redress, the firm's answer, a departure."""
        firm = self.fleet.charter_for(common["pilot"]).participant.id
        name, at = f"{rng.randrange(6):032x}", instant(self.fleet.start)

        def by(author: str = common["author"]) -> dict[str, Any]:
            return {**common, "id": self._id(), "author": author}

        return [
            ComplaintFiling(**by(), complaints=(UserComplaint(complaint=name, time=at),)),
            RedressStep(**by(), step="asked", complaints=(name,)),
            ComplaintAnswer(**by(firm), complaints=(name,)),
            UserDeparture(**by(), users=(name,)),
        ]

    def _release(self, pilot: str) -> list[ControlBase]:
        """Everything a release of a halt needs, in order, after an act that halts it for certain."""
        common = {"pilot": pilot}

        def by(author: str = "regulator-1") -> dict[str, Any]:
            return {**common, "id": self._id(), "author": author}

        return [
            Override(**by(), level="halt", reason="stop"),
            Rectification(**by(), finding="f", cause="c", action="a", evidence="e"),
            Evaluation(**by(), passed=True, report="r"),
            Approval(**by("regulator-1")),
            Approval(**by("regulator-2")),
            Release(**by(), reason="seen on site"),
        ]
