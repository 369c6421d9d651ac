"""Replicas of a finished pilot, compared: the numbers of each, and a pooled estimate. From ledgers alone.

A cohort is the pilot whose charter became a template, and every pilot whose charter names it (`replicates`). Numbers
are those of all closed periods of the evidence ledgers, whatever restarts lie between. A stream is comparable where
kind, unit and the rules of counting are those of the origin; the others are listed, and not pooled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import exp
from pathlib import Path
from typing import Any

from msgspec import Struct

from detectors.pooled import log_odds, log_rate, pooled
from detectors.rate_sequence import proportion_lower, proportion_upper, rate_lower, rate_upper
from monitor.charter.spec import Charter
from monitor.charter.template import template_digest, template_of
from monitor.compile.charter_diff import differences
from monitor.errors import Refused
from monitor.notary.charter_entries import public_and_withheld
from monitor.report.ledger_dir import closed_periods, stays
from monitor.report.stay import Json, Stay

SIDE = 0.025  # what each side of an interval of a member errs with, at all times together
_COUNTED_ALIKE = ("kind", "per", "exposure", "segments", "direction", "params")


class CohortStream(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One indicator and segment of one pilot: `events` over `exposure` (trials, with `proportion`) in `complete`
    periods; `rate` with its confidence sequence. `comparable`: it is counted as the origin counts it."""

    pilot: str
    indicator: str
    segment: str = ""
    proportion: bool = False
    complete: int = 0
    partial: int = 0
    events: float = 0.0
    exposure: float = 0.0
    rate: float | None = None
    low: float | None = None
    high: float | None = None
    limit: float | None = None
    comparable: bool = True


class PooledStream(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One indicator and segment over the `pilots` of a cohort: the pooled rate with a 95 % interval, the share of the
    differences that chance does not explain (`i2`), and the range in which the rate of one more replica is expected."""

    indicator: str
    segment: str = ""
    pilots: int = 0
    rate: float = 0.0
    low: float = 0.0
    high: float = 0.0
    i2: float = 0.0
    next_low: float | None = None
    next_high: float | None = None


class Member(Struct, frozen=True, kw_only=True):
    """A pilot of a cohort: its part in it, since which entry, and whether the template that it names is that of the
    origin (`same_template`)."""

    pilot: str
    origin: bool
    version: int
    same_template: bool
    halts: int
    outcome: str


class Cohort(Struct, frozen=True, kw_only=True):
    """The origin of a `template`, its replicas, their streams, and what is pooled over them."""

    origin: str
    template: str
    digest: str
    members: tuple[Member, ...]
    streams: tuple[CohortStream, ...]
    pooled: tuple[PooledStream, ...]


def template_made(stay: Stay) -> tuple[str, Json] | None:
    """The name of the newest template of a stay and the public part of its charter; `None` without one. Raises Refused
    if the ledger does not hold that charter."""
    made = stay.of("template_made")
    if not made:
        return None
    content = made[-1]["finding"]["content"]
    for record in reversed(stay.records):
        if record["charter"] == content["charter"] and (document := stay.document(record)):
            return content["template"], document
    raise Refused(f"the ledger of {stay.pilot} does not hold the charter {content['charter']} that became a template")


def cohort_of(directory: Path, origin: str) -> Cohort:
    """The cohort of a pilot, from a directory of ledgers. Raises Refused if no template was made of it."""
    found = {stay.pilot: stay for stay in stays(directory) if _belongs(stay, origin)}
    made = template_made(found[origin]) if origin in found else None
    if made is None:
        raise Refused(f"no template was made of {origin}; an officer makes one with `make-template {origin}`")
    name, public = made
    digest = template_digest(template_of(public))
    ordered = [found.pop(origin), *(found[pilot] for pilot in sorted(found))]
    members = tuple(_member(stay, origin, digest) for stay in ordered)
    known = {one["name"]: one for one in public["indicators"]}
    streams = tuple(row for stay in ordered for row in _streams(directory, stay, known))
    return Cohort(
        origin=origin, template=name, digest=digest, members=members, streams=streams, pooled=tuple(_pooled(streams))
    )


def _charter(stay: Stay) -> Json:
    """The public part of the charter in force, empty without one."""
    return next((found for record in reversed(stay.records) if (found := stay.document(record))), {})


def _belongs(stay: Stay, origin: str) -> bool:
    return stay.pilot == origin or (_charter(stay).get("replicates") or {}).get("pilot") == origin


def _member(stay: Stay, origin: str, digest: str) -> Member:
    charter, exited = _charter(stay), stay.exit
    content = {} if exited is None else exited["finding"].get("content") or {}
    return Member(
        pilot=stay.pilot,
        origin=stay.pilot == origin,
        version=charter["version"],
        same_template=stay.pilot == origin or charter["replicates"]["digest"] == digest,
        halts=sum(record["level"] == 3 > record["was"] for record in stay.records),
        outcome=str(content.get("outcome", "" if exited is None else "exited")),
    )


def _streams(directory: Path, stay: Stay, known: dict[str, Json]) -> Iterator[CohortStream]:
    indicators = {one["name"]: one for one in _charter(stay)["indicators"]}
    totals: dict[tuple[str, str], list[float]] = {}
    kinds: dict[str, str] = {}
    for row in closed_periods(directory, stay.pilot):
        total = totals.setdefault((row["indicator"], row.get("segment", "")), [0.0, 0.0, 0, 0])
        kinds[row["indicator"]] = row["kind"]
        if row.get("late"):
            total[0] += max(row["k"], 0.0)
        elif row.get("unknown"):
            total[0] += row["k"]
            total[3] += 1
        else:
            total[0], total[1], total[2] = total[0] + row["k"], total[1] + row["m"], total[2] + 1
    for (name, segment), (k, m, complete, partial) in sorted(totals.items()):
        spec = indicators.get(name)
        if spec is None or kinds[name] == "gauge":
            continue
        share, v = kinds[name] == "proportion", spec["variance_mean"]
        lower, upper = (proportion_lower, proportion_upper) if share else (rate_lower, rate_upper)
        m = max(m, k) if share else m
        limit = spec.get("limit")
        origin = known.get(name, {})
        yield CohortStream(
            pilot=stay.pilot,
            indicator=name,
            segment=segment,
            proportion=share,
            complete=int(complete),
            partial=int(partial),
            events=k,
            exposure=m,
            rate=k / m if m else None,
            low=lower(k, m, SIDE, v),
            high=upper(k, m, SIDE, v),
            limit=None if limit is None else limit if share else limit / spec["per"],
            comparable=all(spec.get(field) == origin.get(field) for field in _COUNTED_ALIKE),
        )


def _pooled(streams: Iterable[CohortStream]) -> Iterator[PooledStream]:
    groups: dict[tuple[str, str], list[CohortStream]] = {}
    for row in streams:
        if row.comparable and row.exposure > 0:
            groups.setdefault((row.indicator, row.segment), []).append(row)
    for (indicator, segment), rows in groups.items():
        if len(rows) > 1:
            yield _pool(indicator, segment, rows)


def _pool(indicator: str, segment: str, rows: Sequence[CohortStream]) -> PooledStream:
    share = rows[0].proportion
    effects = [(log_odds if share else log_rate)(row.events, row.exposure) for row in rows]
    found = pooled([effect for effect, _ in effects], [variance for _, variance in effects])

    def rate(effect: float) -> float:
        value = exp(min(effect, 300.0))
        return value / (1 + value) if share else value

    return PooledStream(
        indicator=indicator,
        segment=segment,
        pilots=len(rows),
        rate=rate(found.estimate),
        low=rate(found.low),
        high=rate(found.high),
        i2=found.i2,
        next_low=None if found.next_low is None else rate(found.next_low),
        next_high=None if found.next_high is None else rate(found.next_high),
    )


def deviations(charter: Charter, public: Json) -> list[tuple[str, Any, Any]]:
    """Each field in which a replica differs from the template that `public` gave (field, template, replica).

    What is its own is left out, and so is what the template does not show: people, and what its origin keeps
    confidential."""
    own, hidden = public_and_withheld(charter)[0], public.get("confidential", ())
    found = differences(template_of(public), template_of(own))
    return [one for one in found if one[0] not in hidden and not (one[1] is None and not one[2])]
