"""Input that was made to break the verifier: each ends with a verdict, soon and in bounded memory."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from monitor.notary.authority_leaf import Leaf
from monitor.notary.commitment import Plaintext, line
from monitor.notary.encoding import encode
from monitor.publication.log_key import AUTHORITY
from monitor.tlog.note import parse_note
from monitor.tlog.proof import TlogProof
from monitor.verifier import bundle as layout
from monitor.verifier import main as command
from monitor.verifier import stores
from monitor.verifier.anchors import Anchors
from monitor.verifier.bundle_check import check_one_log
from monitor.verifier.bundle_write import make_bundle
from monitor.verifier.charters import Charters
from monitor.verifier.earlier import Earlier
from monitor.verifier.keyring import Keyring
from monitor.verifier.published import Reader
from monitor.verifier.report import Report, Verdict
from monitor.verifier.run import verify_all
from monitor.verifier.stores import DirectoryStore, Unreadable, UrlStore
from tests.ledger.made_log import ORIGIN, MadeStore, published
from tests.ledger.tampering import PILOT, VERIFIER, changed, record
from tests.ledger.test_evasions import LOG, VKEY, failed, sound, written

MEMORY = 64 << 20


def verified(*paths: Path) -> Report:
    return verify_all([str(path) for path in paths], Anchors(log_keys=(VKEY,)))


def bundle(path: Path) -> Path:
    path.write_bytes(make_bundle(sound(), LOG, 0, None, verifier=VERIFIER))
    return path


def test_a_bundle_is_known_by_its_bytes_and_not_by_its_name(tmp_path: Path) -> None:
    """A sound bundle under another name is not a broken ledger."""
    assert verified(bundle(tmp_path / "record.bundle")).verdict is Verdict.VERIFIED


def test_one_log_is_verified_from_inside_its_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`.` has the name of the directory; the authority log alone is verified as what it is."""
    pub = written(sound(), tmp_path / "pub")
    for log in (LOG, AUTHORITY):
        monkeypatch.chdir(pub / log)
        assert verified(Path(".")).verdict is Verdict.VERIFIED
        assert verified(pub / log).verdict is Verdict.VERIFIED


@pytest.mark.parametrize("name", ["..", ".", "", "a\0b", "a b", "x?y", "a\r\nb", "\u00e9", "x" * 300, ".hidden"])
def test_a_leaf_names_a_directory_of_the_publication_and_nothing_else(tmp_path: Path, name: str) -> None:
    """The maker of a leaf chooses its origin: nothing outside of the publication is read for it."""
    store = published({PILOT: [b"x"]}, earlier=[Leaf(f"{ORIGIN}/{name}", 1, bytes(32))])
    assert "authority.leaf" in failed(verified(written(store, tmp_path / "pub")))


class Changing(MadeStore):
    """Shows one checkpoint of the log at first, and another one ever after."""

    first: bytes | None = None

    def read(self, path: str) -> bytes | None:
        if path == f"{LOG}/checkpoint" and self.first is not None:
            shown, self.first = self.first, None
            return shown
        return super().read(path)


def test_the_checkpoint_that_is_checked_is_the_one_that_is_proved() -> None:
    """A server could show a log that the authority log has never seen, then the checkpoint that it has."""
    entries = [encode(entry) for entry in record()[0]]
    hidden, shown = published({PILOT: entries[:5]}), published({PILOT: entries})
    proof = TlogProof(0, (), parse_note(shown.files[f"{AUTHORITY}/checkpoint"])).data
    store = Changing(hidden.files | shown.files | {f"{LOG}/authority.tlog-proof": proof})
    for first in (hidden.files[f"{LOG}/checkpoint"], b"no checkpoint"):
        store.first, report, anchors = first, Report(), Anchors(log_keys=(VKEY,))
        keyring = Keyring(anchors, report)
        check_one_log(store, LOG, Reader(anchors, keyring, Earlier(anchors, keyring, report), report))
        assert report.verdict is Verdict.VERIFIED
        assert [subject.entries for subject in report.subjects] == [len(entries)]


@pytest.mark.parametrize(
    "words",
    [
        line(Plaintext("p-9", "x", "author", "00" * 32, "I did it")).encode() + b"\n",
        b'{"pilot":"p-1","id":"x","field":"author","text":"I did it"}\n',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\xff\n",
    ],
    ids=["of another pilot", "without a salt", "deep list", "deep object", "no text"],
)
def test_a_bundle_discloses_no_text_that_is_compared_with_nothing(tmp_path: Path, words: bytes) -> None:
    """A reader of `words.jsonl` believes each line of a bundle that is verified."""
    path = bundle(tmp_path / "one.zip")
    path.write_bytes(changed(path.read_bytes(), lambda files: files.update({layout.WORDS: words})))
    assert failed(verified(path)) == {"bundle.layout"}


def zipped(names: list[str], size: int, more: int = 1) -> bytes:
    """A ZIP file whose list names each file `more` times."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name), bytes(size))
    raw = out.getvalue()
    at, end = raw.index(b"PK\1\2"), raw.rindex(b"PK\5\6")
    listed = raw[at:end] * more
    count = len(names) * more & 0xFFFF
    return raw[:at] + listed + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, len(listed), at, 0)


@pytest.mark.parametrize(
    "raw",
    [zipped(["a"], 1 << 20, 5000), zipped(["a"], 1, 50_000), b"PK\3\4", b"PK\5\6" + bytes(18)],
    ids=["files that overlap", "very many files", "a beginning", "no file"],
)
def test_a_zip_file_is_refused_before_it_takes_memory(tmp_path: Path, raw: bytes, peak: None) -> None:
    """Files that overlap would be read as often as they are listed."""
    (tmp_path / "one.zip").write_bytes(raw)
    assert failed(verified(tmp_path / "one.zip")) == {"bundle.layout"}


@pytest.fixture
def peak() -> Iterator[None]:
    """Fails a test that takes more than 64 MiB beyond its input."""
    import tracemalloc

    tracemalloc.start()
    yield
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < MEMORY, most


def test_what_is_no_regular_file_gives_no_verdict(tmp_path: Path) -> None:
    """A copy may hold links to devices, and pipes without a writer: reading them would never end."""
    pub = written(sound(), tmp_path / "pub")
    (pub / AUTHORITY / "checkpoint").unlink()
    (pub / AUTHORITY / "checkpoint").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "pipe.zip")
    os.mkfifo(tmp_path / "pipe.ledger")
    (tmp_path / "ledgers").mkdir()
    os.mkfifo(tmp_path / "ledgers" / "p.ledger")
    for name in ("pub", "pipe.zip", "pipe.ledger", "ledgers"):
        assert verified(tmp_path / name).verdict is Verdict.NO_VERDICT, name


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit holds in directories as it does over HTTP."""
    monkeypatch.setattr(stores, "MAX_FILE", 1000)
    (tmp_path / "long").write_bytes(bytes(1001))
    with pytest.raises(Unreadable, match="more than 1000 bytes"):
        DirectoryStore(tmp_path).read("long")


class Hostile(BaseHTTPRequestHandler):
    """Sends one byte now and then, or leads to other places."""

    stopped = threading.Event()

    def do_GET(self) -> None:
        if self.path.endswith("drip"):
            self.send_response(200)
            self.end_headers()
            try:
                while not self.stopped.wait(0.05):
                    self.wfile.write(b"x")
                    self.wfile.flush()
            except OSError:
                return
        else:
            self.send_response(302)
            self.send_header("Location", {"loop": "loop", "ftp": "ftp://127.0.0.1/x"}.get(self.path[1:], "file:///etc"))
            self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def hostile() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    server.daemon_threads = True
    Hostile.stopped.clear()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    Hostile.stopped.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["drip", "loop", "ftp", "file"])
def test_a_server_cannot_keep_the_verifier_waiting_or_lead_it_elsewhere(
    hostile: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file has a time limit as a whole; redirects lead to HTTP only."""
    if path == "drip":
        monkeypatch.setattr(stores, "TOTAL_S", 0.5)
    with pytest.raises(Unreadable):
        UrlStore(hostile).read(path)


def test_a_charter_whose_withheld_parts_have_no_place_is_a_failure() -> None:
    """The paths of withheld parts are text of the ledger's maker, their values that of the one who discloses."""
    for path, text in (("nowhere.at", "1"), ("a.b", "1"), ("list.9", "1"), ("a", "[" * 100_000), ("a", "no JSON")):
        report = Report()
        charters = Charters("here", report, [Plaintext("p", "e", f"withheld.{path}", "00" * 32, text)])
        record = {
            "id": "e", "part": 1, "parts": 1, "charter": "0" * 64, "decision": "d", "withheld": {path: {}},
            "document": {"a": 1, "list": []},
        }  # fmt: skip
        assert charters._problem([record])


def test_a_fault_of_the_verifier_is_not_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1 says that the record is false; an error of the program says nothing of it."""

    def breaks(*args: object) -> Report:
        raise MemoryError

    monkeypatch.setattr(command, "verify_all", breaks)
    assert command.main([str(tmp_path)]) == Verdict.NO_VERDICT.exit_code
    assert "no verdict" in capsys.readouterr().err


def test_the_report_is_json_for_every_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """File names need not be text."""
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.ledger"))
    path.write_bytes(b"nothing")
    assert command.main(["--json", str(path)]) == Verdict.FAILED.exit_code
    assert json.loads(capsys.readouterr().out)["verdict"] == "failed"
    assert command.main([str(path)]) == Verdict.FAILED.exit_code


def test_a_name_that_the_terminal_cannot_show_does_not_end_the_report(tmp_path: Path) -> None:
    """The encoding of the output says nothing about the record."""
    directory = tmp_path / "\u00e9"
    directory.mkdir()
    path = bundle(directory / "one.zip")
    command = [sys.executable, "-m", "monitor.verifier", "--log-key", VKEY, str(path)]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
