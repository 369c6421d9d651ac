"""`make test-acts`: every cell of the table of acts in a real machine, and a random walk of 100,000 acts.

Prints `GOAL cells_unequal` (cells in which the machine decides otherwise than the table) and `GOAL side_doors` (steps
of the walk after which something is allowed that must not be). Exit codes: 0 both are 0, 1 otherwise.
"""

from __future__ import annotations

import argparse
import sys

from tests.acts.test_cells import ROWS_IN_RECORDS, unequal, unequal_on_models
from tests.acts.walk import Walk


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="test-acts", description="the table of acts against the machine")
    parser.add_argument("--acts", type=int, default=100_000, help="acts of the walk")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    cells, wrong = 0, list[str]()
    for number, act in enumerate(ROWS_IN_RECORDS, 1):
        tried, found = unequal(act)
        cells, wrong = cells + tried, wrong + found
        print(f"cells {number}/{len(ROWS_IN_RECORDS)} {act.value}: {tried}, unequal {len(found)}", file=sys.stderr)
    tried, found = unequal_on_models()
    cells, wrong = cells + tried, wrong + found
    print(f"cells of models: {tried}, unequal {len(found)}", file=sys.stderr)
    walk = Walk(arguments.seed)
    walk.walk(arguments.acts)
    for line in (*wrong[:20], *walk.side_doors[:20]):
        print(line, file=sys.stderr)
    print(f"cells {cells}; walk of {arguments.acts} acts, seed {arguments.seed}: {sum(walk.counts.values())} decisions")
    print(", ".join(f"{reason} {number}" for reason, number in walk.counts.most_common()))
    for name, number in (("cells_unequal", len(wrong)), ("side_doors", len(walk.side_doors))):
        print(f"GOAL {name} {number} 0 {'ok' if number == 0 else 'missed'}")
    return 1 if wrong or walk.side_doors else 0


if __name__ == "__main__":
    sys.exit(main())
