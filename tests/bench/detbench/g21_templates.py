"""G21: innocent pilots under the shipped templates, end to end: who is halted, and how much a person reads.

Pilot-years of `template_pilots.py` at the limit of every indicator, and at half of it, through the state machine.
`halted`: pilots that were ever halted. `readings`: findings that joined (watch and above) per pilot-year, each of which
a person sees; per watcher in the table. Everything here is a false alarm.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from monitor.model.records import Level
from tests.bench.detbench import metrics, simulators
from tests.bench.detbench.goal import Goal, Row, held
from tests.bench.detbench.progress import steps
from tests.bench.detbench.template_pilots import TEMPLATES, decided, seen, template

ALPHA, READINGS = 0.01, 0.5


def goals(quick: bool) -> list[Goal]:
    """Returns for each template the fraction halted, and the readings at the limit and at half of it."""
    pilots, made = 60 if quick else 2_000, list[Goal]()
    for name in TEMPLATES:
        charter = template(name)
        for level in (1.0, 0.5):
            rng, halted = simulators.rng(f"g21 {name} {level}"), 0
            reads, of = list[int](), Counter[tuple[str, str]]()
            for _ in steps(range(pilots), f"G21 {name} at {level:g}"):
                decisions = decided(rng, name, level, charter)
                halted += any(d.level == Level.HALT for d in decisions)
                findings = seen(decisions)
                reads.append(len(findings))
                of.update((indicator, rule) for _, rule, indicator, _ in findings)
            about = f"{name} at {level:g} of every limit"
            share, mean = metrics.share(halted, pilots), metrics.mean(np.array(reads))
            rows = tuple(
                Row("readings a pilot-year", f"{rule} of {indicator}", n / pilots, (n**0.5) / pilots)
                for (indicator, rule), n in of.most_common()
            )
            key = f"{name.partition('_')[0]}@{level:g}"
            made += [
                Goal(f"G21-halted-{key}", share.value, f"<= {ALPHA}", held(share.value, f"<= {ALPHA}"), share.error,
                     f"innocent pilots ever halted in a year; {about}"),
                Goal(f"G21-read-{key}", mean.value, f"<= {READINGS}", held(mean.value, f"<= {READINGS}"), mean.error,
                     f"findings that a person reads a pilot-year; {about}", rows),
            ]  # fmt: skip
    return made
