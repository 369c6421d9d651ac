"""`simulate --admit` where a sandbox is founded: embedded and on Kafka."""

from __future__ import annotations

import pytest

from monitor.testing.wait import Until

from .test_acts_answered import ran
from .test_walk_of_entry import Office, has
from .test_walk_of_entry import office as office  # the fixture

pytestmark = pytest.mark.servers
until = Until(60.0, every=0.2)


def simulate(office: Office, *more: str) -> list[str]:
    """The arguments of `simulate` for two pilots of a few periods."""
    how, _, where = office.to.partition("://")
    fleet = (
        "--pilots",
        "2",
        "--hours",
        "8",
        "--period",
        "1s",
        "--at-once",
        "--scenario",
        "death",
        "--scenario",
        "calm",
    )
    return [where, "--to", how, "--topic-prefix", office.prefix, *fleet, "--admit", *more]


def test_simulate_in_a_founded_sandbox_says_that_it_needs_the_people(office: Office) -> None:
    """Without --people nothing is sent, and the message names the option."""
    has(ran("simulate", *simulate(office)), "give --people DIR", 1)
    assert ran("status", "pilot-0001", "--to", office.to, "--prefix", office.prefix).exit_code == 1


def test_simulate_brings_its_pilots_into_a_founded_sandbox(office: Office) -> None:
    """Each pilot is applied for, screened, signed and admitted; its signed telemetry counts, and a death halts."""
    made = ran("simulate", *simulate(office, "--people", str(office.people)))
    assert made.exit_code == 0, made.output
    said = until(lambda: s if "halted" in (s := office.status("pilot-0001")) else "")
    assert "incident hold" in said
    assert "running" in office.status("pilot-0002")
    assert "rejected" not in office.status("pilot-0002")
