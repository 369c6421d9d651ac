"""Charters of a ledger as the rest of the code knows them, and the clauses that decisions cite, with their titles."""

from __future__ import annotations

from functools import cache
from typing import Any

import htpy as h
import msgspec
from htpy import Node

from monitor.basis.catalogue import Catalogue
from monitor.charter.spec import Charter, IndicatorSpec
from monitor.compile.load_basis import shipped_catalogue
from monitor.indicators import INDICATORS
from monitor.projections.formats import figure
from monitor.projections.measures import measure_of, unit_words
from monitor.public_record.documents.halt import Interval
from monitor.public_record.pilot import InForce
from monitor.translation import current, tr

_WITHHELD: dict[str, Any] = {"scenario": "", "models": ()}  # what the schema requires and a charter may withhold


def charter_of(found: InForce | None) -> Charter | None:
    """The public part as a charter, with what it withholds empty; `None` where it is of a newer version."""
    if found is None:
        return None
    try:
        known = {name: value for name, value in found.document.items() if name != "confidential"}
        return msgspec.convert(_WITHHELD | known, Charter)
    except msgspec.ValidationError:
        return None


def observes(spec: IndicatorSpec | None) -> str:
    """The kind of observation of an indicator: `count`, `proportion` or `gauge`."""
    kind = "" if spec is None else INDICATORS[spec.kind](spec).observes.__name__.lower()
    return kind if kind in ("count", "proportion", "gauge") else "count"


def limit_words(spec: IndicatorSpec) -> str:
    """The limit of an indicator as people state it, "" where it has none."""
    nominal = spec.nominal()
    if nominal is None:
        return ""
    measure = measure_of(spec, observes(spec))
    if measure.kind == "count":
        value = rate_words(nominal / spec.per, spec.per, measure.unit)
    elif measure.limit is not None:
        value = measure.scale((measure.limit,)).write(measure.limit)
    else:
        value = figure(nominal)
    return tr("at least {value}", value=value) if spec.direction == "below" else tr("at most {value}", value=value)


def rate_words(rate: float, per: float, unit: str) -> str:
    """A rate per `per` units of exposure."""
    if not unit:
        return figure(rate * per)
    return tr("{rate} per {per} {unit}", rate=figure(rate * per), per=figure(per), unit=unit_words(unit))


def interval_words(found: Interval, kind: str, per: float, unit: str) -> str:
    """A mean rate with its interval."""
    scale = 100.0 if kind == "proportion" else per
    ends = [figure(one * scale) if one is not None else tr("no bound") for one in (found.low, found.high)]
    mean = figure(found.rate * scale)
    if kind == "proportion":
        return tr("{mean} % ({low} % to {high} %)", mean=mean, low=ends[0], high=ends[1])
    if not unit:
        return tr("{mean} ({low} to {high})", mean=mean, low=ends[0], high=ends[1])
    return tr("{mean} per {per} {unit} ({low} to {high})", mean=mean, low=ends[0], high=ends[1], per=figure(per),
              unit=unit_words(unit))  # fmt: skip


def duration_words(found: Interval) -> str:
    """A mean time in hours, from the rate of what ended per hour of waiting."""
    ends = [tr("no bound") if not one else f"{figure(1 / one)} h" for one in (found.high, found.low)]
    mean = f"{figure(1 / found.rate)} h" if found.rate else tr("no bound")
    return tr("{mean} ({low} to {high})", mean=mean, low=ends[0], high=ends[1])


@cache
def catalogue() -> Catalogue:
    """The catalogue of clauses that ships."""
    return shipped_catalogue()


def clause_words(name: str) -> Node:
    """A clause with its title and the document that it stands in; the id alone for one of another catalogue."""
    clause = catalogue().clause(name)
    if clause is None:
        return [h.code[name], " ", tr("(not in the catalogue that ships with the monitor)")]
    instrument = catalogue().instrument(clause)
    titled = current() == "zh" and instrument.title_original
    document = instrument.title_original if titled else instrument.title
    return [
        h.b[h.span(lang="en")[clause.title]],
        ": ",
        h.span(lang=None if titled else "en")[f"{document}, {clause.place}"],
        " ",
        h.code[name],
    ]
