"""Building the Spark session: one place for every Spark setting."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from pyspark.sql import SparkSession

from living_finance.config import SparkSettings

JARS_DIRECTORY = Path(sys.prefix) / "share" / "living-finance" / "jars"
"""Where `make setup` puts the Delta jars, verified by checksum; absent, Spark resolves `packages` itself."""

_BROADCAST_BY_FILE_SIZE_MB = 10
_STACK = "8m"
"""Of the driver's threads: plans are walked by recursion, and Java's 1 MB was too little for one of a second month
(on a cluster conf/spark-defaults.conf says it)."""

_QUIET_LOG = """\
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = stderr
appender.stderr.type = Console
appender.stderr.name = stderr
appender.stderr.target = SYSTEM_ERR
appender.stderr.layout.type = PatternLayout
appender.stderr.layout.pattern = %d{HH:mm:ss} %p %c{1}%n
appender.stderr.layout.alwaysWriteExceptions = false
"""
"""Class and level only: exception texts of executors quote row values."""


def is_submitted() -> bool:
    """Whether spark-submit started this process and owns master, memory and jars."""
    return "PYSPARK_GATEWAY_PORT" in os.environ


def build_session(settings: SparkSettings, *, name: str = "living-finance") -> SparkSession:
    """The session for a run; under spark-submit its master, memory and jars are kept."""
    builder = SparkSession.builder.appName(name)
    for key, value in _common(settings).items():
        builder = builder.config(key, value)
    if not is_submitted():
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
        os.environ["PYSPARK_PYTHON"] = sys.executable
        for key, value in _local(settings).items():
            builder = builder.config(key, value)
    for key, value in settings.extra.items():
        builder = builder.config(key, value)
    return builder.getOrCreate()


def _common(settings: SparkSettings) -> dict[str, str]:
    limit = settings.broadcast_limit_mb
    return {
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.databricks.delta.snapshotPartitions": "2",
        "spark.sql.shuffle.partitions": str(settings.shuffle_partitions),
        # VACUUM spreads its list of files over this many tasks, 10,000 by default: minutes of empty tasks for ten files.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": str(settings.shuffle_partitions),
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        # The rules of a delivered row are one expression of hundreds of terms; inferring filters from it takes the planner
        # minutes (Spark's constraint propagation is exponential there) and finds nothing that these queries need.
        "spark.sql.constraintPropagation.enabled": "false",
        # Sizes of files mislead (zstd: a tenth of the rows in memory): beyond a little, sizes seen while running decide.
        "spark.sql.autoBroadcastJoinThreshold": f"{min(limit, _BROADCAST_BY_FILE_SIZE_MB)}m" if limit >= 0 else "-1",
        "spark.sql.adaptive.autoBroadcastJoinThreshold": f"{limit}m" if limit >= 0 else "-1",
        # Our tables have paths; Spark's own warehouse is never used, and must not appear where somebody works.
        "spark.sql.warehouse.dir": str(Path(tempfile.gettempdir()) / "living-finance-spark-warehouse"),
        "spark.sql.session.timeZone": "Asia/Seoul",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "50000",
        # With any other limit Spark adds up the batch's size at every row, the lengths of all its lists again each time: most of
        # the time of a step that hands over lists. Records bound our batches.
        "spark.sql.execution.arrow.maxBytesPerBatch": str(2**31 - 1),
        "spark.sql.parquet.compression.codec": "zstd",
        # What is persisted is read twice or thrice: trying four encodings on every value costs more than it saves.
        "spark.sql.inMemoryColumnarStorage.compressed": "false",
        # Each small table that is broadcast takes a page of memory, else of 32 to 64 MB: a report filled the heap.
        "spark.buffer.pageSize": "4m",
        # Every call on a column otherwise asks the JVM twice and hands over the caller's line, which error texts then quote.
        "spark.python.sql.dataFrameDebugging.enabled": "false",
        "spark.sql.dataFrameQueryContext.enabled": "false",
        # The status store keeps every plan as text: a month's plans filled a heap of 2 GB.
        "spark.sql.maxPlanStringLength": "2000",
        "spark.sql.ui.retainedExecutions": "5",
        "spark.ui.retainedJobs": "20",
        "spark.ui.retainedStages": "20",
        "spark.ui.retainedTasks": "200",
    }


def _local(settings: SparkSettings) -> dict[str, str]:
    log_file = Path(tempfile.gettempdir()) / f"living-finance-log4j2-{os.getuid()}.properties"
    log_file.write_text(_QUIET_LOG, encoding="utf-8")
    jars = sorted(str(path) for path in JARS_DIRECTORY.glob("*.jar"))
    delta = {"spark.jars": ",".join(jars)} if jars else {"spark.jars.packages": settings.packages}
    return {
        "spark.master": settings.master,
        "spark.driver.memory": settings.driver_memory,
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={log_file} -Xss{_STACK} {settings.java_options}".strip(),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        **delta,
    }
