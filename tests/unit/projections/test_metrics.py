"""The metrics are a bounded projection of the machine's outputs."""

from __future__ import annotations

import math
import urllib.request

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from monitor.act import ACTORS
from monitor.engine.machine import Machine
from monitor.model.clock_record import Change, ClockRecord, ClockState, OnMiss, Owes
from monitor.model.events import Harm, encode
from monitor.model.records import (
    Closed,
    Command,
    Decision,
    Finding,
    Level,
    Outputs,
    Permit,
    Reason,
    Record,
    Rejected,
    command_of,
)
from monitor.projections import metrics as subject
from monitor.projections import pilot_series
from monitor.projections.clock_board import restored_clocks
from monitor.projections.metric_catalogue import CATALOGUE, PREFIX, series_names
from monitor.projections.metrics import Metrics
from monitor.projections.open_commands import OPEN, OpenCommand
from monitor.projections.restored_alerts import restored_alerts
from monitor.simulation.fleet import Fleet
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import decision, evidence, halted
from monitor.validate.rejections import RejectionReason
from tests.unit.clocks.clock_bench import ClockBench
from tests.unit.clocks.test_machine_clocks import START


def read(metrics: Metrics) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = {}
    for family in text_string_to_metric_families(metrics.exposition().decode()):
        for sample in family.samples:
            found[(sample.name, frozenset(sample.labels.items()))] = sample.value
    return found


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    return read(metrics).get((PREFIX + name, frozenset(labels.items())))


def test_closed_label_sets_exist_at_zero() -> None:
    """Every level, reason, action and outcome is there before the first event."""
    found = read(Metrics(actors=ACTORS))

    def at_zero(name: str, **labels: str) -> bool:
        return found[(PREFIX + name, frozenset(labels.items()))] == 0

    for level in Level:
        assert at_zero("pilots", level=level.word)
        for reason in Reason:
            assert at_zero("decisions_total", level=level.word, reason=reason.value)
    for reason in (*RejectionReason, "other"):
        assert at_zero("rejected_total", reason=str(reason))
    for action in ("halt", "release", "drill"):
        assert at_zero("commands_total", action=action)
        assert at_zero("commands_again_total", action=action)
    for state in OPEN:
        assert at_zero("commands_open", state=state)
    for actor in ACTORS:
        for outcome in subject.OUTCOMES:
            assert at_zero("acted_total", actor=actor, outcome=outcome)


def test_nothing_outside_the_catalogue_is_exposed() -> None:
    """The exposition has the metrics and labels of the catalogue (and the metrics of the process)."""
    metrics = Metrics()
    fill(metrics)
    seen = {name for name, _ in read(metrics) if not name.startswith("process_")}
    assert seen == series_names()
    labels = {spec.name: set(spec.labels) for spec in CATALOGUE}
    for name, pairs in read(metrics):
        if name in labels:
            assert {key for key, _ in pairs} == labels[name]


def test_names_follow_the_conventions() -> None:
    """Counters end in _total, nothing else does; every name has the prefix and a help text that is a sentence."""
    assert len({spec.name for spec in CATALOGUE}) == len(CATALOGUE)
    for spec in CATALOGUE:
        assert spec.name.startswith(PREFIX)
        assert spec.name.endswith("_total") == (spec.kind == "counter")
        assert spec.help.endswith(".")
        assert not {"id", "user", "event", "cause"} & set(spec.labels)


def fill(metrics: Metrics) -> None:
    """One of everything."""
    metrics.reads("s.decisions")
    metrics.configured(0, 1, "2f" * 16, False)
    metrics.limited_retention("s.telemetry", True)
    metrics.reading("s.decisions", 9, 7, 3, 4)
    metrics.kafka_denied("firm-1", "WRITE", "Topic")
    metrics.crash_loop(9, 3, {"s.telemetry": 32}, {"s.telemetry": 53})
    finding = Finding(indicator="incidents", segment="all", rule="limit", statistic=6.0, bar=5.1, alpha_spent=0.006)
    period = {"start": 1_000, "end": 2_000, "m": 10.0, "scores": {"limit": (1.5, 5.1)}}
    outputs = Outputs(
        rejected=[Rejected(topic="t", partition=0, offset=1, field="data", reason="bad_json")],
        decisions=[halted(finding=finding, unknown="silence")],
        commands=[
            Command(
                id="c",
                pilot="p-1",
                action="halt",
                standing=1,
                epoch=1,
                reason=Reason.LIMIT_EXCEEDED,
                decision="d",
                at=1,
            )
        ],
        permits=[Permit(pilot="p-1", nonce="n", standing=1, epoch=1, lease_ms=60_000)],
        evidence=[evidence(**period), evidence(**period, late=True), Closed(partition=0, through=3_000)],
    )
    metrics.observe(outputs, now_ms=5_000)
    metrics.stepped(0.01, 7)
    metrics.uncounted({"segment": 3})
    metrics.woken(0.2)
    metrics.lagging("sandbox.telemetry", 0, 4)
    metrics.owns(0, 3)
    metrics.short_leases(0, 1)
    metrics.set_aside(0, 1)
    metrics.checkpointed(0, 4_000)
    metrics.held(0, 9, 1)
    metrics.acted("alertmanager", "done")
    metrics.pending("alertmanager", 2)
    metrics.recorded(5)
    metrics.skewed("alertmanager", 40.0)
    metrics.learn(charter("p-1", number=0, period_ms=1000, cap=9.0, dispersion=1.0, start=0, end=0))
    metrics.left("p-9", "firm-9")
    metrics.firms({"firm-1": "A"})
    metrics.common_causes([decision(1, "vendor:v", reason=Reason.COMMON_CAUSE)])
    metrics.witness_known(["fork"])
    metrics.witness_answered("cosigned")
    metrics.witness_forks(1)
    metrics.cosigners_known(["outside"], ["fork"])
    metrics.cosignature("outside", "cosigned")
    metrics.lacks_quorum("sandbox.example/acme", 5_000)
    metrics.stamp_failed("refused")
    metrics.unstamped(5_000)
    metrics.publication_round("published")
    metrics.publication_refused("older_than_newest", 1)
    metrics.observe(Outputs(decisions=[msgspec.structs.replace(deadline(1), pilot="p-2")]))


def deadline(standing: int, state: ClockState = ClockState.RUNNING, reason: Reason = Reason.CLOCK_STARTED) -> Decision:
    """A deadline of a firm that is due at 9,000 s."""
    record = ClockRecord(
        change=Change(state.value) if state is not ClockState.RUNNING else Change.STARTED,
        at=1_000,
        rule="incident-report",
        title="Report",
        starts="serious_incident",
        key="i-1",
        owed_by=Owes.FIRM,
        basis="Art. 73(2)",
        on_miss=OnMiss.ESCALATE,
        state=state,
        due=9_000_000,
    )
    return decision(standing, "p-1", participant="firm-1", reason=reason, finding=Finding(rule="r", clock=record))


def test_deadlines_have_series_by_debtor_and_state_that_outlast_the_exit_while_something_is_owed() -> None:
    """The next due instant and the number by state; a repeated decision changes nothing."""
    metrics, who = Metrics(), {"pilot": "p-1", "participant": "firm-1", "owed_by": "firm"}
    metrics.observe(Outputs(decisions=[deadline(1), deadline(1)]))
    assert value(metrics, "clocks", **who, state="running") == 1
    assert value(metrics, "clock_due_timestamp_seconds", **who) == 9_000
    gone = decision(2, "p-1", participant="firm-1", reason=Reason.EXITED, kind="act")
    metrics.observe(Outputs(decisions=[gone, deadline(3, ClockState.MISSED, Reason.CLOCK_MISSED)]))
    assert value(metrics, "pilot_left", pilot="p-1", participant="firm-1") == 1
    assert value(metrics, "clocks", **who, state="missed") == 1
    assert value(metrics, "clock_due_timestamp_seconds", **who) is None
    metrics.observe(Outputs(decisions=[deadline(4, ClockState.MET, Reason.CLOCK_MET)]))
    assert value(metrics, "clocks", **who, state="met") is None
    metrics.observe(Outputs(decisions=[deadline(3, ClockState.MISSED, Reason.CLOCK_MISSED)]))


def test_a_process_that_takes_over_shows_the_deadlines_of_the_state() -> None:
    """What the state says is what the decisions said."""
    bench = ClockBench()
    bench.send(bench.incident(START, Harm.SERIOUS_INJURY), START)
    pilot, table = bench.machine.pilots["p"], bench.machine.clock_table
    assert table is not None
    live, taken = Metrics(), Metrics()
    live.observe(bench.out)
    firm, standing = pilot.charter.participant.id, pilot.standing
    clocks = restored_clocks(pilot.clocks, table)
    taken.seed(pilot.id, firm, standing.level, standing=standing.counter, clocks=clocks)
    names = (PREFIX + "clocks", PREFIX + "clock_due_timestamp_seconds")
    found, expected = ({key: v for key, v in read(m).items() if key[0] in names} for m in (taken, live))
    assert found == expected
    assert len(found) == 2


def test_outputs_are_projected() -> None:
    """Each output lands where the catalogue says, in base units."""
    metrics = Metrics()
    fill(metrics)
    who = {"pilot": "p-1", "participant": "firm-1"}
    slot = {"pilot": "p-1", "indicator": "incidents", "segment": ""}
    assert value(metrics, "pilot_level", **who) == 3
    assert value(metrics, "pilot_unknown", **who) == 1
    assert value(metrics, "pilot_unacknowledged", **who) == 1
    assert value(metrics, "pilot_level_timestamp_seconds", **who) == 1_700_000_000
    assert value(metrics, "pilot_reason", **who, reason="limit_exceeded") == 1
    assert value(metrics, "alpha_spent_ratio", **who) == 0.006
    assert value(metrics, "pilots", level="halt") == 1
    assert value(metrics, "pilots_unknown") == 1
    assert value(metrics, "uncounted_total", kind="segment") == 3
    assert value(metrics, "observed", **slot) == 3
    assert value(metrics, "exposure", **slot) == 10
    assert value(metrics, "period_end_timestamp_seconds", **slot) == 2
    assert value(metrics, "statistic", **slot, detector="limit") == 1.5
    assert value(metrics, "bar", **slot, detector="limit") == 5.1
    assert value(metrics, "decisions_total", level="halt", reason="limit_exceeded") == 1
    assert value(metrics, "evidence_total", kind="count") == 1
    assert value(metrics, "revisions_total") == 1
    assert value(metrics, "closed_through_timestamp_seconds", partition="0") == 3
    assert value(metrics, "heartbeat_timestamp_seconds") == 5
    assert value(metrics, "permits_total") == 1
    assert value(metrics, "events_total") == 7
    assert value(metrics, "step_seconds_count") == 1
    assert value(metrics, "acted_total", actor="alertmanager", outcome="done") == 1


def test_a_repeated_decision_counts_once() -> None:
    """A decision seen again, or one older than the pilot's standing, changes nothing."""
    metrics = Metrics()
    metrics.observe(Outputs(decisions=[halted(level=Level.WATCH, standing=1), halted(standing=2)]))
    metrics.observe(Outputs(decisions=[halted(level=Level.WATCH, standing=1), halted(standing=2)]))
    assert value(metrics, "pilot_level", pilot="p-1", participant="firm-1") == 3
    assert value(metrics, "decisions_total", level="halt", reason="limit_exceeded") == 1


def test_a_finding_does_not_move_the_reason() -> None:
    """A further reason at an unchanged level leaves the time and reason of the level alone."""
    metrics = Metrics()
    more = halted(kind="finding", standing=2, reason=Reason.HARD_RULE, at=1_800_000_000_000)
    metrics.observe(Outputs(decisions=[halted(), more]))
    who = {"pilot": "p-1", "participant": "firm-1"}
    assert value(metrics, "pilot_reason", **who, reason="limit_exceeded") == 1
    assert value(metrics, "pilot_reason", **who, reason="hard_rule") is None
    assert value(metrics, "pilot_level_timestamp_seconds", **who) == 1_700_000_000


@pytest.mark.parametrize(
    "then",
    [
        pytest.param({"kind": "act", "was": Level.HALT, "reason": Reason.COMMAND_ACKNOWLEDGED}, id="acknowledged"),
        pytest.param({"kind": "act", "reason": Reason.RELEASED, "level": Level.NORMAL}, id="released"),
    ],
)
def test_an_acknowledgement_or_a_release_ends_unacknowledged(then: dict[str, object]) -> None:
    """A halt counts as unacknowledged until the service answers or the halt is lifted."""
    metrics = Metrics()
    fill(metrics)
    metrics.observe(Outputs(decisions=[halted(standing=2, **then)]))
    assert value(metrics, "pilot_unacknowledged", pilot="p-1", participant="firm-1") == 0


def test_beyond_the_cap_only_aggregates_count() -> None:
    """Pilots past the cap get no series; they still count by level, and are counted as such."""
    metrics = Metrics(cap=2)
    metrics.observe(
        Outputs(decisions=[halted(pilot=f"p{i}", finding=Finding()) for i in range(5)], evidence=[evidence(pilot="p4")])
    )
    with_series = {dict(pairs)["pilot"] for name, pairs in read(metrics) if name == PREFIX + "pilot_level"}
    assert with_series == {"p0", "p1"}
    assert value(metrics, "pilots", level="halt") == 5
    assert value(metrics, "pilots_beyond_cap") == 3
    assert value(metrics, "dropped_total", why="pilot_cap") == 1


def test_a_pilot_that_leaves_takes_its_series_along() -> None:
    """After exit nothing of the pilot is exposed but that it left and its state of life, and its place under the cap is
    free for one that waits."""
    metrics = Metrics(cap=1)
    metrics.observe(Outputs(decisions=[halted(pilot="a"), halted(pilot="b")], evidence=[evidence(pilot="a")]))
    metrics.observe(Outputs(decisions=[halted(2, "a", level=Level.NORMAL, reason=Reason.EXITED, kind="act")]))
    metrics.observe(Outputs(evidence=[evidence(pilot="b")]))
    stays = (f"{PREFIX}pilot_left", f"{PREFIX}pilot_state")
    named = {dict(pairs).get("pilot") for name, pairs in read(metrics) if name not in stays} - {None}
    assert named == {"b"}
    assert value(metrics, "pilot_state", pilot="a", participant="firm-1", state="exited") == 1
    assert value(metrics, "pilot_left", pilot="a", participant="firm-1") == 1
    assert value(metrics, "pilots_beyond_cap") == 0


def test_pilots_that_left_are_remembered_up_to_the_cap() -> None:
    """The newest of them: their number is bounded."""
    metrics = Metrics(cap=2)
    for name in ("a", "b", "c"):
        metrics.left(name, "firm-1")
    assert value(metrics, "pilot_left", pilot="a", participant="firm-1") is None
    assert value(metrics, "pilot_left", pilot="c", participant="firm-1") == 1
    metrics.forget("c")
    assert value(metrics, "pilot_left", pilot="c", participant="firm-1") is None


def test_grave_findings_stand_until_they_end() -> None:
    """A contradicted halt is counted by the name and severity of its alert, and no more once it was cleared."""
    metrics, who = Metrics(), {"pilot": "p-1", "participant": "firm-1"}
    found = {"alert": "SandboxHaltContradicted", "severity": "critical", **who}
    again = {"kind": "finding", "was": Level.HALT, "finding_key": "halt/contradicted"}
    metrics.observe(Outputs(decisions=[halted(), halted(2, reason=Reason.HALT_CONTRADICTED, **again)]))
    assert value(metrics, "grave_findings", **found) == 1
    metrics.observe(Outputs(decisions=[halted(3, reason=Reason.CLEARED, **again)]))
    assert value(metrics, "grave_findings", **found) is None


def test_a_forged_record_is_counted_for_its_pilot() -> None:
    """The pilot's counter exists at zero before, so that the first one is a rise."""
    metrics, who = Metrics(), {"pilot": "p-1", "participant": "firm-1"}
    metrics.observe(Outputs(decisions=[halted()]))
    assert value(metrics, "pilot_forged_total", **who) == 0
    forged = Rejected(topic="t", partition=0, offset=1, field="signature", reason="forged", pilot="p-1")
    metrics.observe(Outputs(rejected=[forged]))
    assert value(metrics, "pilot_forged_total", **who) == 1


def test_recovered_findings_are_those_of_the_state() -> None:
    """Who takes over a partition exposes the grave findings that stand, with the severity of the worst harm that the
    rule lists."""
    metrics = Metrics()
    fleet = Fleet(1, pilots=1, scenarios=["death"], hours=30, onset=12)
    [name] = fleet.pilots
    machine = Machine(journalled=False)
    for number, act in enumerate(fleet.admissions()):
        machine.control(Record(number, fleet.start, name.encode(), msgspec.json.encode(act)))
    out = machine.telemetry("t", [Record(i, at, name.encode(), encode(e)) for i, (at, e) in enumerate(fleet)])
    metrics.observe(out)
    pilot = machine.pilots[name]
    seeded = Metrics()
    seeded.seed(name, pilot.charter.participant.id, pilot.standing.level, alerts=restored_alerts(pilot))

    def found(of: Metrics) -> set[frozenset[tuple[str, str]]]:
        return {pairs for series, pairs in read(of) if series == f"{PREFIX}grave_findings"}

    assert any(("severity", "critical") in pairs for pairs in found(seeded))
    assert found(seeded) == found(metrics)


def test_memory_is_bounded_whatever_comes() -> None:
    """Pilots, indicators, segments, detectors and rejection reasons all stop growing at their bounds."""
    metrics = Metrics(cap=3)
    metrics.observe(Outputs(decisions=[halted(finding=Finding())]))
    metrics.observe(
        Outputs(
            evidence=[evidence(segment=f"s{i}", scores={f"d{j}": (0.0, 1.0) for j in range(20)}) for i in range(200)],
            decisions=[halted(pilot=f"q{i}", finding=Finding()) for i in range(200)],
            rejected=[
                Rejected(topic="t", partition=0, offset=i, field="x", reason=f"attacker-{i}") for i in range(200)
            ],
        )
    )
    found = read(metrics)
    assert (
        sum(name == PREFIX + "statistic" for name, _ in found)
        == pilot_series.SLOTS_PER_PILOT * pilot_series.DETECTORS_PER_SLOT
    )
    assert sum(name == PREFIX + "rejected_total" for name, _ in found) == subject.REJECTIONS_KEPT
    assert sum(v for (name, _), v in found.items() if name == PREFIX + "rejected_total") == 200
    assert sum(v for (name, _), v in found.items() if name == PREFIX + "pilots") == 3 * (1 + pilot_series.COMPACT)
    assert value(metrics, "dropped_total", why="slot_cap") == 136 + 64 * 12


def test_a_number_that_is_not_finite_is_refused_and_counted() -> None:
    """NaN and infinity never reach a gauge."""
    metrics = Metrics()
    metrics.observe(Outputs(evidence=[evidence(scores={"limit": (math.nan, 5.0)}), evidence(k=math.inf)]))
    values = [v for (name, _), v in read(metrics).items() if name in (PREFIX + "statistic", PREFIX + "observed")]
    assert all(math.isfinite(v) for v in values)
    assert value(metrics, "dropped_total", why="not_finite") == 2


def test_an_older_period_does_not_overwrite_a_newer_one() -> None:
    """The observation shown is that of the latest period, also when a late event revises an old one."""
    metrics = Metrics()
    metrics.observe(Outputs(evidence=[evidence(8, k=1.0), evidence(1, k=8.0, late=True)]))
    assert value(metrics, "observed", pilot="p-1", indicator="incidents", segment="") == 1


def test_recovery_restores_a_halted_pilot() -> None:
    """A halted pilot is in view right after a restart, before anything new is decided about it."""
    metrics = Metrics()
    command = OpenCommand("halt", 7_000, 3, "overdue")
    metrics.seed("p-1", "firm-1", Level.HALT, standing=4, command=command, since_ms=7_000, reason=Reason.HARD_RULE)
    who = {"pilot": "p-1", "participant": "firm-1"}
    assert value(metrics, "pilot_level", **who) == 3
    assert value(metrics, "pilot_unacknowledged", **who) == 1
    assert value(metrics, "pilot_level_timestamp_seconds", **who) == 7
    assert value(metrics, "command_open_timestamp_seconds", **who, action="halt", state="overdue") == 7
    assert value(metrics, "commands_open", state="overdue") == 1


def test_open_commands_are_counted_by_what_became_of_them() -> None:
    """From the command to its verification, with its age; a repeat is counted apart; a release waits for its answer
    too."""
    metrics, who = Metrics(), {"pilot": "p-1", "participant": "firm-1"}

    def states() -> dict[str, float | None]:
        return {s: n for s in OPEN if (n := value(metrics, "commands_open", state=s))}

    halt = halted()
    command = command_of(halt)
    assert command is not None
    metrics.observe(Outputs(decisions=[halt], commands=[command]))
    metrics.observe(Outputs(commands=[msgspec.structs.replace(command, again=1)]))
    assert states() == {"commanded": 1}
    assert value(metrics, "commands_total", action="halt") == value(metrics, "commands_again_total", action="halt") == 1
    steps = [
        (Reason.HALT_OVERDUE, {"overdue": 1}),
        (Reason.COMMAND_ACKNOWLEDGED, {"acknowledged": 1}),
        (Reason.HALT_CONTRADICTED, {"contradicted": 1}),
        (Reason.COMMAND_ACKNOWLEDGED, {"contradicted": 1}),
        (Reason.HALT_VERIFIED, {}),
        (Reason.RELEASED, {"commanded": 1}),
        (Reason.COMMAND_ACKNOWLEDGED, {}),
    ]
    assert value(metrics, "pilot_unacknowledged", **who) == 1
    for standing, (reason, expected) in enumerate(steps, 2):
        level = Level.NORMAL if Reason.RELEASED in [r for r, _ in steps[: standing - 1]] else Level.HALT
        taken = halted(standing=standing, reason=reason, level=level, was=Level.HALT, kind="act")
        metrics.observe(Outputs(decisions=[taken]))
        assert states() == expected, reason
        assert value(metrics, "pilot_unacknowledged", **who) == (reason == Reason.HALT_OVERDUE), reason
    assert value(metrics, "command_open_timestamp_seconds", **who, action="release", state="commanded") is None


def test_a_revoked_partition_ends_its_series() -> None:
    """No age of a partition that another worker owns is left behind to alert on."""
    metrics = Metrics()
    fill(metrics)
    metrics.revoked(0)
    assert not [name for name, pairs in read(metrics) if ("partition", "0") in pairs]


def test_labels_are_escaped() -> None:
    """A pilot id with quotes, backslashes or line ends cannot forge a line of the exposition."""
    metrics = Metrics()
    metrics.observe(Outputs(decisions=[halted(pilot='a"} 1\nsandbox_monitor_pilots{level="halt\\')]))
    assert value(metrics, "pilots", level="halt") == 1
    assert value(metrics, "pilot_level", pilot='a"} 1\nsandbox_monitor_pilots{level="halt\\', participant="firm-1") == 3


def test_metrics_are_served_over_http() -> None:
    """`serve` answers /metrics on loopback with the exposition's media type until it is stopped."""
    port, stop = Metrics().serve(0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
            assert b"sandbox_monitor_build_info" in answer.read()
    finally:
        stop()


def test_cap_is_at_least_one() -> None:
    """A cap that would hide every pilot is a mistake, said at once."""
    with pytest.raises(ValueError, match="at least 1"):
        Metrics(cap=0)
