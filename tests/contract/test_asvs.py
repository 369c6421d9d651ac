"""The map of the Application Security Verification Standard leaves no requirement out and names tests that exist."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Section -> (number of its requirements, those of level 3), of ASVS 5.0.0.
SECTIONS: dict[str, tuple[int, set[int]]] = {
    "1.1": (2, set()),
    "1.2": (10, {10}),
    "1.3": (12, {12}),
    "1.4": (3, set()),
    "1.5": (3, {3}),
    "2.1": (3, set()),
    "2.2": (3, set()),
    "2.3": (5, {5}),
    "2.4": (2, {2}),
    "3.1": (1, {1}),
    "3.2": (3, {3}),
    "3.3": (5, {5}),
    "3.4": (8, {7, 8}),
    "3.5": (8, {6, 7, 8}),
    "3.6": (1, {1}),
    "3.7": (5, {3, 4, 5}),
    "4.1": (5, {4, 5}),
    "4.2": (5, {2, 3, 4, 5}),
    "4.3": (2, set()),
    "4.4": (4, set()),
    "5.1": (1, set()),
    "5.2": (6, {4, 5, 6}),
    "5.3": (3, {3}),
    "5.4": (3, set()),
    "6.1": (3, set()),
    "6.2": (12, set()),
    "6.3": (8, {5, 6, 7, 8}),
    "6.4": (6, {5, 6}),
    "6.5": (8, {6, 7, 8}),
    "6.6": (4, {4}),
    "6.7": (2, {1, 2}),
    "6.8": (4, set()),
    "7.1": (3, set()),
    "7.2": (4, set()),
    "7.3": (2, set()),
    "7.4": (5, set()),
    "7.5": (3, {3}),
    "7.6": (2, set()),
    "8.1": (4, {3, 4}),
    "8.2": (4, {4}),
    "8.3": (3, {2, 3}),
    "8.4": (2, {2}),
    "9.1": (3, set()),
    "9.2": (4, set()),
    "10.1": (2, set()),
    "10.2": (3, {3}),
    "10.3": (5, {5}),
    "10.4": (16, {12, 13, 14, 15, 16}),
    "10.5": (5, set()),
    "10.6": (2, set()),
    "10.7": (3, set()),
    "11.1": (4, {3, 4}),
    "11.2": (5, {4, 5}),
    "11.3": (5, {4, 5}),
    "11.4": (4, set()),
    "11.5": (2, {2}),
    "11.6": (2, {2}),
    "11.7": (2, {1, 2}),
    "12.1": (5, {4, 5}),
    "12.2": (2, set()),
    "12.3": (5, {5}),
    "13.1": (4, {2, 3, 4}),
    "13.2": (6, {6}),
    "13.3": (4, {3, 4}),
    "13.4": (7, {6, 7}),
    "14.1": (2, set()),
    "14.2": (8, {5, 6, 7, 8}),
    "14.3": (3, set()),
    "15.1": (5, {4, 5}),
    "15.2": (5, {4, 5}),
    "15.3": (7, set()),
    "15.4": (4, {1, 2, 3, 4}),
    "16.1": (1, set()),
    "16.2": (5, set()),
    "16.3": (4, set()),
    "16.4": (3, set()),
    "16.5": (4, {4}),
    "17.1": (2, {2}),
    "17.2": (8, {5, 6, 7, 8}),
    "17.3": (2, set()),
}
ROW = re.compile(r"^\| ((?:\d+\.\d+\.\d+ ?)+)\| (.+) \|$", re.MULTILINE)


def rows() -> list[tuple[list[str], str]]:
    text = (ROOT / "deploy" / "asvs.md").read_text()
    return [(found[1].split(), found[2]) for found in ROW.finditer(text)]


def test_each_requirement_of_levels_1_and_2_has_one_row() -> None:
    """253 requirements, as the standard has them."""
    wanted = [f"{name}.{n}" for name, (last, third) in SECTIONS.items() for n in range(1, last + 1) if n not in third]
    assert len(wanted) == 253
    assert Counter(item for items, _ in rows() for item in items) == Counter(wanted)


def test_each_answer_is_a_test_that_exists_or_a_reason() -> None:
    """A row that names a test names a file, and a function that is in it."""
    missing = []
    for items, answer in rows():
        assert re.match(r"(test: tests/|reason: |operator: |\*\*Open\*\*: )", answer), items
        for file, function in re.findall(r"(tests/[\w/]+\.py)(?:::(\w+))?", answer):
            path = ROOT / file
            if not path.is_file() or (function and f"def {function}(" not in path.read_text()):
                missing.append((items, file, function))
    assert not missing
