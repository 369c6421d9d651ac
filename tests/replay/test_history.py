"""A history replays to what was recorded, for all pilots and for one pilot alone, and the history of one pilot holds
nothing of the others."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import msgspec
import pytest
from click.testing import CliRunner, Result
from msgspec import structs

from monitor.__main__ import cli
from monitor.charter.control import Admission
from monitor.charter.spec import Charter
from monitor.embedded.sqlite_log import SqliteLog
from monitor.embedded.store import TOPIC, TOPIC_BITS, Incoming, Store
from monitor.engine.history import (
    Base64,
    HistoryLine,
    TelemetryLine,
    begins_history,
    control_line,
    decode,
    encode,
    record_of,
    telemetry_line,
)
from monitor.engine.history_of import PilotSelection
from monitor.engine.history_replay import HistoryReplay
from monitor.engine.machine import Machine
from monitor.engine.runner import Runner
from monitor.model.builders import BATCH, Emitter
from monitor.model.events import encode as encoded
from monitor.model.records import Decision, Reason, Record
from monitor.model.signing import Signer
from monitor.simulation.fleet import Fleet
from tests.strength import FULL

FLEET = Fleet(4, pilots=5, scenarios=["calm", "death", "step", "silence", "gaps"], hours=50, period="1m", volume=200)


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


class Recording:
    """An embedded monitor's logs of an hour: time every five seconds, two outages, two restarts, records that are read
    late, records of several pilots, invalid records."""

    def __init__(self, home: Path, seed: int) -> None:
        self.home, self.rng = home, Random(seed)
        self.now = FLEET.start - 10_000
        self.store = Store(home / "monitor.db", clock=lambda: self.now)
        self.number = 0

    async def run(self) -> None:
        """Record it."""
        runner = await self.owner()
        await self.feed_control(runner)
        waiting: list[Incoming] = []
        for at, event in FLEET:
            while self.now + 5_000 < at:
                self.now += 40_000 if self.rng.random() < 0.004 else 5_000
                await self.read(runner)
                await runner.time()
                if self.rng.random() < 0.004:
                    runner = await self.owner()
            self.now = max(self.now, at)
            key = event.subject.encode() if self.rng.random() < 0.5 else None
            waiting.append(Incoming(encoded(event), key))
            if self.rng.random() < 0.2:
                await self.store.feed(self.packed(waiting))
                waiting = []
                if self.rng.random() < 0.5:
                    await self.read(runner)
        await self.store.feed(waiting)
        await self.read(runner)
        self.now += 60_000
        await runner.time()
        await self.store.close()

    def packed(self, waiting: list[Incoming]) -> list[Incoming]:
        """Some of them in one record without a key, and sometimes one that is invalid."""
        if self.rng.random() < 0.5 or len(waiting) < 2:
            return waiting
        body = b"[" + b",".join(one.value or b"" for one in waiting) + b"]"
        return [Incoming(body), Incoming(b"\xff rubbish", self.rng.choice((None, b"pilot-0002")))]

    async def owner(self) -> Runner[Machine]:
        """A new owner claims the partition."""
        runner = Runner(SqliteLog(self.store), clock=lambda: 0, machine=lambda p, e: Machine(p, e))
        await runner.recover()
        await self.read(runner)
        return runner

    async def feed_control(self, runner: Runner[Machine]) -> None:
        acts = [Incoming(msgspec.json.encode(act), act.pilot.encode()) for act in FLEET.admissions()]
        await self.store.feed_control(acts)
        _, end = await self.store.ends()
        await runner.control(await self.store.control(0, end, records=1000, size=1 << 30))
        await runner.time()

    async def read(self, runner: Runner[Machine]) -> None:
        while records := await self.store.telemetry(
            TOPIC, runner.next_telemetry.get(TOPIC, 0), 1 << TOPIC_BITS, records=500, size=1 << 30
        ):
            await runner.telemetry(TOPIC, records)


@pytest.fixture(scope="module", params=[1, 2] if FULL else [1])
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("recorded")
    asyncio.run(Recording(home, request.param).run())
    return home


def decisions_of(home: Path) -> dict[str, list[Decision]]:
    """What the monitor decided, by pilot, without the epoch."""

    async def outputs() -> list[bytes]:
        store = Store(home / "monitor.db")
        out, _ = await store.outputs_after(("decisions",), 0, most=1 << 40)
        await store.close()
        return out["decisions"]

    found: dict[str, list[Decision]] = {}
    for raw in asyncio.run(outputs()):
        decision = msgspec.json.decode(raw, type=Decision)
        found.setdefault(decision.pilot, []).append(structs.replace(decision, epoch=0))
    return found


def replayed(raw: bytes, **settings: bool) -> tuple[dict[str, list[Decision]], list[tuple[int, int, str]]]:
    """Decisions by pilot, and (offset, place, pilot) of what is rejected."""
    found: dict[str, list[Decision]] = {}
    rejected = []
    for out in HistoryReplay(**settings).steps(decode(raw.splitlines(keepends=True))):  # type: ignore[arg-type]
        rejected += [(r.offset, r.index, r.pilot) for r in out.rejected]
        for decision in out.decisions:
            found.setdefault(decision.pilot, []).append(structs.replace(decision, epoch=0))
    return found, rejected


def test_a_whole_history_decides_what_the_monitor_decided(recorded: Path) -> None:
    """Outages, restarts and late records included: every decision of every pilot is reproduced in order, for any batch
    size."""
    result = ran("export", "--dir", str(recorded), "--quiet")
    stood = decisions_of(recorded)
    reasons = {d.reason for decisions in stood.values() for d in decisions}
    assert {Reason.MONITOR_GAP, Reason.HARD_RULE, Reason.HEARD_AGAIN} <= reasons
    assert replayed(result.stdout_bytes)[0] == stood
    assert replayed(result.stdout_bytes, fast_path=False)[0] == stood


@pytest.mark.parametrize("pilot", FLEET.pilots)
def test_the_history_of_one_pilot_replays_to_the_same_decisions_and_names_no_other(recorded: Path, pilot: str) -> None:
    """The pilot's history replays to the pilot's decisions; it contains no other pilot, source or firm, not even in
    shared records; rejected events of the pilot are rejected again."""
    result = ran("export", "--dir", str(recorded), "--pilot", pilot, "--quiet")
    whole = ran("export", "--dir", str(recorded), "--quiet")
    found, rejected = replayed(result.stdout_bytes)
    assert found == {pilot: decisions_of(recorded)[pilot]}
    for other in set(FLEET.pilots) - {pilot}:
        assert other.encode() not in result.stdout_bytes
    assert rejected == [r for r in replayed(whole.stdout_bytes)[1] if r[2] == pilot]
    assert len(result.stdout_bytes) < len(whole.stdout_bytes) / 2


def test_a_history_that_was_cut_short_or_is_of_another_format_is_refused(recorded: Path, tmp_path: Path) -> None:
    """A file without its last line, or of an unknown format, is refused; a line that cannot be read is named."""
    raw = ran("export", "--dir", str(recorded), "--quiet").stdout_bytes.splitlines(keepends=True)
    for lines, words in (
        (raw[:-1], "cut short"),
        ([raw[0].replace(b"history/1", b"history/9"), *raw[1:]], "this version reads"),
        ([raw[0], b"{}\n", *raw[1:]], "line 2"),
    ):
        path = tmp_path / "bad.history"
        path.write_bytes(b"".join(lines))
        result = CliRunner().invoke(cli, ["replay", str(path)])
        assert words in str(result.exception), words


def test_charters_are_inside_of_a_history_and_outside_of_events(recorded: Path, tmp_path: Path) -> None:
    """A history with charters, or events without any, is a usage error: exit code 2 and the correct usage."""
    history, events = tmp_path / "a.history", tmp_path / "a.jsonl"
    history.write_bytes(ran("export", "--dir", str(recorded), "--quiet").stdout_bytes)
    events.write_bytes(ran("export", "--dir", str(recorded), "--telemetry", "--quiet").stdout_bytes)
    charter = tmp_path / "charter.yaml"
    charter.write_bytes(msgspec.json.encode(FLEET.charter_for(FLEET.pilots[0])))
    assert begins_history(history.read_bytes())
    assert not begins_history(events.read_bytes())
    for arguments, words in (
        ([str(charter), str(history)], "leave out CHARTERS"),
        ([str(events)], "name their charters"),
        ([str(charter), str(events), "--admit-at", "soon"], "write YYYY-MM-DD"),
    ):
        result = ran("replay", *arguments)
        assert result.exit_code == 2, result.output
        assert words in " ".join(result.stderr.split())


def test_every_record_survives_encoding_unchanged() -> None:
    """Text, other bytes, no value, and headers of both kinds decode to the same record."""
    for value in (b"{}", b"\xff\x00", None, "ü\u2028\n".encode()):
        record = Record(3, 5, value, value, (("signature", b"\xfe"), ("content-type", b"application/json")))
        (_, line, _) = decode([HEADER, encode(telemetry_line("t", record)), END])
        assert isinstance(line, TelemetryLine)
        assert record_of(line) == record
    assert isinstance(telemetry_line("t", Record(0, 0, None, b"\xff")).value, Base64)


HEADER = b'{"history":"sandbox-history/1","runtime":"embedded","partition":0,"keyed":false,"control_topic":"control"}'
END = b'{"record":"end","next":{},"records":1,"received":1}'


def test_foreign_events_under_a_pilots_key_are_not_exported() -> None:
    """A record with this pilot's key about another pilot keeps its offset but not its content."""
    selection = PilotSelection(frozenset({"mine"}))
    event = encoded(Emitter("secret-source", "theirs").heartbeat(1_800_000_000_000))
    (kept,) = selection.feed(telemetry_line("t", Record(7, 9, b"mine", event)))
    assert isinstance(kept, TelemetryLine)
    assert (kept.offset, kept.value, kept.left_out) == (7, None, (0,))
    assert b"secret" not in encode(kept)
    assert not list(selection.feed(telemetry_line("t", Record(8, 9, b"theirs", event))))


@pytest.mark.parametrize("signer", [Signer(bytes(32)), Signer(bytes([1]) * 32)], ids=["firm", "stranger"])
def test_a_signed_record_of_several_pilots_is_believed_as_it_was(signer: Signer) -> None:
    """Its signature covers events that the history of one pilot does not hold, so it is checked when these are left
    out: the firm is not called a forger by its own history, and a forger is."""
    firm = structs.replace(FLEET.charter_for(FLEET.pilots[0]).participant, keys=(Signer(bytes(32)).public,))
    charters = [structs.replace(FLEET.charter_for(name), participant=firm) for name in FLEET.pilots[:2]]
    body = msgspec.json.encode([msgspec.Raw(event) for one in charters for event in death(one).split(b"\n")[:2]])
    signature = (("signature", signer.sign("telemetry", body).encode()), ("content-type", BATCH.encode()))
    lines: list[HistoryLine] = [
        control_line(
            Record(number, FLEET.start, one.pilot.encode(), msgspec.json.encode(
                Admission(id=f"a{number}", pilot=one.pilot, author=one.authorities[0].id, charter=one)
            ))
        )
        for number, one in enumerate(charters)
    ]  # fmt: skip
    lines.append(telemetry_line("t", Record(0, FLEET.start + 1_000, None, body, signature)))
    mine = charters[0].pilot
    selection = PilotSelection(frozenset({mine}))
    kept = [line for each in lines for line in selection.feed(each)]
    whole, _ = replayed(b"\n".join([HEADER, *map(encode, lines), END]))
    alone, _ = replayed(b"\n".join([HEADER, *map(encode, kept), END]))
    assert alone == {mine: whole[mine]}
    halted = Reason.HARD_RULE in [one.reason for one in alone[mine]]
    assert halted is (signer.public in firm.keys)
    assert selection.attested == halted


def death(charter: Charter, *more: bytes) -> bytes:
    """Events of a pilot: a death, and an hour later work as if nothing had been."""
    emitter = Emitter("s", charter.pilot)
    events = [
        emitter.heartbeat(FLEET.start),
        emitter.incident(FLEET.start + 1_000, severity="serious_incident", harm="death"),  # type: ignore[arg-type]
        emitter.exposure(FLEET.start + 3_600_000, 10.0),
        emitter.heartbeat(FLEET.start + 3_600_001),
    ]
    return b"\n".join([*(encoded(event) for event in events), *more])


@pytest.mark.parametrize("service", [None, True], ids=["by itself", "--service"])
def test_a_replay_of_events_alone_judges_no_service(tmp_path: Path, service: bool | None) -> None:
    """Commands and releases are not in the file, so a halt is neither overdue nor contradicted, whatever a service
    acknowledged in the recorded run; stderr and the JSON state it. With the flag obedience is judged."""
    charter = FLEET.charter_for(FLEET.pilots[0])
    answer = Emitter("s2", charter.pilot).acknowledged(
        FLEET.start + 2_000, command="of-the-recorded-monitor", standing=2
    )
    (tmp_path / "charter.yaml").write_bytes(msgspec.json.encode(charter))
    (tmp_path / "events.jsonl").write_bytes(death(charter, encoded(answer)))
    arguments = ["replay", str(tmp_path / "charter.yaml"), str(tmp_path / "events.jsonl"), "--json", "--twice"]
    result = ran(*arguments, *(["--service"] if service else []))
    assert result.exit_code == 0, result.output
    lines = [msgspec.json.decode(line) for line in result.stdout.splitlines()]
    reasons = [line["decision"]["reason"] for line in lines if "decision" in line]
    rejected = [line["rejected"]["reason"] for line in lines if "rejected" in line]
    assert "hard_rule" in reasons
    blamed = {"halt_overdue", "halt_contradicted"} & set(reasons)
    assumed = " ".join(lines[0]["replay"]["assumes"])
    if service:
        assert blamed == {"halt_overdue", "halt_contradicted"}
        assert rejected == ["not_in_force"]
        assert "halts are judged" in assumed
    else:
        assert not blamed
        assert not rejected
        assert "no service is judged" in assumed
        assert "no service is judged" in result.stderr
    assert "admitted at its cycle.start" in assumed


def test_events_without_their_signatures_are_not_called_forged(tmp_path: Path) -> None:
    """`export --telemetry` leaves the signatures out, so the replay of a firm that signs does not ask for them."""
    charter = FLEET.charter_for(FLEET.pilots[0])
    signing = structs.replace(
        charter, participant=structs.replace(charter.participant, keys=(Signer(bytes(32)).public,))
    )
    (tmp_path / "charter.yaml").write_bytes(msgspec.json.encode(signing))
    (tmp_path / "events.jsonl").write_bytes(death(charter))
    result = ran("replay", str(tmp_path / "charter.yaml"), str(tmp_path / "events.jsonl"), "--json", "--twice")
    lines = [msgspec.json.decode(line) for line in result.stdout.splitlines()]
    assert not [line for line in lines if "rejected" in line]
    assert "hard_rule" in [line["decision"]["reason"] for line in lines if "decision" in line]
    assert "each event was sent by the firm" in result.stderr


def test_admission_may_be_at_the_first_event(tmp_path: Path) -> None:
    """With `--admit-at first` nothing is closed, flagged or counted before the pilot's first event."""
    charter = FLEET.charter_for(FLEET.pilots[0])
    (tmp_path / "charter.yaml").write_bytes(msgspec.json.encode(charter))
    (tmp_path / "events.jsonl").write_bytes(death(charter))
    arguments = ["replay", str(tmp_path / "charter.yaml"), str(tmp_path / "events.jsonl"), "--json"]
    result = ran(*arguments, "--admit-at", "first")
    lines = [msgspec.json.decode(line) for line in result.stdout.splitlines()]
    first = next(line["decision"] for line in lines if "decision" in line)
    assert (first["reason"], first["at"]) == ("admitted", FLEET.start)


def test_an_act_of_admission_is_all_a_history_needs() -> None:
    """A header, an admission and an end are a valid history."""
    charter = FLEET.charter_for(FLEET.pilots[0])
    act = Admission(id="a", pilot=charter.pilot, author="regulator-1", charter=charter)
    line = msgspec.json.encode(
        {"record": "control", "offset": 0, "received": FLEET.start, "value": msgspec.json.encode(act).decode()}
    )
    found, rejected = replayed(b"\n".join([HEADER, line, END]))
    assert not rejected
    assert [d.reason for d in found[charter.pilot]] == [Reason.ADMITTED]
