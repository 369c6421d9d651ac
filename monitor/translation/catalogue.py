"""The languages and their catalogues: files in gettext's format, read once, merged to one."""

from __future__ import annotations

import functools
from importlib.resources import files
from typing import Literal

from msgspec import Struct

Language = Literal["en", "zh", "qps"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
PSEUDO: Language = "qps"
"""A language for tests: every message in double brackets, so text that is not translated stands out."""
NAMES: dict[str, str] = {"en": "English", "zh": "中文"}
TAGS: dict[str, str] = {"en": "en", "zh": "zh-Hans", "qps": "en-x-pseudo"}
"""Language tags (BCP 47) for the attribute `lang` of HTML."""


class Catalogue(Struct, frozen=True):
    """Translations by English message; a plural form of Chinese has one text, filed under its English singular."""

    texts: dict[str, str] = {}

    def get(self, message: str) -> str | None:
        """The translation; `None` without one."""
        return self.texts.get(message) or None


@functools.cache
def catalogue(language: Language) -> Catalogue:
    """All files of a language, merged. English and the pseudo-language have none.

    Raises:
        ValueError: two files translate one message differently.
    """
    if language not in LANGUAGES or language == "en":
        return Catalogue()
    from babel.messages.pofile import read_po  # only where another language is asked for: the SDK comes without Babel

    texts: dict[str, str] = {}
    for part in sorted(files("monitor.translation").joinpath(language).iterdir(), key=lambda part: part.name):
        if part.name.endswith(".po"):
            with part.open("rb") as stream:
                found = {_one(entry.id): _one(entry.string) for entry in read_po(stream, locale=language) if entry.id}
            for message, text in found.items():
                if text and texts.setdefault(message, text) != text:
                    raise ValueError(f"{part.name} translates differently from another file: {message!r}")
    return Catalogue(texts)


def _one(form: str | list[str] | tuple[str, ...] | None) -> str:
    return form if isinstance(form, str) else form[0] if form else ""


def language_of(asked: str) -> Language:
    """The language to use for an `Accept-Language` header or a tag such as `zh-Hans-CN`: the first of ours in order of
    preference (RFC 9110, section 12.5.4); English where none is named."""
    weighted: list[tuple[float, int, str]] = []
    for place, part in enumerate(asked[:1000].split(",")):
        tag, _, parameter = part.strip().partition(";")
        weighted.append((-_weight(parameter), place, tag.strip().lower().split("-")[0].split("_")[0]))
    for weight, _, tag in sorted(weighted):
        if weight < 0:
            for language in LANGUAGES:
                if tag == language:
                    return language
    return "en"


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0.0 <= weight <= 1.0 else 0.0
