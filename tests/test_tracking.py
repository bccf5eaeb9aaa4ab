"""MLflow runs: what they hold, reuse, stores that do not answer."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from living_finance.config import TrackingSettings
from living_finance.errors import ConfigurationError, TrackingUnavailable
from living_finance.months import Month
from living_finance.registry import Registry
from living_finance.tracking import TrackedFit, track

FIT = TrackedFit(
    kind="income",
    model_version="first-version/abc",
    parameters={"donors_kept": 64},
    metrics={"mean_total_after_krw_year": 6.5e7, "ratio_labour_business": 1.25},
    notes=("no published mean of transfer income: not benchmarked",),
    content=json.dumps({"model_version": "first-version/abc"}),
)


def track_fit(fit: TrackedFit, root: Path | str, **changes: Any) -> str:
    arguments: dict[str, Any] = {
        "settings": TrackingSettings(),
        "warehouse_root": str(root),
        "month": Month(2020, 1),
        "data_versions": {"silver.household": 3, "silver.benchmark": 0},
        "code_version": "0.1.0",
        "seed": 7,
    }
    return track(fit, **{**arguments, **changes})


def test_a_run_holds_the_fit_and_is_not_repeated(tmp_path: Path) -> None:
    run_id = track_fit(FIT, tmp_path)
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/mlflow/mlflow.db")
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"donors_kept": "64", "seed": "7"}
    assert run.data.metrics == {"mean_total_after_krw_year": 6.5e7, "ratio_labour_business": 1.25}
    tags = run.data.tags
    assert (tags["month"], tags["delta.silver.household"], tags["model_version"]) == ("202001", "3", "first-version/abc")
    assert "transfer" in tags["notes"]
    assert not [name for name in tags if name.startswith(("mlflow.user", "mlflow.source"))]
    artifacts = list((tmp_path / "mlflow" / "artifacts").rglob("fit.json"))
    assert [json.loads(path.read_text()) for path in artifacts] == [{"model_version": "first-version/abc"}]

    assert track_fit(FIT, tmp_path) == run_id
    assert track_fit(FIT, tmp_path, data_versions={"silver.household": 4}) == run_id
    assert client.get_run(run_id).data.tags["delta.silver.household"] == "4"
    others = [
        track_fit(FIT, tmp_path, month=Month(2020, 2)),
        track_fit(FIT, tmp_path, code_version="0.2.0"),
        track_fit(replace(FIT, kind="householding"), tmp_path),
        track_fit(replace(FIT, content="{}"), tmp_path),
    ]
    assert len({run_id, *others}) == 5


def test_looking_for_models_makes_no_store(tmp_path: Path) -> None:
    assert Registry(TrackingSettings(), str(tmp_path / "mistyped")).versions() == []
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_store_says_so(tmp_path: Path) -> None:
    (tmp_path / "mlflow").write_text("a file where the folder should be")
    with pytest.raises(TrackingUnavailable) as caught:
        track_fit(FIT, tmp_path)
    assert caught.value.remedy
    assert caught.value.exit_code == 50


def test_a_server_that_does_not_answer_says_so(tmp_path: Path) -> None:
    settings = TrackingSettings(uri="http://user:secretword@127.0.0.1:9")
    with pytest.raises(TrackingUnavailable) as caught:
        track_fit(FIT, tmp_path, settings=settings)
    assert "secretword" not in str(caught.value)


def test_a_remote_warehouse_needs_a_server() -> None:
    with pytest.raises(ConfigurationError):
        track_fit(FIT, "s3a://bucket/warehouse")
