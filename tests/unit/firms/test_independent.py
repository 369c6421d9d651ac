"""A second implementation, which shares no code with the monitor, gives the same records and classes from ledgers."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from msgspec import structs

from monitor.firms.classes import firm_class
from monitor.firms.content import rule_fields
from monitor.firms.fold import FirmsFold
from monitor.firms.record import YEAR_MS, FirmRecord
from monitor.firms.rules import SHIPPED_RULES, FirmClass, Measure
from monitor.lifecycle.firm_acts import Annulment, Classification
from monitor.model.records import Decision, Level, Outputs
from monitor.notary.evidence_entries import EvidenceGroup
from monitor.notary.notary import Notary
from tests import firm_records
from tests.country.ledgers import read_ledgers
from tests.property.test_firm_classes import story
from tests.unit.lifecycle.founded import Founded

FIRMS = ("firm-0", "firm-1", "firm-2")


def ledgers_in(directory: Path, seed: int) -> list[Decision]:
    """Ledgers of three firms: their pilots, an annulled halt, and a class of each. Returns the classifications."""
    pilots, world, fold = story(Random(seed), 9), Founded(admit=None), FirmsFold()
    notary, made = Notary(directory), list[Decision]()
    decisions = [one for pilot in pilots for one in pilot.decisions]
    evidence = [one for pilot in pilots for one in pilot.evidence]
    fold.add(Outputs(decisions=decisions, evidence=list(evidence)))
    world.at = max(world.at, *(fold.record(firm).through for firm in FIRMS))
    emitted = len(decisions)
    halts = [
        one for one in decisions if one.kind == "level" and one.level == Level.HALT and one.participant == FIRMS[0]
    ]
    for firm in FIRMS:
        for wrong in halts[:1] if firm == FIRMS[0] else ():
            act = Annulment(**world.by("approver-1", f"firm:{firm}"), of=wrong.pilot, decision=wrong.id, reason="x")
            decisions += world.put(act).decisions
            fold.decide(decisions[-1])
        record = fold.record(firm)
        given = {"record": record, "rules": SHIPPED_RULES, "firm_class": firm_class(record, SHIPPED_RULES).gives}
        out = world.put(Classification(**world.by("officer", f"firm:{firm}"), **given))
        assert out.decisions, out.rejected
        made += out.decisions
    notary.record(decisions[:emitted], partition=1)
    notary.record([*decisions[emitted:], *made])
    notary.record_evidence([EvidenceGroup(at, [one]) for at, one in enumerate(evidence)])
    notary.close()
    return made


@pytest.mark.parametrize("seed", range(4))
def test_a_stranger_computes_the_same_record_and_class(tmp_path: Path, seed: int) -> None:
    """From the ledgers alone, through the positions that the entries name."""
    made = ledgers_in(tmp_path, seed)
    found = firm_records.classified(read_ledgers(tmp_path))
    assert len(found) == len(made) == 3
    for entry in found:
        assert firm_records.check(read_ledgers(tmp_path), entry) == []
    assert firm_records.main([str(tmp_path)]) == 0


def test_a_record_that_leaves_something_out_is_found(tmp_path: Path) -> None:
    """A class on a record that the ledgers do not give is accepted by the machine, which cannot know it, and found."""
    ledgers_in(tmp_path, 1)
    ledgers = read_ledgers(tmp_path)
    entry = firm_records.classified(ledgers)[0]
    content = entry["finding"]["content"]
    content["record/halts"] += 1
    assert firm_records.check(ledgers, entry) != []
    content["record/halts"] -= 1
    content["class"] = "A" if content["class"] != "A" else "D"
    assert [text[:5] for text in firm_records.check(ledgers, entry)] == ["class"]


@pytest.mark.parametrize("seed", range(60))
def test_both_compute_the_same_class(seed: int) -> None:
    """Also where a record has classes that are rare."""
    random = Random(seed)
    record = FirmRecord(firm="f", pilots=random.randrange(1, 6), operated_ms=round(random.random() ** 2 * 20 * YEAR_MS))
    numbers = {one.value: random.choice((0, 0, 1, random.randrange(30))) for one in Measure}
    late = numbers.pop(Measure.LATE_SHARE.value)
    record = structs.replace(record, **numbers, observations_late=late, observations=random.randrange(1, 400))
    rules = {name.removeprefix("rules/"): value for name, value in rule_fields(SHIPPED_RULES).items()}
    found = firm_records.class_of({name: getattr(record, name) for name in record.__struct_fields__}, rules)
    assert FirmClass(found) is firm_class(record, SHIPPED_RULES).gives
