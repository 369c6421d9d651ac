"""Brings the catalogues up to date with the source: `python -m monitor.translation.update`.

Collects the messages of `tr`, `trm`, `trn` and `mark`, adds what is missing to the file of its area, empty
or with the translation that another area has, and removes what no source shows any more. Files are sorted and have no
line numbers, so that a change of code changes no file. Prints what has no translation; exit code 1 then.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
AREAS = {
    "console": "board",
    "projections": "sentences",
    "report": "reports",
    "public_record": "reports",
    "cli": "cli",
    "act": "notifications",
}
"""The file of a folder's messages; `other` for every folder that is not named."""
KEYWORDS = {"tr": 1, "trm": 1, "mark": 1, "trn": 2}
"""Functions, and how many of their arguments are texts."""
Message = str | tuple[str, ...]


def extracted() -> dict[str, set[Message]]:
    """The messages in the source, by area.

    Read from the syntax tree: Babel's own reader of Python misses a call within the arguments of another, and all that
    follows certain f-strings in a file.
    """
    found: dict[str, set[Message]] = {}
    for path in sorted(ROOT.rglob("*.py")):
        folder = path.relative_to(ROOT).parts[0]
        if folder != "translation":
            for message in _messages(path.read_text("utf-8")):
                found.setdefault(AREAS.get(folder, "other"), set()).add(message)
    return found


def _messages(source: str) -> Iterator[Message]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KEYWORDS:
            texts = [one.value for one in node.args[: KEYWORDS[node.func.id]] if isinstance(one, ast.Constant)]
            said = tuple(text for text in texts if isinstance(text, str) and text)
            if said:
                yield said[0] if KEYWORDS[node.func.id] == 1 else said


def updated(language: str) -> dict[str, bytes]:
    """The content of every file of a language after an update, by area."""
    folder = Path(__file__).parent / language
    said: dict[str, tuple[str, ...]] = {}
    for path in sorted(folder.glob("*.po")):
        with path.open("rb") as stream:
            entries = [(_key(entry.id), _texts(entry.string)) for entry in read_po(stream, language)]
        said |= {message: texts for message, texts in entries if any(texts)}
    found = extracted()
    return {area: _file(language, found.get(area, set()), said) for area in sorted({*AREAS.values(), "other"})}


def _file(language: str, messages: set[Message], said: dict[str, tuple[str, ...]]) -> bytes:
    entries = Catalog(locale=language)
    for message in sorted(messages, key=_key):
        texts = said.get(_key(message), ("",))
        entries.add(message, texts[0] if isinstance(message, str) else texts[:1])
    stream = BytesIO()
    write_po(stream, entries, width=0, omit_header=True, sort_output=True, no_location=True)
    return stream.getvalue()


def _key(message: str | list[str] | tuple[str, ...]) -> str:
    return message if isinstance(message, str) else message[0]


def _texts(text: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


def untranslated(content: bytes) -> list[str]:
    """The messages of a file that have no translation."""
    return [_key(entry.id) for entry in read_po(BytesIO(content), "zh") if entry.id and not any(_texts(entry.string))]


def main() -> int:
    """Update all files."""
    missing = 0
    for area, content in updated("zh").items():
        path = Path(__file__).parent / "zh" / f"{area}.po"
        path.write_bytes(content)
        for message in untranslated(content):
            missing += 1
            print(f"{path.name}: no translation: {message}")
    return int(missing > 0)


if __name__ == "__main__":
    sys.exit(main())
