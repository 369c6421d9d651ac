"""A command that sends an act reports its result, over HTTP and over Kafka; a fleet is sent only once it is
admitted."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.__main__ import cli
from monitor.charter.spec import Responses, charter_hash
from monitor.compile.load import load_charter
from monitor.files.key_file import read_key
from monitor.model.records import Reason
from monitor.testing.environments import ENVIRONMENTS, Environment
from monitor.testing.kafka import Fresh, gathered
from monitor.testing.wait import Until
from monitor.testing.workers import Worker
from tests.processes import piped

from .test_embedded_serve import ended, prepare, serve

WORLD = [pytest.param("embedded"), pytest.param("kafka", marks=pytest.mark.kafka)]

FACTS = ("--finding", "f", "--cause", "c", "--action", "a", "--evidence", "e")


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize("name", WORLD)
def test_each_step_of_a_release_reports_its_result(tmp_path: Path, name: str) -> None:
    """Taken: the entry and the level. Refused: the step that is missing, exit code 1. A copy says that it is one,
    changes nothing, and says what became of the first. With --no-wait the command does not wait."""
    environment: Environment = ENVIRONMENTS[name](tmp_path, 2, Responses())
    charter = environment.next()
    pilot, firm = charter.pilot, charter.participant.id
    to = ["--to", str(environment.settings(environment.proxy())["to"])]
    if name == "kafka":
        to += ["--prefix", "halt"]

    def act(command: str, author: str, *more: str) -> Result:
        return ran(command, pilot, *more, *to, "--author", author)

    why = ("--reason", "by hand")
    steps = [
        (act("override", "regulator-1", "halt", *why), 0, "taken: overridden, normal -> halt; decision"),
        (act("release", "regulator-1", "--id", "too-soon"), 1, "rectification_missing"),
        (act("release", "regulator-1", "--id", "too-soon"), 1, "repeated: an act with this id was decided before"),
        (act("release", "regulator-1", "--id", "too-soon"), 1, "no effect: control_refused, pilot: "
                                                               "rectification_missing"),
        (
            act("rectify", firm, *FACTS),
            1,
            "forged",  # the charter names the firm's key
        ),
        (
            ran("rectify", pilot, *FACTS, "--author", firm, "--key", str(environment.key), *to),
            0,
            "signed by key",
        ),
        (act("approve", "regulator-1"), 1, "evaluation_missing"),
        (act("evaluate", "regulator-1", "--passed", "--report", "r"), 0, "taken: evaluation_recorded, stays at halt"),
        (act("approve", "regulator-1", "--id", "first"), 0, "approval_recorded"),
        (act("approve", "regulator-1", "--id", "first"), 0, "approval_recorded, stays at halt; decision 5"),
        (act("approve", "regulator-1"), 1, "same_approver"),
        (act("release", "regulator-1"), 1, "1 more approver(s) needed"),
        (act("approve", firm), 1, "forged"),
        (act("approve", "regulator-2"), 0, "not signed"),
        (act("dismiss", firm, *why), 1, "forged"),
        (ran("dismiss", pilot, *why, "--author", firm, "--key", str(environment.key), *to), 1, "not_an_officer"),
        (act("release", "regulator-1"), 1, "halt_not_verified: the halt is not acknowledged"),
        (act("dismiss", "regulator-1", *why), 0, "taken: exit_pending, stays at halt"),
        (act("dismiss", "regulator-1", *why), 1, "exit_pending"),
        (act("release", "regulator-1", "--reason", "seen on site"), 0, "taken: released, halt -> normal"),
        (act("drill", "regulator-1"), 1, "after_exit"),
        (act("dismiss", "regulator-1", *why), 1, "no effect: control_refused, pilot: after_exit"),
    ]  # fmt: skip
    free = environment.next().pilot

    def more(command: str, author: str, *more: str) -> Result:
        return ran(command, free, *more, *to, "--author", author)

    steps += [
        (more("drill", "regulator-1", "--full-stop"), 1, "outside_window"),
        (more("drill", "regulator-1", "--no-wait"), 0, "outcome not awaited"),
        (more("override", "regulator-1", "watch", *why), 0, "taken: overridden, normal -> watch"),
        (more("shelve", "regulator-1", "nothing", *why), 1, "no effect: control_refused, finding"),
        (more("shelve", "regulator-1", "override", *why), 0, "taken: shelved, watch -> normal"),
        (more("accept", "regulator-1", "nothing", *why), 1, "no effect: control_refused, indicator: unknown_indicator"),
        (more("dismiss", "regulator-1", *why), 0, "taken: exited"),
        (more("dismiss", "regulator-1", *why), 1, "no effect: control_refused, pilot: after_exit"),
    ]  # fmt: skip
    try:
        for result, code, words in steps:
            assert words in result.output, (words, result.output)
            assert result.exit_code == code, result.output
        environment.decisions.wait(free, Reason.DRILL_BEGUN)
    finally:
        environment.close()


@pytest.mark.kafka
def test_a_fleet_on_kafka_is_sent_only_once_it_is_admitted(tmp_path: Path) -> None:
    """No event of any pilot meets `not_admitted`, however soon it comes; without a worker it says so instead."""
    fresh = Fresh(4)
    worker = Worker(fresh.bootstrap, fresh.names.prefix, tmp_path / "worker.log").wait_ready()
    try:
        send = f"simulate {fresh.bootstrap} --to kafka --pilots 12 --hours 4 --admit --at-once --topic-prefix"
        result = ran(*send.split(), fresh.names.prefix)
        assert result.exit_code == 0, result.output
        Until(120.0, every=0.2)(lambda: "sandbox_monitor_events_total 0.0" not in worker.metrics())

        def admitted() -> bool:
            seen = gathered(asyncio.run(fresh.seen())).decisions
            return len([d for d in seen if d.reason == Reason.ADMITTED]) == 12

        Until(120.0, every=0.5)(admitted)
        out = gathered(asyncio.run(fresh.seen()))
        assert len([d for d in out.decisions if d.reason == Reason.ADMITTED]) == 12
        assert "not_admitted" not in {r.reason for r in out.rejected}
    finally:
        worker.kill()
    log = (tmp_path / "worker.log").read_text()  # of a healthy start
    assert "\x1b" not in log, "cursor codes of a terminal"
    assert " ERROR " not in log, log


def test_only_the_holder_of_an_admission_key_admits(tmp_path: Path) -> None:
    """`serve --admit-key`: an admission without a signature or signed by another key is refused as forged; the right
    one is taken, and so was the charter that was given to `serve` itself."""
    own, other = tmp_path / "own.key", tmp_path / "other.key"
    keys = [ran("keys", "new", str(path)) for path in (own, other)]
    assert [result.exit_code for result in keys] == [0, 0]
    options, _, _ = prepare(tmp_path)  # --charter A --charter B
    process, address = serve(tmp_path, *options[:2], "--admit-key", read_key(own).public)
    try:
        given = [options[3], "--to", address.rstrip("/"), "--author", "authority"]
        for key in ([], ["--key", str(other)]):
            refused = ran("admit", *given, *key)
            assert refused.exit_code == 1
            assert "forged, signature" in refused.output
        taken = ran("admit", *given, "--key", str(own))
        assert (
            f"taken: admitted, stays at normal; decision 1 of pilot-0002, signed by key {read_key(own).key_id}"
            in taken.output
        )
    finally:
        ended(process)


def test_an_earlier_admission_by_another_author_is_reported_as_a_conflict(tmp_path: Path) -> None:
    """In open mode somebody admits the pilot before the regulator does: the regulator's `admit` ends with exit code 1
    and says which charter is in force and by whom. One's own admission again is "already taken", whatever its id."""
    options, _, _ = prepare(tmp_path)
    process, address = serve(tmp_path, *options[:2])
    try:
        to = ["--to", address.rstrip("/"), "--author"]
        path = Path(options[3])
        forged = tmp_path / "forged.yaml"
        forged.write_text(path.read_text().replace("regulator-2", "accomplice"))
        first = ran("admit", str(forged), *to, "mallory")
        assert first.exit_code == 0
        assert "taken: admitted" in first.output
        assert "not signed" in first.output
        assert ran("admit", str(forged), *to, "mallory").output.endswith("by mallory, not signed\n")
        for file, author in ((path, "authority"), (forged, "authority")):
            refused = ran("admit", str(file), *to, author)
            assert refused.exit_code == 1
            in_force = charter_hash(load_charter(forged))
            assert f"version 1 is in force, hash {in_force}, by mallory, not signed" in refused.output
        assert "no effect: conflict, charter" in refused.output
    finally:
        ended(process)


def test_release_prompts_for_a_reason_when_the_halt_is_not_verified(tmp_path: Path) -> None:
    """At a terminal `release` shows the state of the halt and prompts for the reason, which it sends."""
    options, _, _ = prepare(tmp_path)
    process, address = serve(tmp_path, *options[:2])
    try:
        to = ["--to", address.rstrip("/"), "--author", "regulator-1"]
        assert ran("override", "pilot-0001", "halt", "--reason", "by hand", *to).exit_code == 0
        ours, theirs = pty.openpty()
        command = [sys.executable, "-m", "monitor", "release", "pilot-0001", *to]
        release = piped(command, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        os.write(ours, b"seen on site\n")
        said = release.communicate(timeout=60)[0].decode()
        os.close(ours)
        os.close(theirs)
    finally:
        ended(process)
    assert "halt of pilot-0001: not acknowledged" in said
    assert "reason for ending a halt whose stop is not verified:" in said
    assert "no effect: control_refused, pilot: rectification_missing" in said
