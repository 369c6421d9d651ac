"""Text is plain technical English: standard terms instead of a private dialect, in lines within 120 columns."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COLUMNS = 120

# Dialect and the standard term that replaces it. A word that is on the wire stays in `ON_THE_WIRE`.
DIALECT: dict[str, str] = {
    r"(told|sent|tells|sends) again": "resent, retransmission, attempts",
    r"(put|puts|putting) out": "emit, emitted, outputs",
    r"nobody|whoever|midst|lately|reckon\w*": "name the person, process or time",
    r"beside": "next to, in addition to",
    r"of (its|their) own": "separate, dedicated",
    r"at hand|at rest|asleep|awake": "cached, packed, evicted, resident",
    r"(the )?long way": "slow path",
    r"(gives?|given|giving) (its|their) word|words? of (the|a) service|false word": "signed event, false alarm",
    r"lets? go|letting go": "release, revoke",
    r"in hand": "pending, in progress",
    r"(bears?|borne) out": "confirm",
    r"(works?|worked|working) out": "compute",
    r"(the|its|their|a|this|that) bars?|bars": "threshold",
    r"unanswered": "unacknowledged",
    r"stands? still": "stopped",
}
ON_THE_WIRE = ("heard_again", '"awake"', '"asleep"')
PATTERN = re.compile(r"\b(" + "|".join(f"(?:{p})" for p in DIALECT) + r")\b", re.I)
SKIPPED = (
    "tests/contract/test_language.py", "tests/contract/golden/story.py", "tests/data/",
    "monitor/asyncapi.yaml", "requirements.lock", "LICENSE", "CHANGELOG.md",
    "dashboards/json/", "deploy/pictures/",
)  # fmt: skip
KINDS = {".py", ".md", ".yaml", ".yml", ".toml", ".css", ".js", ".mjs", ".sh"}
FOLDERS = ("monitor", "detectors", "deploy", "dashboards", "tests")


def _files() -> list[Path]:
    found = [p for folder in FOLDERS for p in (ROOT / folder).rglob("*") if p.suffix in KINDS]
    found = [p for p in found if "node_modules" not in p.parts]
    found += [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "pyproject.toml", ROOT / "Makefile"]
    return sorted(p for p in found if not str(p.relative_to(ROOT)).startswith(SKIPPED))


FILES = _files()


FOLDERS_OF_FILES = sorted({str(p.relative_to(ROOT).parent) for p in FILES})


@pytest.mark.parametrize("folder", FOLDERS_OF_FILES)
def test_no_dialect(folder: str) -> None:
    """A text uses words that a newcomer would search for."""
    found = []
    for path in FILES:
        where = path.relative_to(ROOT)
        if str(where.parent) != folder:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            for word in ON_THE_WIRE:
                line = line.replace(word, "")
            hits = PATTERN.finditer(line.replace("_", " "))
            found += [f"{where}:{number}: {m[0]!r} in {line.strip()[:100]!r}" for m in hits]
    assert not found, "write the standard term (see DIALECT):\n" + "\n".join(found)


@pytest.mark.parametrize("path", [p for p in FILES if p.suffix == ".md"], ids=lambda p: str(p.relative_to(ROOT)))
def test_prose_keeps_to_the_line_length(path: Path) -> None:
    """Prose in Markdown stays within 120 columns; tables, code blocks and lone links may not be broken."""
    found, fenced = [], False
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        fenced ^= line.lstrip().startswith("```")
        if len(line) > COLUMNS and not fenced and not line.lstrip().startswith(("|", "```")) and " " in line.strip():
            found.append(f"{number}: {len(line)} columns")
    assert not found, "\n".join(found)
