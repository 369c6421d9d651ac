"""The state of the commands: the one with the highest standing decides."""

from __future__ import annotations

import itertools

import msgspec

from monitor.halt_ground import Ground
from monitor.model.records import Reason
from monitor.sdk.command_state import CommandState, halted_text, not_resumed_text
from monitor.testing.records import command

COMMANDS = [command(3, "halt"), command(5, "release", epoch=9), command(8, "halt", epoch=2)]


def test_the_highest_standing_wins_in_every_order_of_arrival() -> None:
    """Repeats, lower standings and higher epochs change nothing: every order of arrival ends in the same state."""
    for order in itertools.permutations(COMMANDS + COMMANDS[:1]):
        standing = CommandState()
        for each in order:
            standing = standing.after(each)
        assert standing.number == 8
        assert standing.halted


def test_a_refusal_says_who_why_since_when_and_what_to_do() -> None:
    """The message names pilot, reason, time, decision and the next step."""
    halt = command(3, "halt")
    words = halted_text(halt)
    for part in ("pilot p-1 is halted since 2023-11-14T22:13:20", "limit_exceeded", halt.decision, "two approvals"):
        assert part in words
    released = CommandState().after(command(4, "release"))
    words = not_resumed_text("p-1", released)
    for part in ("lifted at 2023-11-14T22:13:20", command(4).decision, "standing 4", "call resume()"):
        assert part in words


def test_a_refusal_says_what_was_counted_against_which_limit() -> None:
    """The message contains the numbers of the halt, with what they were counted in; the detector's sentence where they
    give none; a hard rule names its incident."""
    ground = Ground(indicator="complaints", segment="north", observed=36.0, expected=6.09, ratio=5.91)
    words = "complaints, north: 36 events where at most 6.09 are allowed"
    assert words in halted_text(command(3, ground=ground))
    counted = msgspec.structs.replace(ground, rule="limit_e_process", events=36.0, exposure=6090.0, unit="decisions")
    assert "north: 36 events in 6,090 decisions where at most 6.09 are allowed" in halted_text(
        command(3, ground=counted)
    )
    told = Ground(indicator="complaints", segment="north", explanation="36 counted where 6.09 were allowed")
    assert "complaints, north: 36 counted where" in halted_text(command(3, ground=told))
    late = Ground(indicator="complaints", rule="rectify_within", observed=7200.0, detail="due 2026-02-04T00:00:00Z")
    assert "complaints: due 2026-02-04T00:00:00Z (decision" in halted_text(command(3, ground=late))
    rule = Ground(rule="death", observed=1.0, expected=0.0, detail="serious_incident, death, i-7")
    assert "hard_rule, death: serious_incident, death, i-7" in halted_text(
        command(3, reason=Reason.HARD_RULE, ground=rule)
    )


def test_a_later_command_does_not_hide_a_release() -> None:
    """A drill names the release before it, so a service that reads only the drill still has to resume."""
    release = command(4, "release", lifted=command(4).decision)
    drill = command(5, "halt", dry_run=True, lifted=release.decision)
    alone, both = CommandState().after(drill), CommandState().after(release).after(drill)
    assert alone.lifted == both.lifted == release.decision
    assert alone.to_resume("")
    assert alone.to_resume(command(2).id)
    assert not alone.to_resume(release.id)
    assert not both.to_resume(release.id)
    assert alone.release is None
    assert f"was lifted (decision {release.decision})" in not_resumed_text("p-1", alone)


def test_from_which_release_the_firm_has_to_resume() -> None:
    """The firm has to resume from a release; a later halt replaces it, a drill does not. A drill that ends a halt whose
    release was compacted away counts as a release."""
    halted = CommandState().after(command(3, "halt"))
    released = halted.after(command(4, "release"))
    drill = msgspec.structs.replace(command(5, "halt"), dry_run=True)
    assert halted.release is None
    assert released.release == command(4, "release")
    assert released.after(drill).release == command(4, "release")
    assert not released.after(drill).halted
    assert halted.after(drill).release == drill
    assert CommandState().after(drill).release is None
    assert released.after(command(6, "halt")).release is None
