"""Whether a halt that stands can still be released by the people of a configuration. Pure.

Under a halt only those count who held their right when it began (`monitor/lifecycle/tenure.py`). So a change that takes
it from too many of them would leave a halt without the people of its release.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.decide.authority import APPROVERS
from monitor.errors import ControlRefused
from monitor.lifecycle.accreditation import Place, accredited_for
from monitor.lifecycle.acts import Role, evaluation_counts
from monitor.lifecycle.sandbox import Person
from monitor.lifecycle.sandbox_acts import SandboxState
from monitor.lifecycle.standards import approving
from monitor.lifecycle.tenure import authorities_needed, roles_since
from monitor.model.refusals import Refusal
from monitor.model.signing import Trusted
from monitor.model.standing_halt import StandingHalt
from monitor.state.pilot import PilotState


def check_releasable(before: SandboxState, after: SandboxState, pilots: Iterable[PilotState]) -> None:
    """Raises ControlRefused where a halt of one of these pilots can be released under `before` and not under `after`:
    it names the pilot, what it would lack, and what to do."""
    halts = (halt_of(pilot) for pilot in pilots if pilot.standing.halted and not pilot.exited)
    if words := next(unreleasable(before, after, halts), None):
        raise ControlRefused("people", Refusal.HALT_STANDS, words)


def halt_of(pilot: PilotState) -> StandingHalt:
    """The halt of a halted pilot."""
    charter = pilot.charter
    names = tuple(one.id for one in charter.authorities)
    return StandingHalt(
        pilot.id, pilot.standing.since, charter.tier, names, approving(charter), charter.region, charter.sector
    )


def unreleasable(before: SandboxState, after: SandboxState, halts: Iterable[StandingHalt]) -> Iterator[str]:
    """For each halt that can be released under `before` and not under `after`: the pilot, what it would lack, and what
    to do."""
    for halt in halts:
        lacked = lacking(before, halt)
        lacks = [what for what in lacking(after, halt) if what not in lacked]
        if lacks:
            yield (
                f"{halt.pilot} is halted, and its release would have no {', no '.join(lacks)} any more who held the "
                f"role when the halt began; release it or end its stay first, or leave them in the configuration"
            )


def missing(state: SandboxState, pilot: PilotState) -> list[str]:
    """What the release of the halt of a pilot lacks (`lacking`)."""
    return lacking(state, halt_of(pilot))


def lacking(state: SandboxState, halt: StandingHalt) -> list[str]:
    """Of which people too few remain for the release of a halt; nothing where roles come from the charter, as with a
    halt from before the sandbox was founded."""
    sandbox, since = state.sandbox, halt.since
    if sandbox is None or since <= state.tenure.founded:
        return []
    found: dict[Role, list[Person]] = {}
    for person in sandbox.people:
        if person.authority and person.authority not in halt.authorities:
            continue
        for role in _held(state, person, since):
            if role is Role.EVALUATOR and not accredited_for(person, Place(halt.region, halt.sector, halt.tier)):
                continue
            found.setdefault(role, []).append(person)
    approvers = found.get(Role.APPROVER, [])
    needed = min(max(authorities_needed(state.tenure, halt.tier, since), halt.approving), len(halt.authorities))
    lacks = [] if found.get(Role.OFFICER) else ["officer"]
    if len(approvers) < APPROVERS:
        lacks.append(f"{APPROVERS} approvers")
    elif len({one.authority for one in approvers}) < needed:
        lacks.append(f"approvers of {needed} authorities")
    if not found.get(Role.EVALUATOR) and not evaluation_counts({Role.FIRM}, halt.tier):
        lacks.append("evaluator")
    return lacks


def _held(state: SandboxState, person: Person, since: int) -> frozenset[Role]:
    """The roles of a person that were held when the halt began, with some key that was held then."""
    keys = Trusted(person.keys).ids if person.keys else ("",)
    return frozenset(role for key in keys for role in roles_since(state.tenure, person, key, since))
