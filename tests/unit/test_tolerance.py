"""The first crossing of a limit may be tolerated in low tiers, once, and at its price."""

from __future__ import annotations

import pytest

from monitor.charter import Responses
from monitor.model import Level, Reason
from monitor.telemetry import Harm, Severity

from .test_machine import HOUR, T0, Bench


def lenient() -> Bench:
    return Bench(tier="limited", responses=Responses(tolerate_first=True))


def test_the_first_crossing_of_a_low_tier_escalates_and_spends_its_share() -> None:
    """It opens a rectification; the next crossing halts, against a bar four times as high."""
    bench = lenient()
    bench.send(*(bench.emitter.incident(T0 + 1) for _ in range(20)), at=T0 + 2)
    first = next(d for d in bench.out.decisions if d.reason == Reason.LIMIT_TOLERATED)
    assert bench.level == Level.ESCALATE
    assert not bench.out.commands
    assert bench.machine.pilots["p"].standing.restart == 2
    bench.hour(1, incidents=60)
    halt = next(d for d in bench.out.decisions if d.reason == Reason.LIMIT_EXCEEDED)
    assert first.finding.alpha is not None
    assert halt.finding.alpha == pytest.approx(first.finding.alpha / 4)
    assert bench.level == Level.HALT


def test_what_was_tolerated_is_no_evidence_for_the_next_crossing() -> None:
    """The events that the first share has looked at are not counted again: the same burst does not cross twice."""
    bench = lenient()
    while Reason.LIMIT_TOLERATED not in bench.reasons():
        bench.send(bench.emitter.incident(T0 + 1), at=T0 + 2)
    open_period = next(iter(bench.machine.pilots["p"].streams["incidents/"].open.values()))
    assert open_period.used == open_period.k
    bench.send(bench.emitter.incident(T0 + 3), at=T0 + 4)
    bench.time(T0 + 3 * HOUR)
    assert Reason.LIMIT_EXCEEDED not in bench.reasons()


def test_a_rising_excess_is_not_tolerated() -> None:
    """A burst that goes on halts within its own period."""
    bench = lenient()
    bench.send(*(bench.emitter.incident(T0 + 1) for _ in range(80)), at=T0 + 2)
    assert Reason.LIMIT_TOLERATED in bench.reasons()
    assert bench.level == Level.HALT


def test_a_hard_rule_is_not_tolerated() -> None:
    """Tolerance is for limits; a death halts."""
    bench = lenient()
    death = bench.emitter.incident(T0, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
    bench.send(death, at=T0)
    assert bench.level == Level.HALT
