"""Values that any field of a charter may hold: numbers that canonical JSON can represent, texts that can be read. Pure.

Ids name things in topics, file names, URLs, metrics and on the board, so they hold nothing that cannot be seen.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from monitor.charter.spec import Charter

EXACT = 1 << 53  # above it a double, and so canonical JSON, does not hold every integer
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})  # Unicode's general categories of what cannot be seen
_TURNING = frozenset(
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)  # change the order in which text is shown
_ID = re.compile(
    r"pilot|vendor|sector|region|participant\.id|models\[\d+\]\.digest|users\.groups\[\d+\]|hard_rules\[\d+\]\.name"
    r"|authorities\[\d+\]\.(id|approvers\[\d+\]|officers\[\d+\])|evaluation\[\d+\]\.name"
    r"|changes\[\d+\]\.(name|models\[\d+\]|subjects\[\d+\]|protocol\[\d+\]\.name)"
    r"|trends\[\d+\]\.indicator|chain\.[a-z_]+\.id"
    r"|indicators\[\d+\]\.(name|segments\[\d+\]|exposure\.unit)"
)
_NAMING = re.compile(
    r"authorities\[\d+\]\.keys|evaluation\[\d+\]\.bounds|changes\[\d+\]\.protocol\[\d+\]\.bounds"
)  # mappings whose keys are ids


class Flaw(NamedTuple):
    """The dotted `field`, what is wrong with its value, and what to do."""

    field: str
    problem: str
    fix: str


def flaws(charter: Charter) -> Iterator[Flaw]:
    """Every value of a charter that cannot be hashed or must not be displayed, in the order of the schema."""
    yield from _within(msgspec.to_builtins(charter, str_keys=True), "")


def text_flaws(data: Any) -> Iterator[Flaw]:
    """Every text and number of plain values that cannot be hashed or must not be displayed. No field names anything."""
    yield from _within(data, "")


def escaped(text: str) -> str:
    """`text` with everything that cannot be seen written as an escape, so that a message stays one line of UTF-8.

    >>> escaped("p\\n1\\ud800")
    'p\\\\n1\\\\ud800'
    """
    if _ordinary(text):
        return text
    return "".join(c if not _hidden(c) else repr(c)[1:-1] for c in text)


def _ordinary(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN


def _within(value: Any, at: str) -> Iterator[Flaw]:
    if isinstance(value, dict):
        for key, item in value.items():
            field = f"{at}.{key}".lstrip(".")
            flaw = _name(key) if _NAMING.fullmatch(at) else _text(key)
            if flaw is not None:
                yield Flaw(field, *flaw)
            yield from _within(item, field)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _within(item, f"{at}[{index}]")
    elif isinstance(value, str):
        flaw = _name(value) if _ID.fullmatch(at) else _text(value)
        if flaw is None and at == "pilot" and not unicodedata.is_normalized("NFC", value):
            flaw = "the id is not in Unicode's form C, so another pilot's may look the same", "write it composed (NFC)"
        if flaw is not None:
            yield Flaw(at, *flaw)
    elif isinstance(value, int) and abs(value) > EXACT:
        yield Flaw(at, "an integer beyond 2^53 is not held exactly by every reader", f"write {EXACT} or less")


def _name(text: str) -> tuple[str, str] | None:
    """The problem of an id, with its fix."""
    for character in "" if _ordinary(text) else text:
        if _hidden(character) or (character.isspace() and character != " "):
            return (
                f"U+{ord(character):04X} cannot be seen, and an id must be",
                "write visible characters and single blanks",
            )
    if text != text.strip():
        return "the id begins or ends with a blank", "remove it"
    if text in (".", ".."):
        return "as a path this id would name a directory", "write another id"
    return None


def _text(text: str) -> tuple[str, str] | None:
    """The problem of a text for people, with its fix; line breaks and tabs are allowed."""
    for character in "" if _ordinary(text) else text:
        kind = unicodedata.category(character)
        if kind == "Cs":
            return f"U+{ord(character):04X} is half a character", "write the character itself"
        if (kind == "Cc" and character not in "\n\t") or character in _TURNING:
            return f"U+{ord(character):04X} hides or turns what is written", "remove it"
    return None
