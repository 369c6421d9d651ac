"""What the metrics of a process with many pilots cost to read.

    python tests/bench/exposition.py [--pilots N] [--rounds N]

Prints one line, of the fastest of `--rounds` expositions, in ms of processor time. `loops` is that time divided by the
time of a fixed loop in the same run: the load of the machine does not change it:

    GOAL exposition pilots=5000 ms=... loops=... most=60 bytes=... series=... ok
"""

from __future__ import annotations

import argparse
import gc
import sys
import time

from monitor.projections.metrics import Metrics
from tests.bench.board_pages import reference_loop
from tests.bench.board_pilots import outputs_of

MOST_LOOPS = 60.0
MOST_BYTES = 2_500  # of one pilot


def main() -> int:
    """Read the metrics, and print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--pilots", type=int, default=5_000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    metrics = Metrics(cap=chosen.pilots)
    for outputs, plan in outputs_of(chosen.pilots):
        metrics.learn(plan)
        metrics.observe(outputs)
    gc.collect()
    gc.freeze()
    took, loop, text = 1e9, 1e9, b""
    for _ in range(chosen.rounds):
        loop = min(loop, reference_loop())
        began = time.process_time()
        text = metrics.exposition()
        took = min(took, 1000 * (time.process_time() - began))
    series = sum(not line.startswith(b"#") for line in text.splitlines())
    met = took / loop < MOST_LOOPS and len(text) < MOST_BYTES * chosen.pilots
    print(
        f"GOAL exposition pilots={chosen.pilots} ms={took:.0f} loops={took / loop:.1f} most={MOST_LOOPS:.0f} "
        f"bytes={len(text)} series={series} {'ok' if met else 'MISSED'}"
    )
    return int(not met)


if __name__ == "__main__":
    sys.exit(main())
