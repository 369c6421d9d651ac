"""The order of commands: what a forged command with any standing can do, and what it cannot."""

from __future__ import annotations

from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.model.records import Command
from monitor.sdk.command_order import MAX_JUMP, order
from monitor.sdk.command_state import CommandState
from monitor.sdk.refusals import MessageRejection
from monitor.testing.records import command
from tests.strength import examples

T0 = 1_700_000_000_000
HOUR = 3_600_000


def sent(
    standing: int, action: Literal["halt", "release"], at: int, *, forged: bool = False, dry_run: bool = False
) -> Command:
    """A command; a forged one has an id that the monitor never gave."""
    name = {"id": f"forged-{standing}-{at}", "decision": f"forged-{at}"} if forged else {}
    return command(standing, action, at=at, dry_run=dry_run, **name)


def after(state: CommandState, message: Command, now: int, proved: bool = False) -> CommandState:
    found = order(state, message, proved=proved, now=now)
    return state if isinstance(found, MessageRejection) else found


@st.composite
def lies(draw: st.DrawFn, before: int) -> list[Command]:
    """Commands of a forger before the time `before`: any standing, any time, halts, releases and drills."""
    standing = st.integers(0, 50) | st.integers(MAX_JUMP, 1 << 60) | st.just(1 << 60)
    at = st.integers(T0 - HOUR, before) | st.just(T0 + 10 * HOUR)
    one = st.builds(
        lambda n, action, when, dry: sent(n, action, when, forged=True, dry_run=dry),
        standing, st.sampled_from(["halt", "release"]), at, st.booleans(),
    )  # fmt: skip
    return draw(st.lists(one, max_size=6))


@settings(max_examples=examples(300, 20_000), deadline=None)
@given(st.data(), st.booleans())
def test_no_forged_command_hides_a_later_real_halt_or_release(data: st.DataObject, proved: bool) -> None:
    """Whatever unproved commands arrived before, a real halt decided later is obeyed, and the real release after it
    ends it; with and without a key."""
    state = after(CommandState(known=True), sent(1, "release", T0), T0, proved)
    now = T0 + HOUR
    for lie in data.draw(lies(now)):
        state = after(state, lie, now)
    now += 1
    state = after(state, sent(2, "halt", now), now, proved)
    assert state.halted
    assert state.command is not None
    assert not state.command.id.startswith("forged")
    state = after(state, sent(3, "release", now + 1), now + 1, proved)
    assert (state.halted, state.lifted, state.number) == (False, sent(3, "release", 0).decision, 3)


@settings(max_examples=examples(300, 20_000), deadline=None)
@given(st.data())
def test_no_unproved_command_starts_work(data: st.DataObject) -> None:
    """After any unproved commands under a halt, work begins only once the firm has resumed: what it resumed from before
    never suffices."""
    state = after(CommandState(known=True), sent(5, "release", T0), T0, True)
    resumed = state.release_id
    state = after(state, sent(6, "halt", T0 + 1), T0 + 1, True)
    for lie in data.draw(lies(T0 + HOUR)):
        state = after(state, lie, T0 + HOUR)
        assert state.halted or state.to_resume(resumed)


@settings(max_examples=examples(200, 5_000), deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=12), st.randoms(use_true_random=False), st.booleans())
def test_real_commands_in_any_order_and_repeated_give_the_newest(
    halts: list[bool], random: object, proved: bool
) -> None:
    """Late and repeated real commands change nothing, as before: the newest one counts."""
    real = [sent(n + 1, "halt" if halt else "release", T0 + n) for n, halt in enumerate(halts)]
    shuffled = [*real, *real]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    state = CommandState(known=True)
    for message in shuffled:
        state = after(state, message, T0 + HOUR, proved)
    assert state.command == real[-1]


def test_a_jump_of_the_standing_is_refused_unless_it_halts_or_is_proved() -> None:
    """A release far above the newest standing changes nothing without a proof, also at first contact; a halt does."""
    known = after(CommandState(known=True), sent(7, "halt", T0), T0)
    for state in (known, CommandState()):
        release = sent(state.number + MAX_JUMP + 1, "release", T0 + 5)
        assert order(state, release, proved=False, now=T0 + 9) is MessageRejection.STANDING_JUMP
        assert isinstance(order(state, release, proved=True, now=T0 + 9), CommandState)
        assert after(state, sent(1 << 60, "halt", T0 + 5), T0 + 9).halted


def test_an_unproved_halt_is_ended_by_a_proved_release_of_a_lower_standing() -> None:
    """A forged halt with a huge standing holds until the authority's next command, not for ever."""
    state = after(CommandState(known=True), sent(7, "release", T0), T0, True)
    state = after(state, sent(1 << 60, "halt", T0 + 5, forged=True), T0 + 5)
    assert state.halted
    assert order(state, sent(7, "release", T0), proved=True, now=T0 + 6) is MessageRejection.LOWER_STANDING
    assert not after(state, sent(8, "release", T0 + 7), T0 + 7, True).halted
