"""The whole city once: synthesize, run one month, evaluate; seconds and peak memory by stage, load of the tasks by step.

    python benchmarks/full_city.py [--gu all] [--fraction 1] [--months 202001] [--format csv]

From Spark's event log, for each step of the month: tasks, bytes spilled to disk, and skew: in the stage that lost most by it, the
longest task beside the median one.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd

from living_finance.monitor import MemoryMonitor
from living_finance.months import parse_months
from living_finance.steps.month import STEPS
from living_finance.storage.ledger import Ledger


def stage(*command: str, events: Path | None = None) -> dict[str, float]:
    """Run one command of the console script; its seconds and the peak memory of its processes."""
    environment = dict(os.environ)
    if events is not None:
        events.mkdir(parents=True)
        log = {"enabled": "true", "dir": events.absolute().as_uri(), "compress": "false"}
        environment["LIVING_FINANCE_SPARK__EXTRA"] = json.dumps({f"spark.eventLog.{name}": value for name, value in log.items()})
    started = time.monotonic()
    with MemoryMonitor() as memory:
        subprocess.run([str(Path(sys.executable).parent / "living-finance"), *command], check=True, env=environment)
        peak = memory.restart()
    return {"seconds": round(time.monotonic() - started, 1), "peak_gib": round(peak / 2**30, 2)}


def tasks_of(events: Path) -> pd.DataFrame:
    """Finished tasks of an event log: stage, end (s since 1970), seconds, bytes spilled to disk."""
    rows = []
    for file in events.rglob("events_*"):
        with file.open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith('{"Event":"SparkListenerTaskEnd"'):
                    event = json.loads(line)
                    info, metrics = event["Task Info"], event.get("Task Metrics") or {}
                    seconds = (info["Finish Time"] - info["Launch Time"]) / 1000
                    rows.append((event["Stage ID"], info["Finish Time"] / 1000, seconds, metrics.get("Disk Bytes Spilled", 0)))
    return pd.DataFrame(rows, columns=["stage", "end", "seconds", "spilled"])


def load_of(tasks: pd.DataFrame) -> dict[str, float]:
    """Tasks, spilled bytes, and the longest and the median task of the stage that waited longest for its longest."""
    by_stage = tasks.groupby("stage")["seconds"].agg(["max", "median"])
    worst = by_stage.loc[(by_stage["max"] - by_stage["median"]).idxmax()]
    return {
        "tasks": len(tasks),
        "spilled_gib": round(float(tasks["spilled"].sum()) / 2**30, 2),
        "longest_task_seconds": round(float(worst["max"]), 1),
        "median_task_seconds": round(float(worst["median"]), 1),
    }


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
    events = options.out / "events"
    for folder in (warehouse, events):
        shutil.rmtree(folder, ignore_errors=True)
    result["run"] = stage(
        "run", "--landing", str(landing), "--warehouse", str(warehouse), "--month", options.months, events=events
    )
    ledger, tasks = Ledger(str(warehouse)), tasks_of(events)
    for month in parse_months(options.months):
        for step in STEPS:
            record = ledger.find(month, step.name)
            if record is not None:
                ended = (warehouse / "_ledger" / str(month) / f"{step.name}.json").stat().st_mtime
                of_step = tasks[tasks["end"].between(ended - record.seconds, ended)]
                result[f"{month} {step.name}"] = {"seconds": record.seconds, **load_of(of_step)}
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
