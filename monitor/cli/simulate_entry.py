"""How `simulate --admit` brings its pilots into a founded sandbox: application, screening, both signatures, admission.

The firms are simulated, so their keys are made here, next to those of the people of the sandbox.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import click
import msgspec
from msgspec import structs

from monitor.charter.act_base import ControlBase
from monitor.charter.control import Admission, Agreement, Screening, Submission
from monitor.charter.spec import Charter, charter_hash
from monitor.cli.sandbox_link import Server, accepted
from monitor.client.control import send_act
from monitor.clock import wall_ms
from monitor.compile.sandbox_file import read_sandbox
from monitor.files.key_file import own_key, read_key
from monitor.lifecycle.acts import Role
from monitor.model.records import digest
from monitor.model.signing import Signer
from monitor.projections.wording import plain
from monitor.simulation.fleet import Fleet
from monitor.simulation.fleet_application import application
from monitor.simulation.fleet_charter import founded
from monitor.state.acts_once import validity

FOUNDED = (
    "a sandbox is founded there, so pilots are admitted after application, screening and both signatures: give "
    "--people DIR, the directory of `sandbox init` with the key files of its officer; pilots that were admitted before "
    "need no --admit"
)


def founded_at(server: Server) -> bool:
    """Whether a sandbox is founded there. Raises Unavailable."""
    return bool(accepted(server))


class Entry:
    """Takes pilots from an application to their admission, as their firm and as an officer of the sandbox."""

    def __init__(self, people: Path, server: Server, fleet: Fleet, wait: float) -> None:
        """`people`: the directory of `sandbox init`; `wait`: seconds for the outcome of an act. Raises
        click.ClickException when no officer has a key file there."""
        self._people, self._server, self._fleet, self._wait = people, server, fleet, wait
        sandbox = read_sandbox(people / "sandbox.yaml")
        officers = [person for person in sandbox.people if Role.OFFICER in person.roles]
        found = next((one for one in officers if (people / f"{one.id}.key").exists()), None)
        if found is None:
            raise click.ClickException(f"{people} has no key file of an officer of its sandbox.yaml")
        self._officer, self._signer = found, read_key(people / f"{found.id}.key")

    @functools.cache  # noqa: B019 - one object per run
    def signer(self, pilot: str) -> Signer:
        """The key of the firm of a pilot; made at its first use."""
        return own_key(self._people / "firms" / f"{self._fleet.charter_for(pilot).participant.id}.key")

    def charter(self, charter: Charter) -> Charter:
        """The charter with the standards of its tier, the key of its firm and the authority of the officer."""
        key = self.signer(charter.pilot).public
        return founded(charter, key, self._officer.authority, self._fleet.volume)

    def enter(self, admission: Admission) -> None:
        """Send the acts of one pilot, one after the other. Raises click.ClickException with the reason of a refusal;
        an admission that was accepted before is not repeated."""
        pilot, charter = admission.pilot, self.charter(admission.charter)
        officer, key = self._officer.id, self.signer(pilot)
        hashed, firm, standing = charter_hash(charter), charter.participant.id, 0

        def named(step: str, author: str) -> dict[str, Any]:
            return {"id": digest(admission.id, step, author, hashed), "pilot": pilot, "author": author}

        applied = application(charter)
        steps: tuple[tuple[ControlBase, Signer], ...] = (
            (Submission(**named("apply", firm), application=applied, charter=charter), key),
            (Screening(**named("screen", officer)), self._signer),
            (Agreement(**named("agree", firm), charter=hashed), key),
            (Agreement(**named("agree", officer), charter=hashed), self._signer),
            (Admission(**named("admit", officer), charter=charter), self._signer),
        )
        for act, signer in steps:
            standing = self._send(structs.replace(act, **validity(standing, wall_ms())), signer)

    def _send(self, act: ControlBase, signer: Signer) -> int:
        """Send one act. Returns the number of its entry."""
        body, what = msgspec.json.encode(act), plain(str(type(act).__struct_config__.tag).rpartition(".")[2])
        to, prefix, trusted = self._server
        signature = signer.sign("control", body)
        outcome = send_act(to, act.pilot, act.id, body, signature, wait=self._wait, prefix=prefix, trusted=trusted)
        if outcome is None:
            raise click.ClickException(f"{what} of {act.pilot}: no outcome in {self._wait:g} s; does the monitor run?")
        if outcome.decision is None:
            why = "" if outcome.rejected is None else f"{outcome.rejected.reason}, {outcome.rejected.detail}"
            raise click.ClickException(f"{act.pilot} was not admitted; {what}: {why}")
        return outcome.decision.standing
