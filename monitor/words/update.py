"""Brings the catalogues up to date with the source: `python -m monitor.words.update`.

Collects the messages of `tr`, `trm`, `trn` and `mark` (Babel), adds what is missing to the file of its area, empty
or with the translation that another area has, and removes what no source shows any more. Files are sorted and have no
line numbers, so that a change of code changes no file. Prints what has no translation; exit code 1 then.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
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
KEYWORDS = {"tr": None, "trm": None, "mark": None, "trn": (1, 2)}
Message = str | tuple[str, ...]


def extracted() -> dict[str, set[Message]]:
    """The messages in the source, by area."""
    found: dict[str, set[Message]] = {}
    rows = extract_from_dir(ROOT, [("**.py", "python")], keywords=KEYWORDS)
    for path, _, message, _, _ in rows:
        folder = Path(path).parts[0]
        if message and folder != "words":
            found.setdefault(AREAS.get(folder, "other"), set()).add(message)
    return found


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
