"""What the key of a sandbox may sign: its own logs, one level below it, and an empty log has one root alone."""

from __future__ import annotations

import pytest

from monitor.publication.log_key import AUTHORITY
from monitor.tlog.merkle import EMPTY_ROOT
from monitor.verifier.anchors import Anchors
from monitor.verifier.checks import Outcome
from monitor.verifier.earlier import Earlier
from monitor.verifier.keyring import Keyring
from monitor.verifier.published import Reader, check_published
from monitor.verifier.report import Report
from tests.ledger.made_log import KEY, ORIGIN, published, signed

VKEY = KEY.verifier(AUTHORITY).vkey


@pytest.mark.parametrize(
    ("origin", "known"),
    [
        (f"{ORIGIN}/authority", True), (f"{ORIGIN}/acme-1", True), (f"{ORIGIN}/x/authority", False),
        (f"{ORIGIN}/authority/acme-1", False), (ORIGIN, False), (f"{ORIGIN}x/authority", False), ("", False),
    ],
)  # fmt: skip
def test_the_key_of_a_sandbox_speaks_for_its_own_logs_alone(origin: str, known: bool) -> None:
    """No witness follows `B/x/authority`: a log of this name could be shown to one reader only."""
    assert bool(Keyring(Anchors(log_keys=(VKEY,)), Report()).of_log(origin)) is known


@pytest.mark.parametrize(("head", "outcome"), [(EMPTY_ROOT, Outcome.PASS), (bytes(32), Outcome.FAIL)])
def test_a_log_without_entries_has_one_root_alone(head: bytes, outcome: Outcome) -> None:
    """The checkpoint of size 0 is compared, too."""
    store = published({})
    store.files["acme-1/checkpoint"] = signed(KEY, "acme-1", 0, head)
    anchors, report = Anchors(log_keys=(VKEY,)), Report()
    keyring = Keyring(anchors, report)
    check_published(store, Reader(anchors, keyring, Earlier(anchors, keyring, report), report))
    found = [one.outcome for one in report.results if one.check == "checkpoint.root" and "acme-1" in one.subject]
    assert found == [outcome]


@pytest.mark.parametrize(("size", "outcome"), [(0, Outcome.PASS), (3, Outcome.FAIL)])
def test_a_log_without_entries_is_compared_with_an_earlier_checkpoint(size: int, outcome: Outcome) -> None:
    """That of size 0 is the beginning of every log; a larger one counts entries that are gone."""
    store = published({})
    store.files["acme-1/checkpoint"] = signed(KEY, "acme-1", 0, EMPTY_ROOT)
    kept = signed(KEY, "acme-1", size, EMPTY_ROOT if size == 0 else bytes(32))
    anchors, report = Anchors(log_keys=(VKEY,), checkpoints=(("kept", kept),)), Report()
    keyring = Keyring(anchors, report)
    earlier = Earlier(anchors, keyring, report)
    check_published(store, Reader(anchors, keyring, earlier, report))
    earlier.finish()
    found = [(one.outcome, one.subject) for one in report.results if one.check == "anchor.checkpoint"]
    assert found == [(outcome, "memory/acme-1")]
