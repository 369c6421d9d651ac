"""One retry stage: order, backoff, cursors, and resending what stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from monitor.act import deliver as delivering
from monitor.act import queues as subject
from monitor.act.deliver import Deliver
from monitor.charter.spec import charter_hash
from monitor.errors import Refused, Unavailable
from monitor.model.records import Decision, Level, Reason
from monitor.projections.alerts import Alert, Facts
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import halted


class Plain:
    """An actor that keeps what it is handed and fails as told."""

    def __init__(self) -> None:
        self.got: list[Decision] = []
        self.fail: list[Exception] = []

    def act(self, decision: Decision) -> None:
        if self.fail:
            raise self.fail.pop(0)
        self.got.append(decision)


class Pager:
    """A notifier that keeps what it is handed, as `+occurrence` and `-occurrence` of a halt, and fails as told."""

    resend_ms = 60_000

    def __init__(self) -> None:
        self.got: list[str] = []
        self.fail: list[Exception] = []
        self.held: list[Alert] = []  # what the other side says that it holds

    def notify(self, standing: Sequence[Alert], ended: Sequence[Alert]) -> None:
        if self.fail:
            raise self.fail.pop(0)
        for sign, alerts in (("-", ended), ("+", standing)):
            self.got += [f"{sign}{alert.pilot}" for alert in alerts if alert.name == "SandboxPilotHalted"]

    def open(self) -> Sequence[Alert]:
        return self.held


RELEASE = halted(standing=2, level=Level.NORMAL, was=Level.HALT, reason=Reason.RELEASED)


def test_decisions_arrive_in_order() -> None:
    """What is fed is handed over once, in order."""
    actor = Plain()
    deliver = Deliver({"a": actor})
    deliver.feed([halted(standing=i) for i in (1, 2, 3)])
    deliver.tick(0)
    assert [d.standing for d in actor.got] == [1, 2, 3]
    assert deliver.idle


def test_repeats_are_skipped() -> None:
    """Feeding the log again from its start hands nothing over twice."""
    actor = Plain()
    deliver = Deliver({"a": actor})
    for _ in range(2):
        deliver.feed([halted(standing=1), halted(standing=2)])
        deliver.tick(0)
    assert len(actor.got) == 2


def test_unavailable_backs_off_and_keeps_order() -> None:
    """The same decision is tried again after 1, 2, 4 ... at most 60 s; those behind it wait."""
    actor = Plain()
    actor.fail = [Unavailable("away")] * 9
    deliver = Deliver({"a": actor})
    deliver.feed([halted(standing=1), halted(standing=2)])
    now, waits = 0, []
    while not deliver.idle:
        due = deliver.tick(now)
        waits.append(due - now)
        if not deliver.idle:
            deliver.tick(due - 1)
            assert actor.got == []
        now = due
    assert waits[:9] == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]
    assert [d.standing for d in actor.got] == [1, 2]


def test_one_actor_that_is_away_holds_up_no_other() -> None:
    """Each actor has a separate queue."""
    away, well = Plain(), Plain()
    away.fail = [Unavailable("away")]
    deliver = Deliver({"away": away, "well": well})
    deliver.feed([halted()])
    deliver.tick(0)
    assert (len(away.got), len(well.got)) == (0, 1)


@pytest.mark.parametrize("error", [Refused("no"), ZeroDivisionError("a mistake in the actor")])
def test_a_refusal_or_a_mistake_is_passed_over(error: Exception) -> None:
    """A decision that an actor cannot take is counted and does not block the next one."""
    actor, counted = Plain(), []
    actor.fail = [error]
    deliver = Deliver({"a": actor}, counted=lambda name, outcome: counted.append(outcome))
    deliver.feed([halted(standing=1), halted(standing=2)])
    deliver.tick(0)
    assert [d.standing for d in actor.got] == [2]
    assert counted == ["refused", "done"]


def test_a_standing_halt_is_resent_until_it_ends() -> None:
    """Every `resend_ms` until the release, which is sent once."""
    actor = Pager()
    deliver = Deliver({"a": actor})
    deliver.feed([halted()])
    now, due = 0, deliver.tick(0)
    assert due == 60_000
    for _ in range(3):
        deliver.tick(due - 1)
        now = due
        due = deliver.tick(now)
    assert actor.got == ["+p-1"] * 4
    deliver.feed([RELEASE])
    deliver.tick(now)
    deliver.tick(now + 600_000)
    assert actor.got == ["+p-1"] * 4 + ["-p-1"]


def test_a_refused_halt_is_still_resent() -> None:
    """A halt refused for a wrong token is tried anew at every resending, so that correcting the token suffices."""
    actor = Pager()
    actor.fail = [Refused("token")]
    deliver = Deliver({"a": actor})
    deliver.feed([halted()])
    deliver.tick(0)
    deliver.tick(60_000)
    assert actor.got == ["+p-1"]


def test_a_refused_end_is_still_resent() -> None:
    """An end that was refused is sent at the next resending: an alert may not stand for ever."""
    actor = Pager()
    deliver = Deliver({"a": actor})
    deliver.feed([halted()])
    deliver.tick(0)
    actor.fail = [Refused("token")]
    deliver.feed([RELEASE])
    deliver.tick(1_000)
    deliver.tick(60_000)
    assert actor.got == ["+p-1", "-p-1"]


def test_plain_actors_are_sent_nothing_again() -> None:
    """Only an actor whose other side forgets is sent a decision twice."""
    actor = Plain()
    deliver = Deliver({"a": actor})
    deliver.feed([halted()])
    deliver.tick(0)
    deliver.tick(600_000)
    assert len(actor.got) == 1


def test_cursors_survive_a_restart(tmp_path: Path) -> None:
    """A new process that is fed the whole log hands over only what is new, after what stands."""
    file = tmp_path / "act.json"
    first = Deliver({"a": Pager(), "b": Plain()}, file)
    first.feed([halted()])
    first.tick(0)
    again, plain = Pager(), Plain()
    second = Deliver({"a": again, "b": plain}, file)
    second.feed([halted(), RELEASE])
    second.tick(1_000)
    assert again.got == ["+p-1", "-p-1"]
    assert [d.standing for d in plain.got] == [2]


def test_a_crash_before_the_cursor_is_kept_repeats(tmp_path: Path) -> None:
    """At least once: what was handed over but not noted is handed over again."""
    file = tmp_path / "act.json"
    Deliver({"a": Plain()}, file).feed([halted()])
    actor = Plain()
    deliver = Deliver({"a": actor}, file)
    deliver.feed([halted()])
    deliver.tick(0)
    assert len(actor.got) == 1


def test_a_full_disk_keeps_no_decision_from_anybody(tmp_path: Path) -> None:
    """Where cursors cannot be saved, decisions are handed over all the same, and saved once the place is there."""
    actor = Plain()
    file = tmp_path / "later" / "act.json"
    deliver = Deliver({"a": actor}, file)
    deliver.feed([halted(standing=1)])
    deliver.tick(0)
    assert len(actor.got) == 1
    file.parent.mkdir()
    deliver.tick(1_000)
    assert file.exists()


def test_the_queue_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor that stays away costs bounded memory, and what it misses is counted."""
    monkeypatch.setattr(subject, "QUEUE", 10)
    actor, counted = Plain(), []
    actor.fail = [Unavailable("away")]
    deliver = Deliver({"a": actor}, counted=lambda name, outcome: counted.append(outcome))
    deliver.feed([halted(standing=i) for i in range(1, 26)])
    deliver.tick(0)
    assert counted.count("dropped") == 15
    deliver.tick(1_000)
    assert [d.standing for d in actor.got] == list(range(16, 26))


def test_run_ticks_until_stopped() -> None:
    """The loop uses the clock and the sleep it is given, and ends when told."""
    actor, slept, now = Plain(), [], [0]
    deliver = Deliver({"a": actor})
    deliver.feed([halted()])

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += 200

    deliver.run(lambda: now[0], sleep, lambda: len(slept) == 3)
    assert len(actor.got) == 1
    assert slept == [0.2, 0.2, 0.2]


# ---- attaching, and outages of this process


def test_an_alert_actor_attaches_at_what_stands() -> None:
    """Halts that were lifted and pilots that left before it was attached cause no notification; what stands is sent,
    once."""
    actor = Pager()
    deliver = Deliver({"a": actor}, history=True)
    deliver.feed([halted(), RELEASE, halted(pilot="p-2"), halted(pilot="p-3")])
    deliver.feed([halted(pilot="p-3", standing=2, was=Level.HALT, reason=Reason.EXITED)])
    deliver.tick(0)
    assert actor.got == []
    deliver.caught_up()
    deliver.tick(1)
    deliver.tick(2)
    assert actor.got == ["+p-2"]
    deliver.feed(
        [halted(pilot="p-2", standing=2, level=Level.NORMAL, was=Level.HALT, reason=Reason.RELEASED), halted(3)]
    )
    deliver.tick(3)
    assert actor.got == ["+p-2", "-p-2", "+p-1"]


def test_a_record_begins_with_the_first_decision() -> None:
    """An actor that keeps a record gets all of it, whenever it is attached."""
    actor = Plain()
    deliver = Deliver({"a": actor}, history=True)
    deliver.feed([halted(), RELEASE])
    deliver.tick(0)
    assert [d.standing for d in actor.got] == [1, 2]


def test_what_happened_while_it_was_down_is_handed_over(tmp_path: Path) -> None:
    """With a cursor nothing is lost: a halt and its release during the outage are both sent, in order."""
    file = tmp_path / "act.json"
    first = Deliver({"a": Pager()}, file, history=True)
    first.feed([halted(level=Level.NORMAL, was=Level.NORMAL, reason=Reason.ADMITTED, kind="act")])
    first.caught_up()
    first.tick(0)
    actor = Pager()
    second = Deliver({"a": actor}, file, history=True)
    second.feed([halted(level=Level.NORMAL, was=Level.NORMAL, reason=Reason.ADMITTED, kind="act"), halted(2)])
    second.feed([halted(standing=3, level=Level.NORMAL, was=Level.HALT, reason=Reason.RELEASED)])
    second.caught_up()
    second.tick(0)
    assert actor.got == ["+p-1", "-p-1"]


def test_an_alert_that_stood_is_ended_after_a_restart(tmp_path: Path) -> None:
    """Killed while a halt stood and started after its release: the end is sent, although this process never saw the
    halt."""
    file = tmp_path / "act.json"
    first = Deliver({"a": Pager()}, file, history=True)
    first.feed([halted()])
    first.caught_up()
    first.tick(0)
    actor = Pager()
    second = Deliver({"a": actor}, file, history=True)
    second.feed([halted(), RELEASE])
    second.tick(0)
    assert actor.got == ["+p-1", "-p-1"]
    second.caught_up()
    second.tick(60_000)
    assert actor.got == ["+p-1", "-p-1"]


def test_a_lost_cursor_file_ends_what_the_other_side_still_holds() -> None:
    """A notifier that attaches reads the open alerts and ends those of its pilots that no longer fire."""
    seen: list[Alert] = []

    class Keeps(Pager):
        def notify(self, standing: Sequence[Alert], ended: Sequence[Alert]) -> None:
            super().notify(standing, ended)
            seen.extend(standing)

    first = Deliver({"a": Keeps()})
    first.feed([halted(), halted(pilot="p-2"), halted(pilot="somebody-else")])
    first.tick(0)
    actor = Pager()
    actor.held = seen
    second = Deliver({"a": actor}, history=True)
    second.feed([halted(), RELEASE, halted(pilot="p-2")])
    second.caught_up()
    second.tick(0)
    assert actor.got == ["-p-1", "+p-2"]


def test_a_cursor_of_an_older_version_goes_on(tmp_path: Path) -> None:
    """Its file has no alerts: what stood at the cursor is found in the history, and what came after is handed over."""
    file = tmp_path / "act.json"
    file.write_bytes(msgspec.json.encode({"a": {"cursor": {"p-1": 1}, "standing": {"p-1": halted()}}}))
    actor = Pager()
    deliver = Deliver({"a": actor}, file, history=True)
    deliver.feed([halted(), RELEASE, halted(3)])
    deliver.caught_up()
    deliver.tick(0)
    assert actor.got[-2:] == ["-p-1", "+p-1"]


def test_a_full_queue_loses_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decisions that find no room are folded all the same: what ended during a long outage is ended by the next
    resending."""
    monkeypatch.setattr(subject, "QUEUE", 2)
    actor = Pager()
    deliver = Deliver({"a": actor})
    deliver.feed([halted()])
    deliver.tick(0)
    actor.fail = [Unavailable("away")]
    lifted = halted(standing=2, level=Level.NORMAL, was=Level.HALT, reason=Reason.RELEASED)
    more = [halted(standing=n, level=Level.NORMAL, was=Level.NORMAL, reason=Reason.HEARD_AGAIN) for n in range(3, 9)]
    deliver.feed([lifted, *more])
    deliver.tick(60_000)
    deliver.tick(61_000)
    deliver.tick(130_000)
    assert actor.got == ["+p-1", "-p-1"]


def test_labels_come_from_the_charter_in_force() -> None:
    """Tier, sector and region are those of the charter that the decision names."""
    seen: list[Alert] = []

    class Keeps(Pager):
        def notify(self, standing: Sequence[Alert], ended: Sequence[Alert]) -> None:
            seen.extend(standing)

    plan = msgspec.structs.replace(
        charter("p-1", number=0, period_ms=3_600_000, cap=2_000, dispersion=1.0, start=0, end=0),
        tier="high",
        sector="driving",
        region="north",
    )
    deliver = Deliver({"a": Keeps()})
    deliver.learn(plan)
    deliver.feed([halted(charter=charter_hash(plan))])
    deliver.tick(0)
    assert {alert.facts for alert in seen} == {Facts("high", "driving", "north")}


def test_the_labels_authority_and_role_have_those_who_are_addressed() -> None:
    """The authorities and roles of the decision that caused the alert, joined by commas."""
    seen: list[Alert] = []

    class Keeps(Pager):
        def notify(self, standing: Sequence[Alert], ended: Sequence[Alert]) -> None:
            seen.extend(standing)

    deliver = Deliver({"a": Keeps()})
    deliver.feed([halted(addressed=("authority:north", "authority:health", "firm:f", "role:officer"))])
    deliver.tick(0)
    assert {alert.facts for alert in seen} == {Facts(authority="north,health", role="officer")}


def test_charters_of_refused_admissions_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels are remembered of a bounded number of pilots, the newest, whatever stands on the control log."""
    monkeypatch.setattr(delivering, "PILOTS", 3)
    deliver = Deliver({"a": Plain()})
    for number in range(10):
        deliver.learn(charter(f"p-{number}", number=0, period_ms=3_600_000, cap=2_000, dispersion=1.0, start=0, end=0))
    assert list(deliver._facts) == ["p-7", "p-8", "p-9"]
