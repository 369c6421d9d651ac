"""Which alerts come each by itself, and which in the group of a burst."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml
from msgspec import structs

from monitor.act import bursts as subject
from monitor.act.bursts import HALTS, MANY, OTHERS, WINDOW_MS, Bursts
from monitor.act.deliver import Deliver
from monitor.model.records import Decision, Level, Reason
from monitor.projections.alert_table import FLOOD, HALTED
from monitor.projections.alerts import Alert, PilotAlerts, after_decision
from monitor.testing.records import halted

CONFIG = Path(__file__).parents[3] / "deploy" / "alertmanager" / "alertmanager.yaml"


def escalated(pilot: str) -> Decision:
    return halted(pilot=pilot, level=Level.ESCALATE, reason=Reason.BOUNDARY_BREACHED)


def alerts(decision: Decision) -> list[Alert]:
    return list(after_decision(PilotAlerts(), decision).alerts())


def labels(bursts: Bursts, now: int, *decisions: Decision) -> list[str]:
    """The group of each decision; all alerts of one have the same."""
    found = []
    for decision in decisions:
        made = {alert.burst for alert in bursts.grouped(alerts(decision), now)}
        assert len(made) == 1
        found += made
    return found


def test_alerts_come_each_by_itself_until_there_are_too_many() -> None:
    """The first ones have no group; the next ones name the first cause. Ten minutes later there is space again."""
    bursts = Bursts()
    first, *more = [escalated(f"p-{n}") for n in range(OTHERS + 3)]
    grouped = labels(bursts, 0, first, *more)
    assert grouped[:OTHERS] == [""] * OTHERS
    assert set(grouped[OTHERS:]) == {alerts(first)[0].occurrence}
    last = bursts.labelled(alerts(more[-1])[0])
    assert last.first_cause == alerts(first)[0].summary
    assert "p-0" in last.first_cause
    assert labels(bursts, WINDOW_MS, escalated("later")) == [""]


def test_halts_one_after_another_come_each_by_itself() -> None:
    """A busy day is no burst: two halts a second for a minute are 120 messages, each at once."""
    bursts = Bursts()
    assert {labels(bursts, n * 500, halted(pilot=f"p-{n}"))[0] for n in range(120)} == {""}


def test_many_halts_at_once_come_together_until_it_is_calm() -> None:
    """More than three within a second are grouped, and so is every further one until a minute has passed without."""
    bursts = Bursts()
    found = labels(bursts, 0, *(halted(pilot=f"p-{n}") for n in range(HALTS + 2)))
    assert found[:HALTS] == [""] * HALTS
    assert all(found[HALTS:])
    assert all(labels(bursts, subject.CALM_MS - 1, halted(pilot="during")))
    assert labels(bursts, 2 * subject.CALM_MS, halted(pilot="after")) == [""]


def test_a_halt_in_a_flood_of_findings_comes_by_itself() -> None:
    """It is neither delayed nor hidden by them, and its message names their first cause, too."""
    bursts = Bursts()
    assert all(labels(bursts, 0, *(escalated(f"p-{n}") for n in range(1000)))[OTHERS:])
    halt = halted(pilot="another")
    assert labels(bursts, 1, halt) == [""]
    assert bursts.labelled(alerts(halt)[0]).first_cause == alerts(escalated("p-0"))[0].summary


def test_a_flood_is_an_alert_that_names_its_first_cause_and_ends_ten_minutes_after_the_last_one() -> None:
    bursts = Bursts()
    labels(bursts, 0, *(escalated(f"p-{n}") for n in range(OTHERS + MANY)))
    assert bursts.flood(0) is None
    labels(bursts, 0, escalated("one more"))
    flood = bursts.flood(WINDOW_MS)
    assert flood is not None
    assert (flood.name, flood.severity, flood.pilot) == (FLOOD, "critical", "p-0")
    assert alerts(escalated("p-0"))[0].summary in flood.summary
    assert bursts.flood(WINDOW_MS + 1) is None


class Keeps:
    """A notifier that keeps the labels of what it is handed."""

    resend_ms = 60_000

    def __init__(self) -> None:
        self.begun: list[tuple[str, str]] = []
        self.over: list[tuple[str, str]] = []

    def notify(self, standing: Sequence[Alert], ended: Sequence[Alert]) -> None:
        self.begun += [(alert.identity, alert.burst) for alert in standing]
        self.over += [(alert.identity, alert.burst) for alert in ended]

    def open(self) -> Sequence[Alert]:
        return []


def test_an_alert_keeps_its_group_for_all_addresses_resends_restarts_and_its_end(tmp_path: Path) -> None:
    """Another group would be another alert: it would be notified twice, and its end would miss it."""
    actors = {"a": Keeps(), "b": Keeps()}
    deliver = Deliver(actors, tmp_path / "delivered.json")
    history = [escalated(f"p-{n}") for n in range(50)]
    deliver.feed(history)
    deliver.tick(0)
    deliver.tick(60_000)
    again = {"a": Keeps(), "b": Keeps()}
    restarted = Deliver(again, tmp_path / "delivered.json")
    over = [structs.replace(escalated(f"p-{n}"), standing=2, reason=Reason.EXITED) for n in range(50)]
    restarted.tick(120_000)
    restarted.feed(over)
    restarted.tick(120_001)
    groups = {**dict(actors["a"].begun)}
    assert len(groups) == 101, "two of each pilot, and one of the flood"
    for keeps in (*actors.values(), *again.values()):
        assert all(groups[name] == burst for name, burst in keeps.begun)
        assert all(groups[name] == burst for name, burst in keeps.over)
    assert len(again["b"].over) == 101
    assert len(again["a"].begun) == 100, "the flood is over with the process"


def test_ten_thousand_findings_are_few_requests() -> None:
    """Alerts that start together are sent together: the last one does not wait for ten thousand requests."""

    class Counts(Keeps):
        requests = 0

        def notify(self, standing: Sequence[Alert], ended: Sequence[Alert]) -> None:
            Counts.requests += 1
            super().notify(standing, ended)

    actor = Counts()
    deliver, now = Deliver({"a": actor}), 1
    deliver.feed([escalated(f"p-{n}") for n in range(10_000)])
    while not deliver.idle:
        deliver.tick(now)
        now += 1
    assert len({name for name, _ in actor.begun}) == 20_001
    assert Counts.requests <= 110


def test_an_alert_that_starts_and_ends_is_sent_as_both_in_order() -> None:
    """Both are new to the address: in one request the end would come before the start."""
    requests: list[tuple[list[str], list[str]]] = []

    class Orders(Keeps):
        def notify(self, standing: Sequence[Alert], ended: Sequence[Alert]) -> None:
            requests.append(([a.name for a in standing], [a.name for a in ended]))

    deliver = Deliver({"a": Orders()})
    lifted = halted(2, level=Level.NORMAL, was=Level.HALT, reason=Reason.RELEASED)
    deliver.feed([halted(), lifted])
    deliver.tick(0)
    both = [HALTED, "SandboxLimitExceeded"]
    assert [request for request in requests if any(request)] == [(both, []), ([], both)]


def test_the_groups_of_a_burst_are_at_most_ten_messages_in_ten_minutes() -> None:
    """By the intervals of the shipped configuration, for what comes in within seconds: what comes by itself, and what
    the two groups send."""
    routes = yaml.safe_load(CONFIG.read_text())["route"]["routes"]
    groups = [route for route in routes if any("burst" in matcher for matcher in route["matchers"])]
    assert [route["group_by"] for route in groups] == [["burst"], ["burst"]]
    sent = 0
    for route in groups:
        wait, interval = (float(route[name].rstrip("ms")) for name in ("group_wait", "group_interval"))
        assert (route["group_wait"][-1], route["group_interval"][-1]) == ("s", "m")
        sent += 1 + int((600 - wait) // (interval * 60))
    assert sent + HALTS + OTHERS <= 10
