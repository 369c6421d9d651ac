"""The picture of a pilot: repeatable, well-formed, readable without colour, true to its numbers."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from math import log

import msgspec
import pytest

from monitor.charter.spec import Authority, Charter, Cycle, DetectorSpec, ExposureSpec, IndicatorSpec, Participant
from monitor.console.svg.picture import describe, picture
from monitor.console.svg.scales import date_ticks
from monitor.model.records import Decision, Evidence, Finding, Level, Reason, RecordKind
from monitor.projections.formats import day

DAY = 86_400_000
START = 1_690_848_000_000  # 2023-08-01
SVG = "{http://www.w3.org/2000/svg}"


def charter() -> Charter:
    indicator = IndicatorSpec(
        name="incident_rate",
        kind="incident_rate",
        period="1d",
        limit=20.0,
        per=1e6,
        exposure=ExposureSpec(unit="driverless_mile", uncertainty=0.2),
        detectors=(DetectorSpec("limit_e_process", "halt"),),
    )
    return Charter(
        schema="sandbox-charter/1",
        pilot="p",
        participant=Participant("firm"),
        scenario="s",
        tier="high",
        cycle=Cycle("2023-01-01", "2024-01-01"),
        models=(),
        authorities=(Authority("a"),),
        indicators=(indicator,),
    )


def closed(i: int, e: float, k: float = 3, segment: str = "", unknown: str = "", late: bool = False) -> Evidence:
    return Evidence(
        pilot="p",
        participant="firm",
        vendor="",
        data_source="",
        model="",
        indicator="incident_rate",
        segment=segment,
        kind="count",
        start=START + i * DAY,
        end=START + (i + 1) * DAY,
        k=k,
        m=100_000,
        unknown=unknown,
        scores={"limit_e_process": (log(e), log(164.4934))},
        late=late,
    )


def decided(
    i: int, level: Level, was: Level, reason: Reason, kind: RecordKind = "level", indicator: str = "incident_rate"
) -> Decision:
    return Decision(
        id=f"d{i}",
        pilot="p",
        participant="firm",
        charter="",
        kind=kind,
        level=level,
        was=was,
        reason=reason,
        at=START + i * DAY,
        standing=i,
        epoch=0,
        cause="",
        finding=Finding(indicator=indicator, rule="limit_e_process"),
        unknown="silence" if kind == "flag" else "",
    )


EVIDENCE = [closed(0, 0.5), closed(1, 2.0), closed(2, 105.73, k=31), closed(3, 90.0)]
DECISIONS = [
    decided(3, Level.ESCALATE, Level.NORMAL, Reason.LIMIT_HALF_WAY),
    decided(4, Level.HALT, Level.ESCALATE, Reason.HARD_RULE, indicator=""),
]


def words(svg: str) -> list[str]:
    return ["".join(t.itertext()) for t in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def test_equal_input_gives_equal_bytes_in_any_order() -> None:
    """Equal input gives equal bytes, and the order in which records come does not matter."""
    once = picture("Pilot", EVIDENCE, DECISIONS, charter())
    assert once == picture("Pilot", EVIDENCE, DECISIONS, charter())
    backwards = picture("Pilot", EVIDENCE[::-1], DECISIONS[::-1], charter())
    assert words(once) == words(backwards)


def test_says_in_words_what_it_shows() -> None:
    """A screen reader meets an image with a title and a description that names evidence, threshold and every change of
    level."""
    root = ElementTree.fromstring(picture("Pilot <1> & co", EVIDENCE, DECISIONS, charter()))
    assert root.get("role") == "img"
    names = (root.get("aria-labelledby") or "").split()
    by_id = {e.get("id"): e.text or "" for e in root if e.get("id")}
    assert by_id[names[0]] == "Pilot <1> & co"
    assert "highest 106 (2023-08-03), threshold then 164; never reached" in by_id[names[1]]
    assert "2023-08-05: escalate to halt, hard rule of the charter triggered." in by_id[names[1]]


def test_shows_threshold_half_way_line_and_highest_evidence_as_e_values() -> None:
    """Threshold, half-way line (half in log) and peak are labelled as e-values, with the level they lead to."""
    shown = words(picture("Pilot", EVIDENCE, DECISIONS, charter()))
    assert "threshold 164 → halt" in shown
    assert "half-way 12.8 → escalate" in shown
    assert any(text.startswith("highest 106") for text in shown)


def test_marks_decisions_with_word_date_and_reason_and_not_by_colour_alone() -> None:
    """Each rise of the level is marked by its word, its date and its reason; each level has a different shape."""
    svg = picture("Pilot", EVIDENCE, DECISIONS, charter())
    shown = words(svg)
    assert "escalate 2023-08-04: half-way to the threshold" in shown
    assert "halt 2023-08-05: hard rule limit e process" in shown
    assert '<polygon points="' in svg


def test_a_picture_of_seconds_names_times_and_not_only_the_day() -> None:
    """When all events are within a day, marks and periods show seconds and not only the date."""
    noon = START + DAY // 2
    short = [
        msgspec.structs.replace(closed(0, e), start=noon + i * 5_000, end=noon + (i + 1) * 5_000)
        for i, e in enumerate((2.0, 200.0))
    ]
    halted = msgspec.structs.replace(decided(0, Level.HALT, Level.NORMAL, Reason.LIMIT_EXCEEDED), at=noon + 10_000)
    svg = picture("Pilot", short, [halted], charter())
    assert "highest 200, 2023-08-01 12:00:05 to 12:00:10 UTC" in svg
    assert "halt 2023-08-01 12:00:10" in svg
    assert "Highest level: halt, on 2023-08-01 12:00:10" in svg
    assert "2023-08-01 12:00:10: normal to halt" in describe("Pilot", short, [halted])


def test_hatches_unknown_periods() -> None:
    """A period that is not known is hatched, and only then."""
    known = picture("Pilot", EVIDENCE, [], charter())
    unknown = picture("Pilot", [*EVIDENCE[:3], closed(3, 90.0, unknown="partial_data")], [], charter())
    assert "data missing: 2023-08-04" not in known
    assert "data missing: 2023-08-04" in unknown


def test_every_segment_has_a_panel() -> None:
    """Small multiples: one panel for each indicator and segment."""
    svg = picture("Pilot", [closed(0, 1.0, segment="adults"), closed(0, 1.0, segment="minors")], [])
    assert [w for w in words(svg) if w.startswith("incident rate")] == [
        "incident rate, adults",
        "incident rate, minors",
    ]


def test_counts_above_what_the_limit_allows_stand_out() -> None:
    """31 events where the limit allows 2.4 (20 per million x 100,000 x 1.2) are drawn as over the limit."""
    svg = picture("Pilot", EVIDENCE, [], charter())
    assert "2023-08-03: 31, limit allows 2.4" in svg
    assert svg.count('class="over"') == 4


def test_a_late_revision_raises_and_never_lowers() -> None:
    """A late revision adds its events to its period, and of two scores the stronger one is shown."""
    late = msgspec.structs.replace(closed(0, 2.0, k=9, late=True), m=0.0)
    svg = picture("Pilot", [late, closed(0, 50.0, k=3)], [], charter())
    assert "2023-08-01: 12, limit allows 2.4" in svg
    assert any(text.startswith("highest 50") for text in words(svg))


def test_stays_small_for_a_year_of_hours() -> None:
    """A year of hourly periods gives a picture of bounded size."""
    year = [
        Evidence(
            pilot="p",
            participant="firm",
            vendor="",
            data_source="",
            model="",
            indicator="complaint_rate",
            segment="",
            kind="count",
            start=START + i * 3_600_000,
            end=START + (i + 1) * 3_600_000,
            k=i % 7,
            m=10,
            scores={"cusum": (i % 11, 12.0), "change_e_detector": ((i % 13) / 10, 11.0)},
        )
        for i in range(8760)
    ]
    assert len(picture("Pilot", year, [])) < 300_000


def test_nothing_yet_is_said_so() -> None:
    """Without any period or decision the picture says that there is nothing yet."""
    assert "No closed period and no decision yet." in words(picture("Pilot", [], []))
    assert describe("Pilot", [], []) == "Pilot. The level never changed."


@pytest.mark.parametrize("length", [60_000, 3_600_000, DAY, 9 * DAY, 90 * DAY, 400 * DAY, 4000 * DAY])
def test_every_stretch_of_time_gets_a_few_dates(length: int) -> None:
    """Any stretch of time has between three and fourteen dates, all within it, in order."""
    ticks = date_ticks(START, START + length)
    assert 3 <= len(ticks) <= 14, (length, [day(at) for at, _ in ticks])
    assert all(START <= at <= START + length for at, _ in ticks)
    assert [at for at, _ in ticks] == sorted({at for at, _ in ticks})


def test_needs_nothing_from_outside() -> None:
    """One file, no scripts, no links, no fonts or images from elsewhere."""
    svg = picture("Pilot", EVIDENCE, DECISIONS, charter())
    for foreign in ("<script", "href", "@import", "url(http", "<image", "foreignObject"):
        assert foreign not in svg


def test_evidence_far_above_its_threshold_does_not_flatten_the_plot() -> None:
    """Evidence far above the threshold is drawn at the edge and labelled so; threshold and crossing stay readable."""
    svg = picture("Pilot", [closed(0, 1.0), closed(1, 1e60)], [], charter())
    shown = words(svg)
    assert any(text.startswith("highest 1×10⁶⁰, above this scale") for text in shown)
    assert "10⁵⁰" not in shown


def test_what_moved_the_pilot_furthest_comes_first() -> None:
    """The panel whose indicator raised the level stands above panels that come earlier in the alphabet."""
    halted = msgspec.structs.replace(
        decided(2, Level.HALT, Level.NORMAL, Reason.LIMIT_EXCEEDED),
        finding=Finding(indicator="incident_rate", segment="minors"),
    )
    svg = picture("Pilot", [closed(0, 1.0, segment="adults"), closed(0, 1.0, segment="minors")], [halted])
    assert [w for w in words(svg) if w.startswith("incident rate")] == [
        "incident rate, minors",
        "incident rate, adults",
    ]
