"""Fuzzes the HTTP servers: no status of 500 or more, no hang, no unhandled exception in the log.

    python -m tests.security.http_fuzz [--requests N] [--seconds S] [--seed SEED] [--only NUMBER]

Requests are sent over raw sockets, pipelined on persistent connections where their framing is intact, and a share by
aiohttp's client. A request that fails is saved in `tests/data/http`, where it becomes a regression sample; `--only`
sends one request of a seed again.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import aiohttp

from monitor.model.request_signing import FirmRequest
from tests.security.gateway_bench import KEYS, signature_headers
from tests.security.http_grammar import Made, made
from tests.security.http_tools import SAMPLES, Client

ROOT = Path(__file__).parents[2]
PIPELINED = 16
CONNECTIONS = 24
HANG_S = 120.0  # a machine under load may be slow; a server that hangs never answers
PATIENCE_S = 0.5  # for the response to a request whose body may be incomplete
LAST = b"\r\n\r\nGET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
SHARES = {"ingress": 5, "board": 2, "pages": 1, "gateway": 2}
ALARMS = (b"Traceback", b" ERROR ", b" CRITICAL ", b"never retrieved", b"Exception in ")


class Report:
    """What happened: statuses, and the numbers of requests that failed. `session` is that of the gateway."""

    def __init__(self, seed: int, samples: Path) -> None:
        self.seed, self._samples = seed, samples
        self.session = ""
        self.sent = 0
        self.statuses: Counter[int] = Counter()
        self.failed: list[str] = []

    def answered(self, number: int, raw: bytes, status: int, where: str) -> None:
        """Status 0: the connection was closed without a response."""
        self.sent += 1
        self.statuses[status] += 1
        if status >= 500:
            self.fail(number, raw, f"status {status} of {where}")

    def fail(self, number: int, raw: bytes, problem: str) -> None:
        """Save the request, and say how to repeat it."""
        name = self._samples / f"fuzz-{hashlib.sha256(raw).hexdigest()[:12]}.bin"
        name.write_bytes(raw)
        self.failed.append(f"{problem}: --seed {self.seed} --only {number}, saved as {name}")
        print(self.failed[-1], flush=True)


def _signed(request: Made, session: str) -> Made:
    """The request with the proof of a firm, so that it reaches the handlers of the gateway."""
    head, _, body = request.raw.partition(b"\r\n\r\n")
    line, found, rest = head.partition(b"\r\n")
    method, _, target = line.decode("latin-1").removesuffix(" HTTP/1.1").partition(" ")
    if not found or not method or not target.isascii():
        return request
    asked = FirmRequest("firm-1", method, target, session, int(time.time() * 1000), os.urandom(16).hex())
    proof = b"\r\n".join(signature_headers(asked, body, KEYS["firm-1"], "firm-1"))
    return Made(b"%b\r\n%b\r\n%b\r\n\r\n%b" % (line, proof, rest, body), request.framed)


async def _pipelined(port: int, batch: list[tuple[int, Made]], report: Report, where: str) -> None:
    """Send requests on one connection, as many at once as it takes; go on with a new one when it is closed."""
    at = 0
    while at < len(batch):
        client = await Client.open(port)
        try:
            client.writer.write(b"".join(request.raw for _, request in batch[at:]))
            before = at
            while at < len(batch):
                number, request = batch[at]
                try:
                    status, headers, _ = await client.response(HANG_S)
                except TimeoutError:
                    report.fail(number, request.raw, f"no response of {where} in {HANG_S:g} s")
                    status, headers = 0, {}
                except ValueError as error:
                    report.fail(number, request.raw, f"{error}, of {where}")
                    status, headers = 0, {}
                if not status and at > before:
                    break  # closed after the response before; this one is repeated
                report.answered(number, request.raw, status, where)
                at += 1
                if not status or headers.get("connection") == "close":
                    break
        finally:
            client.close()


async def _alone(port: int, number: int, request: Made, report: Report, where: str) -> None:
    """Send one request whose end is doubtful, and LAST behind it, so that what is left of it is read as a request."""
    client = await Client.open(port)
    try:
        client.writer.write(request.raw + LAST)
        began = time.monotonic()
        first = True
        while True:
            bare = first and request.raw.lstrip().startswith(b"HEAD ")
            patience = PATIENCE_S if time.monotonic() - began < PATIENCE_S else HANG_S
            try:
                status, _, _ = await client.response(patience, bare=bare)
            except TimeoutError:
                if time.monotonic() - began > HANG_S:
                    raise
                client.writer.write_eof()  # it waits for more of a body
                continue
            if status == 100:
                continue
            if first:
                report.answered(number, request.raw, status, where)
            elif status >= 500:
                report.fail(number, request.raw, f"status {status} of {where}")
            first = False
            if not status:
                return
    except TimeoutError:
        report.fail(number, request.raw, f"no response of {where} in {HANG_S:g} s")
    except (ConnectionError, ValueError):  # damage made a HEAD of it, whose response we read wrongly
        report.answered(number, request.raw, 0, where)
    finally:
        client.close()


async def _by_client(session: aiohttp.ClientSession, port: int, number: int, report: Report, where: str) -> None:
    """A request that aiohttp's client accepts, with hostile values."""
    rng = random.Random(f"{report.seed}/{number}")
    body = rng.choice((None, b"x", b"[]", rng.randbytes(50)))
    path = rng.choice(("v1/telemetry", "v1/control", "v1/acts/p", "live", "pilot/\0\n", "v1/commands/\u202e"))
    headers = {
        "Content-Type": rng.choice(("a/b", "application/x-ndjson")),
        "Content-Encoding": rng.choice(("gzip", "")),
    }
    raw = f"{path} {headers} {body!r}".encode()
    timeout = aiohttp.ClientTimeout(total=HANG_S)
    try:
        method = rng.choice(("GET", "POST", "PUT"))
        params = {"after": rng.choice(("nan", "1")), "wait": "1e9", "\0": "\n"}
        async with session.request(
            method, f"http://127.0.0.1:{port}/{path}", data=body, headers=headers, params=params, timeout=timeout
        ) as answer:
            await answer.read()
            report.answered(number, raw, answer.status, where)
    except TimeoutError:
        report.fail(number, raw, f"no response of {where} in {HANG_S:g} s")
    except (aiohttp.ClientError, ValueError):
        report.answered(number, raw, 0, where)


async def _send(numbers: Iterator[int], ports: dict[str, int], report: Report) -> None:
    """One of several senders that share `numbers`."""
    batches: dict[str, list[tuple[int, Made]]] = {name: [] for name in ports}
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        for number in numbers:
            where = random.Random(number).choices(list(SHARES), list(SHARES.values()))[0]
            if number % 50 == 0:
                await _by_client(session, ports[where], number, report, where)
                continue
            request = made(report.seed, number)
            if where == "gateway" and number % 3:
                request = _signed(request, report.session)
            if not request.framed:
                await _alone(ports[where], number, request, report, where)
                continue
            batches[where].append((number, request))
            if len(batches[where]) >= PIPELINED:
                batch, batches[where] = batches[where], []
                await _pipelined(ports[where], batch, report, where)
        for where, batch in batches.items():
            await _pipelined(ports[where], batch, report, where)


async def _progress(report: Report, total: int, began: float) -> None:
    while True:
        await asyncio.sleep(30)
        rate = report.sent / (time.monotonic() - began)
        print(f"{report.sent:,} of {total:,}, {rate:,.0f}/s, {dict(report.statuses)}", file=sys.stderr, flush=True)


def _until(numbers: Iterable[int], end: float) -> Iterator[int]:
    for number in numbers:
        if time.monotonic() > end:
            return
        yield number


async def _fuzz(numbers: Sequence[int], seconds: float, ports: dict[str, int], report: Report) -> None:
    shared = _until(numbers, time.monotonic() + seconds)
    progress = asyncio.create_task(_progress(report, len(numbers), time.monotonic()))
    await asyncio.gather(*[_send(shared, ports, report) for _ in range(CONNECTIONS)])
    progress.cancel()
    for name, port in ports.items():  # every server still answers
        client = await Client.open(port)
        path = b"/" if name == "board" else b"/live"
        status, _, _ = await client.ask(b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" % path, HANG_S)
        client.close()
        if status != 200:
            report.fail(-1, b"", f"{name} answers {status} in the end")


def fuzz(numbers: Sequence[int], seed: int, *, samples: Path = SAMPLES, seconds: float = 1e9) -> Report:
    """Send these requests of a seed to the servers, for `seconds` at most. Prints each failure. Returns what
    happened."""
    report = Report(seed, samples)
    memory = Path("/dev/shm")
    with (
        tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory,
        tempfile.TemporaryFile() as log,
        subprocess.Popen(
            [sys.executable, "-m", "tests.security.http_targets", directory],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
        ) as servers,
    ):  # fmt: skip
        assert servers.stdout is not None
        told = json.loads(servers.stdout.readline())
        report.session = told["session"]
        asyncio.run(_fuzz(numbers, seconds, told["ports"], report))
        servers.communicate(timeout=HANG_S)
        log.seek(0)
        lines = log.read().splitlines()
        for line in lines:
            if any(alarm in line for alarm in ALARMS):
                report.failed.append(f"log: {line.decode(errors='replace')}")
        if report.failed:
            print(b"\n".join(lines[-200:]).decode(errors="replace"))
        if servers.returncode:
            report.failed.append(f"the servers ended with {servers.returncode}")
    return report


def main() -> int:
    """Exit code 0: nothing failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=1e9)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", type=int)
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    began = time.monotonic()
    numbers = range(asked.requests) if asked.only is None else [asked.only]
    report = fuzz(numbers, asked.seed, seconds=asked.seconds)
    rate = report.sent / (time.monotonic() - began)
    print(f"requests {report.sent:,} ({rate:,.0f}/s) statuses {dict(sorted(report.statuses.items()))}")
    print(f"failed {len(report.failed)}")
    return 1 if report.failed else 0


if __name__ == "__main__":
    sys.exit(main())
