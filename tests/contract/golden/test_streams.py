"""Everything that the machine emits over a scripted day and over the real data stays as it is, to the byte."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pytest

from . import names, signed, story, stream
from .pins import pinned

RULE = "The same input gives the same records, to the byte, however it is cut into batches."
WAYS = {"one by one": (names.OneByOne, 1), "in batches": (names.Machine, story.LOOK)}

REAL = (
    "ads-cruise-exposure-reconstructed",
    "ads-cruise-exposure-pace",
    "ads-waymo-exposure-reconstructed",
    "ads-waymo-exposure-pace",
    "fpr-risk-score-limit-0.30",
    "complaints-dohmh-promise-30d",
    "complaints-dpr-promise-30d",
    "complaints-dsny-promise-30d",
    "complaints-nypd-promise-30d",
)
# Reasons of the second stage, of the real data, and of a state at its size limit.
ELSEWHERE = {
    "common_cause",
    "dispersion_exceeded",
    "drift_suspected",
    "late_dropped",
    "state_limit",
    "state_lost",
}

# Reasons of deployments with a sandbox: the script has none, as in logs from before there was one.
OF_SANDBOXES = {
    *("clock_started", "clock_moved", "clock_met", "clock_missed", "clock_stopped", "clock_refused", "evidence_hold"),
    *("incident_report_received", "change_notified", "suspension_notified", "incident_reclassified"),
    *("sandbox_founded", "configuration_proposed", "configuration_changed", "proposal_withdrawn"),
    *("model_entry_added", "model_entry_withdrawn", "firm_classified", "decision_annulled"),
    *("application_submitted", "application_screened", "application_refused", "application_withdrawn"),
    *("charter_signed", "charter_agreed", "cycle_started"),
    *("assessed", "assessment_due", "assessment_missed", "exit_approved", "report_issued", "published", "withheld"),
    *("responsibility_changed", "no_authority"),
    *("complaint_filed", "complaint_withdrawn", "complaint_answered", "redress_recorded", "user_left"),
    *("graduated", "recalled", "closed", "tier_approved", "template_made"),
    *("step_passed", "step_failed", "step_inconclusive"),
}
# Reasons of acts on a pilot that runs: `tests/unit/decide` has them, the script is older.
OF_RUNNING = {
    "change_registered", "change_proposed", "change_refused", "change_not_registered", "pause_requested",
    "pause_granted", "resumed", "cycle_requested", "cycle_granted", "request_declined", "used_in_pause", "extended",
    "guidance_asked", "guidance_given", "guidance_followed", "inspected", "inspection_finding", "finding_overdue",
    "suspended", "evidence_held", "hold_lifted", "trend_rising",
    "trend_steady", "boundary_breached", "shadow_started", "shadow_stopped", "shadow_ended",
}  # fmt: skip


class Played(NamedTuple):
    """A machine after a script, what it emitted, and the state of every pilot at each look (step and pilot ->
    bytes)."""

    machine: names.Machine
    out: names.Outputs
    states: dict[tuple[int, str], bytes]


@functools.cache
def played(way: str) -> Played:
    """The scripted day."""
    kind, cut = WAYS[way]
    return _played(kind(journalled=False), story.script().steps, cut, story.script().fleet.pilots)


@functools.cache
def signed_hour(way: str) -> Played:
    """The hour with keys and a journal."""
    kind, cut = WAYS[way]
    return _played(signed.machine(kind), signed.SignedScript().steps, cut, signed.PILOTS)


def _played(machine: names.Machine, steps: list[story.Step], cut: int, pilots: Sequence[str]) -> Played:
    states: dict[tuple[int, str], bytes] = {}

    def look(step: int) -> None:
        states.update({(step, pilot): names.state_of(machine, pilot) for pilot in pilots})

    return Played(machine, story.run(machine, steps, cut, look), states)


def test_the_script_of_the_day_is_the_same() -> None:
    """If only this test fails, the simulator or the script changed, not the machine."""
    raw = msgspec.msgpack.encode(story.script().steps)
    found = {"steps": len(story.script().steps), "sha256": hashlib.sha256(raw).hexdigest()}
    pinned("script", "The scripted input never changes.", found)


@pytest.mark.parametrize("way", WAYS)
def test_a_scripted_day_gives_the_same_records(way: str) -> None:
    """Ids, causes, keys, numbers and order of every decision, command, permit, rejection and closed period."""
    pinned("stream_fleet", RULE, stream.pinned_form(played(way).out))


@pytest.mark.parametrize("way", WAYS)
def test_an_hour_with_keys_and_a_journal_gives_the_same_records(way: str) -> None:
    """Signed and forged acts and heartbeats, an outage of the monitor, lost telemetry, topics of participants."""
    pinned("stream_signed", RULE, stream.pinned_form(signed_hour(way).out))


def test_the_script_covers_what_it_should() -> None:
    """All reasons but those of other stages and rare states come up, and much of the day is taken in batches."""
    machine, out, _ = played("in batches")
    found = {d.reason.value for d in (*out.decisions, *signed_hour("in batches").out.decisions)}
    missing = {reason.value for reason in names.Reason} - found
    assert missing <= ELSEWHERE | OF_SANDBOXES | OF_RUNNING
    assert machine.fast_path_events > machine.events * 0.3


@pytest.mark.parametrize("case", REAL)
@pytest.mark.parametrize("batch", [1, 10_000], ids=["one by one", "in batches"])
def test_real_data_give_the_same_records(case: str, batch: int) -> None:
    """Reports on driverless cars, a risk score and city complaints, under the charters that ship with them."""
    out = names.replayed(case, batch)
    found = stream.pinned_form(out)
    # Up to where all periods are closed is said at each step, so these records alone depend on how often there is one.
    found["evidence"] = stream.pinned_form(names.without_closed(out))["evidence"]
    pinned(f"stream_{case}", RULE, found)


def test_explanations_are_the_same_sentences() -> None:
    """Sentences for people may be reworded, in one commit: `GOLDEN=explanations pytest tests/contract/golden`."""
    found = {"fleet": stream.explanations(played("in batches").out)}
    found |= {case: stream.explanations(names.replayed(case, 10_000)) for case in REAL}
    pinned("explanations", "The sentence of a detector is the same for the same numbers.", found)
