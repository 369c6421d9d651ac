"""Which command is newer: the rule for proved commands, and the one for commands that nothing proves. Pure.

A command is *proved* when a key that the service trusts signed it. Proved commands are ordered by their `standing`
alone. Without a proof anybody who can write may have sent a command, with any standing. The rules for those:

1. A halt is obeyed, whatever its standing, unless it is no newer than the newest command by standing and by time.
2. A release or drill whose standing is more than `MAX_JUMP` above the newest one is refused.
3. A command of a lower standing that was decided later than the newest one is newer all the same: the monitor never
   lowers a standing, so one of the two was forged, and later real commands must take effect.
4. A proved command is newer than every one that is not proved.

So a forged standing can stop a service, but can neither hide a real halt nor lock the service out of real commands. It
cannot resume work: after a release the firm resumes by its own act.
"""

from __future__ import annotations

from monitor.model.records import Command
from monitor.sdk.command_state import CommandState
from monitor.sdk.refusals import MessageRejection

MAX_JUMP = 1 << 20  # a standing rises by one with each record of a pilot: a thousand a day for three years


def order(state: CommandState, command: Command, *, proved: bool, now: int) -> CommandState | MessageRejection:
    """Return the state after `command`, or why it changes nothing. `now` is this machine's wall clock (ms)."""
    newest = state.command
    if newest is not None and (command.standing, command.id) == (newest.standing, newest.id):
        if proved and state.proved < command.standing:
            return state.moved(command, decided=_decided(command, now), proved=True)
        return MessageRejection.REPEATED
    if proved:
        if command.standing <= state.proved:
            return MessageRejection.LOWER_STANDING
        return state.moved(command, decided=_decided(command, now), proved=True)
    rises = command.standing > state.number
    later = newest is not None and _decided(command, now) > state.decided
    if not rises and not later:
        return MessageRejection.LOWER_STANDING
    if not command.halts and rises and command.standing - state.number > MAX_JUMP:
        return MessageRejection.STANDING_JUMP
    return state.moved(command, decided=_decided(command, now), proved=False)


def _decided(command: Command, now: int) -> int:
    """When a command was decided: never later than now, so that a forged time hides nothing that is decided later."""
    return min(command.at, now)
