"""A shadow charter on a running monitor, on the embedded runtime and on Kafka, across a SIGKILL."""

from __future__ import annotations

import json
import time
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from monitor.charter.spec import HardRule, Responses
from monitor.compile.dump import charter_yaml
from monitor.model.builders import Emitter
from monitor.model.events import Severity
from monitor.model.records import Level, Reason
from monitor.model.shadow_records import ShadowSummary
from monitor.testing.environments import ENVIRONMENTS, Environment
from monitor.testing.wait import Until

from .test_acts_answered import WORLD, ran


@pytest.mark.parametrize("name", WORLD)
def test_a_shadow_charter_halts_nothing_and_says_what_it_would_have_halted(tmp_path: Path, name: str) -> None:
    """Started, killed in between, stopped: the summary has the halt of the shadow, with its moment and its rule. The
    pilot keeps its level, and no service gets a command."""
    environment: Environment = ENVIRONMENTS[name](tmp_path, 1, Responses())
    charter = environment.next()
    pilot = charter.pilot
    to = ["--to", str(environment.settings(environment.proxy())["to"])]
    if name == "kafka":
        to += ["--prefix", "halt"]
    rule = HardRule("any_incident", "halt", severity=(Severity.INCIDENT,))
    candidate = structs.replace(charter, version=charter.version + 1, hard_rules=(*charter.hard_rules, rule))
    path = tmp_path / "stricter.yaml"
    path.write_text(charter_yaml(candidate), encoding="utf-8")
    officer = ("--author", "regulator-1")

    def summary() -> ShadowSummary | None:
        found = ran("shadow", "show", pilot, *to, "--json")
        return msgspec.json.decode(found.stdout.splitlines()[-1], type=ShadowSummary) if found.exit_code == 0 else None

    try:
        begun = ran("shadow", "start", str(path), "--until", "2099-01-01", "--reason", "r", *to, *officer)
        assert "until" in begun.output, begun.output
        assert begun.exit_code == 1
        until = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86_400))
        begun = ran("shadow", "start", str(path), "--until", until, "--every", "60m", "--reason", "r", *to, *officer)
        assert "taken: shadow_started" in begun.output, begun.output
        environment.report(Emitter("hospital", pilot).incident(int(time.time() * 1000), Severity.INCIDENT))
        environment.kill()
        environment.start()
        stopped = ran("shadow", "stop", pilot, "--reason", "r", *to, *officer)
        assert "taken: shadow_stopped" in stopped.output, stopped.output
        Until(120.0, 0.2)(lambda: (found := summary()) is not None and found.ended == "stopped")
        final = summary()
        assert final is not None
        assert final.first_halt is not None, final
        assert (final.first_halt.reason, final.first_halt.rule) == ("hard_rule", "any_incident")
        shown = ran("shadow", "show", pilot, *to).output
        assert "would have halted" in shown
        assert "any_incident" in shown
        listed = [json.loads(line) for line in ran("shadow", "list", *to, "--json").stdout.splitlines()]
        assert [(one["pilot"], one["ended"]) for one in listed] == [(pilot, "stopped")]
        assert "would have halted" in ran("shadow", "list", *to).output
        environment.decisions.wait(pilot, Reason.SHADOW_STOPPED)
        assert all(one.level < Level.HALT for one in environment.decisions.of(pilot))
    finally:
        environment.close()
