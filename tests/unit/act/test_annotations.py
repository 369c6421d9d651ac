"""Annotations in Grafana: which decisions are marked, as what, and once."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from monitor.act.annotations import EVENTS, Annotations, event_of
from monitor.act.grafana import TOKEN_VARIABLE
from monitor.errors import Refused
from monitor.model.clock_record import ClockState
from monitor.model.records import Decision, Finding, Level, Reason
from monitor.testing.grafana import FakeGrafana
from monitor.testing.recorder import Recorder
from monitor.testing.records import decision, halted
from tests.unit.projections.test_metrics import deadline


def of(reason: Reason, kind: str = "act", **changes: Any) -> Decision:
    return decision(1, reason=reason, kind=kind, was=Level.ESCALATE, **changes)


CASES = [
    pytest.param(halted(), "level", id="a change of level"),
    pytest.param(of(Reason.RELEASED, "level", level=Level.NORMAL), "release", id="a release"),
    pytest.param(of(Reason.HALT_VERIFIED, "finding"), "stop", id="a verified stop"),
    pytest.param(of(Reason.HALT_CONTRADICTED, "finding"), "stop", id="traffic after the stop"),
    pytest.param(of(Reason.CHANGE_REGISTERED), "change", id="a change inside the plan"),
    pytest.param(of(Reason.CHANGE_NOT_REGISTERED, "finding"), "change", id="a change that was not registered"),
    pytest.param(of(Reason.AMENDED), "change", id="an amended charter"),
    pytest.param(deadline(1, ClockState.MISSED, Reason.CLOCK_MISSED), "level", id="a missed deadline moves the level"),
    pytest.param(of(Reason.RECTIFICATION_RECORDED), "act", id="an act of a person"),
    pytest.param(of(Reason.LIMIT_HALF_WAY, "finding"), None, id="a finding at an unchanged level"),
    pytest.param(of(Reason.SILENCE, "flag"), None, id="the flag unknown"),
]


@pytest.mark.parametrize(("given", "event"), CASES)
def test_an_event_is_named_by_what_happened(given: Decision, event: str | None) -> None:
    """A release is no mere change of level, and what moves no one's attention is not marked."""
    assert event_of(given) == event
    assert event is None or event in EVENTS


@pytest.mark.parametrize(
    ("state", "reason", "event"),
    [
        pytest.param(ClockState.RUNNING, Reason.CLOCK_STARTED, None, id="it starts"),
        pytest.param(ClockState.MET, Reason.CLOCK_MET, "deadline", id="it is met"),
        pytest.param(ClockState.MISSED, Reason.CLOCK_MISSED, "deadline", id="it is missed"),
        pytest.param(ClockState.STOPPED, Reason.CLOCK_STOPPED, None, id="it stops"),
    ],
)
def test_the_end_of_a_deadline_is_an_event(state: ClockState, reason: Reason, event: str | None) -> None:
    """Met or missed; its start is none, as every pilot has many of them."""
    assert event_of(structs.replace(deadline(1, state, reason), kind="finding")) == event


@pytest.fixture
def grafana(monkeypatch: pytest.MonkeyPatch) -> FakeGrafana:
    monkeypatch.setenv(TOKEN_VARIABLE, "secret")
    return FakeGrafana()


def test_an_annotation_carries_what_the_dashboards_select_by(grafana: FakeGrafana) -> None:
    """Time of the decision, the sentence of the notification, tags for pilot, level and event; a repeat adds none."""
    with Recorder(grafana) as recorder:
        for _ in range(2):
            Annotations(recorder.url + "/grafana").act(halted(pilot="p-1"))
        Annotations(recorder.url + "/grafana").act(of(Reason.LIMIT_HALF_WAY, "finding"))
    [made] = grafana.annotations
    assert made["time"] == halted().at
    assert "p-1" in made["text"]
    assert set(made["tags"]) == {
        "sandbox-monitor", "pilot:p-1", "level:halt", "event:level", f"decision:{halted(pilot='p-1').id}",
    }  # fmt: skip
    assert grafana.tagged(["event:level", "pilot:p-1"]) == [made]
    assert grafana.tagged(["event:level", "pilot:p-2"]) == []


def test_a_wrong_token_is_refused(grafana: FakeGrafana, monkeypatch: pytest.MonkeyPatch) -> None:
    """Grafana's 401 is an error that a retry does not cure."""
    monkeypatch.setenv(TOKEN_VARIABLE, "wrong")
    with Recorder(grafana) as recorder, pytest.raises(Refused):
        Annotations(recorder.url + "/grafana").act(halted(finding=Finding()))
    assert grafana.annotations == []
