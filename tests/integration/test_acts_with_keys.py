"""Halt, appeal and release with keys, as firm and as regulator, on both runtimes; attempts of a cheating firm have no
effect."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import Result
from msgspec import structs

from monitor.charter.control import Override
from monitor.charter.spec import Authority, Charter, Participant
from monitor.client.control import read_state, send_act
from monitor.files.key_file import own_key
from monitor.simulation.fleet_charter import charter
from monitor.state.acts_once import validity
from monitor.testing.kafka import Fresh
from monitor.testing.workers import Worker

from .test_acts_answered import WORLD, ran
from .test_embedded_serve import ended, serve

PILOT = "pilot-1"
DAY_MS = 86_400_000


class ActSender:
    """Sends acts to one address, signed with the keys in `home`."""

    def __init__(self, home: Path, to: str, prefix: str, charter_file: Path) -> None:
        self.home, self.address, self.prefix, self.charter = home, to, prefix, charter_file

    def act(self, command: str, author: str, *more: str, key: str = "") -> Result:
        """Run one command of the command line, signed with the author's key or another one."""
        to = ["--to", self.address, "--prefix", self.prefix, "--author", author]
        return ran(command, *more, *to, "--key", str(self.home / f"{key or author}.key"))

    def put(self, body: bytes, signature: str, name: str) -> str:
        """Send exactly these bytes; return the outcome."""
        answer = send_act(self.address, PILOT, name, body, signature, wait=20, prefix=self.prefix)
        assert answer is not None
        return answer.rejected.detail if answer.rejected else "taken"

    def level(self) -> str:
        known = read_state(self.address, PILOT, prefix=self.prefix)
        return "" if known is None else known.level


def chartered(home: Path, version: int = 1, **authority: object) -> Path:
    """A charter whose officers, approvers and firm have keys."""
    public = {name: own_key(home / f"{name}.key").public for name in ("anna", "ben", "olga", "firm")}
    by = Authority(
        "authority",
        approvers=("anna", "ben"),
        officers=("olga",),
        keys={name: public[name] for name in ("anna", "ben", "olga")},
    )
    now = time.time_ns() // 1_000_000
    made: Charter = structs.replace(
        charter(PILOT, number=0, period_ms=3_600_000, cap=1e6, dispersion=1.0, start=now - DAY_MS, end=now + DAY_MS),
        participant=Participant("firm", keys=(public["firm"],)),
        authorities=(structs.replace(by, **authority),),
        version=version,
    )
    path = home / f"charter-{version}-{len(authority)}.yaml"
    path.write_bytes(msgspec.json.encode(made))
    return path


@pytest.fixture(params=WORLD)
def sender(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ActSender]:
    """A monitor to which only the admitter's key may admit, embedded or on Kafka."""
    path, key = chartered(tmp_path), own_key(tmp_path / "admitter.key").public
    own_key(tmp_path / "mallory.key")
    if request.param == "embedded":
        process, address = serve(tmp_path, "--admit-key", key)
        try:
            yield ActSender(tmp_path, address.rstrip("/"), "sandbox", path)
        finally:
            ended(process)
        return
    fresh = Fresh(2)
    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log", "--admit-key", key).wait_ready()
    try:
        yield ActSender(tmp_path, f"kafka://{fresh.bootstrap}", fresh.names.prefix, path)
    finally:
        worker.kill()


def test_halt_appeal_release_as_firm_and_as_regulator(sender: ActSender, tmp_path: Path) -> None:
    """The regulator admits, halts and releases; the firm rectifies. Before each step the firm tries to bypass it."""
    why = ("--reason", "by hand")
    file, taken_over = str(sender.charter), str(chartered(tmp_path, 2, approvers=("x", "y"), officers=("x",), keys={}))
    found = ("--finding", "f", "--cause", "c", "--action", "a", "--evidence", "e")

    def has(result: Result, code: int, words: str) -> None:
        assert words in result.output, result.output
        assert result.exit_code == code, result.output

    has(sender.act("admit", "firm", file), 1, "forged")
    has(sender.act("admit", "mallory", file), 1, "forged")
    has(sender.act("admit", "regulator", file, key="admitter"), 0, "taken: admitted")
    has(sender.act("admit", "regulator", file, key="admitter"), 0, "already taken: version 1 is in force")
    has(
        sender.act("admit", "another", file, key="admitter"),
        1,
        "conflict, charter: already_admitted: version 1 is in force",
    )

    name, now = "the-halt", time.time_ns() // 1_000_000
    halt = Override(id=name, pilot=PILOT, author="olga", level="halt", reason="x", **validity(1, now))
    body = msgspec.json.encode(halt)
    signature = own_key(tmp_path / "olga.key").sign("control", body)
    assert sender.put(body, signature, name) == "taken"

    has(sender.act("admit", "firm", taken_over, "--amend"), 1, "forged")
    has(sender.act("admit", "olga", taken_over, "--amend", key="firm"), 1, "forged")
    has(sender.act("admit", "olga", taken_over, "--amend"), 1, "halt_stands")
    has(sender.act("admit", "regulator", taken_over, "--amend", key="admitter"), 1, "halt_stands")
    has(sender.act("dismiss", "firm", PILOT, *why), 1, "forged")
    has(sender.act("dismiss", "mallory", PILOT, *why), 1, "forged")
    for author in ("x", "y"):
        has(sender.act("approve", author, PILOT, key="firm"), 1, "forged")
    has(sender.act("release", "firm", PILOT, *why), 1, "not_an_officer")
    assert sender.level() == "halt"

    has(sender.act("rectify", "firm", PILOT, *found), 0, "taken: rectification_recorded")
    has(sender.act("evaluate", "olga", PILOT, "--passed", "--report", "r"), 0, "taken: evaluation_recorded")
    has(sender.act("approve", "firm", PILOT), 1, "not_an_approver")
    has(sender.act("approve", "anna", PILOT), 0, "taken: approval_recorded")
    has(sender.act("approve", "ben", PILOT, key="anna"), 1, "forged")
    has(sender.act("approve", "ben", PILOT, "--valid-for", "1s", "--standing", "0"), 1, "standing_behind")
    has(sender.act("approve", "ben", PILOT), 0, "taken: approval_recorded")
    has(sender.act("release", "olga", PILOT), 1, "halt_not_verified: the halt is not acknowledged")
    has(sender.act("release", "olga", PILOT, "--reason", "seen on site"), 0, "taken: released, halt -> normal")

    assert sender.put(body, signature, name) in ("taken", "repeated")  # the outcome of the first one is returned again
    assert sender.level() == "normal"
    other = body.replace(b'"the-halt"', b'"the-hal2"')
    assert sender.put(other, signature, "the-hal2").startswith("bad_signature")
    has(sender.act("admit", "olga", taken_over, "--amend"), 0, "taken: amended")
