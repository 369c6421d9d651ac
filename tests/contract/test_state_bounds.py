"""Every part of what is remembered has a bound in bytes, and all of them together fit a record of the state topic."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from msgspec import Struct

from monitor.charter.spec import Charter
from monitor.compile.plan import Plan
from monitor.deadlines.shipped import example_table
from monitor.engine.partition import PartitionState
from monitor.engine.shadows import ShadowState
from monitor.engine.state_bounds import (
    BOUNDS,
    LARGEST_APPLICANT,
    LARGEST_MODEL,
    LARGEST_PARTITION,
    LARGEST_SHADOW,
    LARGEST_STATE,
)
from monitor.kafka.topics import LARGE
from monitor.lifecycle.acts import Role
from monitor.lifecycle.first import first_sandbox
from monitor.lifecycle.sandbox import SANDBOX_BYTES, Person, SandboxAuthority, size_of
from monitor.lifecycle.sandbox_acts import OPEN_PROPOSALS, PROPOSAL_BYTES, SandboxState
from monitor.lifecycle.sandbox_check import KEYS
from monitor.lifecycle.tenure import NEEDED_KEPT, PERIODS_KEPT, Tenure, role_right
from monitor.model.bounds import STATE_BYTES
from monitor.model.records import Command
from monitor.state.acts_once import ActMemory
from monitor.state.applicant import Applicant
from monitor.state.firm_file import FirmFile
from monitor.state.model_file import ModelFile
from monitor.state.pilot import PilotState, Stream
from monitor.state.sandbox import SandboxSubject
from monitor.state.snapshots import _Snapshot

OVERHEAD = 64 * 1024  # of a record: key, headers, batch; the header of a signature
ELSEWHERE = {Charter, Plan, Stream, Command}  # by the charter; a command is a record whose size the table has


def stored(kind: Any) -> Iterator[type[Struct]]:
    """The structs that a field of this type holds, with those in it."""
    for inner in get_args(kind):
        yield from stored(inner)
    if isinstance(kind, type) and issubclass(kind, Struct) and kind not in ELSEWHERE:
        yield kind
        for each in get_type_hints(kind).values():
            yield from stored(each)


@pytest.mark.parametrize(
    "kind",
    sorted(
        {
            *stored(PilotState),
            *stored(PartitionState),
            *stored(Applicant),
            *stored(ModelFile),
            *stored(ShadowState),
            *stored(FirmFile),
        },
        key=lambda kind: kind.__name__,
    ),
)
def test_every_field_of_what_is_stored_has_a_bound(kind: type[Struct]) -> None:
    """A new field needs its line in the table, and the rule that enforces it."""
    assert set(BOUNDS[kind]) == set(kind.__struct_fields__)


def test_a_snapshot_holds_what_the_table_bounds() -> None:
    """No part of a snapshot is without a field of the state: only what older versions wrote."""
    older = {"version", "controls", "judged", "detectors"}
    assert set(_Snapshot.__struct_fields__) - older == set(PilotState.__struct_fields__) - {"plan", "due"}


def test_all_bounds_together_fit_a_record() -> None:
    """The state of a pilot stays below the documented limit, and both kinds of state below that of the broker."""
    assert LARGEST_STATE <= STATE_BYTES
    assert LARGEST_APPLICANT <= STATE_BYTES
    assert LARGEST_MODEL <= STATE_BYTES
    assert LARGEST_SHADOW + OVERHEAD <= LARGE
    assert max(STATE_BYTES, LARGEST_PARTITION) + OVERHEAD < LARGE


def test_the_largest_configuration_of_a_sandbox_fits_a_record() -> None:
    """With every right changed as often as is remembered, open proposals of the largest size, and the acts."""
    roles = (Role.OFFICER, Role.APPROVER, Role.PUBLISHER, Role.PUBLIC_CHANNEL, Role.AUDITOR)
    authority = SandboxAuthority("a" * 64, "central")
    people = tuple(Person(f"{n:064}", roles, authority.id) for n in range(1020))
    sandbox = first_sandbox("s", authority.id, {}, example_table(), people)
    periods = ((1 << 42, 1 << 42),) * PERIODS_KEPT
    changed = {role_right(person, role): periods for person in sandbox.people for role in person.roles}
    needed = {one.tier: ((1 << 42, 2),) * NEEDED_KEPT for one in sandbox.tiers}
    acts = BOUNDS[ActMemory]
    rest = OPEN_PROPOSALS * (PROPOSAL_BYTES + 1024) + sum(acts.values()) + KEYS * 100
    subject = SandboxSubject(SandboxState(sandbox, {}, Tenure(1 << 42, changed, needed)))
    assert len(sandbox.people) == 1024
    rest += SANDBOX_BYTES - size_of(sandbox)
    assert len(msgspec.msgpack.encode(subject)) + rest + OVERHEAD < LARGE
