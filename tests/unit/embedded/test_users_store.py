"""The file of the users' door: what a flood, another pilot and a full file do to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.embedded import users_store
from monitor.embedded.users_store import UsersStore, pseudonym_of
from monitor.state.users import ANSWERED, WITHDRAWN


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[UsersStore]:
    store = UsersStore(tmp_path / "users.db")
    yield store
    store.close()


def test_the_record_of_one_pilot_says_nothing_of_complaints_about_another(kept: UsersStore) -> None:
    """An id that a channel reports of a second pilot does not answer or close the complaint about the first."""
    receipt = kept.add("p", 1, "", "words", 0)
    assert receipt
    kept.learn("q", [pseudonym_of(receipt)], ANSWERED | WITHDRAWN)
    found = kept.find(receipt)
    assert found
    assert (found.filed, found.state) == (0, 0)
    kept.learn("p", [pseudonym_of(receipt)], ANSWERED)
    found = kept.find(receipt)
    assert found
    assert (found.filed, found.state) == (2, ANSWERED)


def test_a_round_reads_as_many_complaints_as_it_sends_and_no_texts(kept: UsersStore) -> None:
    """The oldest of each pilot first, however many wait."""
    for at in range(30):
        for pilot in ("p", "q"):
            kept.add(pilot, 100 - at, "", "long words" * 100, 0)
    found = kept.pending(7)
    assert {pilot: [one.at for one in some] for pilot, some in found.items()} == {
        pilot: [*range(71, 78)] for pilot in ("p", "q")
    }
    assert {one.text for some in found.values() for one in some} == {""}
    plan = kept._db.execute("EXPLAIN QUERY PLAN SELECT DISTINCT pilot FROM complaints WHERE filed = 0 ORDER BY pilot")
    assert "COVERING INDEX" in str(plan.fetchall())


def test_a_flood_about_one_pilot_leaves_space_for_the_others(kept: UsersStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also once the flood is on record."""
    monkeypatch.setattr(users_store, "MOST_OF_PILOT", 3)
    receipts = [kept.add("p", at, "", "words", 0) for at in range(4)]
    kept.learn("p", [pseudonym_of(one) for one in receipts if one], 0)
    assert [one is not None for one in receipts] == [True, True, True, False]
    assert kept.add("p", 9, "", "words", 0) is None
    assert kept.add("q", 9, "", "words", 0)
