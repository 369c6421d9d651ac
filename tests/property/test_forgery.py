"""Forged and replayed records, and acknowledgements of other commands, do not change the state of the monitor.

10,000 records; `QUICK=1`: 1,000. Each is rejected once, counted by the metrics under its reason, and raised by an
alert.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import yaml

from monitor.charter.control import (
    Admission,
    Amendment,
    Approval,
    ControlBase,
    Evaluation,
    Override,
    Rectification,
    Release,
    Shelving,
)
from monitor.charter.spec import Authority, Participant
from monitor.engine.machine import Machine
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, encode
from monitor.model.records import Command, Outputs, Record
from monitor.model.signing import HEADER, SignedKind, Signer, Trusted
from monitor.projections.metrics import Metrics
from monitor.validate.rejections import RejectionReason
from tests.unit.engine.test_machine import T0, charter

RECORDS = 1_000 if os.environ.get("QUICK", "") not in ("", "0") else 10_000
RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yaml"
ANNA, BEN, OLGA, FIRM, OTHER_FIRM, STRANGER, ADMITTER = (Signer(bytes([n]) * 32) for n in range(1, 8))
PEOPLE = {"anna": ANNA, "ben": BEN, "olga": OLGA}
AUTHORITY = Authority(
    "authority", approvers=("anna", "ben"), officers=("olga",), keys={n: s.public for n, s in PEOPLE.items()}
)


class Forgery(NamedTuple):
    """One record, and the reasons for which it may be rejected."""

    log: str
    record: Record
    reasons: tuple[RejectionReason, ...]


class Bench:
    """A monitor with our pilot, halted and answered by its service, and one of another firm."""

    def __init__(self) -> None:
        self.machine = Machine(
            journalled=False,
            admitters=Trusted([ADMITTER.public]),
            owner_of={"telemetry.firm": "firm", "telemetry.other": "other"}.get,
        )
        self.offset = 0
        self.now = T0
        self.true: list[tuple[str, Record]] = []  # everything that was taken, to be replayed
        own = charter(participant=Participant("firm", keys=(FIRM.public,)), authorities=(AUTHORITY,))
        other = charter(
            pilot="q", participant=Participant("other", keys=(OTHER_FIRM.public,)), authorities=(AUTHORITY,)
        )
        self.take(self.act(Admission(id="p", pilot="p", author="x", charter=own), ADMITTER))
        self.take(self.act(Admission(id="q", pilot="q", author="x", charter=other), ADMITTER))
        self.service = Emitter("svc/1", "p")
        by = {"pilot": "p", "author": "anna"}
        halts = [self.halt("h0")]
        self.answer(halts[0])
        steps: list[tuple[ControlBase, Signer]] = [
            (Rectification(id="r", **by, finding="f", cause="c", action="a", evidence="e"), ANNA),
            (Evaluation(id="e", **by, passed=True, report="r"), ANNA),
            (Approval(id="a", **by), ANNA),
            (Approval(id="b", pilot="p", author="ben"), BEN),
            (Release(id="l", pilot="p", author="olga", reason="seen on site"), OLGA),
        ]
        for act, signer in steps:
            out = self.take(self.act(act, signer))
        halts += [out.commands[0], self.halt("h1")]
        self.halts = halts

    def halt(self, name: str) -> Command:
        """A true halt by anna."""
        act = Override(id=name, pilot="p", author="anna", level="halt", reason="by hand")
        return self.take(self.act(act, ANNA)).commands[0]

    def answer(self, command: Command) -> None:
        """The service's true word."""
        self.take(self.say(self.service.acknowledged(self.now, command.id, command.standing), FIRM))

    def act(self, act: ControlBase, signer: Signer | None, kind: SignedKind = "control") -> Forgery:
        """A control record."""
        body = msgspec.json.encode(act)
        return Forgery("control", self.record(act.pilot, body, signer.sign(kind, body) if signer else ""), ())

    def say(
        self, event: Envelope, signer: Signer | None, kind: SignedKind = "telemetry", topic: str = "firm"
    ) -> Forgery:
        """A telemetry record."""
        body = encode(event)
        return Forgery(
            f"telemetry.{topic}", self.record(event.subject, body, signer.sign(kind, body) if signer else ""), ()
        )

    def record(self, pilot: str, body: bytes, signature: str) -> Record:
        self.offset += 1
        headers = ((HEADER, signature.encode()),) if signature else ()
        return Record(self.offset, self.now, pilot.encode(), body, headers)

    def put(self, made: Forgery) -> Outputs:
        """Step a record."""
        if made.log == "control":
            return self.machine.control(made.record)
        return self.machine.telemetry(made.log, [made.record])

    def take(self, made: Forgery) -> Outputs:
        """Step a true record."""
        out = self.put(made)
        assert not out.rejected, out.rejected
        self.true.append((made.log, made.record))
        return out


class Forger:
    """Everything that is tried; each way says for which reasons it may be refused."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench, self.random, self.number = bench, random.Random(seed), 0
        self.service = Emitter("svc/1", "p")  # the forger copies the name of the true service
        self.ways: list[Callable[[], Forgery]] = [
            self.unsigned_act,
            self.act_of_another_key,
            self.act_signed_as_something_else,
            self.act_changed_after_signing,
            self.act_of_who_has_no_part,
            self.act_of_the_service,
            self.replayed_act,
            self.admission_of_a_new_pilot,
            self.amendment_that_names_another_key,
            self.word_unsigned,
            self.word_of_another_firm,
            self.word_of_a_regulator,
            self.word_signed_as_a_command,
            self.word_over_other_bytes,
            self.word_of_an_earlier_command,
            self.word_for_another_standing,
            self.word_on_another_firms_topic,
            self.word_by_another_firm_on_its_own_topic,
        ]

    def lifting(self, author: str) -> ControlBase:
        """An act of the kind that a forger wants."""
        self.number += 1
        by = {"id": f"forged-{self.number}", "pilot": "p", "author": author}
        return self.random.choice(
            [
                Release(**by),
                Approval(**by),
                Evaluation(**by, passed=True, report="r"),
                Rectification(**by, finding="f", cause="c", action="a", evidence="e"),
                Override(**by, level=self.random.choice(["normal", "watch"]), reason="x"),
                Shelving(**by, finding="override", reason="x"),
            ]
        )

    def someone(self) -> str:
        return self.random.choice(list(PEOPLE))

    def unsigned_act(self) -> Forgery:
        return self.bench.act(self.lifting(self.someone()), None)._replace(reasons=(RejectionReason.FORGED,))

    def act_of_another_key(self) -> Forgery:
        author = self.someone()
        signer = self.random.choice([s for n, s in PEOPLE.items() if n != author] + [FIRM, OTHER_FIRM, STRANGER])
        return self.bench.act(self.lifting(author), signer)._replace(reasons=(RejectionReason.FORGED,))

    def act_signed_as_something_else(self) -> Forgery:
        author = self.someone()
        kind: SignedKind = self.random.choice(["command", "permit", "telemetry"])
        return self.bench.act(self.lifting(author), PEOPLE[author], kind)._replace(reasons=(RejectionReason.FORGED,))

    def act_changed_after_signing(self) -> Forgery:
        author = self.someone()
        other = msgspec.json.encode(self.lifting(author))
        body = msgspec.json.encode(self.lifting(author))
        return Forgery(
            "control", self.bench.record("p", body, PEOPLE[author].sign("control", other)), (RejectionReason.FORGED,)
        )

    def act_of_who_has_no_part(self) -> Forgery:
        author = self.random.choice(["mallory", "regulator-of-elsewhere", "lab", ""]) or "x"
        return self.bench.act(self.lifting(author), STRANGER)._replace(reasons=(RejectionReason.FORGED,))

    def act_of_the_service(self) -> Forgery:
        """The firm itself, with its true key: it may rectify and evaluate, but never approves, overrides, shelves or
        lifts."""
        while isinstance(act := self.lifting("firm"), Rectification | Evaluation):
            pass
        return self.bench.act(act, FIRM)._replace(reasons=(RejectionReason.CONTROL_REFUSED,))

    def replayed_act(self) -> Forgery:
        log, record = self.random.choice([row for row in self.bench.true if row[0] == "control"])
        copy = self.bench.record(str(record.key, "utf-8"), record.value or b"", dict(record.headers)[HEADER].decode())
        return Forgery(log, copy, (RejectionReason.REPEATED,))

    def admission_of_a_new_pilot(self) -> Forgery:
        self.number += 1
        given = charter(pilot=f"n{self.number}", participant=Participant("firm"))
        act = Admission(id=f"n{self.number}", pilot=given.pilot, author="anna", charter=given)
        signer = self.random.choice([None, ANNA, FIRM, STRANGER])
        return self.bench.act(act, signer)._replace(reasons=(RejectionReason.FORGED,))

    def amendment_that_names_another_key(self) -> Forgery:
        self.number += 1
        held = msgspec.structs.replace(AUTHORITY, keys={"anna": STRANGER.public})
        given = charter(version=self.number + 1, participant=Participant("firm"), authorities=(held,))
        act = Amendment(id=f"forged-{self.number}", pilot="p", author="anna", charter=given)
        return self.bench.act(act, self.random.choice([None, STRANGER, FIRM]))._replace(
            reasons=(RejectionReason.FORGED,)
        )

    def word(self, command: Command | None = None, more: int = 0) -> Envelope:
        """An acknowledgement, or the heartbeat that would verify it."""
        command = command or self.bench.halts[-1]
        if self.random.random() < 0.5 and not more:
            return self.service.heartbeat(self.bench.now, serving=False)
        return self.service.acknowledged(self.bench.now, command.id, command.standing + more)

    def word_unsigned(self) -> Forgery:
        return self.bench.say(self.word(), None)._replace(reasons=(RejectionReason.FORGED,))

    def word_of_another_firm(self) -> Forgery:
        return self.bench.say(self.word(), OTHER_FIRM)._replace(reasons=(RejectionReason.FORGED,))

    def word_of_a_regulator(self) -> Forgery:
        return self.bench.say(self.word(), self.random.choice([ANNA, OLGA]))._replace(reasons=(RejectionReason.FORGED,))

    def word_signed_as_a_command(self) -> Forgery:
        kind: SignedKind = self.random.choice(["command", "permit", "control"])
        return self.bench.say(self.word(), FIRM, kind)._replace(reasons=(RejectionReason.FORGED,))

    def word_over_other_bytes(self) -> Forgery:
        true = self.random.choice([r for log, r in self.bench.true if log != "control"])
        made = self.bench.record("p", encode(self.word()), dict(true.headers)[HEADER].decode())
        return Forgery("telemetry.firm", made, (RejectionReason.FORGED,))

    def word_of_an_earlier_command(self) -> Forgery:
        """By the service itself, with its true key."""
        command = self.random.choice(self.bench.halts[:-1])
        fresh = Emitter(f"svc/{self.bench.offset}", "p")
        event = fresh.acknowledged(self.bench.now, command.id, command.standing)
        return self.bench.say(event, FIRM)._replace(reasons=(RejectionReason.NOT_IN_FORCE,))

    def word_for_another_standing(self) -> Forgery:
        command = self.bench.halts[-1]
        fresh = Emitter(f"svc/{self.bench.offset}", "p")
        standing = max(0, command.standing + self.random.choice([-2, -1, 1, 9]))
        event = fresh.acknowledged(self.bench.now, command.id, standing)
        return self.bench.say(event, FIRM)._replace(reasons=(RejectionReason.NOT_IN_FORCE,))

    def word_on_another_firms_topic(self) -> Forgery:
        return self.bench.say(self.word(), FIRM, topic="other")._replace(reasons=(RejectionReason.NOT_YOURS,))

    def word_by_another_firm_on_its_own_topic(self) -> Forgery:
        return self.bench.say(self.word(), OTHER_FIRM, topic="other")._replace(
            reasons=(RejectionReason.FORGED, RejectionReason.NOT_YOURS)
        )


def test_no_forged_or_replayed_record_changes_the_state() -> None:
    """Each record gives one rejection under a reason that an alert watches, and no decision or command; halt, order and
    pilots do not change; afterwards signed events of the true service count as before."""
    bench = Bench()
    forger = Forger(bench, 20260302)
    pilot = bench.machine.pilots["p"]
    before = pilot.standing
    metrics, made, refused, accepted = (
        Metrics(rejections=[why.value for why in RejectionReason]),
        Counter[str](),
        Counter[str](),
        0,
    )
    for _ in range(RECORDS):
        way = forger.random.choice(forger.ways)
        made[way.__name__] += 1
        forged = way()
        out = bench.put(forged)
        metrics.observe(out)
        right = len(out.rejected) == 1 and out.rejected[0].reason in forged.reasons
        accepted += not right or bool(out.decisions or out.commands or out.evidence)
        refused.update(r.reason for r in out.rejected)
    print(f"\nGOAL forged_records_accepted {accepted} 0 {'ok' if not accepted else 'short'} of {RECORDS}")
    assert accepted == 0
    assert pilot.standing == before
    assert set(bench.machine.pilots) == {"p", "q"}
    assert set(made) == {way.__name__ for way in forger.ways}
    counted = metrics.exposition().decode()
    for reason, number in refused.items():
        assert f'sandbox_monitor_rejected_total{{reason="{reason}"}} {float(number)}' in counted
    watched = [
        rule["expr"] for group in yaml.load(RULES.read_text(), yaml.CSafeLoader)["groups"] for rule in group["rules"]
    ]
    raised = " ".join(expr for expr in watched if "rejected_total" in expr)
    assert all(reason in raised for reason in refused), refused
    bench.answer(bench.halts[-1])
    assert pilot.standing.halt_state.state == "acknowledged"
