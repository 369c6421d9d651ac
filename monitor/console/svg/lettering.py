"""How wide text is drawn, and how it is cut or wrapped to fit. Widths are upper estimates for common sans-serif fonts.
Pure."""

from __future__ import annotations

import unicodedata

SIZE = 11.0  # font size in px unless said otherwise
_NARROW, _WIDE = set("iljtfrI.,:;'|!()[] -/"), set("mwMWQO@%…→×")


def width(text: str, size: float = SIZE, bold: bool = False) -> float:
    """An upper estimate of the width of a text in px.

    >>> width("normal") < width("NORMAL") < width("监管沙盒试点机构")
    True
    """
    total = 0.0
    for letter in text:
        if unicodedata.east_asian_width(letter) in "WF":
            total += 1.03
        elif unicodedata.combining(letter):
            continue
        else:
            total += 0.42 if letter in _NARROW else 1.0 if letter in _WIDE else 0.72 if letter.isupper() else 0.645
    return total * size * (1.1 if bold else 1.0)


def fit(text: str, room: float, size: float = SIZE, bold: bool = False) -> str:
    """The text, cut with an ellipsis where it is wider than `room` px.

    >>> fit("a-pilot-with-a-long-name", 60), fit("short", 60)
    ('a-pilot-…', 'short')
    """
    if width(text, size, bold) <= room:
        return text
    while text and width(text + "…", size, bold) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def wrap(text: str, room: float, most: int = 4, size: float = SIZE, bold: bool = False) -> list[str]:
    """The text in at most `most` lines of `room` px, broken at spaces (Chinese anywhere); what is left over is cut.

    >>> wrap("one two three", 50)
    ['one two', 'three']
    """
    lines = [""]
    for part in _parts(text):
        if lines[-1] and width((lines[-1] + part).rstrip(), size, bold) > room:
            lines[-1] = lines[-1].rstrip()
            lines.append("")
        lines[-1] += part if lines[-1] else part.lstrip()
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [fit(line.rstrip(), room, size, bold) for line in lines if line.strip()]


def _parts(text: str) -> list[str]:
    """The smallest parts between which a line may break, each with its following space."""
    parts: list[str] = []
    for letter in text:
        east = unicodedata.east_asian_width(letter) in "WF"
        if not parts or parts[-1].endswith(" ") or east:
            parts.append(letter)
        else:
            parts[-1] += letter
    return parts
