"""What the service reports of its rounds, and that the ledger goes on without them."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path

import aiohttp
import pytest
from click.testing import CliRunner
from yarl import URL

from monitor.cli.keys import keys
from monitor.cli.notary import notary
from monitor.errors import Refused, Unavailable
from monitor.http_server.server import HttpServer
from monitor.projections.metrics import Metrics
from monitor.publication.log_key import AUTHORITY, LogKey, log_name, new_log_key, read_log_key
from monitor.publication.newest_file import NewestFile
from monitor.publication.routes import publication_route
from monitor.publication.service import REFUSED_S, RETRY_S, PublicationService
from monitor.testing.wait import Until
from monitor.tlog.keys import parse_vkey
from tests.unit.publication.world import KEY, World, checked


def value(metrics: Metrics, series: str) -> float:
    lines = [
        line for line in metrics.exposition().decode().splitlines() if line.startswith(f"sandbox_monitor_{series} ")
    ]
    return float(lines[0].split()[-1])


def test_a_round_is_counted_by_its_outcome_and_sizes_and_times_are_shown(tmp_path: Path) -> None:
    world, metrics = World(tmp_path), Metrics()
    service = PublicationService(world.publisher, metrics, clock=lambda: 7_000)
    world.enter(1, 3)
    assert service.once() == 1.0
    assert service.once() == 1.0
    assert value(metrics, 'publication_rounds_total{outcome="published"}') == 1
    assert value(metrics, 'publication_rounds_total{outcome="unchanged"}') == 1
    assert value(metrics, "published_entries") == 3
    assert value(metrics, "published_leaves") == 1
    assert value(metrics, "published_until_timestamp_seconds") == 7
    assert value(metrics, "published_checkpoint_timestamp_seconds") == 7


def test_a_refusal_is_counted_by_its_reason_and_ends_when_the_newest_copy_is_restored(tmp_path: Path) -> None:
    world, metrics = World(tmp_path), Metrics()
    world.enter(1, 1)
    world.round()
    shutil.copytree(world.ledgers, tmp_path / "old")
    world.enter(2, 2)
    world.round()
    world.notary.close()
    shutil.move(world.ledgers, tmp_path / "newest")
    shutil.copytree(tmp_path / "old", world.ledgers)
    service = PublicationService(world.restart(), metrics)
    assert service.once() == REFUSED_S
    assert value(metrics, 'publication_refused{reason="older_than_newest"}') == 1
    world.enter(2, 3)  # the ledger goes on
    shutil.copy(tmp_path / "newest" / "authority.leaves", world.ledgers)
    assert service.once() == 1.0
    assert value(metrics, 'publication_refused{reason="older_than_newest"}') == 0
    assert checked(world.published, ["p-1"]) == {AUTHORITY: 3, "p-1": 3}


@pytest.mark.parametrize("error", [Unavailable("away"), RuntimeError("a bug")])
def test_no_error_ends_the_service(tmp_path: Path, error: Exception) -> None:
    class Failing(NewestFile):
        failing = True

        def newest(self, origin: str) -> bytes | None:
            if self.failing:
                raise error
            return super().newest(origin)

    (tmp_path / "elsewhere").mkdir()
    second = Failing(tmp_path / "elsewhere")
    world, metrics = World(tmp_path, second=second), Metrics()
    world.enter(1, 1)
    service = PublicationService(world.publisher, metrics)
    outcome, wait = ("unavailable", RETRY_S) if isinstance(error, Unavailable) else ("failed", REFUSED_S)
    assert service.once() == wait, "after a failure all leaves are read again"
    assert value(metrics, f'publication_rounds_total{{outcome="{outcome}"}}') == 1
    second.failing = False
    assert service.once() == 1.0


def test_the_thread_publishes_until_it_is_stopped_and_then_what_is_left(tmp_path: Path) -> None:
    world = World(tmp_path)
    service = PublicationService(world.publisher, Metrics(), every_s=0.05)
    service.start()
    world.enter(1, 2)
    Until(60)(lambda: (world.published / log_name("p-1") / "checkpoint").exists())
    world.enter(3, 4)
    service.stop()
    service.stop()
    assert checked(world.published, ["p-1"])["p-1"] == 4


def fetched(directory: Path, paths: Iterable[str], **options: bool) -> dict[str, tuple[int, str, str]]:
    """Status, content type and caching of each path below `/publication/`."""

    async def ask() -> dict[str, tuple[int, str, str]]:
        server = HttpServer("test")
        server.app.add_routes([publication_route(directory, **options)])
        port = await server.start("127.0.0.1", 0)
        found = {}
        try:
            async with aiohttp.ClientSession() as session:
                for path in paths:
                    async with session.get(URL(f"http://127.0.0.1:{port}/publication/{path}", encoded=True)) as answer:
                        headers = answer.headers
                        found[path] = (answer.status, headers["Content-Type"], headers.get("Cache-Control", ""))
        finally:
            await server.stop()
        return found

    return asyncio.run(ask())


def published_once(tmp_path: Path) -> tuple[Path, str]:
    """A publication with three entries of a pilot, and the name of its log."""
    world, log = World(tmp_path), log_name("p-1")
    world.enter(1, 3)
    world.round()
    (world.published / log / "secret").write_text("x")
    return world.published, log


TEXT, BINARY = "text/plain; charset=utf-8", "application/octet-stream"
FOR_A_YEAR = "max-age=31536000, immutable"


def test_the_authority_log_is_served_and_no_pilot_log(tmp_path: Path) -> None:
    """A firm sees its own file only, the world sees that nothing was forked: the server does not know who asks, so it
    shows no pilot log, and does not tell which ones exist."""
    directory, log = published_once(tmp_path)
    shown = {
        f"{AUTHORITY}/checkpoint": (200, TEXT, "public, max-age=1"),
        f"{AUTHORITY}/tile/entries/000.p/1": (200, BINARY, f"public, {FOR_A_YEAR}"),
        f"{AUTHORITY}/tile/0/000.p/1": (200, BINARY, f"public, {FOR_A_YEAR}"),
        f"{log}/authority.tlog-proof": (200, TEXT, "public, max-age=1"),
    }
    tiles = ("tile/0/000.p/3", "tile/entries/000.p/3", "tile/entries/000", "checkpoint", "stamp/1/token.tsr")
    denied = [f"{name}/{path}" for name in (log, "unknown") for path in tiles]
    found = fetched(directory, [*shown, *denied])
    assert {path: found[path] for path in shown} == shown
    assert {found[path][0] for path in denied} == {403}


def test_the_route_serves_what_tlog_tiles_defines_and_nothing_else(tmp_path: Path) -> None:
    """With pilot logs, which shared caches may not keep."""
    directory, log = published_once(tmp_path)
    paths = (
        f"{log}/checkpoint", f"{log}/tile/0/000.p/3", f"{log}/tile/entries/000.p/3", f"{log}/tile/0/000",
        f"{log}/tile/0/000.p/03", f"{log}/secret", f"{log}/%2e%2e/{log}/checkpoint", "..%2f/checkpoint",
        f"{AUTHORITY}/checkpoint", f"{log}/tile/0/000.p", "unknown/checkpoint",
    )  # fmt: skip
    found = fetched(directory, paths, pilot_logs=True)
    served = {path: answer for path, answer in found.items() if answer[0] == 200}
    assert served == {
        f"{log}/checkpoint": (200, TEXT, "private, max-age=1"),
        f"{AUTHORITY}/checkpoint": (200, TEXT, "public, max-age=1"),
        f"{log}/tile/0/000.p/3": (200, BINARY, f"private, {FOR_A_YEAR}"),
        f"{log}/tile/entries/000.p/3": (200, BINARY, f"private, {FOR_A_YEAR}"),
    }
    assert {answer[0] for path, answer in found.items() if path not in served} == {404}


def test_a_log_key_is_made_once_readable_by_its_owner_and_gives_the_key_of_each_log(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "log.key"
    made = CliRunner().invoke(keys, ["new-log", str(path), "--origin", "sandbox.example/ledger"])
    assert made.exit_code == 0
    vkey = parse_vkey(made.stdout.strip())
    assert vkey.name == "sandbox.example/ledger/authority"
    shown = CliRunner().invoke(keys, ["show-log", str(path), "--pilot", "p-1"])
    assert parse_vkey(shown.stdout.strip()).name == f"sandbox.example/ledger/{log_name('p-1')}"
    key = read_log_key(path)
    assert key.opened("x", key.sign("x", 1, bytes(32))).size == 1
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(Refused, match="exists already"):
        new_log_key(path, "sandbox.example/ledger")
    path.chmod(0o644)
    with pytest.raises(Refused, match="chmod 600"):
        read_log_key(path)


def test_every_log_key_is_read_back_from_its_file(tmp_path: Path) -> None:
    """Whatever the bytes of the key: its text may contain any character of base64."""
    for number in range(64):
        key = LogKey("sandbox.example/ledger", hashlib.sha256(bytes([number])).digest())
        path = tmp_path / f"{number}.key"
        path.touch(0o600)
        path.write_text(key.text)
        assert read_log_key(path).text == key.text


@pytest.mark.parametrize(
    "content",
    [b"", b"nonsense", KEY.verifier(AUTHORITY).vkey.encode(), KEY.text[:-6].encode(), b"\xff"],
)
def test_a_file_that_is_no_log_key_is_refused_without_its_content(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(Refused, match=r"log key|key of a log") as refused:
        read_log_key(path)
    assert KEY.text[30:60] not in str(refused.value)


@pytest.mark.parametrize("origin", ["", "with space", "plus+", "ends/", "x" * 300])
def test_an_origin_that_cannot_name_a_key_is_refused(tmp_path: Path, origin: str) -> None:
    with pytest.raises(Refused, match="origin"):
        new_log_key(tmp_path / "log.key", origin)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--publish", "pub"], ["--newest", "n"], ["--publish", "pub", "--newest", "pub", "--log-key", "k"],
        ["--serve-pilot-logs"], ["--witness-key", "k"], ["--witness-dir", "w"], ["--witness-new"],
        ["--publish-every", "5"], ["--log-key", "k"], ["--policy", "p"], ["--stamp-url", "http://t"],
        ["--stamp-root", "r"],
    ],
)  # fmt: skip
def test_options_of_the_publication_that_do_not_fit_are_usage_errors(arguments: list[str]) -> None:
    """Exit code 2, and the text names the fix."""
    done = CliRunner().invoke(notary, ["--dir", "ledger", *arguments])
    assert done.exit_code == 2
    assert "--publish" in done.output


@pytest.mark.parametrize(
    "arguments",
    [
        ["--witness-key", "w.key"],
        ["--witness-dir", "w"],
        ["--witness-new"],
        ["--witness-key", "w.key", "--witness-new"],
    ],
)
def test_a_witness_key_is_given_with_the_directory_of_what_it_cosigned(tmp_path: Path, arguments: list[str]) -> None:
    """Exit code 2, and the text names both."""
    new_log_key(tmp_path / "log.key", "sandbox.example/ledger")
    publishing = ["--dir", "ledger", "--publish", "pub", "--log-key", str(tmp_path / "log.key")]
    done = CliRunner().invoke(notary, [*publishing, *arguments])
    assert done.exit_code == 2
    assert "--witness-key and --witness-dir belong together" in done.output
