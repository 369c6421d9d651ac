"""What a picture must never say: a unit that is not the indicator's, a line over a time without data, `normal` for
unknown."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import pytest

from monitor.console.svg.canvas import NARROW, WIDE
from monitor.console.svg.lettering import width
from monitor.console.svg.picture import Chart, chart, picture
from monitor.console.svg.series import connected, missing, panels_of, stretches
from monitor.model.records import Finding, Level, Reason
from monitor.translation import PSEUDO, speaking
from tests.unit.console.svg.awkward import AWKWARD, DAY, LONG, START, closed, decided, steady

SVG = "{http://www.w3.org/2000/svg}"


def made(name: str) -> Chart:
    return chart(*AWKWARD[name]())


def drawing(svg: str, layout: str = "wide") -> ElementTree.Element:
    """One of the two drawings of a chart."""
    found = ElementTree.fromstring(f"<both>{svg}</both>")
    return next(e for e in found if layout in (e.get("class") or "").split())


def words(svg: str, layout: str = "wide") -> list[str]:
    return ["".join(t.itertext()) for t in drawing(svg, layout).iter(f"{SVG}text")]


def strip(svg: str) -> list[str]:
    """What the level strip says, from left to right."""
    hints = [e.text or "" for e in drawing(svg).iter(f"{SVG}title")]
    return [h for h in hints if re.match(r"[a-z, ]+ from 2", h)]


@pytest.mark.parametrize("name", AWKWARD)
def test_every_series_has_both_drawings_a_caption_and_a_table(name: str) -> None:
    """Equal input gives equal bytes, both drawings are well-formed and say what they show."""
    one, again = made(name), made(name)
    assert one == again
    for layout in (WIDE.name, NARROW.name):
        root = drawing(one.svg, layout)
        title, text = (root.get("aria-labelledby") or "").split()
        by_id = {e.get("id"): e.text for e in root.iter() if e.get("id")}
        assert by_id[title]
        assert by_id[text] == one.words
    assert one.caption
    assert all(len(row) == len(one.table.headers) for row in one.table.rows)
    ids = re.findall(r' id="([^"]+)"', one.svg)
    assert len(ids) == len(set(ids)), "an id stands twice on the page"


def test_a_mean_time_is_drawn_in_the_unit_of_its_limit() -> None:
    """Not as a count of resolutions with a rate as its limit."""
    shown = words(made("handling time").svg)
    assert "Mean time per day, in h; line: the most that the limit allows" in shown
    assert "at most 240 h" in shown
    assert "limit 240 h" in shown
    rows = made("handling time").table.rows
    assert rows[1][2:4] == ("461 h", "240 h")
    assert rows[0][2:4] == ("none resolved", "240 h")


def test_costs_have_their_currency_and_gains_are_per_cent() -> None:
    assert "at most 2,500,000 EUR" in words(made("costs").svg)
    assert "Amount per day, in EUR; line: the most that the limit allows" in words(made("costs").svg)
    assert {"at least 5 %", "-80 %"} <= set(words(made("gains").svg))
    assert made("gains").table.rows[0][2:4] == ("-90 %", "5 %")


def test_the_highest_value_is_the_highest_of_the_line() -> None:
    """Also where the threshold rose at a restart, so that another point was nearer to its own threshold."""
    shown = words(made("restarted").svg)
    assert [w for w in shown if w.startswith("highest")] == ["highest 1.57, 2025-01-22"]
    assert "highest 1.57 (2025-01-22), threshold then 1,934; never reached" in made("restarted").words


def test_no_line_crosses_a_time_without_data() -> None:
    """Gaps, pauses and halts without telemetry break the line, and are hatched with a word."""
    svg = made("paused").svg
    lines = [e.get("d") or "" for e in drawing(svg).iter(f"{SVG}path") if (e.get("class") or "").startswith("line")]
    assert len(lines) == 4
    assert {"no data", "paused", "halted"} <= set(words(svg))
    remarks = [row[-1] for row in made("paused").table.rows if row[-1]]
    assert remarks == ["no data", "paused", "halted"]
    assert "Without periods: no data 2025-01-09 to 2025-01-15" in made("paused").words


def test_a_restart_begins_a_new_line() -> None:
    svg = made("restarted").svg
    lines = [e for e in drawing(svg).iter(f"{SVG}path") if (e.get("class") or "").startswith("line")]
    assert len(lines) == 2


def test_a_line_towards_a_period_with_data_missing_is_dotted() -> None:
    svg = picture("p", [*steady(3), closed(3, 1.0, unknown="partial_data")], [])
    classes = [e.get("class") for e in ElementTree.fromstring(svg).iter(f"{SVG}path")]
    assert "line1" in classes
    assert "line1 part" in classes


def test_a_thinned_series_has_no_gaps_but_its_own() -> None:
    """A long series that holds every second period only is still one line; where many are missing it breaks."""
    thinned = [closed(i, 0.0) for i in range(0, 100, 2)]
    points = panels_of(thinned)["x", ""]
    assert missing(points, []) == []
    points = panels_of([*thinned, *[closed(i, 0.0) for i in range(140, 180, 2)]])["x", ""]
    assert [(one.word, (one.end - one.start) // DAY) for one in missing(points, [])] == [("no data", 41)]
    months = [closed(0, 0.0, length=31 * DAY), closed(31, 0.0, length=28 * DAY), closed(59, 0.0, length=31 * DAY)]
    points = panels_of(months)["x", ""]
    assert connected(points)(points[0], points[1])


def test_unknown_time_is_never_normal_on_the_strip() -> None:
    """It is hatched and called unknown; a level above normal keeps its colour under the hatching."""
    svg = made("unknown").svg
    assert strip(svg)[:3] == [
        "normal from 2025-01-01 to 2025-01-11",
        "unknown from 2025-01-11 to 2025-01-31",
        "normal from 2025-01-31 to 2025-02-04",
    ]
    assert "ends at escalate, unknown" in words(svg)
    dark = [decided(0, Level.NORMAL, Level.NORMAL, Reason.SILENCE, "flag", unknown="silence")]
    later = [*dark, decided(3, Level.HALT, Level.NORMAL, Reason.HARD_RULE, unknown="silence")]
    svg = chart("p", steady(6), later).svg
    assert strip(svg) == [
        "unknown from 2025-01-01 to 2025-01-04",
        "halt, unknown from 2025-01-04 to 2025-01-07",
    ] * 1 + ["halt, unknown from 2025-01-04 to 2025-01-07"]


def test_a_release_ends_the_halt_on_the_strip() -> None:
    assert strip(made("paused").svg)[-2:] == [
        "halt from 2025-02-10 to 2025-02-20",
        "normal from 2025-02-20 to 2025-02-25",
    ]


@pytest.mark.parametrize("layout", ["wide", "narrow"])
def test_a_second_halt_has_its_label(layout: str) -> None:
    """Labels of halts have room before all others: a second one a few hours later is never among those without."""
    shown = words(made("two halts").svg, layout)
    assert "halt 2025-02-10: charter limit exceeded" in shown
    assert "halt 2025-02-10: hard rule death" in shown
    assert "halt 2025-02-10: halt contradicted (further finding)" in shown


def test_labels_without_room_are_counted_and_halts_among_them_named() -> None:
    found = [
        decided(1 + i / 50, Level.HALT, Level.HALT, Reason.HALT_CONTRADICTED, "finding") for i in range(20)
    ]  # fmt: skip
    shown = words(chart("p", steady(6), found).svg)
    assert "8 without label, 8 of a halt" in shown


def test_a_phone_shows_the_newest_part_and_the_halt() -> None:
    """The narrow drawing has the whole time on the width of a phone: nothing is off the screen."""
    root = drawing(made("two halts").svg, "narrow")
    assert root.get("width") == "358"
    halts = [e.get("points") or "" for e in root.iter(f"{SVG}polygon")]
    assert len(halts) >= 3
    assert all(float(p.split(",")[0]) <= 358 for ring in halts for p in ring.split())


def test_long_names_are_cut_and_keep_their_whole_length_as_a_hint() -> None:
    for layout, wide in (("wide", 1000), ("narrow", 358)):
        root = drawing(made("long name").svg, layout)
        heads = [e for e in root.iter(f"{SVG}text") if e.get("class") in ("h1", "h2")]
        assert len(heads) == 2
        for e in heads:
            hint = e.find(f"{SVG}title")
            assert hint is not None
            assert hint.text == LONG
            assert width((hint.tail or ""), 17 if e.get("class") == "h1" else 13.5, True) < wide


def test_names_are_text_and_never_markup() -> None:
    """Also those with characters that XML does not allow."""
    evil = '</text><script>alert("x")</script>\x00&'
    found = [decided(2, Level.HALT, Level.NORMAL, Reason.HARD_RULE, finding=Finding(rule=evil))]
    one = chart(evil, [closed(0, 1.0, indicator=evil, segment=evil)], found)
    root = drawing(one.svg)
    assert not list(root.iter(f"{SVG}script"))
    assert any(t.text and t.text.startswith('</text><script>alert("x")') for t in root.iter(f"{SVG}title"))
    assert "<script" not in one.svg


def test_no_class_name_or_code_is_a_title() -> None:
    """Detectors and reasons are named in words."""
    for name in ("two halts", "unknown", "restarted", "costs"):
        one = made(name)
        text = " ".join([*words(one.svg), one.words, one.caption, *(cell for row in one.table.rows for cell in row)])
        for code in ("limit e process", "e_process", "limit half way", "gauge limit", "partial data", "hard_rule"):
            assert code not in text, (name, code)


def test_all_words_come_from_the_catalogue() -> None:
    """In the pseudo-language everything but names, numbers and dates stands in brackets."""
    with speaking(PSEUDO):
        one = made("two halts")
    for text in [*words(one.svg), one.caption, *one.table.headers, one.table.caption]:
        if text != "Two halts" and text not in one.caption:  # which is wrapped
            assert "⟦" in text or not re.search(r"[a-z]{4}", text), text


def test_pauses_and_halts_that_did_not_end_last_to_the_end() -> None:
    found = stretches([decided(2, Level.NORMAL, Level.NORMAL, Reason.PAUSE_GRANTED, "act")])
    assert [(one.word, one.start) for one in found] == [("paused", START + 2 * DAY)]
    assert found[0].end > START + 100_000 * DAY


def test_a_table_of_many_periods_keeps_those_near_a_threshold() -> None:
    one = made("ten thousand")
    assert len(one.table.rows) == 400
    assert one.table.caption == "The 400 nearest to a threshold of all 10,000 closed periods"


def test_a_longest_mean_time_is_a_least_number_of_resolutions() -> None:
    """Said of the numbers that the detector saw: at least so many had to be resolved, not at most."""
    from monitor.console.report import reason_sentence

    story = AWKWARD["handling time"]()
    found = Finding(indicator="x", rule="limit_e_process", observed=8.0, expected=10.4)
    d = decided(1, Level.ESCALATE, Level.NORMAL, Reason.LIMIT_HALF_WAY, finding=found)
    assert "8 counted where at least 10.4 were allowed" in reason_sentence(d, story.charter)


def test_a_state_that_is_unknown_lasts_to_now() -> None:
    """A pilot that went dark after its last record is not drawn as normal to the end."""
    dark = [
        decided(0, Level.NORMAL, Level.NORMAL, Reason.ADMITTED, "act"),
        decided(4, Level.NORMAL, Level.NORMAL, Reason.SILENCE, "flag", unknown="silence"),
    ]
    svg = chart("p", steady(4), dark, now=START + 20 * DAY).svg
    assert strip(svg)[-1] == "unknown from 2025-01-05 to 2025-01-21"
    known = chart("p", steady(4), dark[:1], now=START + 20 * DAY).svg
    assert strip(known) == ["normal from 2025-01-01 to 2025-01-05"]
