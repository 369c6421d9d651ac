"""Who gave an order, and who says that it was obeyed: signatures of acts and of a service's word, one rule a test."""

from __future__ import annotations

import msgspec

from monitor.charter.control import Admission, ControlBase, Evaluation, Override, Rectification
from monitor.charter.spec import Authority, Participant
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, encode
from monitor.model.records import Level, Outputs, Reason, Record
from monitor.model.signing import HEADER, SignedKind, Signer, Trusted
from tests.unit.engine.test_machine import T0, charter

ANNA, BEN, FIRM, STRANGER = (Signer(bytes([n]) * 32) for n in range(1, 5))
BY = Authority("authority", approvers=("anna", "ben"), keys={"anna": ANNA.public})
HALT = Override(id="o", pilot="p", author="anna", level="halt", reason="by hand")


class Signed:
    """A machine to which signed records are put; the pilot is admitted by anna under her key."""

    def __init__(self, admitters: Trusted | None = None, **changes: object) -> None:
        self.machine = Machine(journalled=False, admitters=admitters)
        self.offset = 0
        self.emitter = Emitter("svc/1", "p")
        self.admission = Admission(id="adm", pilot="p", author="anna", charter=charter(**changes))

    def put(self, act: ControlBase, signer: Signer | None, at: int = T0) -> Outputs:
        body = msgspec.json.encode(act)
        return self.raw(body, signer.sign("control", body) if signer else "", at)

    def raw(self, body: bytes, signature: str, at: int = T0) -> Outputs:
        self.offset += 1
        return self.machine.control(Record(self.offset, at, b"p", body, ((HEADER, signature.encode()),)))

    def send(self, event: Envelope, signer: Signer | None, kind: SignedKind = "telemetry", at: int = T0) -> Outputs:
        body = encode(event)
        headers = ((HEADER, signer.sign(kind, body).encode()),) if signer else ()
        self.offset += 1
        return self.machine.telemetry("telemetry", [Record(self.offset, at, b"p", body, headers)])

    @property
    def level(self) -> Level:
        return self.machine.pilots["p"].standing.level


def why(out: Outputs) -> list[tuple[str, str]]:
    return [(r.field, r.reason) for r in out.rejected]


def test_who_has_a_key_in_the_charter_must_sign() -> None:
    """Unsigned, signed by another, or signed over other bytes: rejected as forged; with the right key it takes effect,
    and the record names the key."""
    bench = Signed(authorities=(BY,))
    bench.put(bench.admission, ANNA)
    body = msgspec.json.encode(HALT)
    other = msgspec.json.encode(msgspec.structs.replace(HALT, level="watch"))
    for forged in ("", BEN.sign("control", body), ANNA.sign("control", other), ANNA.sign("command", body)):
        assert why(bench.raw(body, forged)) == [("signature", "forged")]
    assert bench.level == Level.NORMAL
    out = bench.put(HALT, ANNA)
    assert not out.rejected
    assert out.decisions[0].signed == ANNA.key_id
    assert bench.level == Level.HALT


def test_once_the_charter_registers_keys_unsigned_acts_are_refused() -> None:
    """An approver without a key could be anybody who writes that name: the act is refused, and says whose key is
    missing."""
    bench = Signed(authorities=(BY,))
    bench.put(bench.admission, ANNA)
    (said,) = bench.put(msgspec.structs.replace(HALT, author="ben"), BEN).rejected
    assert (said.field, said.reason, said.detail) == (
        "author",
        "forged",
        "no_key: the charter names keys, but none of ben",
    )
    assert bench.level == Level.NORMAL


def test_an_admission_is_signed_by_who_may_admit() -> None:
    """Where the deployment registers admitters, other admissions are refused: unsigned, or signed by a key of the
    charter."""
    bench = Signed(Trusted([BEN.public]), authorities=(BY,))
    for signer in (None, ANNA, STRANGER):
        assert why(bench.put(bench.admission, signer)) == [("signature", "forged")]
    assert "p" not in bench.machine.pilots
    out = bench.put(bench.admission, BEN)
    assert [d.signed for d in out.decisions] == [BEN.key_id]


def test_an_unsigned_admission_is_marked_as_such() -> None:
    """Without admitters it is accepted, but its record says that it is not signed; an author whose key the charter
    itself names must have signed."""
    plain = Signed()
    assert [d.signed for d in plain.put(plain.admission, None).decisions] == [""]
    named = Signed(authorities=(BY,))
    assert why(named.put(named.admission, None)) == [("signature", "forged")]
    assert why(named.put(named.admission, STRANGER)) == [("signature", "forged")]
    assert [d.signed for d in named.put(named.admission, ANNA).decisions] == [ANNA.key_id]


def test_a_firm_with_a_key_signs_its_own_acts() -> None:
    """A rectification in the firm's name is the firm's."""
    bench = Signed(participant=Participant("firm", keys=(FIRM.public,)))
    bench.put(bench.admission, None)
    bench.put(HALT, None)
    act = Rectification(id="r", pilot="p", author="firm", finding="f", cause="c", action="a", evidence="e")
    assert why(bench.put(act, None)) == why(bench.put(act, STRANGER)) == [("signature", "forged")]
    assert [d.signed for d in bench.put(act, FIRM).decisions] == [FIRM.key_id]


def test_signed_events_are_verified_where_the_charter_registers_the_key() -> None:
    """An acknowledgement or heartbeat that is unsigned, signed by a stranger or a regulator, or signed as another kind,
    is rejected as forged and spoils no number: the true one that follows counts and verifies."""
    bench = Signed(participant=Participant("firm", keys=(FIRM.public,)))
    bench.put(bench.admission, None)
    (command,) = bench.put(HALT, None).commands
    forger = Emitter("svc/1", "p")
    forged = [forger.acknowledged(T0, command.id, command.standing, "d"), *(forger.heartbeat(T0, False) for _ in "123")]
    for event in forged:
        for signer, kind in ((None, "telemetry"), (STRANGER, "telemetry"), (ANNA, "telemetry"), (FIRM, "control")):
            assert why(bench.send(event, signer, kind)) == [("signature", "forged")]  # type: ignore[arg-type]
    assert bench.machine.pilots["p"].standing.halt_state.state == "commanded"
    said = [r for event in forged for r in bench.send(event, FIRM).decisions]
    assert [d.reason for d in said] == [Reason.COMMAND_ACKNOWLEDGED, Reason.HALT_VERIFIED]


def test_a_copy_of_an_act_is_counted_and_does_nothing() -> None:
    """The same record again, signature and all, is on the rejected log."""
    bench = Signed()
    bench.put(bench.admission, None)
    bench.put(HALT, None)
    assert why(bench.put(HALT, None)) == why(bench.put(bench.admission, None)) == [("id", "repeated")]
    assert not bench.put(HALT, None).decisions


def test_only_the_firm_and_those_whom_the_charter_names_prepare_a_release() -> None:
    """A stranger neither rectifies nor evaluates."""
    bench = Signed(authorities=(Authority("authority", approvers=("anna", "ben"), officers=("olga",)),))
    bench.put(bench.admission, None)
    bench.put(HALT, None)
    for number, author in enumerate(("mallory", "firm", "olga")):
        act = Rectification(id=f"r{number}", pilot="p", author=author, finding="f", cause="c", action="a", evidence="e")
        assert bool(bench.put(act, None).rejected) == (author == "mallory")
    tried = Evaluation(id="e", pilot="p", author="mallory", passed=True, report="r")
    assert "not_an_officer" in bench.put(tried, None).rejected[0].detail
