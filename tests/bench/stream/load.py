"""The load: what busy services send, as bytes, quickly made and always the same.

Of 1,000 events 450 tally exposure, 250 tally outcomes, 200 are heartbeats, 50 file a complaint, 44 resolve one, 4
report an incident that breaks no rule, 2 state a gain. Every pilot keeps its limits, so that what is measured is a calm
day; the charter is the fleet's, with its nine indicators in eleven streams and sixteen detectors.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate
from random import Random

from monitor.charter.control import Admission
from monitor.simulation.fleet_charter import SEGMENTS, charter

SHARES = {"exposure": 450, "outcomes": 250, "heartbeat": 200, "filed": 50, "resolved": 44, "incident": 4, "gain": 2}
AMOUNT = 100  # decisions in one tally of exposure
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TYPES = {
    "exposure": "exposure.tallied",
    "outcomes": "outcomes.tallied",
    "heartbeat": "heartbeat",
    "filed": "complaint.filed",
    "resolved": "complaint.resolved",
    "incident": "incident.reported",
    "gain": "gain.reported",
}
_DATA = {
    "exposure": '"unit":"decisions","amount":100.0,"segment":"%s"',
    "outcomes": '"tp":27,"fp":8,"tn":112,"fn":3,"segment":"%s"',
    "heartbeat": '"nonce":"n","serving":true,"exposure":COUNTER.0',
    "filed": '"complaint":"c","segment":"%s"',
    "resolved": '"complaint":"c","filed":"FILEDATFILEDATFILEDATFI","segment":"%s"',
    "incident": '"incident":"i","severity":"incident","segment":"%s"',
    "gain": '"share":0.15',
}
_TIME, _FILED = b"HAPPENEDATHAPPENEDATHAPP", b"FILEDATFILEDATFILEDATFI"


def stamp(ms: int) -> bytes:
    """RFC 3339 with milliseconds."""
    return f"{(EPOCH + timedelta(milliseconds=ms)).isoformat(timespec='milliseconds')[:-6]}Z".encode()


class Load:
    """Telemetry of `pilots` services in periods of `period_ms`, admitted at `start` (ms); `per_period` events of each
    at most."""

    def __init__(self, pilots: int, *, period_ms: int, start: int, per_period: int, seed: int = 1) -> None:
        self.pilots = [f"pilot-{i + 1:06d}" for i in range(pilots)]
        self.start, self.period_ms = start, period_ms
        self._cap = 2.0 * per_period * AMOUNT
        rng = Random(seed)
        kinds = [kind for kind, share in SHARES.items() for _ in range(share)]
        rng.shuffle(kinds)
        lines = []
        for i, kind in enumerate(kinds):
            data = _DATA[kind] % SEGMENTS[i % 3] if "%s" in _DATA[kind] else _DATA[kind]
            lines.append(
                f'{{"type":"sandbox.{_TYPES[kind]}","specversion":"1.0","id":"SEQUENCE","source":"PILOT/1","subject":"PILOT",'
                f'"time":"{_TIME.decode()}","sequence":"SEQUENCE","data":{{"model":"m1",{data}}}}}'
            )
        self._lines = lines
        tallies = [AMOUNT * (kind == "exposure") for kind in kinds]
        self._tallied = list(accumulate(tallies))  # what a heartbeat at each place of the first turn states
        self._next = dict.fromkeys(self.pilots, 1)

    def go_on(self, after: int) -> None:
        """Of every pilot, `after` events were made elsewhere."""
        self._next = dict.fromkeys(self.pilots, 1 + after)

    def sent(self, pilot: str) -> int:
        """How many events of a pilot were made."""
        return self._next[pilot] - 1

    def admissions(self) -> list[Admission]:
        """Control records that admit every pilot."""
        return [
            Admission(
                id=f"admit-{pilot}",
                pilot=pilot,
                author="regulator-1",
                charter=charter(
                    pilot,
                    number=i,
                    period_ms=self.period_ms,
                    cap=self._cap,
                    dispersion=1.0,
                    start=self.start,
                    end=self.start + 86_400_000,
                ),
            )
            for i, pilot in enumerate(self.pilots)
        ]

    def events(self, pilot: str, at: int, count: int) -> list[bytes]:
        """The next `count` events of a pilot, all at `at` (ms)."""
        first = self._next[pilot]
        self._next[pilot] = first + count
        lines, n, told = self._lines, len(self._lines), self._tallied
        made = []
        for i in range(first, first + count):
            line = lines[i % n].replace("SEQUENCE", f"{i:012d}")
            if "COUNTER" in line:  # event 1 stands at place 1, so the first turn lacks place 0
                line = line.replace("COUNTER", str(told[i % n] + i // n * told[-1] - told[0]))
            made.append(line)
        raw = "\0".join(made).replace("PILOT", pilot).encode()
        raw = raw.replace(_TIME, stamp(at)).replace(_FILED, stamp(max(self.start, at - self.period_ms // 4)))
        return raw.split(b"\0")

    def packed(self, pilot: str, at: int, count: int) -> bytes:
        """The next `count` events of a pilot as the value of one record."""
        return b"[" + b",".join(self.events(pilot, at, count)) + b"]"
