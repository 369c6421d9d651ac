"""The catalogue is complete, and what it says fits the messages."""

from __future__ import annotations

import ast
import string
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from monitor.translation.update import ROOT, _messages, untranslated, updated

AREAS = sorted(path.stem for path in (ROOT / "translation" / "zh").glob("*.po"))
FUNCTIONS = {"tr", "trm", "trn", "mark"}


@pytest.fixture(name="files", scope="module")
def files_of_the_source() -> dict[str, bytes]:
    """By area, what the catalogue is by the source. Reads the whole source once."""
    return updated("zh")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


def test_the_files_are_those_of_the_source(files: dict[str, bytes]) -> None:
    """`python -m monitor.translation.update` changes nothing."""
    assert {area: (ROOT / "translation" / "zh" / f"{area}.po").read_bytes() for area in AREAS} == files


@pytest.mark.parametrize("area", AREAS)
def test_every_message_has_a_translation(area: str, files: dict[str, bytes]) -> None:
    assert untranslated(files[area]) == []


@pytest.mark.parametrize("area", AREAS)
def test_a_translation_has_the_placeholders_of_its_message(area: str, files: dict[str, bytes]) -> None:
    """A plural needs those of its plural form; the number may be left out nowhere."""
    for entry in read_po(BytesIO(files[area]), "zh"):
        if not entry.id or not entry.string:
            continue
        english = entry.id if isinstance(entry.id, str) else entry.id[-1]
        chinese = entry.string if isinstance(entry.string, str) else entry.string[0]
        assert placeholders(chinese) == placeholders(english), english


def test_a_message_within_another_call_is_found() -> None:
    """Also after an f-string, and in the arguments of another message."""
    source = """
a = f"{number:,}" if x else f"{x!r}"
b = trm("Also as {link}", link=h.a(href=f"/fleet?{x}")[tr("filter"), trn("{n} one", "{n} many", n)])
c = tr(variable)
"""
    assert sorted(map(str, _messages(source))) == ["('{n} one', '{n} many')", "Also as {link}", "filter"]


def test_messages_are_written_in_the_source() -> None:
    """The extraction sees literals only: a message that is computed in the call would never be translated."""
    built = []
    for path in sorted(Path(ROOT).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS:
                texts = node.args[:2] if node.func.id == "trn" else node.args[:1]
                if any(isinstance(text, ast.JoinedStr | ast.BinOp) for text in texts):
                    built.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert built == []
