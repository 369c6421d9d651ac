"""`sandbox-monitor charter week`: estimates the weekly profile of events from recorded telemetry, for `silence`."""

from __future__ import annotations

from pathlib import Path

import click

from detectors.hours import HOUR, HourOfWeek
from monitor.charter.time_zones import names, near, zone
from monitor.cli.terminal import echo
from monitor.engine.replay import TOPIC, read_lines
from monitor.errors import SandboxMonitorError
from monitor.model.events import Heartbeat, instant, millis
from monitor.model.lenient import refuse_utf16
from monitor.model.records import Record
from monitor.validate.parse import validate


@click.command()
@click.argument("events", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--pilot", required=True, help="The pilot whose events count.")
@click.option("--zone", "name", default="", help="IANA time zone of the hours, such as Europe/Berlin. [default: UTC]")
@click.option("--of", type=click.Choice(["heartbeat", "any"]), default="any", show_default=True, help="Which events.")
def week(events: Path, pilot: str, name: str, of: str) -> None:
    """Print `week: [...]` for the silence indicator of a charter: events per hour for the 168 hours of a week, Monday
    00:00 first (UTC, or local time of --zone with daylight saving).

    EVENTS has JSON lines as for `replay`. Events are counted by their time, from the first to the last of the pilot.
    Hours with few events are shrunk towards the mean of their hour of the day, and that towards the overall mean. Check
    the output before you use it: weeks in which the service was down lower the profile.

    \b
    Exit code 1 when fewer than two events of the pilot are valid, or all have the same time.
    """
    if name and name not in names():
        raise click.BadParameter(f"there is no time zone {name!r}; {near(name)}", param_hint="--zone")
    with events.open("rb") as file:
        refuse_utf16(str(events), file.read(2))
        file.seek(0)
        moments = [at for line in read_lines(file) for at in _moments(line.record, pilot, of)]
    if len(moments) < 2:
        raise SandboxMonitorError(f"{events}: fewer than two events of {pilot} ({of}); check --pilot and --of")
    if min(moments) == max(moments):
        raise SandboxMonitorError(
            f"{events}: time: all {len(moments)} events of {pilot} ({of}) say "
            f"{instant(round(moments[0] * 1000)).isoformat()}, "
            "and a profile needs more than one; give a recording in which `time` is when each event happened"
        )
    profile = HourOfWeek.from_event_times([at + zone(name).offset(at) for at in moments] if name else moments)
    rows = [", ".join(f"{rate * HOUR:.4g}" for rate in profile.rates[day : day + 24]) for day in range(0, 168, 24)]
    echo("week: [\n  " + ",\n  ".join(rows) + "]")
    if name:
        echo(f"zone: {name}")
    weeks = (max(moments) - min(moments)) / (168 * HOUR)
    echo(f"{len(moments):,} events in {weeks:.1f} weeks", err=True)


def _moments(record: Record, pilot: str, of: str) -> list[float]:
    """Times (s since 1970) of the events in a record that count."""
    found = validate(record, TOPIC, 0, secret=b"").events
    return [millis(e.time) / 1000 for e in found if e.subject == pilot and (of == "any" or isinstance(e, Heartbeat))]
