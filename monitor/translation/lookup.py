"""Looking messages up in the language that is spoken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from monitor.translation.catalogue import PSEUDO, Language, catalogue

if TYPE_CHECKING:
    from markupsafe import Markup

_LANGUAGE: ContextVar[Language] = ContextVar("language", default="en")


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Use `language` for the messages of this block: of this thread or asynchronous task."""
    token = _LANGUAGE.set(language)
    try:
        yield
    finally:
        _LANGUAGE.reset(token)


def current() -> Language:
    """The language that is spoken."""
    return _LANGUAGE.get()


def tr(message: str, /, **values: object) -> str:
    """A message in the language that is spoken, with its placeholders filled.

    Raises:
        KeyError: a placeholder has no value.
    """
    text = _find(message)
    return text.format(**values) if values else text


def trn(singular: str, plural: str, n: int, /, **values: object) -> str:
    """A message about `n` things, which is also the placeholder `n`.

    Raises:
        KeyError: a placeholder has no value.
    """
    language = _LANGUAGE.get()
    english = singular if n == 1 else plural
    text = english if language == "en" else catalogue(language).get(singular) or english
    return _show(text, language).format(n=n, **values)


def trm(message: str, /, **values: object) -> Markup:
    """Like `tr`, as HTML: the message and plain values are escaped, elements stay elements.

    Raises:
        KeyError: a placeholder has no value.
    """
    from markupsafe import Markup, escape

    return Markup(escape(_find(message))).format(**values)


def mark(message: str, /) -> str:
    """The message itself: tells the extraction that it is shown, and translated, somewhere else."""
    return message


def _find(message: str) -> str:
    language = _LANGUAGE.get()
    if language == "en" or not message:
        return message
    return _show(catalogue(language).get(message) or message, language)


def _show(text: str, language: Language) -> str:
    return f"⟦{text}⟧" if language == PSEUDO else text
