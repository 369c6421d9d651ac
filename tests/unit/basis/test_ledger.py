"""The clauses of a decision are in its ledger entry, and entries without them keep their bytes."""

from __future__ import annotations

import json

from msgspec import structs

from monitor.notary.encoding import check, encode
from monitor.notary.entries import entry_of
from monitor.notary.entry_rules import EntryRules
from monitor.testing.records import decision

KEY = bytes(32)


def test_an_entry_holds_the_clauses_and_is_accepted_by_the_rules_of_entries() -> None:
    """An optional key of the entry; the rules that the verifier follows know no difference."""
    plain, cites = decision(1), structs.replace(decision(2), clauses=("eu-aia-57-11", "eu-aia-14"))
    rules = EntryRules(plain.pilot)
    for made in (plain, cites):
        raw = encode(entry_of(made, KEY)[0])
        check(raw)
        entry = rules.take(raw)
        assert not hasattr(entry, "problem"), entry
    body = json.loads(entry_of(cites, KEY)[0].body)
    assert body["clauses"] == ["eu-aia-57-11", "eu-aia-14"]
    assert b"clauses" not in entry_of(plain, KEY)[0].body
