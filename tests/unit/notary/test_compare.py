"""What a replay is held against: fields that a record leaves out because they follow from others make no difference."""

from __future__ import annotations

from msgspec import structs

from monitor.model.records import Command, digest
from monitor.notary.compare import Comparison, Recorded, canonical_fields
from monitor.testing.records import command, decision


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


def test_a_sentence_that_another_version_words_differently_is_no_difference() -> None:
    """An appeal against a record of an older version compares the numbers, and reports that the sentence differs."""
    now = decision(3)
    before = structs.replace(now, finding=structs.replace(now.finding, explanation="3 of 10, below the threshold."))
    compared = Comparison([Recorded(canonical_fields(before))]).take(now)
    assert compared is not None
    assert (compared.verdict, compared.not_compared) == ("same", ("finding.explanation",))
    other = structs.replace(before, finding=structs.replace(before.finding, observed=4.0))
    compared = Comparison([Recorded(canonical_fields(other))]).take(now)
    assert compared is not None
    assert compared.verdict == "different"


def test_an_entry_at_the_end_of_a_history_is_no_difference() -> None:
    """Clocks differ: an entry after everything that was replayed, and about as old as the end of the history, may
    follow from what the export did not hold any more. An older one does not."""
    replayed, after, end = decision(3), decision(4), 10_000_000
    for at, expected in ((end - 1_000, "later"), (end + 1_000, "later"), (end - 60_000, "not_replayed")):
        entered = structs.replace(after, at=at)
        comparison = Comparison([Recorded(canonical_fields(replayed)), Recorded(canonical_fields(entered))])
        comparison.take(replayed)
        (left,) = comparison.rest([replayed.pilot], end)
        assert left.verdict == expected, at
    early = structs.replace(decision(2), at=end)
    comparison = Comparison([Recorded(canonical_fields(replayed)), Recorded(canonical_fields(early))])
    comparison.take(replayed)
    assert [one.verdict for one in comparison.rest([replayed.pilot], end)] == ["not_replayed"]
