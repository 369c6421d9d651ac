"""The decision that records an accepted act on a subject that is no pilot: the sandbox, or a model. Pure."""

from __future__ import annotations

from msgspec import structs

from monitor.charter.control import ControlBase
from monitor.engine.partition import Partition
from monitor.model.records import Decision, Finding, Level, Reason, digest
from monitor.model.signing import Proved
from monitor.network.addressees import addressees
from monitor.network.responsibility import network_of


def act_decision(
    partition: Partition, act: ControlBase, by: Proved, found: tuple[Reason, Finding], at: int, standing: int
) -> Decision:
    """The record of `act` at `at` (ms), with the number `standing`: without a firm, at level normal. `charter` is the
    digest of the configuration in force, which gives the author its role."""
    configuration, (reason, finding) = partition.configuration_digest, found
    decision = Decision(
        id=digest(act.pilot, configuration, f"control:{act.id}@{standing}", reason),
        pilot=act.pilot,
        participant="",
        charter=configuration,
        kind="act",
        level=Level.NORMAL,
        was=Level.NORMAL,
        reason=reason,
        at=at,
        standing=standing,
        epoch=partition.epoch,
        cause=f"control:{act.id}",
        finding=finding,
        author=act.author,
        signed=by.key,
    )
    network = network_of(partition.sandbox.sandbox)
    return decision if network is None else structs.replace(decision, addressed=addressees(decision, network))
