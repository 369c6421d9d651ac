"""The verifier on a publication: from its directory, over HTTP, next to the ledgers, and with what was known before."""

from __future__ import annotations

import functools
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from monitor.cli.ledger import ledger
from monitor.verifier.anchors import Anchors
from monitor.verifier.checks import Outcome
from monitor.verifier.report import Report, Verdict
from monitor.verifier.run import verify_all
from tests.ledger.goal_faults import verified
from tests.ledger.recorder import KEY, prepare, record_and_publish

VKEY = KEY.verifier("authority").vkey


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A directory with ledgers and publication, and what was acknowledged."""
    directory, lines = tmp_path_factory.mktemp("recorded") / "case", list[str]()
    prepare(directory)
    record_and_publish(directory, lines.append)
    return directory, lines


@pytest.fixture
def copy(recorded: tuple[Path, list[str]], tmp_path: Path) -> Path:
    shutil.copytree(recorded[0], tmp_path / "copy")
    return tmp_path / "copy"


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


class AuthorityOnly(Quiet):
    """As the board answers: pilot logs are not served."""

    def do_GET(self) -> None:
        if self.path.startswith("/authority/"):
            super().do_GET()
        else:
            self.send_error(403)


@pytest.fixture
def served(copy: Path) -> Iterator[str]:
    with serving(Quiet, copy) as url:
        yield url


@contextmanager
def serving(handler: type[SimpleHTTPRequestHandler], copy: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(copy / "published")))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def passed(report: Report) -> set[str]:
    return {result.check for result in report.results if result.outcome is Outcome.PASS}


SIGNED = {
    "checkpoint.format", "checkpoint.origin", "checkpoint.signature", "checkpoint.root", "checkpoint.size", "tile.hash",
    "authority.leaf", "authority.history", "authority.contains", "entry.body", "entry.gap",
}  # fmt: skip


def test_a_published_directory_is_verified_with_the_key_of_the_log(copy: Path) -> None:
    """Both levels of logs are followed, and every check of a publication runs."""
    report = verify_all([str(copy / "published")], Anchors(log_keys=(VKEY,)))
    assert report.verdict is Verdict.VERIFIED, report.failures
    assert passed(report) >= SIGNED
    assert {one.entries for one in report.subjects} == {6, 12}


def test_a_url_is_verified_like_the_directory(copy: Path, served: str) -> None:
    """Over HTTP nothing is listed: the authority log names the pilot logs."""
    report = verify_all([served], Anchors(log_keys=(VKEY,)))
    assert report.verdict is Verdict.VERIFIED, report.failures
    assert passed(report) >= SIGNED
    assert len(report.subjects) == 3


def test_a_log_that_is_not_shown_to_this_reader_is_a_warning(copy: Path) -> None:
    """The world may read the authority log alone: it is verified, and nothing is claimed of the pilot logs."""
    with serving(AuthorityOnly, copy) as url:
        report = verify_all([url], Anchors(log_keys=(VKEY,)))
    assert report.verdict is Verdict.VERIFIED, report.failures
    assert [one.where.rpartition("/")[2] for one in report.subjects] == ["authority"]
    withheld = [one.message for one in report.warnings if one.check == "authority.contains"]
    assert len(withheld) == 2
    assert all("nothing is established" in message and "HTTP status 403" in message for message in withheld)


def test_one_log_is_verified_without_the_others(copy: Path, served: str) -> None:
    """A firm may see its own log only: the proof next to it leads to the authority log."""
    (log,) = (path.parent.name for path in copy.glob("published/p-1-*/checkpoint"))
    for name in (str(copy / "published" / log), f"{served}/{log}"):
        report = verify_all([name], Anchors(log_keys=(VKEY,)))
        assert report.verdict is Verdict.VERIFIED, report.failures
        assert {"authority.contains", "tile.hash", "checkpoint.root"} <= passed(report)


def test_a_server_that_does_not_answer_gives_no_verdict(served: str) -> None:
    """What cannot be read is neither right nor wrong."""
    report = verify_all([served.rpartition(":")[0] + ":1"], Anchors(log_keys=(VKEY,)))
    assert report.verdict is Verdict.NO_VERDICT
    assert report.unreadable


def test_ledgers_agree_with_their_publication(copy: Path) -> None:
    """With `--published` each ledger has the root that was published at its size."""
    report = verify_all([str(copy / "ledger")], Anchors(log_keys=(VKEY,), published=str(copy / "published")))
    assert report.verdict is Verdict.VERIFIED
    assert "ledger.published" in passed(report)


def test_what_was_acknowledged_and_is_gone_is_found(copy: Path, recorded: tuple[Path, list[str]]) -> None:
    """The judge of the fault tests sees a ledger that was cut together with its index, and a publication made again
    from it."""
    assert verified(copy, recorded[1]) == []
    shorter = recorded[1][: len(recorded[1]) // 2]
    for name in ("ledger", "published"):
        shutil.rmtree(copy / name)
    shutil.rmtree(copy.parent / "again", ignore_errors=True)
    assert verified(copy, shorter)


def test_a_checkpoint_that_is_not_visible_yet_is_a_warning(copy: Path) -> None:
    """A round may end between the authority's checkpoint and that of a pilot: its entries are there already."""
    for checkpoint in copy.glob("published/p-*/checkpoint"):
        checkpoint.unlink()
    report = verify_all([str(copy / "published")], Anchors(log_keys=(VKEY,)))
    assert report.verdict is Verdict.VERIFIED, report.failures
    assert {result.check for result in report.warnings} == {"authority.contains"}


def test_entries_that_the_authority_log_counts_must_be_there(copy: Path) -> None:
    """A pilot log that was put back with its old checkpoint lacks what the authority log says was published."""
    for tile in copy.glob("published/p-1-*/tile/entries/000.p/12"):
        tile.unlink()
    report = verify_all([str(copy / "published")], Anchors(log_keys=(VKEY,)))
    assert {result.check for result in report.failures} == {"checkpoint.size"}


def test_a_ledger_is_compared_with_its_published_log_on_a_server(served: str, copy: Path) -> None:
    """A URL is a copy as a file is; with anything else than a copy of the log it is wrong use."""
    file = next(copy.rglob("*.ledger"))
    done = CliRunner().invoke(ledger, ["compare", str(file), f"{served}/{file.stem}"])
    assert (done.exit_code, done.output.partition(":")[0]) == (0, "same"), done.output
    done = CliRunner().invoke(ledger, ["compare", f"{served}/{file.stem}", str(copy)])
    assert done.exit_code == 2
    assert "is a published log; compare it with" in done.output


def test_a_server_that_cannot_be_read_is_not_one_without_the_log() -> None:
    """`ledger prove` says what prevented reading: whether the log is published is unknown."""
    done = CliRunner().invoke(ledger, ["prove", "p-1", "--entry", "0", "--dir", "http://127.0.0.1:1/pub"])
    assert done.exit_code == 1
    assert "127.0.0.1:1/pub" in done.output
    assert "no log of this pilot" not in done.output
