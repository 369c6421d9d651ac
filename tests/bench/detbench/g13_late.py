"""G13: what arrives late, is regraded or is reported more than once, end to end through the state machine.

Daily periods, 1,000 decisions a day, a limit on incidents, alpha 5 % (one limit has all of it, before the first
restart). `regraded`: incidents are reported on the day as minor and become serious 30 days later, at three times the
limit of serious ones; the indicator counts by classification. `delay`: an excess begins on day 60, and from then on the
delay of the reports lengthens by a quarter of a day per day, up to 30 days; compared with the same incidents reported
at once. `repeated`: incidents at the limit, each of them reported in three events. `counted`: of the incidents that
were sent late, how many are in the evidence or on record as dropped.
"""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import msgspec
import numpy as np

from detectors.base import Count, Design
from detectors.e_process import LimitEProcess
from monitor.charter.control import Admission
from monitor.charter.spec import (
    Authority,
    Charter,
    Cycle,
    DetectorSpec,
    ExposureSpec,
    IndicatorSpec,
    Model,
    Participant,
)
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Severity, encode
from monitor.model.records import Evidence, Level, Record
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps

DAY_MS, START, ALPHA = 86_400_000, 1_767_571_200_000, 0.05  # Monday 5 January 2026
ONSET, LONGEST, SLOWER, REGRADED, REPEATS = 60, 30, 0.25, 30, 3


class Report(NamedTuple):
    """One event: the day on which it is received, and what to make it of."""

    day: float
    occurred: float
    incident: str
    update: bool = False


class Run(NamedTuple):
    """Day of the halt (infinite: none), incidents in the evidence, and those on record as dropped."""

    halted: float
    counted: float
    dropped: float


def charter(limit: float, params: dict[str, Any], window: int = 4) -> Charter:
    """A charter with one limit on incidents per 1,000 decisions."""
    spec = IndicatorSpec(
        "incidents", "incident_rate", period="1d", limit=limit, per=1000, exposure=ExposureSpec("decisions"), weight=1,
        params=params, late_window=window, detectors=(DetectorSpec("limit_e_process", "halt"),),
    )  # fmt: skip
    return Charter(
        schema="sandbox-charter/1", pilot="p", participant=Participant("firm"), scenario="a simulation", tier="high",
        cycle=Cycle("2026-01-01", "2028-01-01"), models=(Model("m1"),), alpha=ALPHA, indicators=(spec,),
        authorities=(Authority("authority", approvers=("anna", "ben")),),
    )  # fmt: skip


def run(given: Charter, reports: list[Report], days: int, *, to_the_end: bool = False) -> Run:
    """Step one pilot; ends with its halt unless `to_the_end`."""
    machine, emitter, offset = Machine(journalled=False), Emitter("svc/1", "p"), 0
    act = Admission(id="adm", pilot="p", author="anna", charter=given)
    machine.control(Record(0, START, b"p", msgspec.json.encode(act)))
    waiting, place = sorted(reports), 0
    counted = dropped = 0.0
    for day in range(days):
        events: list[tuple[int, Envelope]] = []
        while place < len(waiting) and waiting[place].day < day + 1:
            at, one = START + int(waiting[place].day * DAY_MS), waiting[place]
            occurred = START + int(one.occurred * DAY_MS)
            make = emitter.incident_update if one.update else emitter.incident
            events.append((at, make(occurred, incident=one.incident)))
            place += 1
        end = START + (day + 1) * DAY_MS - 1
        events.append((end, emitter.exposure(end, 1000.0)))
        out = machine.telemetry(
            "telemetry", [Record(offset + n, at, b"p", encode(e)) for n, (at, e) in enumerate(events)]
        )
        offset += len(events)
        found = [*out.evidence, *machine.time(end + 2).evidence]
        counted += sum(e.k for e in found if isinstance(e, Evidence) and not e.dropped)
        dropped += sum(e.k for e in found if isinstance(e, Evidence) and e.dropped)
        if machine.pilots["p"].standing.level == Level.HALT and not to_the_end:
            return Run(day + 1.0, counted, dropped)
    return Run(math.inf, counted, dropped)


def incidents(rng: np.random.Generator, daily: float, first: float, days: int) -> list[float]:
    """When incidents occur (days): a Poisson process from `first` on."""
    count = rng.poisson(daily * (days - first))
    return sorted(map(float, rng.uniform(first, days, count)))


def regraded(
    rng: np.random.Generator, limit: float, runs: int, by: str = "classification", window: int = 4
) -> list[float]:
    """Days from the first regrading to the halt."""
    given = charter(limit, {"severity": Severity.SERIOUS_INCIDENT, "by": by}, window)
    delays = []
    for _ in steps(range(runs), f"G13 regraded, limit {limit:g}"):
        times = incidents(rng, 3 * limit, 0.0, 150)
        reports = [Report(at, at, f"i{n}") for n, at in enumerate(times)]
        reports += [Report(at + REGRADED, at, f"i{n}", update=True) for n, at in enumerate(times)]
        delays.append(run(given, reports, 180).halted - REGRADED)
    return delays


def lengthening(rng: np.random.Generator, limit: float, ratio: float, runs: int) -> tuple[list[float], list[Run]]:
    """How many days later than without delay a pilot is halted; and runs to the end."""
    given = charter(limit, {})
    behind, whole = [], []
    days = ONSET + 250
    for number in steps(range(runs), f"G13 delay, {ratio:g}x of {limit:g}"):
        times = incidents(rng, limit * 0.5, 0.0, ONSET) + incidents(rng, limit * ratio, ONSET, days)
        late = [Report(at + min(LONGEST, SLOWER * max(0.0, at - ONSET)), at, f"i{n}") for n, at in enumerate(times)]
        at_once = run(given, [Report(at, at, f"i{n}") for n, at in enumerate(times)], days).halted
        behind.append(run(given, late, days).halted - at_once if math.isfinite(at_once) else math.nan)
        if number < 5:
            whole.append(run(given, [r for r in late if r.day < days], days, to_the_end=True))
            sent = sum(r.day < days for r in late)
            assert whole[-1].counted + whole[-1].dropped == sent, "an incident disappeared"
    return behind, whole


def repeated(rng: np.random.Generator, limit: float, runs: int) -> int:
    """How many of `runs` pilots at their limit are halted within a year."""
    given, halted = charter(limit, {}), 0
    for _ in steps(range(runs), f"G13 repeated, limit {limit:g}"):
        times = incidents(rng, limit, 0.0, 365)
        reports = [Report(at + r * 0.3, at, f"i{n}") for n, at in enumerate(times) for r in range(REPEATS)]
        halted += math.isfinite(run(given, reports, 365).halted)
    return halted


def cost() -> list[Row]:
    """What a wide late window costs a stream whose events are late: time of an update, bytes of its state."""
    rows = []
    for window in (4, 64):
        detector = LimitEProcess.design(Design(limit=5.0, alpha=0.01, late_window=window))
        best = math.inf
        for _ in range(20):
            began = time.perf_counter()
            for _ in range(1000):
                detector.update(Count(4.0, 1.0))
            best = min(best, (time.perf_counter() - began) * 1e3)
        began = time.perf_counter()
        for _ in range(100):
            detector.raise_late(window - 1, 1.0)
        late = (time.perf_counter() - began) * 1e4
        name = "narrow (as by default)" if window == 4 else "wide (only while events are late)"
        rows.append(Row("us per update", name, best))
        rows.append(Row("us per late event, oldest period", name, late))
        rows.append(Row("bytes of the detector", name, len(msgspec.msgpack.encode(detector))))
    return rows


def goals(quick: bool) -> list[Goal]:
    """Returns G13a to G13d."""
    runs, nulls = (60, 60) if quick else (400, 1_000)
    rng = simulators.rng("g13")
    rows: list[Row] = []
    delays: dict[float, list[float]] = {}
    for limit in (1.0, 0.5):
        delays[limit] = regraded(rng, limit, runs)
        rows.append(Row("halted", f"regraded, limit {limit:g} a day", *_halted(delays[limit])))
        rows.append(Row("median days after the first", f"regraded, limit {limit:g} a day", *_median(delays[limit])))
    for window in (4, 40):
        what = f"regraded, by occurrence, late_window {window}"
        found = regraded(rng, 1.0, max(10, runs // 4), "occurrence", window)
        rows += [Row("halted", what, *_halted(found)), Row("median days after the first", what, *_median(found))]
    behind: list[float] = []
    for limit, ratio in ((1.0, 2.0), (3.0, 1.5), (5.0, 2.0)):
        found, whole = lengthening(rng, limit, ratio, max(10, runs // 4))
        rows.append(Row("median days behind", f"delay, {ratio:g}x of {limit:g} a day", *_median(found)))
        late = sum(r.dropped for r in whole) / sum(r.counted + r.dropped for r in whole)
        rows.append(Row("share dropped", f"delay, {ratio:g}x of {limit:g} a day", late))
        behind.append(_median(found)[0])
    false = metrics.share(repeated(rng, 1.0, nulls), nulls)
    rows.append(Row("halted within a year", f"repeated {REPEATS} times, at the limit", *false, ALPHA))
    rows += cost()
    share, median = _halted(delays[1.0]), _median(delays[1.0])
    bounds = (">= 0.99", "<= 20", "<= 15", f"<= {ALPHA}")
    values = (share, median, (max(behind), 0.0), tuple(false))
    notes = (
        "halted, of pilots whose incidents are regraded after 30 days at 3 times the limit",
        "median days from the first regrading to the halt",
        "median days behind the halt without delay, worst setting",
        f"P(halt within a year) of pilots at their limit whose incidents are reported {REPEATS} times",
    )
    return [
        Goal(f"G13{letter}", value, bound, held(value, bound), error, note, tuple(rows) if letter == "a" else ())
        for letter, (value, error), bound, note in zip("abcd", values, bounds, notes, strict=True)
    ]


def _halted(delays: list[float]) -> tuple[float, float]:
    return tuple(metrics.share(sum(map(math.isfinite, delays)), len(delays)))  # type: ignore[return-value]


def _median(delays: list[float]) -> tuple[float, float]:
    return tuple(metrics.quantile(np.array([d for d in delays if not math.isnan(d)]), 0.5))  # type: ignore[return-value]
