"""MLflow runs; with `registry` the only modules that know it.

A run holds parameters, metrics, tags (month, data versions, code version, fingerprint) and one JSON artifact that the
fit itself declares free of persons. The client is used directly, not the fluent interface, which would add the user's
name, file paths and the repository to every run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from living_finance.config import TrackingSettings
from living_finance.errors import ConfigurationError, TrackingUnavailable
from living_finance.months import Month

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

FINGERPRINT_TAG = "fingerprint"
_DATABASE = "mlflow.db"
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "GIT_PYTHON_REFRESH": "quiet",
    # A server that is down should say so in seconds; the defaults try for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
}
"""Set, where the user has not, before MLflow is imported."""
_NOISY_LOGGERS = ("mlflow", "alembic", "sqlalchemy", "urllib3")
_REMEDY = "check tracking.uri (empty: a SQLite file in the warehouse), that the server runs and the folder can be written"


@dataclass(frozen=True)
class TrackedFit:
    """What a run shows of a fit."""

    kind: str
    """What was fitted; names the run."""
    model_version: str
    parameters: Mapping[str, float]
    metrics: Mapping[str, float]
    notes: tuple[str, ...]
    content: str
    """The whole fit as JSON; the fit itself answers for its holding no person."""


def store_uri(settings: TrackingSettings, warehouse_root: str) -> str:
    """Where runs go: the setting, or a SQLite file inside the warehouse.

    Raises:
        ConfigurationError: no uri, and the warehouse is not a local folder.
    """
    return settings.uri or f"sqlite:///{_local_folder(warehouse_root)}/{_DATABASE}"


def is_there(settings: TrackingSettings, warehouse_root: str) -> bool:
    """Whether there is a store to read; a server is taken to be there."""
    return bool(settings.uri) or (_local_folder(warehouse_root) / _DATABASE).is_file()


def track(
    fit: TrackedFit,
    *,
    settings: TrackingSettings,
    warehouse_root: str,
    month: Month,
    data_versions: Mapping[str, int],
    code_version: str,
    seed: int,
) -> str:
    """Log a fit as an MLflow run; a finished run of the same fit by the same code is reused.

    A month that is made again from the same input has the same fit but newer table versions: the run is kept and its
    version tags follow, so that it points at the tables that are there.

    Args:
        fit: the fit; its parameters, metrics and JSON are logged.
        settings: where to; an empty uri means `<warehouse_root>/mlflow/mlflow.db` with artifacts beside it.
        warehouse_root: root folder of the warehouse.
        month: the month it was fitted for.
        data_versions: qualified table name -> Delta version that was read.
        code_version: version of the code.
        seed: the run's seed.

    Returns:
        The run's id.

    Raises:
        TrackingUnavailable: the store does not answer.
        ConfigurationError: no uri, and the warehouse is not a local folder.
    """
    fingerprint = _fingerprint(fit, month=month, code_version=code_version, seed=seed)
    versions = {f"delta.{table}": str(version) for table, version in sorted(data_versions.items())}
    tags = {
        FINGERPRINT_TAG: fingerprint,
        "month": str(month),
        "model_version": fit.model_version,
        "code_version": code_version,
        "notes": "; ".join(fit.notes),
        **versions,
    }
    with store(settings, warehouse_root) as (client, experiment):
        finished = client.search_runs(
            [experiment],
            filter_string=f"tags.{FINGERPRINT_TAG} = '{fingerprint}' and attributes.status = 'FINISHED'",
            order_by=["attributes.start_time ASC"],
            max_results=1,
        )
        if not finished:
            return _log_run(client, experiment, fit, tags=tags, month=month, seed=seed)
        run_id, known = str(finished[0].info.run_id), finished[0].data.tags
        for name, version in versions.items():
            if known.get(name) != version:
                client.set_tag(run_id, name, version)
        return run_id


@contextlib.contextmanager
def store(settings: TrackingSettings, warehouse_root: str) -> Iterator[tuple[MlflowClient, str]]:
    """A client of the store and the id of our experiment in it.

    Raises:
        TrackingUnavailable: the store does not answer.
        ConfigurationError: no uri, and the warehouse is not a local folder.
    """
    uri = store_uri(settings, warehouse_root)
    artifacts = None if settings.uri else (_local_folder(warehouse_root) / "artifacts").as_uri()
    _check_sqlite(uri)
    _quieten()
    import mlflow
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    # Some calls (models:/ addresses) look for the store by the process's setting, whatever the client's.
    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    try:
        yield _open(uri, name=settings.experiment, artifacts=artifacts)
    except (MlflowException, SQLAlchemyError, OSError) as error:
        # The store's own text may quote its address with a password in it.
        raise TrackingUnavailable(f"The MLflow store does not answer ({type(error).__name__}).", remedy=_REMEDY) from None


def _log_run(client: MlflowClient, experiment: str, fit: TrackedFit, *, tags: Mapping[str, str], month: Month, seed: int) -> str:
    from mlflow.entities import Metric, Param

    run = client.create_run(experiment, tags=dict(tags), run_name=f"{fit.kind}-{month}")
    run_id, started = str(run.info.run_id), run.info.start_time
    parameters = {**fit.parameters, "seed": seed}
    status = "FAILED"
    try:
        client.log_batch(
            run_id,
            metrics=[Metric(name, float(value), started, 0) for name, value in sorted(fit.metrics.items())],
            params=[Param(name, str(value)) for name, value in sorted(parameters.items())],
        )
        client.log_text(run_id, fit.content, "fit.json")
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status=status)
    log.info("tracked %s as run %s", fit.model_version, run_id)
    return run_id


def _open(uri: str, *, name: str, artifacts: str | None) -> tuple[MlflowClient, str]:
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        return client, str(experiment.experiment_id)
    return client, str(client.create_experiment(name, artifact_location=artifacts))


def _fingerprint(fit: TrackedFit, *, month: Month, code_version: str, seed: int) -> str:
    facts = {"kind": fit.kind, "fit": fit.content, "month": str(month), "code": code_version, "seed": seed}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _quieten() -> None:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for noisy in _NOISY_LOGGERS:
        logging.getLogger(noisy).setLevel(logging.ERROR)


def _local_folder(warehouse_root: str) -> Path:
    root = warehouse_root.removeprefix("file://")
    if "://" in root:
        raise ConfigurationError(
            "The warehouse is not a local folder, so MLflow needs a server.", remedy="set tracking.uri to its address"
        )
    return Path(root).resolve() / "mlflow"


def _check_sqlite(uri: str) -> None:
    """Fail at once where MLflow would retry a file that cannot be opened for two minutes."""
    if not uri.startswith("sqlite:///"):
        return
    path = Path(uri.removeprefix("sqlite:///"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=5)) as connection:
            connection.execute("begin immediate")
            connection.rollback()
    except (sqlite3.Error, OSError):
        raise TrackingUnavailable(f"The MLflow store {path.name} cannot be opened for writing.", remedy=_REMEDY) from None
