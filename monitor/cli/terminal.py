"""What commands print: text without control characters, so that nothing that a firm or a file says steers a terminal.

Line breaks and tabs stay; every other character that cannot be seen, or that changes the order in which text is shown,
is written as an escape. Commands print through `echo` (`tests/contract/test_terminal.py` holds it).
"""

from __future__ import annotations

import click

from monitor.charter.values import escaped


def printable(text: str) -> str:
    """The text with escapes in place of control characters.

    >>> printable("a\\x1b[2Jb\\n\\tc\\u202ed")
    'a\\\\x1b[2Jb\\n\\tc\\\\u202ed'
    """
    if text.isascii() and text.isprintable():
        return text
    return "\n".join("\t".join(escaped(part) for part in line.split("\t")) for line in text.split("\n"))


def echo(message: str | bytes = "", *, err: bool = False, nl: bool = True) -> None:
    """Print a text to stdout (data), or with `err` to stderr (talk). Bytes are JSON or UTF-8 text of our own files."""
    text = message.decode("utf-8", "backslashreplace") if isinstance(message, bytes) else message
    click.echo(printable(text), err=err, nl=nl)
