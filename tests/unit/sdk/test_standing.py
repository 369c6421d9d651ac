"""Which command counts: the one of the highest standing."""

from __future__ import annotations

import itertools

import msgspec

from monitor.sdk.standing import Standing, refusal
from monitor.testing.records import command

COMMANDS = [command(3, "halt"), command(5, "release", epoch=9), command(8, "halt", epoch=2)]


def test_the_highest_standing_wins_in_every_order_of_arrival() -> None:
    """Repeats, lower standings and higher epochs change nothing: every order ends at the same halt."""
    for order in itertools.permutations(COMMANDS + COMMANDS[:1]):
        standing = Standing()
        for each in order:
            standing = standing.meet(each)
        assert standing.number == 8
        assert standing.halted


def test_a_refusal_says_who_why_since_when_and_what_to_do() -> None:
    """The words of a refusal name pilot, reason, time, decision and the way out."""
    halt = command(3, "halt")
    words = refusal(halt, resume=False)
    for part in ("pilot p-1 is halted since 2023-11-14T22:13:20", "limit_exceeded", halt.decision, "two approvals"):
        assert part in words
    assert "call resume()" in refusal(command(4, "release"), resume=True)


def test_what_has_to_be_resumed_from() -> None:
    """A release has to be resumed from, a later halt takes its place, a drill changes nothing; one that ends a halt whose
    release was compacted away is a release too."""
    halted = Standing().meet(command(3, "halt"))
    released = halted.meet(command(4, "release"))
    drill = msgspec.structs.replace(command(5, "halt"), dry_run=True)
    assert halted.release is None
    assert released.release == command(4, "release")
    assert released.meet(drill).release == command(4, "release")
    assert not released.meet(drill).halted
    assert halted.meet(drill).release == drill
    assert Standing().meet(drill).release is None
    assert released.meet(command(6, "halt")).release is None
