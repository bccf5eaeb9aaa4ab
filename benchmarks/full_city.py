"""The whole city once: synthesize, run one month, evaluate; seconds and peak memory by stage.

python benchmarks/full_city.py [--gu all] [--fraction 1] [--months 202001] [--format csv]
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

from living_finance.monitor import MemoryMonitor
from living_finance.months import parse_months
from living_finance.storage.ledger import Ledger


def stage(*command: str) -> dict[str, float]:
    """Run one command of the console script; its seconds and the peak memory of its processes."""
    started = time.monotonic()
    with MemoryMonitor() as memory:
        subprocess.run([str(Path(sys.executable).parent / "living-finance"), *command], check=True)
        peak = memory.restart()
    return {"seconds": round(time.monotonic() - started, 1), "peak_gib": round(peak / 2**30, 2)}


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gu", default="all")
    parser.add_argument("--fraction", default="1")
    parser.add_argument("--months", default="202001")
    parser.add_argument("--format", default="csv", dest="file_format")
    parser.add_argument("--seed", default="7")
    parser.add_argument("--out", type=Path, default=Path(".bench/city"))
    parser.add_argument("--keep-landing", action="store_true", help="use the deliveries of an earlier benchmark")
    options = parser.parse_args()
    landing, truth, warehouse = (options.out / name for name in ("landing", "truth", "warehouse"))
    result: dict[str, object] = {"gu": options.gu, "fraction": options.fraction, "months": options.months}
    if not options.keep_landing:
        shutil.rmtree(options.out, ignore_errors=True)
        result["synthesize"] = stage(
            "synthesize", "--out", str(landing), "--truth", str(truth), "--gu", options.gu, "--fraction", options.fraction,
            "--months", options.months, "--seed", options.seed, "--format", options.file_format,
        )  # fmt: skip
    shutil.rmtree(warehouse, ignore_errors=True)
    result["run"] = stage("run", "--landing", str(landing), "--warehouse", str(warehouse), "--month", options.months)
    ledger = Ledger(str(warehouse))
    for month in parse_months(options.months):
        for name in ("cleanse", "place", "households", "income", "statistics", "quality"):
            record = ledger.find(month, name)
            result[f"{month} {name}"] = {"seconds": record.seconds if record else None}
    month = str(parse_months(options.months)[0])
    scores = options.out / "scores.json"
    result["evaluate"] = stage(
        "evaluate", "--warehouse", str(warehouse), "--truth", str(truth), "--month", month, "--json", str(scores)
    )
    text = json.dumps(result, indent=1)
    (options.out / "timing.json").write_text(text + "\n", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
