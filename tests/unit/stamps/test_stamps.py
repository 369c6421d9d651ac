"""Time stamps: what one proves, and that each reason why it proves nothing is named."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from monitor.errors import Refused, Unavailable
from monitor.stamps import stamper, token
from monitor.stamps.client import StampClient, Stamped
from monitor.stamps.roots import read_lists, read_roots
from monitor.stamps.stamper import BackgroundStamper, StampCounts
from monitor.stamps.store import StampStore, files_of, verify_files
from monitor.stamps.verify import Verdict, verify
from monitor.testing.grown_log import GrownLog
from monitor.testing.timestamp_authority import DAY, TimestampAuthority
from monitor.testing.wait import Until

LOG = GrownLog("sandbox.example/authority", 9)
NOTE = LOG.note(9)
Reason = x509.ReasonFlags
soon = Until(120.0)


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[TimestampAuthority]:
    """An authority whose tokens have the whole chain."""
    found = TimestampAuthority(tmp_path / "tsa")
    yield found
    found.stop()


def stamped(authority: TimestampAuthority, note: bytes = NOTE) -> Stamped:
    return StampClient(authority.url, [authority.root]).stamp(note)


def kinds(verdict: Verdict) -> list[str]:
    return [problem.kind.value for problem in verdict.problems]


def lists_now(authority: TimestampAuthority) -> list[x509.CertificateRevocationList]:
    found = [authority.revocation_list(f"/{name}.crl") for name in ("root", "issuing")]
    return [x509.load_der_x509_crl(raw) for raw in found if raw]


def test_a_stamp_says_when_by_whom_and_over_which_chain(authority: TimestampAuthority) -> None:
    """Token, chain and both revocation lists are there; the time is that of the authority."""
    began = datetime.now(UTC).replace(microsecond=0)
    found = stamped(authority)
    verdict = verify_files(files_of(found), [authority.root])
    assert verdict.proved
    assert verdict.at is not None
    assert began - timedelta(seconds=1) <= verdict.at <= datetime.now(UTC)
    assert list(verdict.chain) == [authority.signer, authority.issuing, authority.root]
    assert len(found.lists) == 2


def test_openssl_verifies_what_is_stored(authority: TimestampAuthority, tmp_path: Path) -> None:
    """A stranger needs nothing of this project: the command in the README, on the files of a stamp."""
    StampStore(tmp_path / "stamp").add(9, files_of(stamped(authority)))
    command = [
        "openssl",
        "ts",
        "-verify",
        "-data",
        "checkpoint",
        "-in",
        "token.tsr",
        "-untrusted",
        "chain.pem",
        "-CAfile",
    ]
    done = subprocess.run(
        [*command, authority.root_file], cwd=tmp_path / "stamp" / "9", capture_output=True, text=True, check=False
    )
    assert "Verification: OK" in done.stdout + done.stderr


def test_a_stamp_on_other_bytes_or_with_another_nonce_is_refused(authority: TimestampAuthority) -> None:
    """The token of one checkpoint proves nothing of another, nor is an old answer taken for a new one."""
    found = stamped(authority)
    lists = lists_now(authority)
    other = verify(LOG.note(8), found.token, roots=[authority.root], lists=lists)
    assert kinds(other) == ["other_message"]
    assert kinds(verify(NOTE, found.token, roots=[authority.root], lists=lists, nonce=1)) == ["bad_signature"]


def test_a_changed_token_never_says_anything_else(authority: TimestampAuthority) -> None:
    """One bit of each byte flipped: refused, or (in parts that nothing signs) the same time by the same authority."""
    found = stamped(authority)
    right = verify(NOTE, found.token, roots=[authority.root], lists=lists_now(authority))
    assert right.proved
    for at in range(len(found.token)):
        changed = bytearray(found.token)
        changed[at] ^= 1 << at % 8
        verdict = verify(NOTE, bytes(changed), roots=[authority.root], lists=lists_now(authority))
        assert verdict.problems or verdict == right, at


@pytest.mark.parametrize("junk", [b"", b"0", b"\x30\x80", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x02\x01\x02", NOTE])
def test_what_is_no_token_is_unreadable(authority: TimestampAuthority, junk: bytes) -> None:
    """Bytes of any kind give a verdict, never an exception."""
    assert kinds(verify(NOTE, junk, roots=[authority.root])) == ["unreadable"]


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    """The token lacks the issuing authority's certificate: refused by name, and accepted once somebody brings it."""
    authority = TimestampAuthority(tmp_path / "tsa", complete=False)
    with pytest.raises(Refused, match=r"missing_certificate: CN=sandbox test stamps issuing"):
        stamped(authority)
    raw = authority.stamp(_request())
    lists = lists_now(authority)
    assert kinds(verify(NOTE, raw, roots=[authority.root], lists=lists)) == ["missing_certificate"]
    assert verify(NOTE, raw, roots=[authority.root], certificates=[authority.issuing], lists=lists).proved
    authority.stop()


def _request() -> bytes:
    return token.request(NOTE).body


def test_another_root_is_not_trusted(authority: TimestampAuthority, tmp_path: Path) -> None:
    """The chain is whole, and ends where the verifier does not trust."""
    other = TimestampAuthority(tmp_path / "other")
    found = stamped(authority)
    assert "missing_certificate" in kinds(verify(NOTE, found.token, roots=[other.root]))
    certificates = [authority.root]
    assert "untrusted_root" in kinds(verify(NOTE, found.token, roots=[other.root], certificates=certificates))
    other.stop()


def test_a_certificate_that_had_expired_is_named(tmp_path: Path) -> None:
    """The signer's certificate was not valid at the time of the stamp."""
    authority = TimestampAuthority(tmp_path / "tsa", signer_lifetime=-DAY)
    verdict = verify(NOTE, authority.stamp(_request()), roots=[authority.root], lists=lists_now(authority))
    assert "not_valid_at" in kinds(verdict)
    assert "signer" in verdict.problems[0].detail
    authority.stop()


REVOKED: list[tuple[str, str, Reason | None, timedelta, bool]] = [
    ("no reason: every stamp of the key", "signer", None, timedelta(hours=1), True),
    ("key compromise: every stamp of the key", "signer", Reason.key_compromise, timedelta(hours=1), True),
    ("superseded later: this stamp stays", "signer", Reason.superseded, timedelta(hours=1), False),
    ("superseded before: this stamp falls", "signer", Reason.superseded, timedelta(hours=-1), True),
    ("cessation of operation later: stays", "signer", Reason.cessation_of_operation, timedelta(hours=1), False),
    ("affiliation changed later: stays", "signer", Reason.affiliation_changed, timedelta(hours=1), False),
    ("the issuing authority was compromised", "issuing", Reason.ca_compromise, timedelta(hours=1), True),
]


@pytest.mark.parametrize(("what", "whose", "reason", "later", "refused"), REVOKED, ids=[row[0] for row in REVOKED])
def test_a_revoked_certificate_is_named(
    authority: TimestampAuthority, what: str, whose: str, reason: Reason | None, later: timedelta, refused: bool
) -> None:
    """RFC 3161, section 4: the reason and the time of a revocation decide whether earlier stamps fall."""
    found = files_of(stamped(authority))
    certificate = {"signer": authority.signer, "issuing": authority.issuing}[whose]
    authority.publish_lists(certificate, reason, datetime.now(UTC) + later)
    verdict = verify_files(found, [authority.root], lists_now(authority))
    assert (kinds(verdict) == ["revoked"]) is refused, what
    assert refused or verdict.proved
    if refused:
        assert whose in verdict.problems[0].detail


def test_without_a_revocation_list_the_stamp_is_stored_and_the_gap_is_named(authority: TimestampAuthority) -> None:
    """The authority publishes no list just now: the stamp counts when one is brought, until then its lack is named."""
    authority.withdraw_lists()
    found = files_of(stamped(authority))
    assert kinds(verify_files(found, [authority.root])) == ["missing_revocation", "missing_revocation"]
    authority.publish_lists()
    assert verify_files(found, [authority.root], lists_now(authority)).proved


def test_a_revocation_list_that_was_out_of_date_is_named(authority: TimestampAuthority) -> None:
    """A list that was to be renewed before the stamp says nothing about the time of the stamp."""
    authority.publish_lists(lifetime=-DAY)
    assert kinds(verify_files(files_of(stamped(authority)), [authority.root])) == ["stale_revocation"] * 2


def test_a_list_of_another_authority_says_nothing(authority: TimestampAuthority, tmp_path: Path) -> None:
    """A list with the right names, signed by somebody else, neither revokes nor clears."""
    other = TimestampAuthority(tmp_path / "other")
    other.publish_lists(authority.signer)
    found = files_of(stamped(authority))
    assert verify_files(found, [authority.root], lists_now(other)).proved
    del found["revocation.pem"]
    assert kinds(verify_files(found, [authority.root], lists_now(other))) == ["missing_revocation"] * 2
    other.stop()


DAMAGE: dict[str, tuple[Callable[[dict[str, bytes]], object], str]] = {
    "no token": (lambda files: files.pop("token.tsr"), "unreadable"),
    "no checkpoint": (lambda files: files.pop("checkpoint"), "unreadable"),
    "another checkpoint": (lambda files: files.update({"checkpoint": LOG.note(3)}), "other_message"),
    "no revocation list": (lambda files: files.pop("revocation.pem"), "missing_revocation"),
    "a cut token": (lambda files: files.update({"token.tsr": files["token.tsr"][:-40]}), "unreadable"),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_removed_or_changed_file_is_named(authority: TimestampAuthority, what: str) -> None:
    """Whatever is taken out of a stored stamp, the verdict says what is missing."""
    files = files_of(stamped(authority))
    spoil, kind = DAMAGE[what]
    spoil(files)
    assert kind in kinds(verify_files(files, [authority.root]))


def test_a_client_refuses_an_authority_that_does_not_lead_to_its_root(
    authority: TimestampAuthority, tmp_path: Path
) -> None:
    """A token that proves nothing is not stored; a service that does not answer is asked again later."""
    other = TimestampAuthority(tmp_path / "other")
    with pytest.raises(Refused, match="missing_certificate"):
        StampClient(authority.url, [other.root]).stamp(NOTE)
    other.stop()
    authority.refusing = True
    with pytest.raises(Unavailable, match="503"):
        stamped(authority)
    with pytest.raises(Unavailable, match="does not answer"):
        StampClient(other.url, [other.root]).stamp(NOTE)


def test_stamps_share_their_revocation_list_on_the_disk(authority: TimestampAuthority, tmp_path: Path) -> None:
    """The same list is stored once, however many stamps have it; a copy of the store is complete."""
    store, copy = StampStore(tmp_path / "one"), StampStore(tmp_path / "two")
    client = StampClient(authority.url, [authority.root])
    for size in (3, 5, 9):
        store.add(size, files_of(client.stamp(LOG.note(size))))
    assert (tmp_path / "one" / "9" / "revocation.pem").stat().st_nlink == 3
    store.complete(copy)
    assert copy.sizes() == [3, 5, 9]
    assert all(copy.read(size) == store.read(size) for size in store.sizes())
    assert all(verify_files(copy.read(size), [authority.root]).proved for size in copy.sizes())


def test_at_most_one_stamp_in_the_stated_time_and_the_newest_checkpoint_gets_it(
    authority: TimestampAuthority, tmp_path: Path
) -> None:
    """Of checkpoints that come while one waits, the newest is stamped: it covers those before it."""
    waiting: list[int | None] = []
    store = StampStore(tmp_path / "stamps")
    counts = StampCounts(waiting=waiting.append)
    stamper = BackgroundStamper(StampClient(authority.url, [authority.root]), [store], every_s=600, counts=counts)
    stamper.stamp(LOG.origin, LOG.note(1))
    soon(lambda: store.sizes() == [1])
    soon(lambda: bool(waiting) and waiting[-1] is None)
    for size in range(2, 9):
        stamper.stamp(LOG.origin, LOG.note(size))
    assert waiting[-1] is not None
    assert (store.sizes(), authority.requests) == ([1], 1)
    stamper.close()
    stamper = BackgroundStamper(StampClient(authority.url, [authority.root]), [store], every_s=0.01)
    for size in range(2, 9):
        stamper.stamp(LOG.origin, LOG.note(size))
    soon(lambda: store.sizes()[-1:] == [8])
    stamper.close()


def test_roots_and_lists_that_a_person_gives_are_checked(authority: TimestampAuthority, tmp_path: Path) -> None:
    """PEM and DER; a certificate that is no root, and a file that is neither, are refused by name."""
    der = tmp_path / "root.der"
    der.write_bytes(authority.root.public_bytes(Encoding.DER))
    assert read_roots([authority.root_file, der]) == [authority.root, authority.root]
    with pytest.raises(Refused, match="is not a root certificate"):
        read_roots([authority.directory / "signer.pem"])
    with pytest.raises(Refused, match="has no certificate"):
        read_roots([authority.directory / "tsa.cnf"])
    crl = tmp_path / "root.crl"
    crl.write_bytes(authority.revocation_list("/root.crl") or b"")
    assert len(read_lists([crl])) == 1
    with pytest.raises(Refused, match="has no revocation list"):
        read_lists([der])


def test_an_authority_that_answers_in_small_pieces_does_not_prevent_a_stop(
    authority: TimestampAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The time limit of a request starts again with each byte; `close` has one of its own."""
    asked, over = threading.Event(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            with server.accept()[0] as line:
                line.recv(1 << 16)
                line.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n")
                asked.set()
                while not over.wait(0.1):
                    line.sendall(b"x")

        dripping = threading.Thread(target=drip)
        dripping.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/tsr"
        background = BackgroundStamper(StampClient(url, [authority.root]), [StampStore(tmp_path / "stamps")])
        background.stamp(LOG.origin, NOTE)
        assert asked.wait(120)
        monkeypatch.setattr(stamper, "CLOSE_S", 0.2)
        closing = threading.Thread(target=background.close)
        closing.start()
        closing.join(60)
        stopped = not closing.is_alive()
        over.set()
        dripping.join()
        closing.join()
    assert stopped
