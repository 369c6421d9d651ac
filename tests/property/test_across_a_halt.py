"""The record of evidence is right across a halt: what is emitted during and after it is what an observer of a pilot
that was never halted would count, for every kind of indicator."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.charter.control import Override
from monitor.charter.spec import DetectorSpec, ExposureSpec, IndicatorSpec
from monitor.charter.users_acts import ComplaintFiling, UserComplaint
from monitor.indicators import INDICATORS
from monitor.model.events import Envelope, Severity, instant
from monitor.model.records import Evidence
from tests.strength import examples
from tests.unit.engine.test_machine import HOUR, T0, Bench
from tests.unit.state.test_incidents import release

HOURS = 40
GROUPS = ("north", "south")
DECISIONS = ExposureSpec("decisions", cap=500)
WATCHED: dict[str, dict[str, Any]] = {
    "incident_rate": {"exposure": DECISIONS, "limit": 50, "per": 1000, "segments": GROUPS},
    "complaint_rate": {"exposure": ExposureSpec("decisions", complete="on_close"), "limit": 50, "per": 1000},
    "false_positive_rate": {"limit": 0.9, "segments": GROUPS},
    "complaint_over_promise": {"limit": 0.9, "params": {"promise": "3h"}},
    "complaint_handling_time": {"limit": 400},
    "compliance_cost": {"limit": 1e9, "params": {"currency": "EUR"}},
    "efficiency_gain": {"limit": 1e9},
    "late_share": {"limit": 0.99},
    "item_share": {"limit": 0.9, "params": {"measure": "labelled"}, "segments": GROUPS},
    "claim_rate": {"limit": 50, "per": 1000, "params": {"claim": "takedown"}, "exposure": DECISIONS},
    "claim_over_promise": {"limit": 0.9, "params": {"claim": "takedown", "promise": "3h"}},
    "outside_complaint_rate": {"limit": 50, "per": 1000, "exposure": DECISIONS},
    "outside_gap": {"limit": 0.9},
}
NAMES = (
    "exposure", "incident", "outcomes", "complaint", "cost", "gain", "resolved", "withdrawn", "items", "claim",
    "claim_closed", "outside",
)  # fmt: skip
DETECTORS = {"compliance_cost": "gauge_limit", "efficiency_gain": "gauge_limit"}
LIMIT_OF = {kind: DETECTORS.get(kind, "limit_e_process") for kind in WATCHED}
Stories: TypeAlias = list[tuple[int, list[Any]]]
Key: TypeAlias = tuple[str, str, int]


def watched(kind: str, by: str = "occurrence") -> IndicatorSpec:
    """An indicator of this kind that never alarms, with late events."""
    given = dict(WATCHED[kind])
    if by == "classification":
        given["params"] = {"by": by}
    level = "watch" if kind in DETECTORS or kind == "complaint_handling_time" else "escalate"
    return IndicatorSpec(
        kind, kind, weight=0.01, detectors=(DetectorSpec(LIMIT_OF[kind], level),), reporting_delay="20m", **given
    )


def story(rng: Random) -> list[tuple[int, str, dict[str, Any]]]:
    """Telemetry of two days: when it is received, the method of `Emitter` that makes it, and its arguments."""
    found: list[tuple[int, str, dict[str, Any]]] = []
    filed: list[tuple[int, str, str]] = []
    claims: list[tuple[int, str, str]] = []
    for hour in range(HOURS):
        found.append((T0 + (hour + 1) * HOUR - 1, "heartbeat", {"at": T0 + (hour + 1) * HOUR - 1}))
        for number in range(rng.choice([0, 2, 5, 9])):
            at = T0 + hour * HOUR + rng.randrange(HOUR)
            when = at if rng.random() < 0.8 else max(T0, at - rng.randrange(10 * HOUR))
            group = rng.choice(GROUPS)
            name = rng.choice(NAMES)
            if name in ("resolved", "withdrawn"):
                if filed:
                    then, complaint, group = filed.pop(rng.randrange(len(filed)))
                    closed = {"at": max(when, then), "complaint": complaint, "filed": then, "segment": group}
                    found.append((max(at, then), f"complaint_{name}", closed))
                continue
            given: dict[str, Any] = {"at": when}
            if name == "claim_closed":
                if claims:
                    then, given["claim"], given["segment"] = claims.pop(rng.randrange(len(claims)))
                    given |= {"at": max(when, then), "filed": then, "withdrawn": rng.random() < 0.3}
                    found.append((max(at, then), name, given))
                continue
            if name == "outside":
                given |= {"complaint": f"{rng.getrandbits(128):032x}", "segment": group}
            if name == "claim":
                given["claim"] = f"r-{hour}-{number}"
                claims.append((when, given["claim"], group))
            if name == "items":
                given |= {"marked": rng.choice([0, 3]), "unmarked": rng.choice([0, 40])}
            if name in ("exposure", "incident", "outcomes", "complaint", "items", "claim"):
                given["segment"] = group
            if name == "complaint":
                filed.append((when, f"c-{hour}-{number}", group))
                given["complaint"] = f"c-{hour}-{number}"
            if name == "incident":
                given["severity"] = rng.choice(list(Severity))
            if name == "gain":
                given["share"] = rng.choice([-0.2, 0.0, 0.3])
            if name == "exposure":
                given["amount"] = rng.choice([0.0, 3.0, 40.0])
            found.append((at, name, given))
    return sorted(found, key=lambda row: row[0])


def evidence(spec: IndicatorSpec, seed: int, halted: tuple[int, int] | None) -> Counter[Key]:
    """What is on record of each period of a stream, halted from one hour to another if `halted`: events and exposure
    together with what came late and what counts nowhere for being late, without periods that had no data."""
    bench = Bench(spec, hard_rules=())
    acts: list[tuple[int, str]] = []
    if halted is not None:
        acts = [(T0 + halted[0] * HOUR + 7, "halt"), (T0 + halted[1] * HOUR + HOUR // 6, "release")]
    rows: list[tuple[int, str, Any]] = [(at, name, {}) for at, name in acts]
    rows += [(T0 + hour * HOUR + 1, "time", {}) for hour in range(1, HOURS + 12)]
    for at, name, given_ in sorted([*story(Random(seed)), *rows], key=lambda row: row[0]):
        if name == "halt":
            bench.act(Override(id="o", pilot="p", author="anna", level="halt", reason="r"), at)
        elif name == "release":
            release(bench, at)
        elif name == "time":
            bench.time(at)
        elif name == "outside":
            one = UserComplaint(complaint=given_["complaint"], time=instant(given_["at"]), segment=given_["segment"])
            bench.act(ComplaintFiling(id=one.complaint, pilot="p", author="anna", complaints=(one,)), at)
        else:
            event: Envelope = getattr(bench.emitter, name)(**given_)
            bench.send(event, at=at)
    total: Counter[Any] = Counter()
    for e in bench.out.evidence:
        if isinstance(e, Evidence) and not (e.unknown and not e.k and e.m in (0, DECISIONS.cap)):
            total[e.segment, e.start, "k"] += e.k  # type: ignore[assignment]
            total[e.segment, e.start, "m"] += e.m  # type: ignore[assignment]
    assert not bench.out.rejected
    return total


def test_every_indicator_with_evidence_is_covered() -> None:
    """A new kind of indicator has to be added here; silence has no periods."""
    assert {*WATCHED, "silence"} == set(INDICATORS)


@pytest.mark.parametrize("kind", [*WATCHED, "incident_rate by classification"])
@given(data=st.data())
@settings(max_examples=examples(4, 60), deadline=None)
def test_evidence_during_and_after_a_halt_is_what_an_observer_of_all_time_counts(
    kind: str, data: st.DataObject
) -> None:
    """For every indicator, whatever comes, and whenever the halt begins and ends."""
    kind, _, by = kind.partition(" by ")
    seed = data.draw(st.integers(0, 10**6))
    start = data.draw(st.integers(1, HOURS - 5))
    end = data.draw(st.integers(start + 1, HOURS))
    spec = watched(kind, by or "occurrence")
    always, halted = evidence(spec, seed, None), evidence(spec, seed, (start, end))
    assert always == halted
    assert always
