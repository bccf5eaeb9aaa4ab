"""All releases of a made year attacked in one program, and each held by the gate against all before it.

    python benchmarks/year.py [--seed 1]

Twelve months of nearly the same people (1.2 % movers, 3 % changes in each dimension a month), three of them restated, over all
levels: the fifteen releases of `tests/release/years.py`, and its reader, who takes it that no count changes by 20 from one to
the next. Printed per unit: what was withheld, how near he comes to it, and by how much a count really changed at most.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from pathlib import Path

import pandas as pd

from living_finance.contracts import releases as r
from living_finance.release.verify import verify

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "release"))
from cubes import SIGNED, small_rules
from years import HALF, Attacker, made_year

THRESHOLD = 10 - 1e-4
CHANGE = 20.0


def largest_change(made: list[dict[str, pd.DataFrame]], unit: str) -> int:
    """Most by which a cell's contributors change from one release to the next."""
    largest = 0
    for source, count in r.COUNT_OF.items():
        if count == unit:
            keys = ["region_code", *r.DIMENSIONS[source]]
            counts = [cells[source].set_index(keys)[r.CONTRIBUTORS[count]] for cells in made]
            changes = (after.sub(before, fill_value=0).abs().max() for before, after in itertools.pairwise(counts))
            largest = max(largest, *map(int, changes))
    return largest


def main() -> None:
    """Attack and print as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    cpu = time.process_time()
    releases, made = made_year(small_rules(), seed=arguments.seed)
    print(json.dumps({"releases": len(releases), "protect_cpu_seconds": round(time.process_time() - cpu, 1)}), flush=True)
    for unit in HALF:
        cpu = time.process_time()
        found = Attacker(releases, unit, CHANGE).widths(THRESHOLD)
        small = found.loc[found["status"] == r.SMALL, "width"]
        figures = {
            "unit": unit,
            "largest_change": largest_change(made, unit),
            "small": len(small),
            "small_known_within_10": int((small < THRESHOLD).sum()),
            "withheld_for_others": len(found) - len(small),
            "known_to_1": int((found["width"] <= 0.9).sum()),
            "narrowest": None if found.empty else round(float(found["width"].min()), 2),
            "cpu_seconds": round(time.process_time() - cpu, 1),
        }
        print(json.dumps(figures), flush=True)
    cpu, findings = time.process_time(), 0
    for number, (release, cells) in enumerate(zip(releases, made, strict=True)):
        findings += len(verify(release, history=releases[:number], signed=SIGNED, facts=cells))
    print(json.dumps({"gate_findings": findings, "gate_cpu_seconds": round(time.process_time() - cpu, 1)}))


if __name__ == "__main__":
    main()
