"""The Prometheus text format of samples that are read from a table, without an object for each sample. Pure.

A process has some hundred thousand series of pilots; `prometheus_client` takes more than three times as long for them.
The text is the same (`tests/unit/projections/test_text_format.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf, isnan

from monitor.projections.metric_catalogue import PREFIX, Spec

Sample = tuple[str, Sequence[str], float]
"""Metric name without prefix, label values in the order of the catalogue, value."""


def exposition_of(specs: Iterable[Spec], samples: Iterable[Sample]) -> str:
    """The families of `specs` (gauges and counters) in their order, each with its samples in theirs."""
    families = {spec.name[len(PREFIX) :]: _Family(spec) for spec in specs}
    for name, labels, value in samples:
        families[name].add(labels, value)
    return "".join(line for family in families.values() for line in family.lines)


class _Family:
    """The lines of one family."""

    __slots__ = ("_series", "lines")

    def __init__(self, spec: Spec) -> None:
        text = spec.help.replace("\\", "\\\\").replace("\n", "\\n")
        self.lines = [f"# HELP {spec.name} {text}\n# TYPE {spec.name} {spec.kind}\n"]
        places = sorted((label, place) for place, label in enumerate(spec.labels))
        pairs = ",".join(f'{label}="{{{place}}}"' for label, place in places)
        self._series = (f"{spec.name}{{{{{pairs}}}}}" if pairs else spec.name).format

    def add(self, labels: Sequence[str], value: float) -> None:
        joined = "".join(labels)
        if '"' in joined or "\\" in joined or "\n" in joined:
            labels = [_escaped(one) for one in labels]
        self.lines.append(f"{self._series(*labels)} {number_text(value)}\n")


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def number_text(value: float) -> str:
    """A number as Go writes it: from 1,000,000 on with an exponent.

    >>> number_text(3), number_text(1767232800.0), number_text(float("inf"))
    ('3.0', '1.7672328e+09', '+Inf')
    """
    value = float(value)
    if value in (inf, -inf) or isnan(value):
        return "NaN" if isnan(value) else "+Inf" if value > 0 else "-Inf"
    text = repr(value)
    dot = text.find(".")
    if value > 0 and dot > 6:
        mantissa = f"{text[0]}.{text[1:dot]}{text[dot + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{dot - 1:02d}"
    return text
