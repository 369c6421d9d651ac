"""The negative list of the EU AI Act, Art. 5(1), as data, and the search for its terms in an application. Pure.

The practices are summarized; the text of the regulation decides. A term that is found does not prove a practice, and
its absence proves nothing: it shows the screening officer where to look, and the officer must answer it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from monitor.lifecycle.sandbox import Prohibition

_ACT = "Regulation (EU) 2024/1689, Art. 5(1)"

EU_PROHIBITIONS: tuple[Prohibition, ...] = (
    Prohibition(
        "eu-5-1-a", "Manipulation", f"{_ACT}(a)",
        "Subliminal, purposefully manipulative or deceptive techniques that materially distort behaviour by impairing "
        "the ability to take an informed decision, and cause or are reasonably likely to cause significant harm.",
        terms=("subliminal", "manipulative technique", "deceptive technique", "dark pattern"),
    ),
    Prohibition(
        "eu-5-1-b", "Exploiting vulnerabilities", f"{_ACT}(b)",
        "Exploiting vulnerabilities due to age, disability or a specific social or economic situation, to materially "
        "distort behaviour in a way that causes or is reasonably likely to cause significant harm.",
        terms=("exploit vulnerabilities", "exploiting vulnerabilities", "exploitation of vulnerabilities"),
    ),
    Prohibition(
        "eu-5-1-c", "Social scoring", f"{_ACT}(c)",
        "Evaluating or classifying people over a period of time by their social behaviour or by known, inferred or "
        "predicted personal characteristics, where the score leads to detrimental treatment in unrelated contexts, or "
        "to treatment that is unjustified or disproportionate.",
        terms=("social scoring", "social score", "social credit", "citizen score", "citizen scoring"),
    ),
    Prohibition(
        "eu-5-1-d", "Predicting criminal offences", f"{_ACT}(d)",
        "Assessing or predicting the risk that a person commits a criminal offence, based solely on profiling or on "
        "personality traits and characteristics.",
        "Support of a human assessment that is already based on objective and verifiable facts directly linked to a "
        "criminal activity.",
        ("predictive policing", "crime prediction", "predict criminal", "criminal risk profiling"),
    ),
    Prohibition(
        "eu-5-1-e", "Scraping of facial images", f"{_ACT}(e)",
        "Creating or expanding facial recognition databases by untargeted scraping of facial images from the internet "
        "or from CCTV footage.",
        terms=("facial recognition database", "face database", "scraping of facial images", "scraping facial images"),
    ),
    Prohibition(
        "eu-5-1-f", "Emotions at work and in education", f"{_ACT}(f)",
        "Inferring emotions of people in the areas of workplace and education institutions.",
        "Medical or safety reasons.",
        ("emotion recognition", "emotion inference", "emotion detection", "infer emotions", "inferring emotions"),
    ),
    Prohibition(
        "eu-5-1-g", "Biometric categorisation", f"{_ACT}(g)",
        "Categorising people individually by biometric data to deduce or infer race, political opinions, trade union "
        "membership, religious or philosophical beliefs, sex life or sexual orientation.",
        "Labelling or filtering of lawfully acquired biometric data sets; categorising of biometric data in the area "
        "of law enforcement.",
        ("biometric categorisation", "biometric categorization"),
    ),
    Prohibition(
        "eu-5-1-h", "Real-time remote biometric identification", f"{_ACT}(h)",
        "Real-time remote biometric identification in publicly accessible spaces for the purposes of law enforcement.",
        "What Art. 5(1)(h)(i) to (iii) lists, as far as strictly necessary and under Art. 5(2) to (7).",
        ("real-time remote biometric", "real-time biometric identification", "live facial recognition"),
    ),
)  # fmt: skip
"""Art. 5(1)(a) to (h) in order."""


class Match(NamedTuple):
    """A term of an item, and the field of the application in which it stands."""

    item: Prohibition
    field: str
    term: str


def matches(prohibitions: Iterable[Prohibition], texts: Mapping[str, str]) -> Iterator[Match]:
    """Every field that contains a term of an item: whole words, whatever their case, spacing and hyphens.

    >>> [(m.item.id, m.field) for m in matches(EU_PROHIBITIONS, {"scenario": "Social-scoring of tenants"})]
    [('eu-5-1-c', 'scenario')]
    """
    plain = {field: f" {_plain(text)} " for field, text in texts.items()}
    for item in prohibitions:
        for field, text in plain.items():
            yield from (Match(item, field, term) for term in item.terms if f" {_plain(term)} " in text)


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold().replace("_", " ")))
