"""The same months by spark-submit on a standalone cluster and locally: equal tables, row by row."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from living_finance.contracts import STORED_TABLES
from living_finance.session import JARS_DIRECTORY
from living_finance.storage.warehouse import Warehouse

pytestmark = pytest.mark.cluster

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LANDING = ROOT / "tests" / "data" / "landing"
MONTHS = "202001..202002"
SECONDS_OF_A_RUN = 1500

RUN_DEPENDENT: dict[str, tuple[str, ...]] = {}
"""Table → columns that may differ between two runs of the same input. None do."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster and the code its executors get."""

    master: str
    package: Path


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _environment(**more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SPARK_", "PYSPARK_", "LIVING_FINANCE_", "PYTHONPATH"))}
    return {**kept, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1", "MLFLOW_DISABLE_TELEMETRY": "true", **more}


def _run(command: list[str], *, seconds: int = SECONDS_OF_A_RUN, **more: str) -> str:
    """Run to the end; a failure shows the last lines only, and no Spark stack trace."""
    result = subprocess.run(
        command,
        env=_environment(**more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        cwd=ROOT,
        check=False,
    )
    tail = "\n".join(line[:300] for line in (result.stdout + result.stderr).splitlines()[-25:])
    assert result.returncode == 0, f"{' '.join(command[:3])} … ended with {result.returncode}:\n{tail}"
    return result.stdout


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One master and two workers of one core and 1 GiB each, stopped whatever happens."""
    folder = tmp_path_factory.mktemp("cluster")
    package = folder / "living_finance.zip"
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted((ROOT / "src" / "living_finance").rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                archive.write(file, file.relative_to(ROOT / "src"))
    port = _free_port()
    where = {
        "VENV": sys.prefix,
        "CLUSTER_STATE": str(folder / "state"),
        "CLUSTER_PORT": str(port),
        "CLUSTER_UI_PORT": str(_free_port()),
        "CLUSTER_WORKERS": "2",
        "CLUSTER_CORES": "1",
        "CLUSTER_MEMORY": "1g",
    }
    script = str(ROOT / "docker" / "cluster.sh")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # a stopped test run stops its cluster too
    try:
        _run([script, "up"], seconds=120, **where)
        yield Cluster(f"spark://127.0.0.1:{port}", package)
    finally:
        _run([script, "down"], seconds=120, **where)


def _submit(cluster: Cluster, job: Path, *arguments: str) -> str:
    jars = ",".join(str(jar) for jar in sorted(JARS_DIRECTORY.glob("*.jar")))
    assert jars, "no Delta jars: run make setup"
    flags = ["--master", cluster.master, "--executor-memory", "1g", "--executor-cores", "1", "--driver-memory", "1g"]
    command = [str(BIN / "spark-submit"), *flags, "--jars", jars, "--py-files", str(cluster.package), str(job), *arguments]
    return _run(command, SPARK_CONF_DIR=str(ROOT / "conf"))


def test_executors_run_the_submitted_package(cluster: Cluster, tmp_path: Path) -> None:
    """Otherwise the comparison below would test the files of this checkout, whatever was submitted."""
    answer = tmp_path / "answer.json"
    job = tmp_path / "where.py"
    job.write_text(
        f"""
import json, pathlib
from living_finance.config import SparkSettings
from living_finance.session import build_session

def where(batches):
    import os, pyarrow, living_finance
    for batch in batches:
        file, executor = [living_finance.__file__], [str(os.getppid())]
        yield pyarrow.RecordBatch.from_pydict({{"file": file, "executor": executor}})

spark = build_session(SparkSettings(shuffle_partitions=4))
rows = spark.range(8, numPartitions=4).mapInArrow(where, "file string, executor string").distinct().collect()
pathlib.Path({str(answer)!r}).write_text(json.dumps([row.asDict() for row in rows]))
""",
        encoding="utf-8",
    )
    _submit(cluster, job)
    rows = json.loads(answer.read_text(encoding="utf-8"))
    assert rows
    assert all(row["file"].endswith("living_finance.zip/living_finance/__init__.py") for row in rows), rows
    assert len({row["executor"] for row in rows}) == 2, "both workers take part"


def test_cluster_and_local_runs_give_equal_tables(cluster: Cluster, spark: SparkSession, tmp_path: Path) -> None:
    config = tmp_path / "cluster.yaml"  # without pseudonyms: person_id is the delivered one on both sides
    config.write_text((ROOT / "conf" / "cluster.yaml").read_text(encoding="utf-8").replace("enabled: true", "enabled: false"))
    on_cluster, local = tmp_path / "cluster", tmp_path / "local"
    months = ["--landing", str(LANDING), "--month", MONTHS]
    _submit(
        cluster,
        ROOT / "jobs" / "run_month.py",
        *months,
        *("--warehouse", str(on_cluster), "--config", str(config)),
    )
    _run([str(BIN / "living-finance"), "run", *months, "--warehouse", str(local)])

    left, right = Warehouse(spark, str(on_cluster)), Warehouse(spark, str(local))
    compared: dict[str, int] = {}
    different: dict[str, int] = {}
    for name, table in STORED_TABLES.items():
        if not left.exists(table) and not right.exists(table):
            continue
        columns = [column for column in table.column_names if column not in RUN_DEPENDENT.get(name, ())]
        rows, unequal = _compare(left.read(table).select(*columns), right.read(table).select(*columns))
        compared[name] = rows
        if unequal:
            different[name] = unequal
    assert not different, f"rows that only one side has: {different}"
    gold = {name: rows for name, rows in compared.items() if name.startswith("gold.")}
    assert set(gold) == {name for name in STORED_TABLES if name.startswith("gold.")}
    assert all(gold.values()), f"an empty table proves nothing: {gold}"


def _compare(left: DataFrame, right: DataFrame) -> tuple[int, int]:
    """Rows of the left side, and rows (as a multiset, every column) that only one side has."""
    signed = left.withColumn("_sign", F.lit(1)).unionByName(right.withColumn("_sign", F.lit(-1)))
    surplus = signed.groupBy(*left.columns).agg(
        F.sum("_sign").alias("surplus"), F.count_if(F.col("_sign") == F.lit(1)).alias("left_rows")
    )
    totals = surplus.agg(F.sum("left_rows").alias("rows"), F.sum(F.abs(F.col("surplus"))).alias("unequal")).first()
    assert totals is not None
    return totals["rows"] or 0, totals["unequal"] or 0


def test_the_comparison_can_fail(spark: SparkSession) -> None:
    left = spark.createDataFrame([(1, 0.1, ["a"]), (1, 0.1, ["a"]), (2, 0.2, [])], "k int, v double, e array<string>")
    right = spark.createDataFrame([(1, 0.1, ["a"]), (2, 0.2, []), (2, 0.2000001, [])], "k int, v double, e array<string>")
    assert _compare(left, left) == (3, 0)
    assert _compare(left, right) == (3, 2)
