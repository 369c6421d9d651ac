"""What a replay is held against: fields that a record leaves out because they follow from others make no difference."""

from __future__ import annotations

from monitor.model.records import Command, digest
from monitor.notary.compare import Comparison, Recorded, canonical_fields
from monitor.testing.records import command


def verdict(recorded: Command, replayed: Command, *, without: str = "") -> str:
    """The verdict on `replayed`, where the record is `recorded` without one field."""
    fields = canonical_fields(recorded)
    fields.pop(without, None)
    compared = Comparison([Recorded(fields)]).take(replayed)
    assert compared is not None
    return compared.verdict


def test_a_later_command_is_the_same_where_the_ledger_leaves_out_the_release_before_it() -> None:
    """On Kafka the notary derives commands from decisions, and enters no `lifted` with a halt or drill after a
    release."""
    again = command(9, lifted=digest("p-1", 7, "decision"))
    assert verdict(again, again, without="lifted") == "same"


def test_a_command_that_names_another_release_than_the_record_is_different() -> None:
    """What is recorded is compared."""
    recorded = command(9, lifted=digest("p-1", 7, "decision"))
    assert verdict(recorded, command(9, lifted=digest("p-1", 5, "decision"))) == "different"
    assert verdict(recorded, command(9, lifted=""), without="decision") == "different"
