"""Details that the core writes in English are shown in the reader's language, with times in their best unit."""

import pytest

from monitor.projections.detail_words import founded_words, late_words, rule_words
from monitor.translation import speaking

LATE = "{what} of 2026-01-01T10:00+00:00 arrived {days} days after the period had closed; complaints accepts {accepts}"


@pytest.mark.parametrize(
    ("days", "lag"),
    [("0.000103", "8.9 s"), ("1.96e-05", "1.7 s"), ("0.03", "43.2 min"), ("0.5", "12 h"), ("3", "3 d")],
)
def test_how_late_an_event_came_is_said_in_its_best_unit(days: str, lag: str) -> None:
    detail = LATE.format(what="1 event", days=days, accepts="late events for 4 closed periods")
    said = late_words(detail)
    assert f"arrived {lag} after its period had closed" in said
    assert "2026-01-01 10:00 UTC" in said
    assert "4 closed periods" in said


@pytest.mark.parametrize("what", ["1 event", "3 events", "a resolution"])
@pytest.mark.parametrize("accepts", ["no late events", "late events for 1 closed periods"])
def test_a_reader_of_chinese_finds_no_english_in_it(what: str, accepts: str) -> None:
    with speaking("zh"):
        said = late_words(LATE.format(what=what, days="0.5", accepts=accepts))
    for word in ("event", "arrived", "closed", "resolution"):
        assert word not in said


def test_a_founding_with_one_authority_is_said_in_the_singular() -> None:
    assert founded_words("demo: 1 authorities, 4 people") == "demo: 1 authority, 4 people"
    with speaking("zh"):
        assert founded_words("demo: 2 authorities, 1 people") == "demo：2 个主管机关，1 人"


def test_a_version_is_translated_and_other_rules_are_names() -> None:
    with speaking("zh"):
        assert rule_words("version 3") == "第3版"
        assert rule_words("limit_e_process") == "limit_e_process"


def test_a_detail_of_another_version_is_shown_as_it_was_written() -> None:
    assert late_words("arrived late") == "arrived late"
    assert founded_words("by hand") == "by hand"
