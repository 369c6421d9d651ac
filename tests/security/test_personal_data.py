"""Names in ids reach neither the ledger nor the decisions nor `rejected`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs

from monitor.charter.control import CONTROL_TYPES, Admission
from monitor.charter.spec import Charter
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import EVENT_TYPES, Envelope, Harm, Severity, encode
from monitor.model.pseudonyms import is_id, is_pseudonym, pseudonym
from monitor.model.records import Outputs, Reason, Record
from monitor.notary.notary import Notary
from monitor.notary.plaintexts import plaintext_dir
from monitor.simulation.fleet import Fleet
from tests.contract.golden.filler import least
from tests.security.goals import Goal
from tests.strength import FULL

START = 1_772_000_000_000
CANARIES = (
    "Erika Mustermann",
    "erika.mustermann@example.org",
    "Erika_Mustermann",
    "erika-mustermann",
    "MUSTERMANN",
    "Mustermännin",
    "+49 170 1234567",
    "+491701234567",
    "DE89370400440532013000",
    "4111111111111111",
    "1964-08-12",
    "12.08.1964",
    "Heidestrasse 17, 51147 Koeln",
    "L01X00T471",
    "张伟",
    "Мария Иванова",
    "patient:Erika",
    "<b>Erika</b>",
    "192.0.2.17-erika",
    "Erika\u202eMustermann",
)


def pseudonymous_charter() -> Charter:
    fleet = Fleet(1, pilots=1, scenarios=["calm"], start=START, hours=24)
    charter = fleet.charter_for(fleet.pilots[0])
    return structs.replace(charter, identifiers="pseudonyms", tier="high")


def text_fields(kind: type[Any]) -> Iterator[tuple[str, ...]]:
    """Places of texts in events of a type that a sender chooses freely."""
    for name in ("id", "source", "subject", "dataschema"):
        yield (name,)
    data = {field.name: field.type for field in structs.fields(kind)}["data"]
    for field in structs.fields(data):
        if not isinstance(field.type, type):
            value = msgspec.inspect.type_info(field.type)
            if isinstance(value, msgspec.inspect.StrType) and value.pattern is None:
                yield ("data", field.name)


def good_events(charter: Charter) -> list[Envelope]:
    """One good event of each type."""
    firm = Emitter(f"{charter.participant.id}/{charter.pilot}", charter.pilot, model=charter.models[0].digest)
    at, known = START + 60_000, "92e0230a18c00398da5ee65f27eac6d9"
    unit = next(spec.exposure.unit for spec in charter.indicators if spec.exposure is not None)
    found = [
        firm.complaint(at),
        firm.complaint_resolved(at, known, START),
        firm.complaint_withdrawn(at, known, START),
        firm.incident(at, Severity.SERIOUS_INCIDENT, Harm.DEATH),
        firm.incident_update(at, known),
        firm.outcomes(at, 1, 1, 1, 1),
        firm.exposure(at, 5.0, unit),
        firm.cost(at, 5.0),
        firm.gain(at, 0.1),
        firm.model_changed(at, firm.model),
        firm.heartbeat(at),
        firm.boundary_breached(at, "recordings stay in the region"),
    ]
    raw = msgspec.to_builtins(firm.heartbeat(at))
    raw |= {"type": "sandbox.command.acknowledged", "data": {"command": known, "standing": 1, "last_decision": known}}
    tally = {"unit": unit, "amount": -1.0}
    more = [raw, {**raw, "type": "sandbox.exposure.corrected", "data": tally}]
    more.append({**raw, "type": "sandbox.outcomes.corrected", "data": {"tp": -1}})
    items = {"measure": "labelled", "marked": 1, "unmarked": 2}
    claim = {"claim": known, "kind": "takedown"}
    more.append({**raw, "type": "sandbox.items.tallied", "data": items})
    more.append({**raw, "type": "sandbox.claim.filed", "data": claim})
    more.append({**raw, "type": "sandbox.claim.closed", "data": {**claim, "filed": raw["time"]}})
    return [*found, *(msgspec.convert(fields, EVENT_TYPES[fields["type"]]) for fields in more)]


def with_text(event: Envelope, place: tuple[str, ...], text: str) -> bytes:
    """The event as JSON, with a text of the sender's at a place."""
    fields: Any = msgspec.json.decode(encode(event))
    inside = fields
    for name in place[:-1]:
        inside = inside[name]
    inside[place[-1]] = text
    return msgspec.json.encode(fields)


def stepped(charter: Charter, values: list[bytes]) -> Outputs:
    """All outputs of a pilot that is admitted and gets these events."""
    machine = Machine(journalled=False, secret=b"s")
    admission = Admission(id="a" * 31 + "1", pilot=charter.pilot, author="officer", charter=charter)
    out = Outputs()
    out.extend(machine.control(Record(0, START, charter.pilot.encode(), msgspec.json.encode(admission))))
    assert not out.rejected
    for offset, value in enumerate(values):
        out.extend(machine.telemetry("telemetry", [Record(offset, START + 120_000, charter.pilot.encode(), value)]))
    out.extend(machine.time(START + 86_400_000))
    return out


def places() -> list[tuple[str, tuple[str, ...]]]:
    """Every text field of every type of event."""
    return [(name, place) for name, kind in EVENT_TYPES.items() for place in text_fields(kind)]


def test_no_canary_reaches_a_record(tmp_path: Path, goal: Goal) -> None:
    """Names, addresses and numbers of people, in each text field of each type of event: none is in a decision, a
    command, evidence, a rejection or a ledger. A permit repeats the nonce of the heartbeat that it answers."""
    charter = pseudonymous_charter()
    events = {str(event.__struct_config__.tag): event for event in good_events(charter)}
    assert set(events) == set(EVENT_TYPES)
    found: list[tuple[str, tuple[str, ...], str]] = []
    tried = places()
    for canary in CANARIES if FULL else CANARIES[::4]:
        values = [with_text(events[name], place, canary) for name, place in tried]
        for (name, place), value in zip(tried, values, strict=True):
            out = stepped(charter, [value])
            written = msgspec.json.encode([out.decisions, out.commands, out.rejected, out.evidence])
            if canary in written.decode():
                found.append((name, place, canary))
        out = stepped(charter, values)
        notary = Notary(tmp_path / str(len(canary)) / canary.encode().hex())
        notary.record(out.decisions, out.commands)
        texts = b"".join(path.read_bytes() for path in notary.directory.glob("*"))
        notary.close()
        if canary.encode() in texts:
            found.append(("ledger", (), canary))
        assert not any(plaintext_dir(notary.directory).glob("*.jsonl"))
    goal("canaries_in_records", len(found), 0, note=f"in {len(tried)} fields {found[:5] if found else ''}".rstrip())


def test_an_incident_with_a_name_for_an_id_still_halts(goal: Goal) -> None:
    """A death is acted upon whatever its id: the id is replaced by a digest, and the sender sees a rejection."""
    charter = pseudonymous_charter()
    death = next(e for e in good_events(charter) if e.__struct_config__.tag == "sandbox.incident.reported")
    missed = 0
    for canary in CANARIES:
        out = stepped(charter, [with_text(death, ("data", "incident"), canary)])
        missed += not any(d.reason is Reason.HARD_RULE for d in out.decisions)
        assert {r.reason for r in out.rejected} <= {"not_an_id", "not_a_pseudonym"}
        assert len(out.rejected) == 1
    goal("deaths_missed_for_an_id", missed, 0, note=f"of {len(CANARIES)}")


@pytest.mark.parametrize("kind", [kind for name, kind in CONTROL_TYPES.items()], ids=lambda kind: kind.__name__)
def test_an_act_with_a_name_for_an_id_is_refused(kind: type[Any]) -> None:
    """Ids of acts stand in the ledger: one that leaves the alphabet of ids is rejected."""
    machine = Machine(journalled=False)
    raw = msgspec.to_builtins(least(kind))
    raw |= {"type": kind.__struct_config__.tag, "id": "Erika Mustermann", "pilot": "p", "author": "officer"}
    if isinstance(raw.get("charter"), dict):
        raw["charter"] = msgspec.to_builtins(pseudonymous_charter())
    out = machine.control(Record(0, START, b"p", msgspec.json.encode(raw)))
    assert [r.reason for r in out.rejected] == ["not_an_id"]
    assert b"Erika" not in msgspec.json.encode(out)


def test_pseudonyms_of_the_sdk_have_the_form_and_hide_the_id() -> None:
    """Equal ids have equal pseudonyms under one key, others under another."""
    one, other = pseudonym(b"a" * 32, "customer 17"), pseudonym(b"b" * 32, "customer 17")
    assert one != other
    assert is_pseudonym(one)
    assert is_id(one)
    assert one != "17"
