"""The data table behind a chart: what a picture shows, as rows of text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from monitor.charter.spec import Charter
from monitor.console.svg.observed import observed_words
from monitor.console.svg.series import Panel, Point, Stretch, missing
from monitor.model.records import Decision, Reason
from monitor.projections.detector_words import detector_words
from monitor.projections.evidence_words import period_words
from monitor.projections.formats import e_value, figure, is_evidence
from monitor.projections.measures import Measure, measure_of, spec_of
from monitor.projections.wording import REASONS, plain
from monitor.translation import mark, tr

ROWS = 400  # of one table: more are not readable

HEADERS = (
    mark("Period (UTC)"), mark("Indicator"), mark("Observed"), mark("Limit"), mark("Events"),
    mark("Exposure or cases"), mark("Statistic and threshold"), mark("Remarks"),
)  # fmt: skip
NUMERIC, WRAPPED = frozenset({2, 3, 4, 5}), frozenset({6})


class DataTable(Struct, frozen=True):
    """A table as text: `headers` and `rows` have equal lengths; `numeric` are the columns that hold numbers,
    `wrapped` those of long texts."""

    caption: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[int] = frozenset()
    wrapped: frozenset[int] = frozenset()


def data_table(
    panels: Mapping[Panel, Sequence[Point]],
    decisions: Sequence[Decision],
    charter: Charter | None = None,
    closed: int = 0,
) -> DataTable:
    """One row for each closed period and each time without any, in order of time.

    Of more than `ROWS` periods those nearest to a threshold stay, and the caption says so; `closed` is the number of
    closed periods where `panels` hold only some of them.
    """
    every = [(point, key) for key, points in panels.items() for point in points]
    kept = every
    if len(every) > ROWS:
        near = sorted(range(len(every)), key=lambda i: (-nearness(every[i][0].scores), i))[:ROWS]
        kept = [every[i] for i in sorted(near)]
    rows = [(point.start, key, _row(point, key, charter)) for point, key in kept]
    if len(every) <= ROWS:
        for key, points in panels.items():
            rows += [
                (one.start, key, _empty(one, key)) for one in missing(points, decisions) if one.word != "data missing"
            ]
    total = max(closed, len(every))
    words = tr("All {n} closed periods", n=figure(total))
    if len(kept) < total:
        words = tr("The {shown} nearest to a threshold of all {n} closed periods", shown=len(kept), n=figure(total))
    ordered = sorted(rows, key=lambda row: (row[0], row[1]))
    return DataTable(
        words, tuple(tr(header) for header in HEADERS), tuple(cells for _, _, cells in ordered), NUMERIC, WRAPPED
    )


def nearness(scores: Mapping[str, tuple[float, float]]) -> float:
    """The largest ratio of a statistic of the period to its threshold: 1 = reached."""
    return max((statistic / bar for statistic, bar in scores.values() if bar > 0), default=-1e9)


def panel_words(key: Panel) -> str:
    """Indicator and segment."""
    return plain(key[0]) + (f", {key[1]}" if key[1] else "")


def _row(point: Point, key: Panel, charter: Charter | None) -> tuple[str, ...]:
    measure = measure_of(spec_of(charter, key[0]), point.kind)
    allowed = measure.allowed(point.m)
    value = measure.value(point.k, point.m)
    scale = measure.scale(v for v in (value, allowed) if v is not None)
    return (
        period_words(point.start, point.end),
        panel_words(key),
        observed_words(measure, scale, point.k, point.m),
        "" if allowed is None else scale.write(allowed),
        "" if point.kind == "gauge" else figure(round(point.k, 6)),
        "" if point.kind == "gauge" else _exposure(measure, point.m),
        "; ".join(_score(name, *score) for name, score in sorted(point.scores.items())),
        _remark(point.unknown),
    )


def _exposure(measure: Measure, m: float) -> str:
    return tr("{hours} h of waiting", hours=figure(m)) if measure.kind == "duration" else figure(m)


def _score(name: str, statistic: float, bar: float) -> str:
    write = e_value if is_evidence(name) else figure
    return tr(
        "{detector} {value} (threshold {threshold})",
        detector=detector_words(name), value=write(statistic), threshold=write(bar),
    )  # fmt: skip


def _remark(unknown: str) -> str:
    if not unknown:
        return ""
    return tr(REASONS[Reason(unknown)]) if unknown in set(Reason) else plain(unknown)


def _empty(one: Stretch, key: Panel) -> tuple[str, ...]:
    return (period_words(one.start, one.end), panel_words(key), "", "", "", "", "", tr(one.word))
