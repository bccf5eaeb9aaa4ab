"""The model registry in MLflow: versions of the income model, which is champion, what they were trained on.

With `tracking` the only modules that know MLflow. A version is a models-from-code pyfunc (`steps/income_pyfunc.py`) whose
parameters are JSON; what is logged of this machine's folders is taken out again.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from filelock import FileLock, Timeout

from living_finance import tracking
from living_finance.config import TrackingSettings
from living_finance.errors import ConcurrentRun, StorageDamaged
from living_finance.months import Month

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

log = logging.getLogger(__name__)

CHAMPION, CHALLENGER = "champion", "challenger"
_MODEL_FILE, _FOLDS_FILE, _CARD_FILE, _PLOTS = "income_model.json", "held_out_models.json", "model_card.md", "plots"
_PROMOTED, _SCORED = "promoted", "scored."
_ENOUGH = 1000
_SECONDS_FOR_LOCK = 600
_METRICS_AT_ONCE = 500
_LONGEST_DESCRIPTION = 5000
"""What MLflow's tables hold."""
_REST = f"\n\n… 전체: 실행의 {_CARD_FILE} · the whole card: {_CARD_FILE} of the run"


@dataclass(frozen=True)
class Training:
    """What is registered of one training."""

    month: Month
    references: Mapping[str, str]
    """Yearly dataset → month that it describes, YYYYMM."""
    content: str
    """The model as JSON."""
    folds: str
    """Its held-out models as JSON."""
    content_version: str
    card: str
    plots: Mapping[str, bytes]
    parameters: Mapping[str, float]
    metrics: Mapping[str, float]
    shares: Mapping[str, Any]
    """What the month's households and scores looked like (drift)."""
    notes: tuple[str, ...]
    code: str
    """Text of the models-from-code script."""
    example: pd.DataFrame
    """Made-up households."""
    answer: pd.DataFrame
    """What the model says of them."""
    data_versions: Mapping[str, int]
    code_version: str
    seed: int
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelVersion:
    """A registered version."""

    name: str
    number: int
    run_id: str
    tags: Mapping[str, str]
    aliases: tuple[str, ...]

    @property
    def label(self) -> str:
        """What rows say: name, number, and digits over everything that was learned."""
        return f"{self.name}/{self.number}/{self.content_version.rpartition('/')[2]}"

    @property
    def content_version(self) -> str:
        return self.tags["model_version"]

    @property
    def month(self) -> Month:
        """It was trained for."""
        return Month.parse(self.tags["month"])

    @property
    def references(self) -> Mapping[str, Month]:
        """Yearly dataset → month that it described."""
        found: dict[str, str] = json.loads(self.tags["references"])
        return {name: Month.parse(text) for name, text in found.items()}

    @property
    def is_promoted(self) -> bool:
        """Whether it passed the gate, now or once."""
        return self.tags.get(_PROMOTED) == "true"

    def scored(self, month: Month) -> str | None:
        """Fingerprint of the month's income step that it scored last."""
        return self.tags.get(f"{_SCORED}{month}")


def champion_of(versions: Iterable[ModelVersion]) -> ModelVersion | None:
    """The version that has the alias; None: no version has."""
    return next((version for version in versions if CHAMPION in version.aliases), None)


class Registry:
    """The registered model of one MLflow store."""

    def __init__(self, settings: TrackingSettings, warehouse_root: str) -> None:
        self._settings, self._root = settings, warehouse_root
        self.name = settings.model

    def register(self, training: Training) -> ModelVersion:
        """Log a training as a run and register its model; the same training again is the version that there is.

        Raises:
            TrackingUnavailable: the store does not answer.
        """
        fingerprint = _fingerprint(training)
        with self._client() as (client, experiment):
            for known in self._versions(client):
                if known.tags.get(tracking.FINGERPRINT_TAG) == fingerprint:
                    return known
            facts = {
                tracking.FINGERPRINT_TAG: fingerprint,
                "month": str(training.month),
                "references": json.dumps(dict(training.references), sort_keys=True),
                "model_version": training.content_version,
                "code_version": training.code_version,
                **training.tags,
            }
            versions = {f"delta.{table}": str(version) for table, version in sorted(training.data_versions.items())}
            run_id, model_id = _log(client, experiment, training, tags={**facts, **versions}, name=self.name)
            self._ensure_model(client)
            made = client.create_model_version(
                self.name,
                source=f"models:/{model_id}",
                run_id=run_id,
                tags=facts,
                description=_described(training.card),
                model_id=model_id,
            )
            log.info("registered %s as version %s of %s", training.content_version, made.version, self.name)
            return ModelVersion(self.name, int(made.version), run_id, facts, ())

    def versions(self) -> list[ModelVersion]:
        """All versions, oldest first; none where no store has been made."""
        if not tracking.is_there(self._settings, self._root):
            return []
        with self._client() as (client, _):
            return self._versions(client)

    def content(self, version: ModelVersion) -> str:
        """The model's JSON.

        Raises:
            StorageDamaged: it is not what was registered.
        """
        text = self._read(version, _MODEL_FILE)
        if hashlib.sha256(text.encode()).hexdigest()[:12] != version.content_version.rpartition("/")[2]:
            raise StorageDamaged(
                f"The parameters of version {version.number} of {version.name} are not those that were registered.",
                remedy="restore the MLflow artifacts, or train again",
            )
        return text

    def folds(self, version: ModelVersion) -> str:
        """JSON of its held-out models."""
        return self._read(version, _FOLDS_FILE)

    def metrics(self, version: ModelVersion) -> dict[str, float]:
        """Of its training."""
        return self.metrics_of_run(version.run_id)

    def metrics_of_run(self, run_id: str) -> dict[str, float]:
        """Of any run, for instance a month's (`mlflow_run_id` in the ledger)."""
        with self._client() as (client, _):
            return dict(client.get_run(run_id).data.metrics)

    def card(self, version: ModelVersion) -> str:
        """Its model card, Markdown."""
        return self._read(version, _CARD_FILE)

    def plots(self, version: ModelVersion) -> dict[str, bytes]:
        """The diagnostics of its training: name → PNG."""
        with self._client() as (client, _), _scratch() as folder:
            kept = Path(client.download_artifacts(version.run_id, _PLOTS, str(folder)))
            return {file.stem: file.read_bytes() for file in sorted(kept.glob("*.png"))}

    def shares(self, version: ModelVersion) -> dict[str, Any]:
        """What the month it was trained on looked like."""
        found: dict[str, Any] = json.loads(self._read(version, "shares.json"))
        return found

    def set_alias(self, version: ModelVersion, alias: str) -> None:
        """Point an alias to a version."""
        with self._client() as (client, _):
            client.set_registered_model_alias(self.name, alias, str(version.number))

    @contextlib.contextmanager
    def promoting(self) -> Iterator[None]:
        """Hold promotions in this warehouse, if it is one: between a look at the champion and a change of it nobody changes it.

        Raises:
            ConcurrentRun: another process held them for ten minutes.
        """
        folder = Path(self._root) / "_locks"
        if not folder.is_dir():  # made with the first month
            yield
            return
        try:
            with FileLock(folder / "promotion.lock", timeout=_SECONDS_FOR_LOCK):
                yield
        except Timeout:
            raise ConcurrentRun("Another run promotes a model.", remedy="wait until it has ended") from None

    def promote(self, version: ModelVersion, *, is_newest: bool) -> None:
        """Note that a version passed the gate; the alias follows unless the champion is of later data."""
        with self._client() as (client, _):
            client.set_model_version_tag(self.name, str(version.number), _PROMOTED, "true")
            if is_newest:
                client.set_registered_model_alias(self.name, CHAMPION, str(version.number))

    def note_scored(self, version: ModelVersion, month: Month, fingerprint: str) -> None:
        """Note that a version scores a month, so that the same month made again takes the same."""
        with self._client() as (client, _):
            client.set_model_version_tag(self.name, str(version.number), f"{_SCORED}{month}", fingerprint)

    def _versions(self, client: MlflowClient) -> list[ModelVersion]:
        found = client.search_model_versions(f"name = '{self.name}'", max_results=_ENOUGH)
        aliases: dict[int, list[str]] = {}
        if found:
            for alias, number in client.get_registered_model(self.name).aliases.items():
                aliases.setdefault(int(number), []).append(alias)
        return sorted(
            (
                ModelVersion(
                    self.name, int(v.version), str(v.run_id), dict(v.tags), tuple(sorted(aliases.get(int(v.version), ())))
                )
                for v in found
                if "model_version" in v.tags
            ),
            key=lambda v: v.number,
        )

    def _ensure_model(self, client: MlflowClient) -> None:
        if not client.search_registered_models(f"name = '{self.name}'"):
            client.create_registered_model(self.name, description="가구소득 모형 · household income model (decisions 0021, 0025)")

    def _read(self, version: ModelVersion, name: str) -> str:
        with self._client() as (client, _), _scratch() as folder:
            return Path(client.download_artifacts(version.run_id, name, str(folder))).read_text(encoding="utf-8")

    @contextlib.contextmanager
    def _client(self) -> Iterator[tuple[MlflowClient, str]]:
        with tracking.store(self._settings, self._root) as opened:
            yield opened


def _log(client: MlflowClient, experiment: str, training: Training, *, tags: Mapping[str, str], name: str) -> tuple[str, str]:
    from mlflow.entities import LoggedModelStatus, Metric, Param

    run = client.create_run(experiment, tags={**tags, "notes": "; ".join(training.notes)}, run_name=f"train-{training.month}")
    run_id, started = str(run.info.run_id), run.info.start_time
    status = "FAILED"
    try:
        parameters = {**training.parameters, "seed": training.seed, "month": str(training.month), **training.references}
        client.log_batch(run_id, params=[Param(key, str(value)) for key, value in sorted(parameters.items())])
        metrics = [Metric(key, float(value), started, 0) for key, value in sorted(training.metrics.items())]
        for first in range(0, len(metrics), _METRICS_AT_ONCE):
            client.log_batch(run_id, metrics=metrics[first : first + _METRICS_AT_ONCE])
        with _scratch() as folder:
            kept = folder / "run"
            (kept / _PLOTS).mkdir(parents=True)
            (kept / _MODEL_FILE).write_text(training.content, encoding="utf-8")
            (kept / _FOLDS_FILE).write_text(training.folds, encoding="utf-8")
            (kept / "shares.json").write_text(json.dumps(training.shares, sort_keys=True, indent=1), encoding="utf-8")
            (kept / _CARD_FILE).write_text(training.card, encoding="utf-8")
            for file, content in training.plots.items():
                (kept / _PLOTS / file).write_bytes(content)
            client.log_artifacts(run_id, str(kept))
            package = _package(folder, training)
            model = client.create_logged_model(
                experiment, name=name, source_run_id=run_id, tags=dict(tags), params={"month": str(training.month)}
            )
            client.log_model_artifacts(model.model_id, str(package))
            client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
        status = "FINISHED"
    finally:
        client.set_terminated(run_id, status=status)
    return run_id, str(model.model_id)


def _package(folder: Path, training: Training) -> Path:
    """The pyfunc in a folder, without addresses of this machine."""
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    source = folder / "income_model.py"
    source.write_text(training.code, encoding="utf-8")
    package = folder / "package"
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        mlflow.pyfunc.save_model(
            path=str(package),
            python_model=str(source),
            artifacts={"model": str(folder / "run" / _MODEL_FILE)},
            signature=infer_signature(training.example, training.answer),
            input_example=training.example,
            pip_requirements=["living-finance", "numpy", "pandas", "scipy"],
        )
    description = package / "MLmodel"
    content = yaml.safe_load(description.read_text(encoding="utf-8"))
    flavor = content["flavors"]["python_function"]
    flavor["model_code_path"] = source.name
    for artifact in flavor["artifacts"].values():
        artifact["uri"] = artifact["path"]
    description.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return package


@contextlib.contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="living-finance-") as name:
        yield Path(name)


def _described(card: str) -> str:
    """The card as far as whole lines of it fit, and where the rest is."""
    if len(card) <= _LONGEST_DESCRIPTION:
        return card
    return card[: card.rindex("\n", 0, _LONGEST_DESCRIPTION - len(_REST))] + _REST


def _fingerprint(training: Training) -> str:
    facts = {
        "model": training.content_version,
        "month": str(training.month),
        "references": dict(training.references),
        "code": training.code_version,
        "seed": training.seed,
        "compared": dict(training.tags),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]
