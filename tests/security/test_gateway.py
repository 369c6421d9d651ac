"""A firm acts and appeals through the gateway, in its name and about its pilots only."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from click.testing import CliRunner, Result

from monitor.charter.control import Admission, Approval, ControlBase, Evaluation, Override, Rectification, Release
from monitor.charter.running_acts import ChangeProposal, GuidanceRequest, PauseRequest
from monitor.cli.control import rectify, standing
from monitor.cli.export import export
from monitor.cli.replay import replay
from monitor.cli.status import status
from monitor.client.control import send_act
from monitor.files.key_file import new_key
from monitor.kafka.firm_directory import FirmOfPilot
from monitor.kafka.gateway_routes import CHUNK_BYTES, SLOWEST_BYTES_PER_SECOND, WRITE_S, ReadingPace
from monitor.model.signing import Signer
from monitor.sdk import Pilot
from monitor.state.acts_once import validity
from monitor.testing.secure_broker import SecureBroker
from monitor.testing.wait import Until
from monitor.testing.workers import Worker
from tests.security.gateway_bench import KEYS, PILOTS, STRANGER, Bench, bench, charters
from tests.security.goals import Goal
from tests.security.http_tools import HOST, Client, ask
from tests.strength import examples

until = Until(90.0, every=0.1)


def act(firm: str, kind: type[ControlBase] = Rectification, author: str = "", pilot: str = "") -> bytes:
    """An act of a firm about its pilot."""
    name, given = os.urandom(8).hex(), validity(1, int(time.time() * 1000))
    whole = {
        Rectification: {"finding": "f", "cause": "c", "action": "a", "evidence": "e"},
        Evaluation: {"passed": True, "report": "r"},
        Override: {"level": "normal", "reason": "r"},
        Release: {"reason": "r"},
        Approval: {},
        ChangeProposal: {"kind": "data_type", "subjects": ("logs",), "summary": "s"},
        PauseRequest: {"reason": "r"},
        GuidanceRequest: {"question": "q"},
    }[kind]
    made = kind(id=name, pilot=pilot or PILOTS[firm], author=author or firm, **given, **whole)  # type: ignore[arg-type]
    return msgspec.json.encode(made)


def reads(firm: str) -> list[str]:
    """Every target that is about the pilot of a firm."""
    pilot = quote(PILOTS[firm])
    return [f"/v1/export/{pilot}", f"/v1/decisions/{pilot}", f"/v1/rejected/{pilot}", f"/v1/standing/{pilot}",
            f"/v1/acts/{pilot}?id=a0&offset=0&partition=0"]  # fmt: skip


def test_a_firm_acts_and_reads_about_its_own_pilot(goal: Goal) -> None:
    """Every request that a firm signs about its own pilot is served; its act is appended byte for byte."""

    async def story() -> tuple[list[int], list[bytes], list[bytes]]:
        async with bench() as b:
            statuses, sent = [], []
            for firm in KEYS:
                statuses += [await b.status(b.signed(firm, "GET", target)) for target in reads(firm)]
                for kind in (Rectification, Evaluation, ChangeProposal, PauseRequest, GuidanceRequest):
                    sent.append(act(firm, kind))
                    statuses.append(await b.status(b.signed(firm, "POST", "/v1/control", sent[-1])))
            return statuses, sent, [body for _, body, _ in b.control.appended]

    statuses, sent, appended = asyncio.run(story())
    goal("gateway_own_requests_refused", sum(status not in (200, 202, 204) for status in statuses), 0)
    assert appended == sent


Attack = Callable[[Bench, random.Random], bytes]


def attacks() -> dict[str, Attack]:
    """Requests of firm-2 or of a stranger about the pilot of firm-1, or beyond what a firm may do."""
    target = reads("firm-1")

    def some(rng: random.Random) -> str:
        return rng.choice(target)

    mine, other, thief = "firm-1", "firm-2", KEYS["firm-2"]
    return {
        "another firm, its own name": lambda b, r: b.signed(other, "GET", some(r)),
        "another firm, my name": lambda b, r: b.signed(mine, "GET", some(r), signer=thief),
        "a stranger": lambda b, r: b.signed(mine, "GET", some(r), signer=STRANGER),
        "my signature, another target": lambda b, r: b.signed(mine, "GET", some(r), target="/v1/session"),
        "my signature, another method": lambda b, r: b.signed(mine, "GET", some(r), method="POST"),
        "my signature, another firm": lambda b, r: b.signed(mine, "GET", some(r), firm=other),
        "another session": lambda b, r: b.signed(mine, "GET", some(r), session="0" * 32),
        "an old time": lambda b, r: b.signed(mine, "GET", some(r), time=int(time.time() * 1000) - 61_000),
        "a time ahead": lambda b, r: b.signed(mine, "GET", some(r), time=int(time.time() * 1000) + 90_000),
        "no signature": lambda b, r: b"GET %b HTTP/1.1\r\n%b\r\n\r\n" % (some(r).encode(), HOST),
        "a pilot with dots": lambda b, r: b.signed(other, "GET", f"/v1/export/{PILOTS[other]}/../{PILOTS[mine]}"),
        "an escaped pilot": lambda b, r: b.signed(other, "GET", f"/v1/export/{PILOTS[other]}%2f..%2f{PILOTS[mine]}"),
        "an act of another firm": lambda b, r: b.signed(other, "POST", "/v1/control", act(mine)),
        "an act in my name": lambda b, r: b.signed(mine, "POST", "/v1/control", act(mine), signer=thief),
        "an act that I signed, sent by another": lambda b, r: b.signed(
            other, "POST", "/v1/control", act(mine), act_signer=KEYS[mine]
        ),
        "another author": lambda b, r: b.signed(mine, "POST", "/v1/control", act(mine, author="regulator")),
        "another pilot": lambda b, r: b.signed(other, "POST", "/v1/control", act(other, pilot=PILOTS[mine])),
        "another signature of the act": lambda b, r: b.signed(
            mine, "POST", "/v1/control", act(mine), act_signer=STRANGER
        ),
        "a changed body": lambda b, r: b.signed(mine, "POST", "/v1/control", act(mine)).replace(b'"c"', b'"d"'),
        "an act of an officer": lambda b, r: b.signed(
            mine, "POST", "/v1/control", act(mine, r.choice((Override, Release, Approval)))
        ),
    }


def test_no_firm_reaches_what_is_not_its_own(goal: Goal) -> None:
    """Requests about another firm's pilot, in another name, of another role, stale or changed: none is served."""

    async def story() -> tuple[Counter[str], int, int]:
        served: Counter[str] = Counter()
        async with bench() as b:
            rng, made = random.Random(5), 0
            for _ in range(examples(5, 100)):
                for name, attack in attacks().items():
                    made += 1
                    status = await b.status(attack(b, rng))
                    served[name] += not 400 <= status < 500
            return served, made, len(b.control.appended)

    served, made, appended = asyncio.run(story())
    goal("gateway_requests_of_others_served", sum(served.values()), 0, note=f"{made} requests")
    goal("gateway_acts_of_others_appended", appended, 0)


def test_a_copy_of_a_request_has_no_effect(goal: Goal) -> None:
    """The same bytes again, at the same gateway or at another one with the same state, are refused."""

    async def story() -> tuple[int, int, int]:
        async with bench() as first, bench() as second:
            requests = [first.signed("firm-1", "GET", target) for target in reads("firm-1")]
            requests += [first.signed("firm-1", "POST", "/v1/control", act("firm-1")) for _ in range(5)]
            served = [await first.status(request) for request in requests]
            assert all(200 <= status < 300 for status in served), served
            times = examples(3, 30)
            again = [await b.status(request) for b in (first, second) for request in requests for _ in range(times)]
            return sum(status < 400 for status in again), len(again), len(second.control.appended)

    served, made, appended = asyncio.run(story())
    goal("gateway_copies_served", served + appended, 0, note=f"{made} copies")


def test_a_flood_of_a_firm_is_slowed_and_leaves_nothing_behind(goal: Goal) -> None:
    """Beyond its rate a firm gets 429; unsigned requests leave no nonce in memory; another firm is served."""

    async def story() -> tuple[Counter[int], int, int]:
        async with bench(burst=20) as b:
            found = Counter([await b.status(b.signed("firm-1", "GET", reads("firm-1")[3])) for _ in range(150)])
            for _ in range(100):
                await b.status(b.signed("firm-2", "GET", reads("firm-2")[3], signer=STRANGER))
            kept = b.routes.gate.remembered("firm-2")
            return found, kept, await b.status(b.signed("firm-2", "GET", reads("firm-2")[3]))

    found, kept, other = asyncio.run(story())
    assert found[429] > 0
    assert other == 200
    goal("gateway_nonces_kept_of_strangers", kept, 0)


def test_no_export_is_held_up_by_slow_readers_of_other_firms(goal: Goal) -> None:
    """Each of several firms has an export without end, of which it reads nothing more: the export of another firm is
    served, and a second one of the same firm is refused."""
    signers = {f"firm-{n}": Signer(bytes([n]) * 32) for n in range(1, 7)}
    of_firm = charters(signers)
    last = "firm-6"

    async def some(pilot: str, firm: FirmOfPilot) -> AsyncGenerator[bytes, None]:
        yield pilot.encode() + b"\n"
        while firm.participant != last:
            yield b"x" * 65_536

    async def story() -> tuple[tuple[int, bytes], list[int]]:
        async with bench(of_firm=of_firm, export=some) as b:

            def asked(firm: str) -> bytes:
                target = f"/v1/export/{quote(of_firm[firm].pilot)}"
                return b.signed(firm, "GET", target, signer=signers[firm])

            slow = []
            for firm in signers.keys() - {last}:
                slow.append(await Client.open(b.port))
                slow[-1].writer.write(asked(firm))
                head = await slow[-1].reader.readuntil(b"\r\n\r\n")
                assert b" 200 " in head
                slow[-1].reader._transport.pause_reading()  # type: ignore[attr-defined]
            again = [await b.status(asked(firm)) for firm in signers.keys() - {last}]
            status, _, body = await ask(b.port, asked(last))
            for each in slow:
                each.writer.transport.abort()
            return (status, body), again

    served, again = asyncio.run(story())
    assert served == (200, of_firm[last].pilot.encode() + b"\n")
    goal("gateway_exports_held_up_by_others", int(served[0] != 200), 0)
    assert set(again) == {429}


def test_a_reader_that_is_too_slow_on_average_is_cut_off() -> None:
    """However it spreads its reading; one at the slowest rate that is allowed is not. Time in which the gateway reads
    the logs does not count."""

    def chunks_of(seconds: float) -> int:
        pace, taken = ReadingPace(), 0
        while taken < 1_000 and seconds < pace.timeout:
            pace.wrote(CHUNK_BYTES, seconds)
            taken += 1
        return taken

    allowed = CHUNK_BYTES / SLOWEST_BYTES_PER_SECOND
    assert chunks_of(allowed) == chunks_of(allowed / 100) == 1_000
    assert chunks_of(2 * allowed) * allowed <= WRITE_S
    assert chunks_of(WRITE_S - 1) <= 2
    assert chunks_of(WRITE_S) == 0


# ---- on a real broker, under access control


COMMANDS = {"standing": standing, "status": status, "rectify": rectify, "export": export, "replay": replay}


def command(name: str, *words: str, **environment: str) -> Result:
    """`sandbox-monitor ...` of a firm, in this process."""
    return CliRunner().invoke(COMMANDS[name], words, env=environment)


@pytest.mark.kafka
def test_a_firm_appeals_through_the_gateway(secure_broker: SecureBroker, tmp_path: Path, goal: Goal) -> None:
    """Under access control a firm rectifies, exports the history of its pilot and its decisions over HTTPS, and its
    replay gives the same decisions; another firm gets nothing."""
    files = {firm: tmp_path / f"{firm}.key" for firm in KEYS}
    signers = {firm: new_key(file) for firm, file in files.items()}
    made, names = charters(signers), secure_broker.deploy("gateway")
    regulator, to = secure_broker.login("regulator"), f"kafka://{secure_broker.authority}"
    participants = [word for firm in KEYS for word in ("--participant", firm)]
    trusted = new_key(tmp_path / "monitor.key").public
    worker = Worker(
        secure_broker.authority, "gateway", tmp_path / "worker.log", *participants,
        "--key-file", str(tmp_path / "monitor.key"),
        environment=secure_broker.environment("monitor"),
    )  # fmt: skip
    certificate = secure_broker.certificates.server("gateway")
    served = [sys.executable, "-m", "monitor", "gateway", "--bootstrap", secure_broker.authority, "--port", "0"]
    served += ["--prefix", "gateway", "--cert", str(certificate.certificate), "--key", str(certificate.key)]
    served += ["--trust-key", trusted]
    with (tmp_path / "gateway.log").open("wb") as log:
        gateway = subprocess.Popen(
            served, stdout=log, stderr=log, env={**os.environ, **secure_broker.environment("gateway")}
        )

    def regulate(made: ControlBase) -> None:
        body = msgspec.json.encode(made)
        answer = send_act(to, made.pilot, made.id, body, wait=60, prefix="gateway", options=regulator)
        assert answer is not None
        assert answer.decision is not None, answer

    try:
        worker.wait_ready()
        for firm, charter in made.items():
            regulate(Admission(id=f"a-{firm}", pilot=charter.pilot, author="regulator", charter=charter))
        pilot = made["firm-1"].pilot
        with Pilot(
            pilot,
            participant="firm-1",
            to=f"kafka://{secure_broker.firms}",
            spool_dir=tmp_path / "spool",
            topic_prefix="gateway",
            telemetry_topic=names.telemetry_of("firm-1"),
            options=secure_broker.login("firm-1"),
            key=files["firm-1"],
            follow=False,
        ) as service:
            service.exposure(10, "decisions")
            service.flush(60)
        until(lambda: b"gateway https://" in (tmp_path / "gateway.log").read_bytes())
        address = (tmp_path / "gateway.log").read_text().split("gateway ", 1)[1].split("/\n")[0]
        certificates = str(secure_broker.certificates.file)

        def firm(name: str, *words: str) -> Result:
            who = ["--to", address, "--author", name, "--key", str(files[name])]
            return command(*words, *who, SSL_CERT_FILE=certificates)

        regulate(Override(id="h", pilot=pilot, author="regulator", level="halt", reason="stop"))
        until(lambda: "halt" in firm("firm-1", "standing", pilot).output)
        words = ("--finding", "f", "--cause", "c", "--action", "a", "--evidence", "e")
        acted = firm("firm-1", "rectify", pilot, *words, "--wait", "30")
        whats = ("history", "decisions", "rejected")
        read = [firm("firm-1", "export", "--pilot", pilot, "--what", what) for what in whats]
        others = [
            firm("firm-2", *asked)
            for asked in (
                ("standing", pilot), ("export", "--pilot", pilot), ("export", "--pilot", pilot, "--what", "decisions"),
                ("rectify", pilot, *words, "--standing", "1"), ("status", pilot, "--json"),
            )
        ]  # fmt: skip
        # It reads all decisions of the pilot, as an export does, so it shares their rate.
        until(lambda: "evaluator owes `evaluate`" in firm("firm-1", "status", pilot).output)
    finally:
        worker.kill()
        gateway.terminate()
        gateway.wait(30)
    log = (tmp_path / "gateway.log").read_text()
    assert "taken: rectification_recorded" in acted.output, (acted.output, log)
    assert [done.exit_code for done in read] == [0, 0, 0], ([done.output[-300:] for done in read], log)
    goal("gateway_answers_to_another_firm", sum(done.exit_code == 0 or "{" in done.stdout for done in others), 0)
    history, decisions, rejected = (done.stdout_bytes for done in read)
    assert made["firm-2"].pilot.encode() not in history + decisions + rejected
    (tmp_path / "history").write_bytes(history)
    (tmp_path / "decisions").write_bytes(decisions)
    compared = command("replay", str(tmp_path / "history"), "--against", str(tmp_path / "decisions"))
    goal("gateway_appeal_differences", compared.exit_code, 0, note=compared.output[-60:].strip())
    assert "Traceback" not in log
    # Other tests try on the same broker what this user may not do, on topics with other prefixes.
    denied = [denial for denial in secure_broker.denials() if denial.user == "gateway"]
    assert [denial for denial in denied if denial.name.startswith("gateway")] == []
