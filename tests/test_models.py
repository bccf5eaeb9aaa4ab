"""Train, promote, choose: on a real MLflow store, with made data and without Spark."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from living_finance.config import IncomeSettings, ModelSettings, Settings, TrackingSettings
from living_finance.errors import MissingInput, ModelRefused, StorageDamaged
from living_finance.income.estimate import IncomeEvidence
from living_finance.income.model import FORMAT, IncomeModel
from living_finance.income.serving import expected_income, made_up_households
from living_finance.income.training import TrainingData, survey_rows
from living_finance.months import Month
from living_finance.registry import CHALLENGER, CHAMPION, Registry, _described
from living_finance.steps import models
from living_finance.steps.models import Circumstances, choose_model, promote, train_version
from living_finance.steps.month import MonthRun, _scored_before
from living_finance.storage.ledger import Ledger, StepRecord
from living_finance.storage.warehouse import Warehouse
from mlflow_server import mlflow_server

sys.path.insert(0, str(Path(__file__).parent / "income"))
from made_income import training_data

JANUARY, FEBRUARY, NOVEMBER = Month(2020, 1), Month(2020, 2), Month(2020, 11)
SETTINGS = Settings(income=IncomeSettings(draws=2))
SHARES = {"tenure": {"owned": 0.4, "jeonse": 0.6}}


@dataclass(frozen=True)
class MadeEvidence:
    """As much of IncomeEvidence as training reads."""

    data: TrainingData
    households: dict[str, dict[str, float]]
    refused: tuple[str, ...] = ("mean_debt of household_finances_survey: not met",)
    notes: tuple[str, ...] = ("benefit programmes go by the rules since 201909",)

    def training(self) -> TrainingData:
        return self.data


def evidence(seed: int = 1, shares: dict[str, dict[str, float]] = SHARES) -> IncomeEvidence:
    return cast(IncomeEvidence, MadeEvidence(training_data(seed, households=800, answers=400), shares))


@pytest.fixture(autouse=True)
def shares_as_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "input_shares", lambda households: households)


def at(root: Path, month: Month = JANUARY, settings: Settings = SETTINGS, **changes: Any) -> Circumstances:
    given = Circumstances(
        settings=settings,
        root=str(root),
        month=month,
        references=dict.fromkeys(("benchmarks", "census", "survey"), NOVEMBER),
        data_versions={"silver.household": 3},
        code_version="abc",
    )
    return replace(given, **changes)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def registry(root: Path) -> Registry:
    return Registry(SETTINGS.tracking, str(root))


def test_months_take_the_champion_that_may_serve_them(root: Path, registry: Registry) -> None:
    first = choose_model(at(root), evidence(), fingerprint="january")
    assert (first.version.number, first.why, first.version.is_promoted) == (1, "trained", True)
    assert set(first.version.aliases) == {CHALLENGER, CHAMPION}
    assert first.version.label == f"living-finance-income/1/{first.model.version().rpartition('/')[2]}"

    again = choose_model(at(root), evidence(2), fingerprint="january")
    assert (again.version.number, again.why) == (1, "scored this month before")
    assert again.model.to_json() == first.model.to_json()

    after = choose_model(at(root, FEBRUARY), evidence(2), fingerprint="february")
    assert (after.version.number, after.why, after.due) == (1, "champion", ())
    assert after.stability == {"tenure": 0.0}

    before = choose_model(at(root, JANUARY.previous()), evidence(2), fingerprint="december")
    assert (before.version.number, before.why) == (2, "trained")  # nothing of January serves December
    champion = next(v for v in registry.versions() if CHAMPION in v.aliases)
    assert champion.number == 1  # of later data

    by_number = at(root, settings=SETTINGS.model_copy(update={"income": IncomeSettings(draws=2, version=2)}))
    named = choose_model(by_number, evidence(), fingerprint="named")
    assert (named.version.number, named.why) == (2, "named by income.version")
    with pytest.raises(ModelRefused, match="trained on 202001"):
        choose_model(
            at(root, Month(2019, 11), SETTINGS.model_copy(update={"income": IncomeSettings(draws=2, version=1)})),
            evidence(),
            fingerprint="x",
        )


def test_what_is_stored_is_the_model_and_nothing_of_rows_or_this_machine(root: Path, registry: Registry) -> None:
    version = registry.versions()[0]
    card = registry.card(version)
    for korean, english in (
        ("- 인구주택총조사: 202011 기준", "- Census: of 202011"),
        ("- 검증 조사: 202011 기준", "- Validation survey: of 202011"),
        (
            "- 승격 심사: 제외 지역에서의 편향이 허용 범위 안",
            "- Gate: biases where districts were left out are within the bounds",
        ),
        (
            "- 가구(소득 추정 전): silver.household, Delta 버전 3",
            "- households before income is modelled: silver.household, Delta version 3",
        ),
    ):
        assert f"{korean}\n{english}\n" in card
    model = IncomeModel.from_json(registry.content(version))
    data = evidence().training()
    amounts = {str(int(value)) for column in data.survey.amounts.values() for value in column.tolist() if value > 1e6}
    artifacts = [file for file in sorted((root / "mlflow" / "artifacts").rglob("*")) if file.is_file()]
    drawings = [file for file in artifacts if file.suffix == ".png"]
    texts = [file.read_text(encoding="utf-8") for file in artifacts if file not in drawings]
    assert drawings and {file.parent.name for file in drawings} == {"plots"}, "of groups: tests/income/test_income_training.py"
    assert len(texts) > 10
    for text in texts:
        assert str(root) not in text and str(Path(__file__).parents[1]) not in text and "/tmp/" not in text
        assert not [key for key in data.survey.keys.tolist() if key in text]
        assert not [value for value in amounts if f"{value}.0" in text]
    import mlflow

    loaded = mlflow.pyfunc.load_model(f"models:/{registry.name}@{CHAMPION}")
    assert loaded.metadata.signature is not None
    example = made_up_households()
    assert loaded.predict(example).equals(expected_income(model, example))


def test_changed_parameters_are_noticed(root: Path, registry: Registry) -> None:
    version = registry.versions()[1]
    file = next((root / "mlflow" / "artifacts" / version.run_id).rglob("income_model.json"))
    kept = file.read_text()
    file.write_text(kept.replace('"seed": ', '"seed": 1'))
    try:
        with pytest.raises(StorageDamaged):
            registry.content(version)
    finally:
        file.write_text(kept)
    assert registry.content(version) == kept


def test_promotion_is_by_the_gate_against_the_present_champion(root: Path, registry: Registry) -> None:
    champion = next(v for v in registry.versions() if CHAMPION in v.aliases)
    assert promote(SETTINGS, root=str(root), number=champion.number).number == champion.number
    with pytest.raises(MissingInput):
        promote(SETTINGS, root=str(root), number=99)

    made, said = train_version(at(root, FEBRUARY), evidence(4), registry=registry, champion=champion, now=SHARES)
    metrics = registry.metrics(made)
    assert metrics["gate_loss_difference"] == pytest.approx(metrics["cv_loss"] - metrics["gate_champion_loss"])
    assert metrics["gate_loss_difference"] < 0.0 and said.passes
    again, tied = train_version(at(root), evidence(), registry=registry, champion=champion, now=SHARES)
    assert registry.metrics(again)["gate_loss_difference"] == 0.0 and tied.passes
    assert promote(SETTINGS, root=str(root), number=None).number == again.number != champion.number

    stale, _ = train_version(
        at(root, FEBRUARY, code_version="def"), evidence(5), registry=registry, champion=champion, now=SHARES
    )
    with pytest.raises(ModelRefused, match="held against 1"):
        promote(SETTINGS, root=str(root), number=stale.number)
    assert next(v for v in registry.versions() if CHAMPION in v.aliases).number == again.number


def test_a_champion_of_another_format_bars_nobody(tmp_path: Path) -> None:
    registry = Registry(SETTINGS.tracking, str(tmp_path))
    choose_model(at(tmp_path), evidence(), fingerprint="january")
    with registry._client() as (client, _):
        client.set_model_version_tag(registry.name, "1", "trained_with", "draws 2, seed 1, format 0")
    champion = registry.versions()[0]
    made, said = train_version(at(tmp_path, FEBRUARY), evidence(4), registry=registry, champion=champion, now=SHARES)
    assert said.passes and promote(SETTINGS, root=str(tmp_path), number=None).number == made.number == 2


def test_a_long_card_is_shown_in_whole_lines_and_says_where_the_rest_is() -> None:
    assert _described("# card\n- line\n") == "# card\n- line\n"
    shown = _described("- a line of a card\n" * 400)
    assert 4900 < len(shown) <= 5000
    lines = shown.split("\n")
    assert set(lines[:-2]) == {"- a line of a card"} and lines[-2] == "" and "model_card.md" in lines[-1]


def test_drift_makes_a_training_due(root: Path, registry: Registry) -> None:
    by_command = SETTINGS.model_copy(update={"models": ModelSettings(train_when_due=False)})
    moved = {"tenure": {"owned": 0.9, "jeonse": 0.1}}
    count = len(registry.versions())
    found = choose_model(at(root, Month(2020, 3), by_command), evidence(1, moved), fingerprint="march")
    assert found.why == "champion" and "tenure" in found.due[0] and len(registry.versions()) == count
    champion = found.version.number

    def of_scores(month: Month, value: float, number: int) -> tuple[str, ...]:
        before = {month: {"number": number, "stability": {"score": value}}}
        where = at(root, Month(2020, 3), by_command, before=before)
        return choose_model(where, evidence(), fingerprint=f"march {value} {number} {month}").due

    assert of_scores(FEBRUARY, 0.26, champion) == ("score of 202002 has moved: population stability index 0.26",)
    assert of_scores(FEBRUARY, 0.24, champion) == ()
    assert of_scores(FEBRUARY, 0.26, champion + 1) == (), "of another model"
    assert of_scores(Month(2020, 4), 0.26, champion) == (), "of a later month"
    trained = choose_model(at(root, Month(2020, 4)), evidence(6, moved), fingerprint="april")
    assert len(registry.versions()) == count + 1 and trained.gate


def test_a_restated_delivery_makes_a_training_due(tmp_path: Path) -> None:
    """A yearly one for every month that it serves, one of the month's own for the month that the model was trained on."""
    by_command = SETTINGS.model_copy(update={"models": ModelSettings(train_when_due=False)})
    was = {"survey": "a", "bureau": "b"}
    choose_model(at(tmp_path, contents=was), evidence(), fingerprint="first")

    def due(month: Month, **contents: str) -> tuple[str, ...]:
        where = at(tmp_path, month, by_command, contents=was | contents)
        return choose_model(where, evidence(), fingerprint=f"{month} {contents}").due

    assert due(JANUARY) == due(FEBRUARY) == due(FEBRUARY, bureau="of February") == ()
    assert due(FEBRUARY, survey="other") == ("the survey was restated",)
    assert due(JANUARY, bureau="other") == ("the bureau was restated",)


def test_a_version_that_cannot_be_read_is_not_promoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    choose_model(at(tmp_path), evidence(), fingerprint="first")
    monkeypatch.setattr(models, "_FORMAT", "format of a later code")
    made, _ = train_version(
        at(tmp_path), evidence(2), registry=Registry(SETTINGS.tracking, str(tmp_path)), champion=None, now=SHARES
    )
    monkeypatch.undo()
    with pytest.raises(ModelRefused, match="does not read"):
        promote(SETTINGS, root=str(tmp_path), number=made.number)


def test_a_champion_that_left_out_other_areas_is_not_compared(tmp_path: Path) -> None:
    """Districts now, dongs then: its folds would match nothing, and its full fit be judged where it has been."""
    data = evidence().training()
    names, _ = data.areas
    one = replace(data, survey=survey_rows(data.survey, names == names[0]))
    registry = Registry(SETTINGS.tracking, str(tmp_path))
    then, _ = train_version(
        at(tmp_path), cast(IncomeEvidence, MadeEvidence(one, SHARES)), registry=registry, champion=None, now=SHARES
    )
    registry.promote(then, is_newest=True)
    now, said = train_version(at(tmp_path, FEBRUARY), evidence(), registry=registry, champion=then, now=SHARES)
    assert "gate_loss_difference" not in registry.metrics(now) and "champion" not in said.text and said.passes
    assert promote(SETTINGS, root=str(tmp_path), number=now.number).number == now.number


def test_scores_are_of_the_newest_month_before_and_of_none_later(tmp_path: Path) -> None:
    ledger = Ledger(str(tmp_path))
    for month, index in ((Month(2019, 12), 0.1), (JANUARY, 0.3), (Month(2020, 3), 0.5)):
        facts = {"model": {"number": 1, "stability": {"score": index}}}
        ledger.record(month, StepRecord(step="income", fingerprint="", commits=(), seconds=0.0, facts=facts))
    ledger.record(FEBRUARY, StepRecord(step="households", fingerprint="", commits=(), seconds=0.0, facts={}))

    def before(month: Month) -> dict[Month, Any]:
        store = cast(Warehouse, SimpleNamespace(root=str(tmp_path)))
        return dict(_scored_before(MonthRun(warehouse=store, month=month, settings=SETTINGS, deliveries={})))

    assert before(Month(2019, 12)) == {}
    assert before(FEBRUARY) == before(Month(2020, 3)) == {JANUARY: {"number": 1, "stability": {"score": 0.3}}}


def test_a_model_that_fails_the_bounds_serves_its_month_but_is_no_champion(tmp_path: Path) -> None:
    bounds = ModelSettings(largest_component_bias=1e-9, largest_total_bias=1e-9)
    data = training_data(1, households=800, answers=400)
    wrong = {name: amount * (1.0 + 2.0 * (data.areas[0] == "11110")) for name, amount in data.survey.amounts.items()}
    odd = MadeEvidence(TrainingData(replace(data.survey, amounts=wrong), data.city, data.published), SHARES)
    found = choose_model(
        at(tmp_path, settings=SETTINGS.model_copy(update={"models": bounds})), cast(IncomeEvidence, odd), fingerprint="x"
    )
    assert (found.why, found.version.is_promoted, found.version.aliases) == ("trained", False, (CHALLENGER,))
    assert found.due and found.gate
    with pytest.raises(ModelRefused) as caught:
        promote(SETTINGS.model_copy(update={"models": bounds}), root=str(tmp_path), number=None)
    assert caught.value.exit_code == 53 and "beyond its error" in str(caught.value)
    file = tmp_path / "settings.yaml"
    file.write_text("models: {largest_component_bias: 1.0e-9, largest_total_bias: 1.0e-9}\n")
    shown = subprocess.run(
        [sys.executable, "-m", "living_finance.cli", "promote", "--warehouse", str(tmp_path), "--config", str(file)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert shown.returncode == 53 and "ModelRefused" in shown.stdout + shown.stderr


@pytest.mark.server
def test_the_same_on_a_real_server_by_one_setting(tmp_path: Path) -> None:
    options = ("--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", str(tmp_path / "kept"))
    with mlflow_server([sys.executable, "-m", "mlflow"], *options) as address:
        settings = SETTINGS.model_copy(update={"tracking": TrackingSettings(uri=address)})
        where = at(tmp_path / "warehouse", settings=settings)
        first = choose_model(where, evidence(), fingerprint="january")
        again = choose_model(where, evidence(2), fingerprint="january")
        assert (first.version.number, again.version.number, again.why) == (1, 1, "scored this month before")
        assert again.model.to_json() == first.model.to_json()
    assert not (tmp_path / "warehouse").exists()
    assert json.loads(next((tmp_path / "kept").rglob("income_model.json")).read_text())["format"] == FORMAT
