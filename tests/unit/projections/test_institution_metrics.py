"""Metrics of the institution: changes of level, halts, states of life, deadlines, complaints, alarms, alpha, firms,
common causes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from detectors import DETECTORS
from monitor.charter.spec import DetectorSpec, alpha_share
from monitor.kafka.partition_metrics import PartitionMetrics
from monitor.lifecycle.life import state_words
from monitor.model.clock_record import Change, ClockState
from monitor.model.records import Decision, Finding, Level, Outputs, Reason, command_of
from monitor.projections import institution_metrics, pilot_series
from monitor.projections.declared_alarms import declared_by_charter
from monitor.projections.life_series import STATES
from monitor.projections.metrics import Metrics
from monitor.simulation.fleet_charter import charter
from monitor.testing.records import decision, halted
from tests.unit.lifecycle.founded import OWN, Founded
from tests.unit.projections.test_metrics import PREFIX, deadline, read, value

WHO = {"pilot": "p-1", "participant": "firm-1"}
AT = 1_700_000_000_000


def observed(*decisions: Decision) -> Metrics:
    metrics = Metrics()
    metrics.observe(Outputs(decisions=list(decisions)))
    return metrics


def after_halt(standing: int, reason: Reason, seconds: int, **changes: Any) -> Decision:
    fields: dict[str, Any] = {"was": Level.HALT, "kind": "act", "at": AT + seconds * 1000, **changes}
    return halted(standing, reason=reason, **fields)


def test_changes_of_level_halts_and_releases_are_counted_once() -> None:
    """By levels before and after, and halts by reason; a further finding on a halted pilot is no further halt."""
    metrics = observed(
        decision(1, level=Level.ESCALATE, was=Level.NORMAL),
        halted(2, was=Level.ESCALATE, reason=Reason.HARD_RULE),
        halted(2, was=Level.ESCALATE, reason=Reason.HARD_RULE),
        halted(3, was=Level.HALT, kind="finding"),
        after_halt(4, Reason.RELEASED, 60, level=Level.NORMAL, kind="level"),
    )
    assert value(metrics, "level_changes_total", was="normal", level="escalate") == 1
    assert value(metrics, "level_changes_total", was="escalate", level="halt") == 1
    assert value(metrics, "level_changes_total", was="halt", level="normal") == 1
    assert value(metrics, "halts_total", reason="hard_rule") == 1
    assert value(metrics, "halts_total", reason="limit_exceeded") == 0
    assert value(metrics, "releases_total") == 1


def test_times_of_a_halt_are_measured_from_its_decision_once() -> None:
    """Acknowledged, verified, released: each once, also where two instances of the service acknowledge."""
    metrics = observed(
        halted(1, at=AT),
        after_halt(2, Reason.COMMAND_ACKNOWLEDGED, 2),
        after_halt(3, Reason.COMMAND_ACKNOWLEDGED, 9),
        after_halt(4, Reason.HALT_VERIFIED, 30),
        after_halt(5, Reason.RELEASED, 7_200, level=Level.NORMAL, kind="level"),
    )
    for name, seconds in (("acknowledge", 2), ("verify", 30), ("release", 7_200)):
        assert value(metrics, f"halt_{name}_seconds_sum") == seconds
        assert value(metrics, f"halt_{name}_seconds_count") == 1


def test_a_standing_halt_shows_what_became_of_its_command() -> None:
    """In the total and with its time for each pilot; nothing is left after the release."""
    halt = halted(1)
    metrics = Metrics()
    metrics.observe(Outputs(decisions=[halt], commands=[command_of(halt)]))  # type: ignore[list-item]
    assert value(metrics, "halts_standing", state="commanded") == 1
    metrics.observe(Outputs(decisions=[after_halt(2, Reason.HALT_VERIFIED, 5)]))
    assert value(metrics, "halts_standing", state="verified") == 1
    assert value(metrics, "halts_standing", state="commanded") == 0
    assert value(metrics, "halt_timestamp_seconds", **WHO, state="verified") == AT / 1000
    metrics.observe(Outputs(decisions=[after_halt(3, Reason.RELEASED, 9, level=Level.NORMAL, kind="level")]))
    assert not [name for name, _ in read(metrics) if name == PREFIX + "halt_timestamp_seconds"]
    assert value(metrics, "halts_standing", state="verified") == 0


def test_a_halt_of_unknown_origin_is_counted_as_unknown() -> None:
    """A process that takes over a halted pilot without a command still counts its halt."""
    metrics = Metrics()
    metrics.seed("p-1", "firm-1", Level.HALT, standing=4, since_ms=7_000)
    assert value(metrics, "halts_standing", state="unknown") == 1


def test_states_of_life_follow_the_decisions() -> None:
    """From the application to the closed file; a settled life has no series, and counts."""
    steps = (
        (Reason.APPLICATION_SUBMITTED, "submitted"), (Reason.ADMITTED, "registered"), (Reason.CYCLE_STARTED, "running"),
        (Reason.PAUSE_GRANTED, "paused"), (Reason.EXITED, "exited outcome=stop"), (Reason.REPORT_ISSUED, "reported"),
    )  # fmt: skip
    metrics = Metrics()
    for standing, (reason, states) in enumerate(steps, 1):
        one = decision(standing, level=Level.NORMAL, reason=reason, kind="act", states=states)
        metrics.observe(Outputs(decisions=[one]))
        word = states.split()[0]
        assert value(metrics, "pilot_state", **WHO, state=word) == 1
        assert {s.value: value(metrics, "pilots_in_state", state=s.value) for s in STATES if s != word} == {
            s.value: 0 for s in STATES if s != word
        }
    metrics.observe(Outputs(decisions=[decision(9, level=Level.NORMAL, reason=Reason.WITHHELD, states="withheld")]))
    assert value(metrics, "pilots_in_state", state="withheld") == 1
    assert not [name for name, _ in read(metrics) if name == PREFIX + "pilot_state"]


@pytest.mark.parametrize(
    ("then", "state"),
    [
        pytest.param([decision(1, reason=Reason.ADMITTED)], "running", id="admitted without an application"),
        pytest.param([halted(1), halted(2, reason=Reason.EXIT_PENDING)], "exiting", id="its exit waits for the stop"),
        pytest.param(
            [halted(1), halted(2, reason=Reason.EXIT_PENDING), halted(3, reason=Reason.HALT_VERIFIED)],
            "exiting", id="and still does",
        ),
        pytest.param([decision(1, reason=Reason.EXITED, level=Level.NORMAL)], "exited", id="left"),
    ],
)  # fmt: skip
def test_a_decision_without_states_is_of_a_life_that_follows_from_its_standing(
    then: list[Decision], state: str
) -> None:
    """Decisions leave the states out where they say nothing."""
    assert value(observed(*then), "pilots_in_state", state=state) == 1


def test_deadlines_are_counted_by_debtor_and_change() -> None:
    """Every change is one, and all label sets exist at zero."""
    metrics = observed(deadline(1), deadline(2, ClockState.MISSED, Reason.CLOCK_MISSED), deadline(2))
    assert value(metrics, "clock_changes_total", owed_by="firm", change="started") == 1
    assert value(metrics, "clock_changes_total", owed_by="firm", change="missed") == 1
    assert value(metrics, "clock_changes_total", owed_by="authority", change=Change.DONE_LATE.value) == 0


def test_complaints_are_counted_by_what_they_are() -> None:
    """The number that each act put on record, not the number of acts."""
    filed = Finding(rule="complaints", observed=3.0)
    metrics = observed(
        decision(1, reason=Reason.COMPLAINT_FILED, kind="act", finding=filed),
        decision(2, reason=Reason.REDRESS_RECORDED, kind="act", finding=Finding(rule="refused", observed=2.0)),
    )
    assert value(metrics, "complaints_total", kind="filed") == 3
    assert value(metrics, "complaints_total", kind="redress_refused") == 2
    assert value(metrics, "complaints_total", kind="withdrawn") == 0


def test_an_alarm_is_counted_when_its_finding_joins_and_not_when_it_ends() -> None:
    """By detector and the level that it asks for; hard rules are no alarms of a detector."""
    cusum = Finding(indicator="incidents", rule="cusum", statistic=9.0, bar=7.0)
    metrics = observed(
        decision(1, finding=cusum, finding_level=Level.WATCH, level=Level.WATCH, reason=Reason.CHANGE_DETECTED),
        decision(2, finding=cusum, reason=Reason.CLEARED, level=Level.NORMAL),
        decision(3, finding=Finding(rule="death"), finding_level=Level.HALT, reason=Reason.HARD_RULE),
        decision(4, finding=Finding(rule="silence"), kind="flag", reason=Reason.SILENCE, unknown="silence"),
    )
    alarms = {
        (dict(pairs)["detector"], dict(pairs)["level"]): number
        for (name, pairs), number in read(metrics).items()
        if name == PREFIX + "alarms_total" and number
    }
    assert alarms == {("cusum", "watch"): 1, ("silence", "unknown"): 1}
    assert value(metrics, "alarms_total", detector="e_detector", level="escalate") == 0


def a_charter(**changes: Any) -> Any:
    made = charter("p-1", number=0, period_ms=86_400_000, cap=9.0, dispersion=1.0, start=0, end=0)
    return structs.replace(made, **changes)


def test_the_declared_rate_is_that_of_the_settings_over_all_streams() -> None:
    """Periods per year over `arl0`, or `false_per_year`, for each segment; what spends alpha declares no rate."""
    spec = structs.replace(
        next(one for one in a_charter().indicators if len(one.segments) == 3),
        detectors=(
            DetectorSpec("cusum", "watch", {"arl0": 365.25}), DetectorSpec("limit_e_process", "halt"),
            DetectorSpec("fall", "watch", {"false_per_year": 0.2}), DetectorSpec("gauge_limit", "watch"),
        ),
    )  # fmt: skip
    declared = declared_by_charter(a_charter(indicators=(spec,)))
    assert declared == pytest.approx({("cusum", "watch"): 3.0, ("fall", "watch"): 0.6})
    metrics = Metrics()
    metrics.observe(Outputs(decisions=[decision(1)]))
    metrics.learn(a_charter(indicators=(spec,)))
    assert value(metrics, "declared_alarms_per_year", detector="cusum", level="watch") == pytest.approx(3.0)
    metrics.left("p-1", "firm-1")
    assert value(metrics, "declared_alarms_per_year", detector="cusum", level="watch") is None


def test_every_detector_declares_a_rate_or_none() -> None:
    """A charter with any detector can be learnt: none stops the metrics."""
    for name in DETECTORS:
        spec = structs.replace(a_charter().indicators[0], detectors=(DetectorSpec(name, "watch"),))
        assert all(rate > 0 for rate in declared_by_charter(a_charter(indicators=(spec,))).values())


def alpha_of(metrics: Metrics) -> tuple[float | None, ...]:
    return tuple(value(metrics, name, **WHO) for name in ("pilot_alpha", "pilot_alpha_may_spend", "pilot_alpha_used"))


def test_alpha_used_rises_with_crossings_and_runs_and_never_above_what_may_be_spent() -> None:
    """0 at first; the share of a limit that was reached; all shares of a run once the next began."""
    made = a_charter()
    spec = next(one for one in made.indicators if one.weight > 0)
    shares = [
        sum(alpha_share(made, one, run) * max(1, len(one.segments)) for one in made.indicators if one.weight > 0
            and any(w.name in ("limit_e_process", "disparity") for w in one.detectors))
        for run in (1, 2)
    ]  # fmt: skip
    metrics = observed(decision(1, finding=Finding()))
    assert alpha_of(metrics) == (None, None, None)
    metrics.learn(made)
    assert alpha_of(metrics) == pytest.approx((made.alpha, shares[0], 0.0))
    crossed = Finding(indicator=spec.name, segment="", rule="limit_e_process", statistic=6.0, bar=5.0)
    metrics.observe(Outputs(decisions=[halted(2, finding=crossed)]))
    assert alpha_of(metrics) == pytest.approx((made.alpha, shares[0], alpha_share(made, spec)))
    released = after_halt(3, Reason.RELEASED, 9, level=Level.NORMAL, kind="level", restart=2)
    metrics.observe(Outputs(decisions=[released]))
    assert alpha_of(metrics) == pytest.approx((made.alpha, sum(shares), shares[0]))
    assert sum(shares) <= made.alpha


def test_alpha_of_any_number_of_runs_stays_within_the_charter() -> None:
    """Both parts are at most alpha, whatever the number of the run."""
    metrics = observed(decision(1, finding=Finding(), restart=1_000_000))
    metrics.learn(a_charter())
    alpha, may, used = alpha_of(metrics)
    assert alpha is not None
    assert may is not None
    assert used is not None
    assert 0 < used <= may <= alpha


def test_a_pilot_can_be_selected_by_each_of_its_authorities() -> None:
    """One series per responsible authority; an empty label where none is, so that a selection of all has it."""
    metrics = observed(decision(1, responsible=("north", "roads")), decision(1, pilot="p-2"))
    found = {
        (dict(pairs)["pilot"], dict(pairs)["authority"])
        for name, pairs in read(metrics)
        if name == PREFIX + "pilot_scope"
    }
    assert found == {("p-1", "north"), ("p-1", "roads"), ("p-2", "")}
    many = observed(decision(1, responsible=tuple(f"a{n}" for n in range(50))))
    assert sum(name == PREFIX + "pilot_scope" for name, _ in read(many)) == pilot_series.AUTHORITIES


def test_a_firm_has_its_class_in_force() -> None:
    """The class of the last act on the file of the firm; at most `cap` firms have a series."""

    def classified(standing: int, firm: str, word: str) -> Decision:
        finding = Finding(rule=f"class {word}", content={"class": word})
        return decision(
            standing, f"firm:{firm}", reason=Reason.FIRM_CLASSIFIED, participant="", kind="act", finding=finding
        )

    metrics = Metrics(cap=2)
    metrics.observe(Outputs(decisions=[classified(1, "acme", "A"), classified(2, "acme", "C")]))
    assert value(metrics, "firm_class", firm="acme", firm_class="C") == 1
    assert value(metrics, "firm_class", firm="acme", firm_class="A") is None
    metrics.observe(Outputs(decisions=[classified(1, f"f-{n}", "B") for n in range(9)]))
    assert sum(name == PREFIX + "firm_class" for name, _ in read(metrics)) == 2


def test_common_causes_are_counted_by_vendor_up_to_a_bound() -> None:
    """Vendors are names that firms write: beyond the bound they count as `other`."""
    found = [
        decision(n, f"vendor:v{n}", participant="", reason=Reason.COMMON_CAUSE, finding=Finding(indicator="incidents"))
        for n in range(institution_metrics.VENDORS + 3)
    ]
    metrics = Metrics()
    metrics.common_causes([*found, decision(999, reason=Reason.CLEARED)])
    assert value(metrics, "common_causes_total", vendor="v0", indicator="incidents") == 1
    assert value(metrics, "common_causes_total", vendor="other", indicator="other") == 3
    assert value(metrics, "common_cause_timestamp_seconds", vendor="v1", indicator="incidents") == (AT + 1) / 1000


class _Owned:
    """What `PartitionMetrics.recovered` reads of a partition that was recovered."""

    partition = 0

    def __init__(self, world: Founded) -> None:
        class _Runner:
            epoch = 1
            machine = world.machine

        self.runner = _Runner()


def gauges(metrics: Metrics) -> dict[Any, float]:
    names = (
        "pilots_in_state", "pilot_state", "pilot_alpha", "pilot_alpha_may_spend", "pilot_alpha_used",
        "declared_alarms_per_year", "pilot_scope", "firm_class", "halts_standing",
    )  # fmt: skip
    wanted = {PREFIX + name for name in names}
    return {key: number for key, number in read(metrics).items() if key[0] in wanted}


def test_a_process_that_takes_over_a_partition_shows_the_same_institution() -> None:
    """States of life of pilots and applicants, alpha, scope: what the state says is what the decisions said."""
    world = Founded(admit=OWN)
    live = Metrics()
    live.observe(Outputs(decisions=world.decisions))
    live.learn(world.pilot.charter)
    taken = Metrics()
    PartitionMetrics(taken).recovered(_Owned(world))  # type: ignore[arg-type]
    assert gauges(taken) == gauges(live)
    applied = Founded(admit=None)
    applied.agreed(OWN)
    ((name, applicant),) = applied.machine.applicants.items()
    again = Metrics()
    PartitionMetrics(again).recovered(_Owned(applied))  # type: ignore[arg-type]
    state = state_words(applicant.life)
    assert value(again, "pilot_state", pilot=name, participant=applicant.firm, state=state) == 1
    PartitionMetrics(again).released(_Owned(applied))  # type: ignore[arg-type]
    assert value(again, "pilots_in_state", state=state) == 0


def test_every_series_of_the_institution_is_bounded() -> None:
    """Whatever pilots, states and reasons come, no table grows beyond its bound."""
    metrics = Metrics(cap=3)
    many = [
        decision(1, pilot=f"q{n}", responsible=(f"a{n}",), states="submitted", level=Level.HALT, reason=reason)
        for n, reason in enumerate([*Reason] * 3)
    ]
    metrics.observe(Outputs(decisions=many))
    for name, most in (("pilot_state", 3), ("pilot_scope", 3 * pilot_series.AUTHORITIES)):
        assert sum(found == PREFIX + name for found, _ in read(metrics)) <= most
    total = sum(number for (name, _), number in read(metrics).items() if name == PREFIX + "pilots_in_state")
    assert total <= 3 * (1 + pilot_series.COMPACT)


def test_an_act_on_the_sandbox_is_no_change_of_a_pilot() -> None:
    """Decisions on the configuration, on models and on firms count in no metric of pilots."""
    before = read(Metrics())
    metrics = observed(msgspec.structs.replace(decision(1), pilot="sandbox", reason=Reason.CONFIGURATION_CHANGED))
    changed = {name for (name, pairs), number in read(metrics).items() if before.get((name, pairs)) != number}
    assert {name for name in changed if not name.startswith("process_")} == {PREFIX + "decisions_total"}
