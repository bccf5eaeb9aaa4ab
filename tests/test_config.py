"""Settings: order of strength, unknown keys, the files in conf/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from living_finance.config import Settings, load_settings
from living_finance.errors import ConfigurationError

CONF = Path(__file__).resolve().parents[1] / "conf"


@pytest.fixture(autouse=True)
def _no_settings_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in list(os.environ):
        if name.upper().startswith("LIVING_FINANCE_"):
            monkeypatch.delenv(name)


def _file(folder: Path, text: str) -> Path:
    file = folder / "settings.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def test_flags_beat_environment_beats_file_beats_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = _file(tmp_path, "seed: 1\nspark: {driver_memory: 1g, shuffle_partitions: 11, broadcast_limit_mb: 1}\n")
    monkeypatch.setenv("LIVING_FINANCE_SPARK__SHUFFLE_PARTITIONS", "22")
    monkeypatch.setenv("LIVING_FINANCE_SPARK__BROADCAST_LIMIT_MB", "2")
    settings = load_settings(file, spark={"broadcast_limit_mb": 3})
    assert (settings.spark.broadcast_limit_mb, settings.spark.shuffle_partitions) == (3, 22)
    assert (settings.spark.driver_memory, settings.seed) == ("1g", 1)
    assert settings.receipt == Settings().receipt


@pytest.mark.parametrize(
    "text",
    [
        "sede: 1",
        "spark: {memory: 3g}",
        "spark: {shuffle_partitions: 0}",
        "spark: {shuffle_partitions: many}",
        "receipt: {max_quarantined_share: 1.5}",
        "profile: laptop",
        "spark: 3",
        "- a list",
        "seed: [1",
    ],
)
def test_a_wrong_file_is_an_error_that_points_to_the_example(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"conf/local\.yaml") as error:
        load_settings(_file(tmp_path, text))
    assert error.value.exit_code == 10


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No configuration file"):
        load_settings(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    "variable", ["LIVING_FINANCE_SEDE", "LIVING_FINANCE_SPARK__MEMORY", "LIVING_FINANCE_SEED__X", "living_finance_sede"]
)
def test_an_environment_variable_that_names_no_setting_is_an_error(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, "1")
    with pytest.raises(ConfigurationError, match="names no setting"):
        load_settings()


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    assert load_settings(_file(tmp_path, "")).model_dump() == Settings().model_dump()


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 2  # type: ignore[misc]


def test_local_yaml_lists_every_key_with_its_default() -> None:
    """The file is the list of keys that messages point to: a new setting needs its line there."""
    assert _keys(yaml.safe_load((CONF / "local.yaml").read_text(encoding="utf-8"))) == _declared(Settings)
    assert load_settings(CONF / "local.yaml").model_dump() == Settings().model_dump()


def test_cluster_yaml_is_valid_and_says_only_what_differs() -> None:
    settings = load_settings(CONF / "cluster.yaml")
    assert settings.profile == "cluster"
    given, default = yaml.safe_load((CONF / "cluster.yaml").read_text(encoding="utf-8")), Settings().model_dump()
    same = [f"{s}.{k}" for s, keys in given.items() if isinstance(keys, dict) for k, v in keys.items() if default[s][k] == v]
    assert same == []


def _keys(content: dict[str, Any]) -> set[str]:
    sections = {name: value for name, value in content.items() if isinstance(value, dict)}
    return set(content) | {f"{section}.{key}" for section, keys in sections.items() for key in keys}


def _declared(model: type[BaseModel]) -> set[str]:
    names = set(model.model_fields)
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names |= {f"{name}.{key}" for key in field.annotation.model_fields}
    return names


def test_records_of_access_are_kept_for_two_years_at_least(tmp_path: Path) -> None:
    """By law, for systems with as many people as the city has."""
    for months in (24, 36):
        kept = load_settings(_file(tmp_path, f"retention: {{access_months: {months}}}")).retention
        assert kept.access_months == months
    for months in (1, 23):
        with pytest.raises(ConfigurationError, match="access_months"):
            load_settings(_file(tmp_path, f"retention: {{access_months: {months}}}"))
