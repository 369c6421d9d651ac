"""A scripted day of a partition: one pilot for each simulated scenario under a charter with every kind of indicator and
detector, every act of a regulator at least once, services that obey, and bad input.

The script is generated once by a machine on the slow path, because services respond to its commands.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from msgspec.structs import replace

from . import names

HOUR = 3_600_000
SECOND = 1000
LOOK = 750  # steps between two snapshots of all states
HOURS = 30
OFFICERS = ("regulator-1", "regulator-2")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SCENARIOS = (
    "step", "calm", "step", "silence", "late", "gaps", "duplicates", "group", "death", "silent_model", "upgrade",
    "overdispersed", "spike", "busy", "rise",
)  # fmt: skip
# Detectors that watch next to the one that may halt.
COUNTS = ("e_detector", "cusum", "seasonal", "glr", "ewma", "river_drift", "shape")
SHARES = ("e_detector", "cusum", "seasonal", "ewma", "river_drift", "shape")
GAUGES = ("gauge_limit", "ewma", "river_drift", "shape")
Step = tuple[
    str, Any
]  # ("telemetry", record), ("control", record), ("time", ms), ("lost", offsets), ("elsewhere", record)


def charter(fleet: names.Fleet, number: int) -> names.Charter:
    """The charter of the pilot with this number: every kind of indicator, every detector where it may stand."""
    made = fleet.charter_for(fleet.pilots[number])
    low = number % 3 == 2
    more = {
        "incidents": [
            names.DetectorSpec("limit_e_process", "halt"),
            names.DetectorSpec("maxsprt", "escalate", {"horizon": 20.0}),
        ],
        "complaints": [
            names.DetectorSpec("limit_e_process", "halt"),
            *(names.DetectorSpec(name, "watch") for name in COUNTS),
        ],
        "false-positives": [
            names.DetectorSpec("limit_e_process", "halt"),
            *(names.DetectorSpec(n, "watch") for n in SHARES),
        ],
        "compliance-cost": [names.DetectorSpec(name, "watch") for name in GAUGES],
        "efficiency-gain": [names.DetectorSpec(name, "watch") for name in GAUGES],
    }
    indicators = tuple(
        replace(
            spec,
            detectors=tuple(more.get(spec.name, spec.detectors)),
            variance_mean=1.0 if spec.name == "incidents" else spec.variance_mean,
            period="2h" if spec.name == "compliance-cost" else spec.period,
        )
        for spec in made.indicators
    )
    return replace(
        made,
        indicators=indicators,
        tier="limited" if low else "high",
        responses=replace(
            made.responses,
            tolerate_first=low,
            rectify_within="5h",
            unknown_escalates_after="3h",
            watch_clears_after=2,
            escalate_clears_after=3,
        ),
        drills=names.Drills(every="9h", full_stops=(names.FullStopWindow(DAYS, "00:00", "24:00"),)),
        evaluation=(names.Trial("replayed-week", {"false_alarms": names.Bound(0.0, 2.0)}),),
    )


class Script:
    """The steps, and the machine that they were made with."""

    def __init__(self) -> None:
        self.fleet = names.Fleet(5, pilots=len(SCENARIOS), scenarios=SCENARIOS, hours=HOURS, onset=6, volume=2000)
        self.machine = names.OneByOne(journalled=False)
        self.obedience = names.SimulatedService()
        self.steps: list[Step] = []
        self.waiting: dict[str, list[bytes]] = {}
        self.active: dict[str, set[str]] = {}  # keys of findings, by pilot
        self.offset = self.acts = self.last_time = 0
        self.charters = {pilot: charter(self.fleet, n) for n, pilot in enumerate(self.fleet.pilots)}
        for pilot in self.fleet.pilots:
            self.act(self.fleet.start, "admission", pilot, charter=self.charters[pilot])
        plan = self.schedule()
        for at, event in self.fleet:
            while plan and plan[0][0] <= at:
                when, kind, pilot, fields = plan.pop(0)
                self.flush(pilot, when)
                getattr(self, kind)(when, pilot, **fields)
            self.tell(at, event)
        for pilot in self.fleet.pilots:
            self.flush(pilot, self.fleet.end)
        for hours in range(1, 8):
            self.step(("time", self.fleet.end + hours * HOUR))

    def schedule(self) -> list[tuple[int, str, str, dict[str, Any]]]:
        """Events other than telemetry: (time, method, pilot, arguments), in order of time."""
        pilots = self.fleet.pilots
        rows: list[tuple[float, str, int, dict[str, Any]]] = [
            (1.2, "bad_input", 1, {}),
            (2.1, "drill", 1, {}),
            (2.2, "drill", 1, {}),
            (3.3, "drill", 4, {"full_stop": True}),
            (3.4, "override", 3, {"level": "escalate", "reason": "looked at by hand"}),
            (3.5, "shelve_any", 3, {}),
            (4.1, "amend", 6, {}),
            (4.2, "amend", 6, {"version": 1}),
            (4.3, "accept", 6, {"indicator": "complaints"}),
            (4.4, "accept", 6, {"indicator": "none-such"}),
            (5.1, "corrections", 1, {}),
            (5.2, "astray", 1, {}),
            (5.3, "extremes", 4, {}),
            (5.4, "copies", 6, {}),
            (6.1, "exit", 10, {"reason": "the pilot is over"}),
            (7.1, "override", 7, {"level": "halt", "reason": "a complaint from outside"}),
            (7.2, "exit", 7, {"reason": "over, and halted"}),
            (8.1, "override", 13, {"level": "halt", "reason": "tried by hand"}),
            (8.2, "release", 13, {}),
            (8.5, "burst", 5, {}),
            (9.1, "lift", 13, {}),
            (9.5, "override", 1, {"level": "watch", "reason": "a hint"}),
            (9.6, "override", 1, {"level": "normal", "reason": "it was nothing"}),
            (12.1, "burst", 1, {"count": 300}),
            (14.1, "shelve_any", 5, {}),
            (16.1, "rectify", 11, {}),
            (17.1, "prepare", 8, {}),
            (20.1, "lift", 8, {}),
            (21.1, "lift", 0, {}),
            (22.1, "other_source", 1, {}),
            (23.1, "too_late", 1, {}),
        ]
        start = self.fleet.start
        return [(start + round(hour * HOUR), kind, pilots[n], fields) for hour, kind, n, fields in rows]

    def tell(self, at: int, event: Any) -> None:
        """One event of the fleet, packed with up to eleven others of its pilot; time passes every ten minutes."""
        passed = self.obedience.passes(event)
        if passed is not None:
            run = self.waiting.setdefault(event.subject, [])
            run.append(names.encode(passed))
            if len(run) >= 1 + (self.offset % 12):
                self.flush(event.subject, at)
        if at - self.last_time > 600_000:
            self.last_time = at
            for pilot in sorted(self.waiting):
                self.flush(pilot, at)
            self.step(("time", at))

    def flush(self, pilot: str, at: int) -> None:
        """Send what waits of a pilot."""
        run = self.waiting.pop(pilot, [])
        if run:
            self.send(pilot, at, run[0] if len(run) == 1 else b"[" + b",".join(run) + b"]")

    def send(self, pilot: str, at: int, value: bytes | None, key: bool = True, **headers: bytes) -> None:
        """One record of telemetry."""
        named = tuple((name.replace("_", "-"), text) for name, text in headers.items())
        record = names.Record(self.offset, at, pilot.encode() if key else None, value, named)
        self.offset += 1
        self.step(("telemetry", record))

    def act(self, at: int, kind: str, pilot: str, author: str = OFFICERS[0], **fields: Any) -> None:
        """One act, written as its sender writes it."""
        body = {"type": f"sandbox.control.{kind}", "id": f"act-{self.acts}", "pilot": pilot, "author": author, **fields}
        self.step(("control", names.Record(self.acts, at, pilot.encode(), msgspec.json.encode(body))))
        self.acts += 1

    def step(self, step: Step) -> None:
        """Take a step; the services answer to commands, but for three pilots."""
        self.steps.append(step)
        out = taken(self.machine, [step])
        for d in out.decisions:
            keys = self.active.setdefault(d.pilot, set())
            if d.finding_key and d.reason == names.Reason.CLEARED:
                keys.discard(d.finding_key)
            elif d.finding_key:
                keys.add(d.finding_key)
        for command in out.commands:
            deaf = command.pilot in (self.fleet.pilots[8], self.fleet.pilots[7], self.fleet.pilots[2])
            answer = None if deaf else self.obedience.command(command, command.at)
            if answer is not None:
                self.waiting.setdefault(answer.subject, []).append(names.encode(answer))

    # ---- what the schedule names

    def drill(self, at: int, pilot: str, **fields: Any) -> None:
        """A drill."""
        self.act(at, "drill", pilot, **fields)

    def override(self, at: int, pilot: str, **fields: Any) -> None:
        """A level by hand."""
        self.act(at, "override", pilot, **fields)

    def accept(self, at: int, pilot: str, **fields: Any) -> None:
        """A new level of an indicator."""
        self.act(at, "acceptance", pilot, reason="a new season", **fields)

    def exit(self, at: int, pilot: str, **fields: Any) -> None:
        """The end of a pilot."""
        self.act(at, "exit", pilot, **fields)

    def release(self, at: int, pilot: str) -> None:
        """A release on its own, which is refused."""
        self.act(at, "release", pilot, reason="too early")

    def rectify(self, at: int, pilot: str) -> None:
        """A corrective action on each active finding."""
        for found in sorted(self.active.get(pilot, ()))[:2]:
            self.act(at, "rectification", pilot, finding=found, cause="c", action="a", evidence="e")

    def shelve_any(self, at: int, pilot: str) -> None:
        """The first active finding is set aside, and one that is none."""
        for found in ("complaints//none-such", *sorted(self.active.get(pilot, ()))[:1]):
            self.act(at, "shelving", pilot, finding=found, reason="known", span="2h")

    def amend(self, at: int, pilot: str, version: int = 2) -> None:
        """Another limit."""
        old = self.charters[pilot]
        specs = tuple(
            replace(s, limit=s.limit * 2) if s.name == "complaints" and s.limit else s for s in old.indicators
        )
        self.act(at, "amendment", pilot, charter=replace(old, version=version, indicators=specs))

    def lift(self, at: int, pilot: str) -> None:
        """Everything that lifts a halt, with one step tried twice."""
        results = {"replayed-week": {"false_alarms": 1.0}}
        self.act(at, "rectification", pilot, finding="f", cause="c", action="a", evidence="e")
        self.act(at + 1, "evaluation", pilot, passed=True, report="r", results=results)
        for n, author in enumerate((OFFICERS[0], OFFICERS[0], OFFICERS[1])):
            self.act(at + 2 + n, "approval", pilot, author)
        self.act(at + 9, "release", pilot, reason="seen on site")

    def prepare(self, at: int, pilot: str) -> None:
        """The first steps towards a release, and then nothing for hours."""
        results = {"replayed-week": {"false_alarms": 2.0}}
        self.act(at, "rectification", pilot, finding="f", cause="c", action="a", evidence="e")
        self.act(at + 1, "evaluation", pilot, passed=True, report="r", results=results)
        self.act(at + 2, "approval", pilot, OFFICERS[1])
        firm = self.charters[pilot].participant.id
        self.act(at + 3, "evaluation", pilot, firm, passed=False, report="r", results=results)
        self.act(at + 4, "evaluation", pilot, passed=True, report="r", results=results)
        self.act(at + 5, "approval", pilot, OFFICERS[1])

    def corrections(self, at: int, pilot: str) -> None:
        """Corrections of an open period and of a closed period."""
        desk = names.Emitter("desk/corrections", pilot)
        for when in (at - 60_000, at - 4 * HOUR):
            self.send(pilot, at, names.encode(desk.exposure_corrected(when, -7.0)))
            self.send(pilot, at, names.encode(desk.outcomes_corrected(when, fp=-1, segment="north")))

    def astray(self, at: int, pilot: str) -> None:
        """Events that count nowhere."""
        desk = names.Emitter("desk/astray", pilot)
        for event in (
            desk.complaint(at, segment="North"),
            desk.exposure(at, 5.0, unit="miles"),
            desk.cost(at, 5.0, currency="USD"),
            desk.incident(at, incident="twice"),
            desk.incident(at, incident="twice"),
        ):
            self.send(pilot, at, names.encode(event))

    def other_source(self, at: int, pilot: str) -> None:
        """A source that skips numbers, says two things under one number, and repeats itself late."""
        desk = names.Emitter("desk/other", pilot)
        first = names.encode(desk.complaint(at, "o-1"))
        desk.skip(3)
        for value in (first, names.encode(desk.complaint(at, "o-2")), first.replace(b"o-1", b"o-9"), first):
            self.send(pilot, at, value)

    def extremes(self, at: int, pilot: str) -> None:
        """Numbers beyond what the charter states, and a model that is not named."""
        desk = names.Emitter("desk/extremes", pilot)
        for event in (desk.cost(at - HOUR, 1e6), desk.gain(at, -0.9), desk.exposure(at, 1e6)):
            self.send(pilot, at, names.encode(event))
        for number in range(40):
            self.send(pilot, at, names.encode(desk.complaint(at - 9 * HOUR // 2 + number, segment="south")))
        nameless = names.Emitter("desk/nameless", pilot, model="")
        self.send(pilot, at, names.encode(nameless.exposure(at, 1.0)))

    def burst(self, at: int, pilot: str, count: int = 45) -> None:
        """Complaints at once."""
        desk = names.Emitter(f"desk/burst/{at}", pilot)
        for number in range(count):
            self.send(pilot, at, names.encode(desk.complaint(at + number, segment="west")))

    def copies(self, at: int, pilot: str) -> None:
        """The same act twice, another under its id, acts out of their time, and by people who may not act."""
        self.act(at, "override", pilot, level="watch", reason="a")
        for reason, author in (("a", OFFICERS[0]), ("b", OFFICERS[0]), ("c", "stranger")):
            self.act(at + 1, "override", pilot, author, id=f"act-{self.acts - 1}", level="watch", reason=reason)
        self.act(at + 2, "override", pilot, level="watch", reason="x", not_after="2026-01-05T00:00:00Z")
        self.act(at + 2, "override", pilot, level="watch", reason="x", expected_standing=1)
        self.act(at + 3, "admission", pilot, charter=self.charters[pilot])
        self.act(at + 3, "admission", "pilot-0001-b", charter=self.charters[pilot])
        self.act(at + 3, "drill", "stranger")
        self.act(at + 3, "none-such", pilot)

    def too_late(self, at: int, pilot: str) -> None:
        """What is out of its time: before the admission, closed before it was filed, a number long forgotten."""
        desk = names.Emitter("desk/late", pilot, first=1_000_000)
        self.send(pilot, at, names.encode(desk.complaint(at - 100 * HOUR, "early")))
        self.send(pilot, at, names.encode(desk.complaint_resolved(at, "c", at + 120_000)))
        self.send(pilot, at, names.encode(names.Emitter("desk/late", pilot, first=1).complaint(at, "old")))

    def bad_input(self, at: int, pilot: str) -> None:
        """Bytes that are rejected, each for another reason."""
        good = names.encode(names.Emitter("desk/bad", pilot).exposure(at, 5.0))
        for value in (
            None,
            b"",
            b"\xff\xfe\x00",
            b"{",
            b"[1]",
            b"7",
            good.replace(b"sandbox.exposure.tallied", b"sandbox.exposure.none"),
            good.replace(b'"amount":5.0', b'"amount":"5"'),
            good.replace(b'"amount":5.0', b'"amount":-5'),
            good.replace(b'"amount":5.0', b'"amount":NaN'),
            good.replace(b'"unit":"decisions",', b""),
            good.replace(b'"subject":"pilot', b'"subject":"other'),
            good.replace(b'"time":"2026', b'"time":"2036'),
            good.replace(b'"time":"2026', b'"time":"1999'),
            good.replace(b'"time":"2026-01', b'"time":"2026-13'),
            good.replace(b'"sequence":"0', b'"sequence":"x'),
            good.replace(b'"1.0"', b'"0.3"'),
            b"[" * 100 + b"]" * 100,
        ):
            self.send(pilot, at, value)
        self.send(pilot, at, good, content_type=b"application/avro")
        self.send(pilot, at, good, content_type=b"application/cloudevents-batch+json")
        self.send(pilot, at, b"[" + b",".join([b"{}"] * 5001) + b"]")
        self.send(pilot, at, b" " * (1 << 20) + good)
        self.send("stranger", at, names.encode(names.Emitter("x", "stranger").heartbeat(at)))


def taken(machine: names.Machine, steps: Iterable[Step]) -> names.Outputs:
    """Steps, with each stretch of telemetry between two others in one batch."""
    out, batch = names.Outputs(), list[names.Record]()
    for kind, what in (*steps, ("end", None)):
        if kind == "telemetry":
            batch.append(what)
            continue
        if batch:
            out.extend(machine.telemetry("telemetry", batch))
            batch = []
        if kind == "control":
            out.extend(machine.control(what))
        elif kind == "time":
            out.extend(machine.time(what))
        elif kind == "elsewhere":
            out.extend(machine.telemetry("elsewhere", [what]))
        elif kind == "lost":
            out.extend(machine.lost(what))
    return out


@functools.cache
def script() -> Script:
    """The script, made once."""
    return Script()


def run(
    machine: names.Machine, steps: list[Step], cut: int, look: Callable[[int], None] = lambda step: None
) -> names.Outputs:
    """What a machine emits over all steps, `cut` of them at a time; `look` is called after each `LOOK` of them."""
    out = names.Outputs()
    for start in range(0, len(steps), cut):
        out.extend(taken(machine, steps[start : start + cut]))
        if (start + cut) % LOOK == 0 and start + cut <= len(steps):
            look(start + cut)
    out.newest_permits()
    return out
