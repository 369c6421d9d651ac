"""A simulated pilot for each shipped toolkit: a year of telemetry in daily tallies, calm or with a fault that is
typical of the sector.

The same arguments give the same events, byte for byte. Volumes are those of a small pilot; in a calm year every rate is
at a half of its limit or less.
"""

from __future__ import annotations

import functools
import heapq
import re
from collections.abc import Iterator
from random import Random

from msgspec import UNSET, Struct, structs

from monitor.charter.spec import Charter, Drills, Model
from monitor.compile.load import read_charter
from monitor.model.builders import Emitter
from monitor.model.events import Envelope, Severity
from monitor.model.records import Level
from monitor.simulation.toolkit_streams import DAY_MS, Claims, Exposure, Reports, Share, Stream
from monitor.toolkits.load import shipped

START = 1_767_225_600_000  # 1 January 2026, when the cycle of the templates begins
ONSET = 120  # day of the year on which a fault begins


class Fault(Struct, frozen=True, kw_only=True):
    """What goes wrong, in one sentence, and who finds it: one of `indicators` reaches `level` within `within` days of
    the onset. With `update` the onset is the start of another model version."""

    story: str
    streams: tuple[Stream, ...]
    indicators: tuple[str, ...]
    level: Level
    within: int
    update: bool = True


class Story(Struct, frozen=True, kw_only=True):
    """A toolkit's pilot: what it reports in a calm year, and its faults. `streams` of a fault replace those at the same
    places."""

    streams: tuple[Stream, ...]
    faults: dict[str, Fault]


def _driving() -> Story:
    calm: tuple[Stream, ...] = (
        Reports(mean=4.0, severity=Severity.HAZARD),  # disengagements: 0.4 in 1,000 miles
        Exposure("miles", 10_000.0),
        Exposure("rides", 1_200.0),
        Reports(mean=0.05, severity=Severity.INCIDENT),
        Reports(mean=2.0, severity=Severity.NEAR_MISS),
        Reports(mean=1.5),
    )
    fault = Fault(
        story="Disengagements double with a software update, and stay within their limit.",
        streams=(Reports(mean=4.0, after=8.0, severity=Severity.HAZARD), *calm[1:]),
        indicators=("disengagements",), level=Level.ESCALATE, within=42,
    )  # fmt: skip
    return Story(streams=calm, faults={"update": fault})


def _finance() -> Story:
    groups = ("over-64", "under-25", "25-to-64")
    calm: tuple[Stream, ...] = (
        *(Share(items=1_700, rate=0.01, segment=group) for group in groups),
        Exposure("users", 1_500.0),
        Reports(mean=2.5),
    )
    fault = Fault(
        story="One group of customers is flagged three times as often after a retraining.",
        streams=(structs.replace(calm[0], after=0.03), *calm[1:]),
        indicators=("false-positives-gap",), level=Level.ESCALATE, within=28,
    )  # fmt: skip
    return Story(streams=calm, faults={"group": fault})


def _generative() -> Story:
    formats = (("audio", 400), ("text", 2_600), ("image", 1_600), ("video", 400))
    categories = ("hate", "violence", "sexual", "self-harm", "deception")
    calm: tuple[Stream, ...] = (
        Share(items=formats[0][1], rate=0.995, measure="labelled", segment=formats[0][0]),
        Claims(kind="takedown", mean=30.0, promise=1.0),
        *(Share(items=items, rate=0.995, measure="labelled", segment=name) for name, items in formats[1:]),
        Share(items=1_000, rate=0.002, measure="harmful", sent_after=1.0),
        *(Share(items=1_000, rate=0.0004, measure="harmful-category", segment=one, sent_after=1.0)
          for one in categories),
        Exposure("outputs", 5_000.0),
        Exposure("users", 2_000.0),
        Claims(kind="copyright", mean=0.3, promise=14.0),
        Claims(kind="portrait", mean=0.1, promise=14.0),
        Reports(mean=2.0),
    )  # fmt: skip
    labels = Fault(
        story="A release writes no label into one in four audio files.",
        streams=(structs.replace(calm[0], after=0.75), *calm[1:]),
        indicators=("labelled-by-format",), level=Level.ESCALATE, within=7,
    )  # fmt: skip
    slow = Fault(
        story="The team that takes items down is halved: one notice in four is late.",
        streams=(calm[0], structs.replace(calm[1], late_after=0.25), *calm[2:]),
        indicators=("takedowns",), level=Level.HALT, within=28, update=False,
    )  # fmt: skip
    return Story(streams=calm, faults={"labels": labels, "takedowns": slow})


def _health() -> Story:
    calm: tuple[Stream, ...] = (
        *(Share(items=10, rate=0.05, measure="missed", segment=group, sent_after=20.0, every=7)
          for group in ("women", "men")),
        Share(items=700, rate=0.04),
        Exposure("cases", 710.0),
        Reports(mean=0.2, severity=Severity.INCIDENT),
        Share(items=30, rate=0.2, measure="overridden", every=7),
        Reports(mean=0.5),
    )  # fmt: skip
    fault = Fault(
        story="Sensitivity falls from 95 to 80 per cent with an update for another scanner.",
        streams=(*(structs.replace(one, after=0.2) for one in calm[:2]), *calm[2:]),
        indicators=("missed-findings",), level=Level.ESCALATE, within=98,
    )  # fmt: skip
    return Story(streams=calm, faults={"sensitivity": fault})


def _education() -> Story:
    groups = ("assistive-technology", "glasses-or-headwear", "others")
    calm: tuple[Stream, ...] = (
        *(Share(items=items, rate=0.012, segment=group, sent_after=2.0)
          for group, items in zip(groups, (150, 200, 550), strict=True)),
        Exposure("examinations", 900.0),
        Claims(kind="appeal", mean=1.8, promise=14.0),
        Share(items=2, rate=0.1, measure="overturned", every=7),
        Reports(mean=0.5),
    )  # fmt: skip
    fault = Fault(
        story="Students who use assistive technology are flagged three times as often after an update.",
        streams=(structs.replace(calm[0], after=0.036), *calm[1:]),
        indicators=("wrong-flags-gap",), level=Level.ESCALATE, within=56,
    )  # fmt: skip
    return Story(streams=calm, faults={"group": fault})


STORIES: dict[str, Story] = {
    "automated_driving": _driving(),
    "consumer_finance": _finance(),
    "generative_services": _generative(),
    "health": _health(),
    "education": _education(),
}
"""Toolkit -> its simulated pilot."""


@functools.cache
def charter_of(toolkit: str) -> Charter:
    """The template of a toolkit with its placeholders filled in, for daily tallies and without people who act: without
    silence, drills, assessments and the form of ids."""
    text = re.sub(r"<([^<>\n]+)>", lambda found: re.sub(r"\W+", "-", found[1]), shipped(toolkit).charter_text)
    charter = read_charter(text).charter
    assert charter is not None
    kept = tuple(spec for spec in charter.indicators if spec.kind != "silence")
    models = (Model("m1", "1.0"), Model("m2", "1.1"))
    return structs.replace(
        charter, models=models, indicators=kept, drills=Drills(), assessment=UNSET, identifiers=UNSET
    )


class ToolkitPilot:
    """The pilot of a toolkit for `days` days, calm or with one of its faults. Iterating gives `(received in ms, event)`
    in received order.

    >>> pilot = ToolkitPilot("health", days=10)
    >>> list(pilot) == list(pilot)
    True
    """

    def __init__(self, toolkit: str, fault: str = "", *, seed: int = 1, days: int = 365) -> None:
        """Raises KeyError for an unknown toolkit or fault."""
        story = STORIES[toolkit]
        self.toolkit, self.seed, self.days = toolkit, seed, days
        self.fault = story.faults[fault] if fault else None
        self.streams = story.streams if self.fault is None else self.fault.streams
        self.charter = charter_of(toolkit)
        self.end = START + days * DAY_MS

    @property
    def onset(self) -> int:
        """When the fault begins (ms)."""
        return START + ONSET * DAY_MS

    def __iter__(self) -> Iterator[tuple[int, Envelope]]:
        emit = Emitter(f"sim/{self.toolkit}/{self.seed}", self.charter.pilot)
        rng = Random(f"{self.toolkit}/{self.seed}")
        due: list[tuple[int, int, object]] = []
        ties = 0
        for day in range(self.days):
            start = START + day * DAY_MS
            faulty = self.fault is not None and start >= self.onset
            beat = start + DAY_MS - 60_000
            made = [sent for place, stream in enumerate(self.streams)
                    for sent in stream.day(emit, rng, start, f"{place}-{day}", faulty)]  # fmt: skip
            if start == self.onset and self.fault is not None and self.fault.update:
                made.append((start, functools.partial(emit.model_changed, start)))
            made.append((beat, functools.partial(emit.heartbeat, beat)))
            for sent in made:
                ties += 1
                heapq.heappush(due, (sent[0], ties, sent[1]))
            while due and due[0][0] < start + DAY_MS:
                at, _, make = heapq.heappop(due)
                yield at, make()  # type: ignore[operator]
