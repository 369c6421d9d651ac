"""Closed lists of words that stand in records: none is renamed or dropped."""

from __future__ import annotations

from . import names
from .pins import pinned

RULE = "A word that stands in records never changes."


def test_reasons_rejections_and_refusals_keep_their_words() -> None:
    """Records of every age name them, and so do alerts, dashboards and reports."""
    found = {name: [member.value for member in kind] for name, kind in names.CLOSED_LISTS.items()}
    pinned("words", RULE, found | {"Level": {level.word: int(level) for level in names.Level}})


def test_names_in_charters_keep_their_words() -> None:
    """Detectors, their parameters, indicators and their parameters, by the name that a charter gives."""
    found = {
        "detectors": {name: names.detector_parameters(kind) for name, kind in names.DETECTORS.items()},
        "indicators": {name: names.indicator_parameters(kind) for name, kind in names.INDICATORS.items()},
        "actors": sorted(names.ACTORS),
    }
    pinned("words_of_charters", RULE, found)


def test_ids_are_made_of_the_same_parts() -> None:
    """A replay by a firm, years later, computes the same ids."""
    pinned(
        "ids",
        "An id is the same digest of the same parts in every version.",
        {
            "digest": names.digest("pilot", b"\x00", 7, "cause"),
            "command": names.command_id("d-1"),
            "canonical": names.canonical({"b": 1.0, "a": [1e21, 1e-6, -0.0, None]}).decode(),
            "reader": {kind: names.identity(value) for kind, value in names.readers_examples().items()},
            "key id": names.Signer(bytes(32)).key_id,
            "signature": names.Signer(bytes(32)).sign("permit", b"{}"),
            "headers": [names.HEADER, names.HTTP_HEADER],
            "ledger file": names.ledger_file("acme/model 1"),
            "mark": names.short_digest("act-1"),
        },
    )
