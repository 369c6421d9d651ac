"""One retry stage: order, backoff, cursors, and sending again what stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.act import deliver as subject
from monitor.act.deliver import Deliver
from monitor.errors import Refused, Unavailable
from monitor.model import Decision, Level, Reason
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


class Forgetful(Plain):
    """The same, of the kind that is sent again what stands."""

    resend_ms = 60_000


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
    """Each actor has a lane of its own."""
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


def test_a_halt_that_was_sent_once_is_sent_again_while_it_stands() -> None:
    """Every `resend_ms` until the release, then never again."""
    actor = Forgetful()
    deliver = Deliver({"a": actor})
    deliver.feed([halted()])
    now, due = 0, deliver.tick(0)
    assert due == 60_000
    for _ in range(3):
        deliver.tick(due - 1)
        now = due
        due = deliver.tick(now)
    assert [d.standing for d in actor.got] == [1, 1, 1, 1]
    deliver.feed([RELEASE])
    deliver.tick(now)
    deliver.tick(now + 600_000)
    assert [d.standing for d in actor.got] == [1, 1, 1, 1, 2]


def test_a_refused_halt_is_still_sent_again() -> None:
    """A halt refused for a wrong token is tried anew at every re-sending, so that mending the token suffices."""
    actor = Forgetful()
    actor.fail = [Refused("token")]
    deliver = Deliver({"a": actor})
    deliver.feed([halted()])
    deliver.tick(0)
    deliver.tick(60_000)
    assert len(actor.got) == 1


@pytest.mark.parametrize(
    "last",
    [
        pytest.param(RELEASE, id="released"),
        pytest.param(halted(standing=2, was=Level.HALT, reason=Reason.EXITED), id="exited"),
    ],
)
def test_nothing_stands_after_the_end(last: Decision) -> None:
    """Release and exit take the pilot out of what is sent again."""
    actor = Forgetful()
    deliver = Deliver({"a": actor})
    deliver.feed([halted(), last])
    deliver.tick(0)
    deliver.tick(600_000)
    assert [d.standing for d in actor.got] == [1, 2]


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
    first = Deliver({"a": Forgetful(), "b": Plain()}, file)
    first.feed([halted()])
    first.tick(0)
    again, plain = Forgetful(), Plain()
    second = Deliver({"a": again, "b": plain}, file)
    second.feed([halted(), RELEASE])
    second.tick(1_000)
    assert [d.standing for d in again.got] == [1, 2]
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
