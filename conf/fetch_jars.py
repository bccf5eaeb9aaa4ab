"""Fetch the Delta jars once, verify them, and put them where sessions look for them.

Run by `make setup` and by the container image, with the Python that pyspark is installed in:

    python conf/fetch_jars.py [FOLDER]

Spark's own resolver (Ivy, inside spark-submit) finds them, so a mirror configured for it is used and no
registry is named here. Only the two jars of `jars.sha256` are taken; what Delta lists beyond them is either
part of Spark or for features that are not used (Unity Catalog, Delta Kernel, geometry).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from living_finance.doctor import JAR_SUMS_FILE, check_jars, parse_sums
from living_finance.session import JARS_DIRECTORY

HERE = Path(__file__).resolve().parent
SUMS = HERE / JAR_SUMS_FILE
IVY = HERE.parent / ".cache" / "ivy"
COORDINATES = ("io.delta:delta-spark_4.2_2.13:4.4.0", "io.delta:delta-storage:4.4.0")
NOT_NEEDED = ("io.delta:delta-kernel*", "io.unitycatalog:*", "io.airlift:*", "org.*:*", "com.*:*", "javax.*:*", "commons-*:*")
SECONDS = 600


def resolve(ivy: Path) -> Path:
    """Let spark-submit resolve the coordinates for a program that does nothing; returns the folder of jars."""
    environment = {name: value for name, value in os.environ.items() if name != "SPARK_HOME"}
    environment |= {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    with tempfile.TemporaryDirectory() as folder:
        nothing = Path(folder) / "nothing.py"
        nothing.touch()
        command = [
            str(Path(sys.executable).parent / "spark-submit"),
            *("--master", "local[1]", "--conf", f"spark.jars.ivy={ivy}"),
            *("--packages", ",".join(COORDINATES), "--exclude-packages", ",".join(NOT_NEEDED)),
            str(nothing),
        ]
        result = subprocess.run(
            command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    if result.returncode != 0:
        tail = "\n".join((result.stdout + result.stderr).splitlines()[-15:])
        raise SystemExit(
            f"{tail}\nThe Delta jars could not be fetched. Remedy: see that a package registry can be reached, then again."
        )
    return ivy / "jars"


def main(target: Path) -> None:
    """Fill `target` unless it already holds the verified jars."""
    if check_jars(target).passed and (target / JAR_SUMS_FILE).read_bytes() == SUMS.read_bytes():
        return
    wanted = parse_sums(SUMS.read_text(encoding="utf-8"))
    found = resolve(IVY)
    target.mkdir(parents=True, exist_ok=True)
    for old in target.glob("*.jar"):
        old.unlink()
    for name in (*wanted, JAR_SUMS_FILE):
        shutil.copyfile(SUMS if name == JAR_SUMS_FILE else found / name, target / name)
    check = check_jars(target)
    if not check.passed:
        (target / JAR_SUMS_FILE).unlink()
        raise SystemExit(
            f"{check.found}. Remedy: remove {IVY} and run again; if it stays so, what was fetched is not what {SUMS} lists."
        )
    sys.stdout.write(f"Delta jars: {check.found}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else JARS_DIRECTORY)
