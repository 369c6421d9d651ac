"""Both runtimes, with real services: drills, contradiction by another source, a silent service, shelving, release."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.charter.control import Approval, Drill, Evaluation, Override, Rectification, Release, Shelving
from monitor.charter.spec import Drills, Responses, Window
from monitor.model.builders import Emitter, as_instant
from monitor.model.events import Harm, Severity
from monitor.model.records import Decision, Level, Reason
from monitor.sdk import Halted, Pilot
from monitor.testing.environments import ENVIRONMENTS, Environment
from monitor.testing.service import Service
from monitor.testing.wait import Until

DAYS: Any = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
WITHIN_S = 4.0
RESPONSES = Responses(lease="4s", acknowledge_within=f"{WITHIN_S:g}s")
DRILLS = Drills(every="20s", full_stops=(Window(DAYS, "00:00", "24:00"),))
until = Until(60.0, every=0.05)


@pytest.fixture(name="environment", params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)], scope="module")
def a_world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """One monitor for all tests of a runtime; each test uses a separate pilot."""
    environment = ENVIRONMENTS[request.param](tmp_path_factory.mktemp(request.param), 6, RESPONSES, DRILLS)
    yield environment
    environment.close()


def started(environment: Environment, home: Path, **more: Any) -> tuple[str, Service]:
    """A pilot and its service, serving."""
    charter = environment.next()
    settings = {
        **environment.settings(environment.proxy()),
        "pilot": charter.pilot,
        "participant": charter.participant.id,
    }
    settings |= {"model": "m1", "spool": home, "heartbeat_s": 0.5, "pack_ms": 5, "tier": "high", **more}
    service = Service(**settings)
    service.wait("serving", timeout=90)
    return charter.pilot, service


def death(environment: Environment, pilot: str) -> None:
    """Another source reports a death."""
    now = int(time.time() * 1000)
    event = Emitter(f"outside/{pilot}", pilot).incident(now, severity=Severity.SERIOUS_INCIDENT, harm=Harm.DEATH)
    environment.report(event)


def all_of(environment: Environment, pilot: str, reason: Reason, number: int, timeout: float = 60.0) -> list[Decision]:
    """Wait for at least so many decisions with that reason, and return them."""
    end = time.monotonic() + timeout
    while len(found := [d for d in environment.decisions.of(pilot) if d.reason == reason]) < number:
        assert time.monotonic() < end, (reason, [d.reason for d in environment.decisions.of(pilot)])
        time.sleep(0.1)
    return found


def test_drills_by_hand_and_by_the_charters_schedule(environment: Environment, tmp_path: Path) -> None:
    """A dry run stops nothing and records the seconds to the acknowledgement; two are scheduled by the charter; a full
    stop inside its window stops the service, is verified and lifted, and the firm resumes."""
    pilot, service = started(environment, tmp_path)
    with service:
        passed = all_of(environment, pilot, Reason.DRILL_PASSED, 2)
        begun = all_of(environment, pilot, Reason.DRILL_BEGUN, 2)
        assert [d.finding.rule for d in passed[:2]] == ["dry_run", "dry_run"]
        assert all(d.finding.observed is not None and 0 < d.finding.observed <= WITHIN_S for d in passed)
        assert 19_000 <= begun[1].at - begun[0].at <= 21_000
        assert {d.author for d in begun} == {""}
        assert set(service.last().values()) == {"serving"}
        environment.act(Drill(id="full", pilot=pilot, author="regulator-1", full_stop=True))
        service.wait("Halted")
        full = next(
            d for d in all_of(environment, pilot, Reason.DRILL_PASSED, len(passed) + 1) if d.finding.rule == "full_stop"
        )
        assert full.finding.observed is not None
        environment.decisions.wait(pilot, Reason.DRILL_ENDED)
        assert {d.level for d in environment.decisions.of(pilot)} == {Level.NORMAL}
        time.sleep(0.5)
        assert set(service.last().values()) == {"Halted"}
        since = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        settings = environment.settings(environment.proxy())
        firm = {"participant": full.participant, "spool_dir": tmp_path, "heartbeat_s": 0}
        with Pilot(pilot, **firm, **settings) as act:
            until(lambda: act.standing.release)
            act.resume()
        service.wait("serving", since=since)


def test_a_complaint_about_the_time_after_the_stop_contradicts(environment: Environment, tmp_path: Path) -> None:
    """After a verified halt a complaint about later service is a contradiction; one about earlier service is not."""
    pilot, service = started(environment, tmp_path)
    with service:
        before = datetime.now(UTC)
        death(environment, pilot)
        at, verified = environment.decisions.wait(pilot, Reason.HALT_VERIFIED)
        desk = Emitter(f"desk/{pilot}", pilot)
        now = int(time.time() * 1000)
        environment.report(desk.complaint(now, about=before - timedelta(seconds=1)))
        environment.report(desk.complaint(now, about=as_instant(now)))
        _, found = environment.decisions.wait(pilot, Reason.HALT_CONTRADICTED)
        assert (found.finding.rule, found.finding.detail) == ("complaint", f"reporter:hospital/desk/{pilot}")
        assert found.standing == verified.standing + 1
        assert at


def test_a_halted_service_that_becomes_silent_is_overdue(environment: Environment, tmp_path: Path) -> None:
    """Killed before its heartbeats could verify the stop: silence verifies nothing, and after the charter's time it
    escalates."""
    pilot, service = started(
        environment, tmp_path, heartbeat_s=1.0
    )  # three of them take longer than the time to the kill
    with service:
        death(environment, pilot)
        service.wait("Halted")
        word = until(
            lambda: next(  # of the halt: drills are acknowledged too
                (
                    d
                    for d in environment.decisions.of(pilot)
                    if d.reason == Reason.COMMAND_ACKNOWLEDGED and d.level == 3
                ),
                None,
            )
        )
        service.kill()
        _, overdue = environment.decisions.wait(pilot, Reason.HALT_OVERDUE)
        assert overdue.finding.rule == "dark"
        assert WITHIN_S * 1000 <= overdue.at - word.at <= WITHIN_S * 1000 + 2000
        assert Reason.HALT_VERIFIED not in [d.reason for d in environment.decisions.of(pilot)]


def test_a_shelf_a_halt_and_its_whole_release(environment: Environment, tmp_path: Path) -> None:
    """A watch can be shelved, a halt cannot; the first cause is marked; after the release the statistics use the next
    share of alpha, and the service serves only after the firm has resumed."""
    pilot, service = started(environment, tmp_path)
    by = {"pilot": pilot, "author": "regulator-1"}
    with service:
        environment.act(Override(id="w", **by, level="watch", reason="look"))
        environment.act(Shelving(id="s", **by, finding="override", reason="known", span="2h"))
        _, shelved = environment.decisions.wait(pilot, Reason.SHELVED)
        assert (shelved.level, shelved.finding.period_end) == (Level.NORMAL, shelved.at + 7_200_000)
        death(environment, pilot)
        environment.decisions.wait(pilot, Reason.HALT_VERIFIED)
        halt = next(d for d in environment.decisions.of(pilot) if d.level == Level.HALT)
        assert (halt.first_out, halt.restart) == (True, 1)
        environment.act(Shelving(id="s2", **by, finding="rule/death", reason="no"))
        with Pilot(
            pilot, participant=halt.participant, spool_dir=tmp_path, **environment.settings(environment.proxy())
        ) as firm:
            environment.act(Evaluation(id="e", **by, passed=True, report="too early: nothing was rectified"))
            environment.act(Rectification(id="r", **by, finding="f", cause="c", action="a", evidence="e"))
            environment.decisions.wait(pilot, Reason.RECTIFICATION_RECORDED)
            environment.act(Evaluation(id="e2", **by, passed=True, report="r"))
            environment.act(Approval(id="a", **by))
            environment.act(Approval(id="b", pilot=pilot, author="regulator-2"))
            environment.act(Release(id="l", **by, reason="seen on site"))
            _, released = environment.decisions.wait(pilot, Reason.RELEASED)
            assert (released.was, released.level, released.restart) == (Level.HALT, Level.NORMAL, 2)
            until(lambda: firm.standing.release)
            assert set(service.last().values()) == {"Halted"}
            since = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            firm.resume()
            service.wait("serving", since=since)


def test_a_drill_after_a_release_does_not_resume_the_service(environment: Environment, tmp_path: Path) -> None:
    """Halt, release, then a dry run as the newest command: after a restart, on the same disk or a new one, work is
    refused until the firm has resumed."""
    pilot, service = started(environment, tmp_path)
    by = {"pilot": pilot, "author": "regulator-1"}
    with service:
        death(environment, pilot)
        environment.decisions.wait(pilot, Reason.HALT_VERIFIED)
        halt = next(d for d in environment.decisions.of(pilot) if d.level == Level.HALT)
        environment.act(Rectification(id="r", **by, finding="f", cause="c", action="a", evidence="e"))
        environment.act(Evaluation(id="e", **by, passed=True, report="r"))
        environment.act(Approval(id="a", **by))
        environment.act(Approval(id="b", pilot=pilot, author="regulator-2"))
        environment.act(Release(id="l", **by))
        _, released = environment.decisions.wait(pilot, Reason.RELEASED)
        drills = all_of(environment, pilot, Reason.DRILL_BEGUN, 0)
        environment.act(Drill(id="d", **by))
        all_of(environment, pilot, Reason.DRILL_BEGUN, 1 + len(drills))
    for disk in (tmp_path, tmp_path / "new"):
        settings = {"participant": halt.participant, "spool_dir": disk, **environment.settings(environment.proxy())}
        with Pilot(pilot, **settings) as firm:
            with pytest.raises(Halted, match="has not resumed") as refused, firm.guard():
                pytest.fail("the guard let work begin")
            assert (refused.value.reason, refused.value.decision) == ("not_resumed", released.id)
            firm.resume()
            with firm.guard():
                pass
        with Pilot(pilot, **settings) as firm, firm.guard():
            pass
