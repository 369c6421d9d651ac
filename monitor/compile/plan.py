"""Compiles a charter: builds its indicators, dispatches event types to them, computes the designs of their detectors.
Pure."""

from __future__ import annotations

import functools
import zlib
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

import detectors
from detectors import SPENDS_ALPHA
from detectors.base import Count, Design, Detector, Gap, Observation
from detectors.baseline_limit import against_baseline
from monitor.charter.spec import (
    DAYS,
    LEVEL_OF_NAME,
    Charter,
    DetectorSpec,
    IndicatorSpec,
    UsersChannel,
    alpha_share,
)
from monitor.charter.time_zones import zone
from monitor.indicators import INDICATORS
from monitor.indicators.base import Indicator
from monitor.indicators.late_share import LateShare
from monitor.indicators.silence import Silence
from monitor.model.bounds import AHEAD_MS, AHEAD_PERIODS
from monitor.model.events import ComplaintFiled, Envelope, IncidentReported, IncidentUpdated
from monitor.model.labels import tidy
from monitor.model.periods import Period, Span, parse_span
from monitor.model.records import Level, Reason
from monitor.model.signing import Trusted

DAY_MS = 86_400_000
YEAR_MS = 365.25 * 86_400_000
INCIDENT_EVENTS = (IncidentReported, IncidentUpdated)
STRICT = ("high", "critical")  # tiers whose service stops when its permit lapses

# The reason of a detector's alarm; one that is not listed has the reason "drift suspected".
ALARM_REASONS = {
    "limit_e_process": Reason.LIMIT_EXCEEDED,
    "maxsprt": Reason.LIMIT_EXCEEDED,
    "disparity": Reason.LIMIT_EXCEEDED,
    "e_detector": Reason.CHANGE_DETECTED,
    "cusum": Reason.CHANGE_DETECTED,
    "glr": Reason.CHANGE_DETECTED,
    "ewma": Reason.CHANGE_DETECTED,
    "seasonal": Reason.CHANGE_DETECTED,
    "fall": Reason.CHANGE_DETECTED,
    "aberration": Reason.CHANGE_DETECTED,
    "silence": Reason.SILENCE,
    "gauge_limit": Reason.GAUGE_OUT_OF_RANGE,
}


class CompiledIndicator:
    """One indicator of one charter, compiled. Immutable; shared by the streams of all pilots under the charter, one per
    segment. `once`: it counts incidents, each incident id once; `classified`: those of a closed period when they are
    classified. `segments` and `unit` are as labels are compared
    (`monitor/model/labels.py`), `keys` as the charter spells them."""

    def __init__(self, spec: IndicatorSpec) -> None:
        self.spec = spec
        self.name = spec.name
        self.implementation: Indicator = INDICATORS[spec.kind](_tidied(spec))
        self.grid: Period = spec.grid()
        self.delay: Span = spec.delay()
        spelt = {tidy(segment): segment for segment in reversed(spec.segments or ("",))}  # the first of two spellings
        self.segments: tuple[str, ...] = tuple(dict.fromkeys(map(tidy, spec.segments or ("",))))
        self.keys = {segment: f"{spec.name}/{spelt[segment]}" for segment in self.segments}
        self.by_source = spec.exposure is not None and spec.exposure.complete == "by_source"
        self.unit: str | None = tidy(spec.exposure.unit) if spec.exposure else None
        self.observes: type[Observation] = self.implementation.observes
        self.cap: float | None = spec.exposure.cap if spec.exposure else None
        self.stocks = self.observes is Count and spec.exposure is None
        self.provisional = self.cap is not None and self.observes is Count and spec.direction == "above"
        self.silence = self.implementation if isinstance(self.implementation, Silence) else None
        self.late = self.implementation if isinstance(self.implementation, LateShare) else None
        self.length = self.grid.start(self.grid.index(0) + 1) - self.grid.start(
            self.grid.index(0)
        )  # ms; about, of months
        promise = getattr(self.implementation, "promise", None)
        self.promised: int = promise.after(0) if promise is not None else 0  # ms after an event that it may fall due
        short = self.length * AHEAD_PERIODS < AHEAD_MS
        self.ahead = self.length * AHEAD_PERIODS if short else None  # ms after reception that may be told of
        self.classified = getattr(self.implementation, "by", "") == "classification"
        self.compares = any(w.name == "disparity" for w in spec.detectors)
        self.once = self.observes is Count and any(kind in INCIDENT_EVENTS for kind in self.implementation.reads)

    def closes(self, index: int) -> int:
        """When period `index` closes (ms)."""
        return self.delay.after(self.grid.start(index + 1))

    def learns(self, detector_spec: DetectorSpec) -> bool:
        """Whether this detector compares the indicator with a learnt baseline, not with the charter."""
        return ALARM_REASONS.get(detector_spec.name, Reason.DRIFT_SUSPECTED) in (
            Reason.CHANGE_DETECTED,
            Reason.DRIFT_SUSPECTED,
        )

    def reason(self, detector_spec: DetectorSpec) -> Reason:
        """The reason of this detector's alarms."""
        if self.spec.kind == "late_share":
            return Reason.LATE_SHARE
        return ALARM_REASONS.get(detector_spec.name, Reason.DRIFT_SUSPECTED)


def _tidied(spec: IndicatorSpec) -> IndicatorSpec:
    """The indicator with its labels in the form in which they are compared."""
    exposure = spec.exposure and structs.replace(spec.exposure, unit=tidy(spec.exposure.unit))
    return structs.replace(spec, segments=tuple(dict.fromkeys(map(tidy, spec.segments))), exposure=exposure)


def stream_key(indicator: CompiledIndicator, segment: str) -> str:
    """Name of a stream: indicator and segment; also the prefix of its findings' keys. One string for all pilots."""
    return indicator.keys[segment]


class Closing(NamedTuple):
    """When the next period closes (ms), of which indicator, and the time up to which all periods are closed (ms)."""

    due: int
    name: str
    edge: int


class Plan:
    """A compiled charter. `by_type` maps an event's class to the indicators that count it, `silences` to the
    silence indicators that it resets; `cycle` is from when to when (ms, end excluded) the system may be used;
    `streams` maps each stream's name to the classes of its detectors; `closes` are the indicators that have
    periods, `promised` those that judge a promise about complaints, `slowest` the one of them with the longest
    periods, `firsts` the name of a stream of each, `silent` the others; `leap_ms` is the wait after which a search
    for empty periods pays.

    Raises ValueError naming the field when an indicator's or a detector's parameters are wrong, KeyError when its name
    is not registered.
    """

    def __init__(self, charter: Charter) -> None:
        self.charter = charter
        self.indicators = tuple(CompiledIndicator(spec) for spec in charter.indicators)
        self._by_name = {indicator.name: indicator for indicator in self.indicators}
        self.by_type: dict[type[Envelope], tuple[CompiledIndicator, ...]] = {}
        self.silences: dict[type[Envelope], tuple[CompiledIndicator, ...]] = {}
        for indicator in self.indicators:
            table = self.silences if indicator.silence else self.by_type
            for kind in indicator.implementation.reads:
                table[kind] = (*table.get(kind, ()), indicator)
        self.cycle = (_midnight(charter.cycle.start), _midnight(charter.cycle.end) + DAY_MS)
        self.user_cap = charter.users.cap
        self.least_cap = charter.rollout[0].cap if charter.rollout else self.user_cap  # never below it in a rollout
        self.models = {m.digest for m in charter.models}
        self.any_model = "*" in self.models
        self.planned_models = frozenset(model for change in charter.changes or () for model in change.models)
        people = {name: text for authority in charter.authorities for name, text in authority.keys.items()}
        self.signers = {name: Trusted([text]) for name, text in people.items()}
        self.firm = Trusted(charter.participant.keys)
        self.signed = bool(self.firm)  # whether telemetry must be signed
        reporters = charter.reporters or ()
        self.reporters = {key: one.id for one in reporters for key in Trusted(one.keys).ids}
        self.senders = Trusted([*charter.participant.keys, *(key for one in reporters for key in one.keys)])
        self.keys = self.firm.ids.union(*(key.ids for key in self.signers.values()))
        self.pseudonyms = charter.identifiers == "pseudonyms"
        self.strict = charter.tier in STRICT
        self.tolerates = charter.responses.tolerate_first and not self.strict
        self.acknowledge_ms = parse_span(charter.responses.acknowledge_within).after(0)
        self.lease_ms = parse_span(charter.responses.lease).after(0)
        self.rectify_within = parse_span(charter.responses.rectify_within)
        self.shelve_ms = parse_span(charter.responses.shelve_at_most).after(0)
        self.drill_every = None if charter.drills.every is None else parse_span(charter.drills.every)
        asked = charter.assessment or None
        self.assess_every = None if asked is None else parse_span(asked.every)
        self.assess_within = None if asked is None else parse_span(asked.within)
        self.unknown_escalates_after = parse_span(charter.responses.unknown_escalates_after)
        self.closes = tuple(indicator for indicator in self.indicators if indicator.silence is None)
        self.silent = tuple(indicator for indicator in self.indicators if indicator.silence is not None)
        self.leap_ms = LEAP_PERIODS * min((w.grid.span.ms or 28 * DAY_MS for w in self.closes), default=DAY_MS)
        self.slowest = max(self.closes, key=lambda indicator: indicator.length, default=None)
        self.promised = tuple(w for w in self.by_type.get(ComplaintFiled, ()) if hasattr(w.implementation, "promise"))
        self.outside = tuple(w for w in self.indicators if getattr(w.implementation, "outside", False))
        channel = charter.users_channel or None
        self.counts_inside = channel is not None  # whether complaints that the firm reports are counted separately
        self.users_channel = channel or UsersChannel()
        self.once = tuple(indicator for indicator in self.indicators if indicator.once)
        self.firsts = tuple(indicator.keys[indicator.segments[0]] for indicator in self.closes)
        labels = {"", "users", *charter.data_boundary, *(indicator.unit or "" for indicator in self.indicators)}
        labels.update(*(getattr(indicator.implementation, "selects", ()) for indicator in self.indicators))
        # Texts of events that the charter itself lists; under `identifiers: pseudonyms` others may be personal.
        self.listed = labels.union(self.models, *(indicator.segments for indicator in self.indicators))
        self.fates: dict[Any, Any] = {}  # of labels, for `monitor/state/uncounted.py`
        self._closings: dict[tuple[int, ...], Closing] = {}
        self._spent: dict[int, float] = {}
        self._missing: dict[str, float] = {}  # events that have to be missing before a silence is one
        self.classes: dict[str, tuple[type[Detector], ...]] = {}  # detectors of each indicator
        for indicator in self.indicators:
            built = build_detectors(charter, indicator, 1)
            self.classes[indicator.name] = tuple(type(detector) for detector in built)
            if indicator.silence is not None:
                self._missing[indicator.name] = _missing(indicator.silence, built)
        self.streams = tuple((name, self.classes[w.name]) for w in self.indicators for name in w.keys.values())

    def closing(self, nexts: tuple[int, ...]) -> Closing:
        """The first of the periods in `nexts` (one for each of `closes`) to close. Pilots under one charter mostly
        agree."""
        known = self._closings.get(nexts)
        if known is None:
            if len(self._closings) >= CACHED_CLOSINGS:
                self._closings.clear()
            found = list(zip(self.closes, nexts, strict=True))
            due, name = min((indicator.closes(index), indicator.name) for indicator, index in found)
            known = self._closings[nexts] = Closing(
                due, name, min(indicator.grid.start(index) for indicator, index in found)
            )
        return known

    @functools.cached_property
    def packed(self) -> bytes:
        """The charter without the pilot's name, compressed, for snapshots. `unpacked` reads it."""
        return zlib.compress(_nameless(self.charter), 9)

    def indicator(self, name: str) -> CompiledIndicator:
        """The compiled indicator of that name. Raises KeyError."""
        return self._by_name[name]

    def silence_due(self, indicator: CompiledIndicator, heard: int) -> int:
        """When (ms) a silence that began at `heard` (ms) is due: when the fastest detector reaches its threshold."""
        assert indicator.silence is not None
        return indicator.silence.due(heard, self._missing[indicator.name])

    def full_stop_allowed(self, at: int) -> bool:
        """Whether `at` (ms) lies in a window in which a drill may stop the service."""
        offset = zone(self.charter.drills.zone).offset(at / 1000) if self.charter.drills.zone else 0
        moment = datetime.fromtimestamp(at / 1000 + offset, UTC)  # local time
        day, clock = DAYS[moment.weekday()], f"{moment:%H:%M}"
        return any(day in w.days and w.start <= clock < w.end for w in self.charter.drills.full_stops)

    def alpha_spent(self, restart: int) -> float:
        """The part of the pilot's alpha that the thresholds of restarts 1..`restart` may spend together."""
        if restart not in self._spent:
            self._spent[restart] = sum(
                alpha_share(self.charter, spec, j) * max(1, len(spec.segments))
                for spec in self.charter.indicators
                if any(w.name in SPENDS_ALPHA for w in spec.detectors)
                for j in range(1, restart + 1)
            )
        return self._spent[restart]


LEAP_PERIODS = 16  # of the shortest periods: in a longer wait between two records, empty periods are searched for
CACHED_PLANS = 4096  # compiled charters in the cache; pilots with equal charters share one plan
CACHED_CLOSINGS = 64  # sets of open periods per charter whose next close is cached


def plan_of(charter: Charter) -> Plan:
    """The plan of a charter, shared by all pilots whose charters differ in the pilot's name only. Raises as `Plan`
    does."""
    return _shared(_nameless(charter))


@functools.lru_cache(maxsize=CACHED_PLANS)
def unpacked(packed: bytes) -> Plan:
    """The plan of a packed charter. Raises `zlib.error` or `msgspec.MsgspecError` for other bytes."""
    return _shared(zlib.decompress(packed))


@functools.lru_cache(maxsize=CACHED_PLANS)
def _shared(raw: bytes) -> Plan:
    return Plan(_charter.decode(raw))


def _nameless(charter: Charter) -> bytes:
    return msgspec.msgpack.encode(structs.replace(charter, pilot="*"))


_charter = msgspec.msgpack.Decoder(Charter)


def design_of(charter: Charter, indicator: CompiledIndicator, restart: int) -> Design:
    """The design that the charter gives the detectors of an indicator at the given restart."""
    spec = indicator.spec
    alpha = alpha_share(charter, spec, restart)
    design = Design(
        limit=indicator.silence.rate if indicator.silence else indicator.implementation.limit,
        direction=indicator.implementation.direction,
        alpha=alpha if alpha > 0 else None,
        uncertainty=spec.exposure.uncertainty if spec.exposure else 0.0,
        variance_mean=spec.variance_mean,
        minimum_events=spec.minimum_events,
        late_window=spec.late_window,
        periods_per_year=YEAR_MS / indicator.length,
    )
    if spec.baseline is None:
        return design
    b = spec.baseline
    return against_baseline(design, times=b.times, events=b.events, exposure=b.exposure, doubt=b.doubt)


def build_detectors(charter: Charter, indicator: CompiledIndicator, restart: int) -> list[Detector]:
    """Fresh detectors of one segment for the given restart. Raises ValueError or KeyError as `Plan` does."""
    design = design_of(charter, indicator, restart)
    return [detectors.build(w.name, design, w.params) for w in indicator.spec.detectors]


def _midnight(date: str) -> int:
    return int(datetime.fromisoformat(date).replace(tzinfo=UTC).timestamp() * 1000)


def _missing(silence: Silence, built: list[Detector]) -> float:
    """Missing events at which the flag is set: the threshold of the fastest detector; without a detector, ten."""
    none = Gap(seconds=0.0, expected=0.0)
    return min((score.threshold for detector in built if (score := detector.update(none)) is not None), default=10.0)


def level_of(detector_spec: DetectorSpec) -> Level:
    """The highest level that this detector may cause."""
    return LEVEL_OF_NAME[detector_spec.level]
