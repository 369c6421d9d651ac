"""G15: the record of evidence is right across a halt, end to end through the state machine.

Complaints of a pilot, five a day, of which one in ten is not resolved within the promised ten days; the limit is 15 %,
alpha 5 %. The pilot is halted on day 30, complaints go on, and it is released on day 90. `share`: broken promises of
all in the evidence of days 30 to 90. `exceeded`: pilots whose limit is found exceeded, though it never is.
"""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.charter.control import Admission, Approval, ControlBase, Evaluation, Override, Rectification, Release
from monitor.charter.spec import Authority, Charter, Cycle, DetectorSpec, IndicatorSpec, Model, Participant
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, encode
from monitor.model.records import Evidence, Outputs, Reason, Record
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps

DAY_MS, START, ALPHA, LIMIT, BROKEN, DAILY = 86_400_000, 1_767_571_200_000, 0.05, 0.15, 0.1, 5.0
HALTED, RELEASED, DAYS = 30, 90, 180
WHO: dict[str, Any] = {"pilot": "p", "author": "anna"}


def charter() -> Charter:
    """A charter with one limit on broken promises."""
    spec = IndicatorSpec(
        "promises", "complaint_over_promise", period="1d", limit=LIMIT, weight=1, params={"promise": "10d"},
        detectors=(DetectorSpec("limit_e_process", "escalate"),),
    )  # fmt: skip
    return Charter(
        schema="sandbox-charter/1", pilot="p", participant=Participant("firm"), scenario="a simulation", tier="high",
        cycle=Cycle("2026-01-01", "2028-01-01"), models=(Model("m1"),), alpha=ALPHA, indicators=(spec,),
        authorities=(Authority("authority", approvers=("anna", "ben")),),
    )  # fmt: skip


def acts(day: int) -> list[ControlBase]:
    """The acts of a day."""
    if day == HALTED:
        return [Override(id="o", level="halt", reason="r", **WHO)]
    if day != RELEASED:
        return []
    approvals = [Approval(id=f"a{author}", pilot="p", author=author) for author in ("anna", "ben")]
    rectified = Rectification(id="r", finding="f", cause="c", action="a", evidence="e", **WHO)
    return [
        rectified,
        Evaluation(id="e", passed=True, report="r", **WHO),
        *approvals,
        Release(id="l", reason="r", **WHO),
    ]


def run(rng: Any, halted: bool) -> Outputs:
    """Step one pilot to the end."""
    machine, emitter, out, offset, control = Machine(journalled=False), Emitter("svc/1", "p"), Outputs(), 0, 1
    act = Admission(id="adm", charter=charter(), **WHO)
    machine.control(Record(0, START, b"p", msgspec.json.encode(act)))
    due: list[tuple[int, Envelope]] = []
    for number, at in enumerate(sorted(rng.uniform(0, DAYS, rng.poisson(DAILY * DAYS)))):
        filed = START + int(at * DAY_MS)
        due.append((filed, emitter.complaint(filed, complaint=f"c{number}")))
        if rng.random() >= BROKEN:
            resolved = filed + int(rng.uniform(0.1, 9.9) * DAY_MS)
            due.append((resolved, emitter.complaint_resolved(resolved, f"c{number}", filed=filed)))
    due.sort(key=lambda row: row[0])
    place, sequence = 0, 0
    for day in range(DAYS):
        for step in acts(day) if halted else ():
            out.extend(machine.control(Record(control, START + day * DAY_MS, b"p", msgspec.json.encode(step))))
            control += 1
        records = []
        while place < len(due) and due[place][0] < START + (day + 1) * DAY_MS:
            sequence += 1
            event = msgspec.structs.replace(due[place][1], sequence=f"{sequence:020d}")
            records.append(Record(offset, due[place][0], b"p", encode(event)))  # type: ignore[arg-type]
            offset, place = offset + 1, place + 1
        out.extend(machine.telemetry("telemetry", records))
        out.extend(machine.time(START + (day + 1) * DAY_MS + 1))
    return out


def goals(quick: bool) -> list[Goal]:
    """Returns G15a and G15b."""
    rng, runs = simulators.rng("g15"), 30 if quick else 400
    shares, exceeded = list[float](), {True: 0, False: 0}
    for number in steps(range(runs), "G15"):
        for halted in (True, False) if number < runs // 2 else (True,):
            out = run(rng, halted)
            exceeded[halted] += any(d.reason == Reason.LIMIT_EXCEEDED for d in out.decisions)
            first, last = START + HALTED * DAY_MS, START + RELEASED * DAY_MS
            found = [e for e in out.evidence if isinstance(e, Evidence) and first <= e.start < last]
            if halted:
                shares.append(sum(e.k for e in found) / sum(e.m for e in found))
    share, false = metrics.mean(shares), metrics.share(exceeded[True], runs)
    never = metrics.share(exceeded[False], runs // 2)
    rows = (
        Row("share of broken promises on record", "during a halt", *share, BROKEN),
        Row("limit found exceeded", "halted and released", *false, ALPHA),
        Row("limit found exceeded", "never halted", *never, ALPHA),
    )
    off = abs(share.value - BROKEN)
    return [
        Goal("G15a", off, "<= 0.01", held(off, "<= 0.01"), share.error, "error of a share during a halt", rows),
        Goal("G15b", false.value, f"<= {ALPHA}", held(false.value, f"<= {ALPHA}"), false.error,
             "P(limit found exceeded) of pilots within it whose complaints go on during a halt"),
    ]  # fmt: skip
