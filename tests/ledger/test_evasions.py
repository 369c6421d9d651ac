"""What a maker of false records could do about trust anchors that it cannot satisfy: avoid them. Never verified."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from monitor.notary.commitment import Plaintext
from monitor.notary.encoding import encode
from monitor.notary.format import LogName
from monitor.publication.log_key import AUTHORITY, LogKey, log_name
from monitor.tlog.merkle import EMPTY_ROOT
from monitor.tlog.note import parse_note
from monitor.tlog.proof import TlogProof
from monitor.verifier.anchors import Anchors
from monitor.verifier.bundle_write import make_bundle
from monitor.verifier.checks import Outcome
from monitor.verifier.earlier import Earlier
from monitor.verifier.followed import log_of
from monitor.verifier.keyring import Keyring
from monitor.verifier.published import Reader, check_published
from monitor.verifier.report import Report, Verdict
from monitor.verifier.run import verify_all
from tests.ledger.made_log import KEY, ORIGIN, WITNESSES, MadeStore, add_log, policy, published, signed
from tests.ledger.tampering import PILOT, VERIFIER, alone, bundle_of, honest_store, ledger_files, record

LOG = log_name(PILOT)
VKEY = KEY.verifier(AUTHORITY).vkey
OF_LOG = KEY.verifier(LOG).vkey
POLICIES = (("policy", policy()),)
KEYS = tuple(witness.verifier.vkey for witness in WITNESSES)
Made = Callable[[MadeStore], list[str]]


@pytest.fixture(params=["bundle", "directory", "one log"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Made:
    """Writes a publication in one of its forms; returns the inputs of the verifier."""

    def write(store: MadeStore) -> list[str]:
        if request.param == "bundle":
            path = tmp_path / "one.zip"
            path.write_bytes(make_bundle(store, LOG, 0, None, verifier=VERIFIER))
            return [str(path)]
        return [str(written(store, tmp_path / "pub") / (LOG if request.param == "one log" else ""))]

    return write


def written(store: MadeStore, directory: Path) -> Path:
    for name, data in store.files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return directory


def sound() -> MadeStore:
    return published({PILOT: [encode(entry) for entry in record()[0]]})


def elsewhere(origin: str) -> MadeStore:
    """The same entries in logs of another name, with a key that the maker chose."""
    return published({PILOT: [encode(entry) for entry in record()[0]]}, LogKey(origin, bytes(range(1, 33))))


def failed(report: Report) -> set[str]:
    return {result.check for result in report.failures}


@pytest.mark.parametrize("origin", ["sandbox.example/ledger2", "sandbox.example/ledger/deeper", "elsewhere.example"])
def test_a_key_that_is_of_no_log_of_the_input_does_not_verify_it(made: Made, origin: str) -> None:
    """Else anybody could name a log so that the key of the reader says nothing about it."""
    inputs = made(elsewhere(origin))
    assert failed(verify_all(inputs, Anchors(log_keys=(VKEY,)))) == {"checkpoint.signature"}
    report = verify_all(inputs, Anchors(policies=POLICIES))
    assert failed(report) == {"checkpoint.signature", "policy.satisfied"}


def test_a_sound_input_does_not_help_another_one(tmp_path: Path) -> None:
    """Each input must have a log that a given key is for."""
    good = written(sound(), tmp_path / "good")
    bad = written(elsewhere("elsewhere.example"), tmp_path / "bad")
    report = verify_all([str(good), str(bad)], Anchors(log_keys=(VKEY,)))
    assert {(result.check, result.subject) for result in report.failures} == {("checkpoint.signature", str(bad))}


def test_a_witness_that_the_reader_named_must_have_cosigned(made: Made) -> None:
    """With witness keys and no policy, checkpoints that none of them cosigned are not verified; one is enough."""
    inputs = made(sound())
    assert verify_all(inputs, Anchors(log_keys=(VKEY,), witness_keys=KEYS)).verdict is Verdict.VERIFIED
    report = verify_all(made(alone(sound())), Anchors(log_keys=(VKEY,), witness_keys=KEYS))
    assert failed(report) == {"witness.cosignature"}


def test_a_policy_cannot_be_evaded_by_leaving_out_the_log_that_it_names(tmp_path: Path) -> None:
    """The witnesses follow the authority log; without it nothing shows that they have seen this log."""
    pub = written(sound(), tmp_path / "pub")
    (pub / LOG / "authority.tlog-proof").unlink(missing_ok=True)
    assert failed(verify_all([str(pub / LOG)], Anchors(policies=POLICIES))) == {"policy.satisfied"}
    report = verify_all([str(pub / LOG)], Anchors(log_keys=(VKEY,)))
    assert report.verdict is Verdict.VERIFIED
    assert any("the authority log" in sentence for sentence in report.missing_anchors)


def test_logs_whose_signature_was_not_checked_are_named(tmp_path: Path) -> None:
    """The key of one log says nothing about the authority log; the report says so."""
    path = tmp_path / "one.zip"
    path.write_bytes(make_bundle(sound(), LOG, 0, None, verifier=VERIFIER))
    report = verify_all([str(path)], Anchors(log_keys=(OF_LOG,)))
    assert report.verdict is Verdict.VERIFIED
    assert any(f"{ORIGIN}/{AUTHORITY}" in sentence for sentence in report.missing_anchors)


def test_keys_that_met_nothing_signed_are_named(tmp_path: Path) -> None:
    """A ledger file holds no signature: the key that was given has shown nothing."""
    path = Path("tests/data/ledger/tampering/sound-ledger")
    report = verify_all([str(path)], Anchors(log_keys=(VKEY,)))
    assert report.verdict is Verdict.VERIFIED, report.failures
    assert any("anything signed" in sentence for sentence in report.missing_anchors)


def test_a_ledger_is_compared_with_its_published_log_whatever_its_file_is_called(tmp_path: Path) -> None:
    """Else a false ledger could have a name under which nothing is published yet."""
    entries = [encode(entry) for entry in record()[0]]
    pub = written(sound(), tmp_path / "pub")
    for name, ours, wrong in (("sound", entries, False), ("false", [*entries[:-2], entries[-1]], True)):
        found = ledger_files(LOG, ours, index=False)
        path = tmp_path / f"{name}.ledger"
        path.write_bytes(found[f"{LOG}/{LOG}.ledger"])
        report = verify_all([str(path)], Anchors(log_keys=(VKEY,), published=str(pub), structure=True))
        assert bool(report.failures) is wrong, report.failures
        assert wrong or "ledger.published" in {one.check for one in report.results if one.outcome is Outcome.PASS}
        earlier = (("kept", sound().files[f"{LOG}/checkpoint"]),)
        assert bool(verify_all([str(path)], Anchors(checkpoints=earlier, structure=True)).failures) is wrong


@pytest.mark.parametrize("name", [LogName("acme/Scoring.v2"), LogName("p", "evidence", 2027), LogName("x" * 90)])
def test_the_verifier_names_a_log_as_the_notary_does(name: LogName) -> None:
    """It has none of the code that writes ledgers."""
    assert log_of(name) == log_name(name)


def test_one_log_is_not_refused_for_stamps_that_lie_elsewhere(tmp_path: Path) -> None:
    """Time stamps lie with the authority log: those of one log are not checked, and the report says so."""
    store = sound()
    proof = TlogProof(0, (), parse_note(store.files[f"{AUTHORITY}/checkpoint"])).data
    pub = written(MadeStore(store.files | {f"{LOG}/authority.tlog-proof": proof}), tmp_path / "pub")
    report = verify_all([str(pub / LOG)], Anchors(log_keys=(VKEY,), stamp_roots=b"root"))
    assert report.verdict is Verdict.VERIFIED, report.failures
    assert any("when anything was recorded" in sentence for sentence in report.not_established)
    assert failed(verify_all([str(pub)], Anchors(log_keys=(VKEY,), stamp_roots=b"root"))) == {"stamp.present"}


def test_an_earlier_checkpoint_that_a_bundle_cannot_be_compared_with_is_named(tmp_path: Path) -> None:
    """The maker of a bundle chooses its range: that it evades the checkpoint must be seen."""
    entries = [encode(entry) for entry in record()[0]]
    kept = published({PILOT: entries[:5]}).files[f"{LOG}/checkpoint"]
    for start, compared in ((2, True), (7, False)):
        path = tmp_path / "one.zip"
        path.write_bytes(make_bundle(sound(), LOG, start, None, verifier=VERIFIER))
        report = verify_all([str(path)], Anchors(log_keys=(VKEY,), checkpoints=(("kept", kept),)))
        assert any("an earlier checkpoint follows" in one for one in report.missing_anchors) is not compared


def test_texts_of_a_bundle_do_not_stand_for_the_texts_that_the_reader_gave(tmp_path: Path) -> None:
    """A text that the reader gave is compared with an entry, or fails; how many others were compared is no matter."""
    store, _, texts = honest_store()
    path = tmp_path / "one.zip"
    path.write_bytes(bundle_of(store, texts))
    foreign = Plaintext("p-9", "act-1", "author", "00" * 32, "Ada Lovelace")
    for given, expected in ((texts[0], set()), (foreign, {"text.commitment"})):
        assert failed(verify_all([str(path)], Anchors(log_keys=(VKEY,), texts=(given,)))) == expected


class Changing(MadeStore):
    """A server that shows other leaves of the authority log once its checkpoint was read twice."""

    def __init__(self, first: MadeStore, then: MadeStore) -> None:
        super().__init__(dict(first.files))
        self._then, self._readings = then, 0

    def read(self, path: str) -> bytes | None:
        self._readings += path == f"{AUTHORITY}/checkpoint"
        leaves = self._readings > 1 and path.startswith(f"{AUTHORITY}/tile")
        return (self._then if leaves else self).files.get(path)


def test_the_second_reading_of_an_authority_log_is_checked_as_the_first() -> None:
    """A pilot log that is newer than the authority log is looked for in it again, in leaves that are signed."""
    entries = [encode(entry) for entry in record()[0]]
    other = add_log(MadeStore(), "other-1", entries)
    first, then = MadeStore(), MadeStore()
    short = add_log(first, LOG, entries[:3])
    add_log(first, "other-1", entries)
    newer = add_log(first, LOG, entries)
    add_log(first, AUTHORITY, [short.encode(), other.encode()])
    add_log(then, AUTHORITY, [short.encode(), newer.encode()])
    anchors, report = Anchors(policies=POLICIES), Report()
    keyring = Keyring(anchors, report)
    check_published(Changing(first, then), Reader(anchors, keyring, Earlier(anchors, keyring, report), report))
    assert failed(report) == {"checkpoint.root"}


def test_a_log_is_not_hidden_by_the_empty_checkpoint_of_another_sandbox(tmp_path: Path) -> None:
    """A log without entries needs no leaf in the authority log, so its origin must be that of the log in its place."""
    stranger = LogKey("elsewhere.example", bytes(range(1, 33)))
    files = sound().files | {f"{LOG}/checkpoint": signed(stranger, LOG, 0, EMPTY_ROOT)}
    report = verify_all([str(written(MadeStore(files), tmp_path / "pub"))], Anchors(policies=POLICIES))
    assert failed(report) == {"checkpoint.origin"}
