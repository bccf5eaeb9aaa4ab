"""Settings: defaults, then a YAML file, then environment (`LIVING_FINANCE_…`), then flags. Unknown keys are errors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from living_finance.errors import ConfigurationError

_PREFIX = "LIVING_FINANCE_"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SparkSettings(_Section):
    """How a session is built when spark-submit has not built it already."""

    master: str = "local[*]"
    driver_memory: str = "3g"
    shuffle_partitions: int = Field(default=8, ge=1, description="also the bound of parallel tasks per stage in local runs")
    broadcast_limit_mb: int = Field(default=64, ge=-1, description="tables below it are sent to every task instead of shuffled")
    java_options: str = Field(default="", description="more options of the driver's Java, for instance -XX:TieredStopAtLevel=1")
    packages: str = "io.delta:delta-spark_4.2_2.13:4.4.0"
    extra: dict[str, str] = Field(default_factory=dict, description="any other spark.* key")


class ReceiptSettings(_Section):
    """Rules at intake that are not in the contract's text."""

    max_quarantined_share: float = Field(default=0.01, ge=0, le=1, description="contract: more than 1 % refuses")
    max_row_fall: float = Field(default=0.30, ge=0, le=1, description="rows below last month that stop the run")
    allow_row_fall: bool = Field(default=False, description="named override of max_row_fall and of a missing district")


class CleansingSettings(_Section):
    """Edit and imputation rules."""

    unit_slip_factor: float = 1000.0
    min_donors: int = Field(default=5, ge=1, description="observed values a cell needs to lend them")
    donors_kept: int = Field(default=256, ge=2, description="order statistics kept of each cell's values")


class IncomeSettings(_Section):
    """The income model."""

    draws: int = Field(default=16, ge=1, description="incomes drawn per household, the first from the point fit; 3 give an error")


class RepricingShare(_Section):
    """Share of each loan type's balance whose rate follows the market within the year."""

    mortgage: float = Field(default=1.0, ge=0, le=1)
    jeonse: float = Field(default=1.0, ge=0, le=1)
    credit: float = Field(default=1.0, ge=0, le=1)
    business: float = Field(default=1.0, ge=0, le=1)


class AnalysisSettings(_Section):
    """Stated proxies and limits of the policy analyses; conf/local.yaml says where each comes from."""

    high_risk_service: float = Field(default=0.40, gt=0, description="debt service to income above which a debtor is at risk")
    asset_years_of_income: float = Field(default=7.5, gt=0, description="proxy for debt above assets: years of income")
    service_limits_to_try: tuple[float, ...] = (0.3, 0.4, 0.5, 0.7)
    asset_years_to_try: tuple[float, ...] = (3.0, 5.0, 7.5, 10.0)
    rate_rises: tuple[float, ...] = (0.005, 0.01, 0.02)
    repricing_share: RepricingShare = RepricingShare()
    low_pay: float = Field(default=2 / 3, gt=0, description="of the median labour income of employees")
    youth_income_limit: float = Field(default=1.5, gt=0, description="of the city's median equivalised income")
    smallest_ranked_group: int = Field(default=20, ge=2, description="bureau persons a group needs to be ranked")
    reach_m: float = Field(default=2000.0, gt=0, description="jobs within this distance of a dong's centre are within reach")


class TrackingSettings(_Section):
    """MLflow store; empty uri = SQLite file inside the warehouse."""

    uri: str = ""
    experiment: str = "living-finance"


class DatabaseSettings(_Section):
    """The utilization database; empty url = a server embedded in the warehouse."""

    url: str = ""
    connections: int = Field(default=4, ge=1, description="tasks that load a table at a time, each with a connection")


class PseudonymSettings(_Section):
    """Keyed hashing of delivered person identifiers on entry."""

    enabled: bool = False
    key_file: str = Field(default="", description="JSON, outside warehouse and landing; executors find it under the same path")


class RetentionSettings(_Section):
    """What `living-finance purge` leaves, in months back from the newest made month (access records: from today)."""

    bronze_months: int = Field(default=13, ge=1, description="people as delivered")
    silver_months: int = Field(default=25, ge=1, description="people cleansed, placed and in households")
    access_months: int = Field(default=24, ge=1, description="records of who read rows of households")


class Settings(BaseSettings):
    """All settings of a run."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    profile: Literal["local", "cluster"] = "local"
    seed: int = Field(default=20180901, description="key of every pseudo-random draw of the pipeline")
    spark: SparkSettings = SparkSettings()
    receipt: ReceiptSettings = ReceiptSettings()
    cleansing: CleansingSettings = CleansingSettings()
    income: IncomeSettings = IncomeSettings()
    analyses: AnalysisSettings = AnalysisSettings()
    tracking: TrackingSettings = TrackingSettings()
    database: DatabaseSettings = DatabaseSettings()
    pseudonyms: PseudonymSettings = PseudonymSettings()
    retention: RetentionSettings = RetentionSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)


def load_settings(file: Path | None = None, **flags: Mapping[str, Any]) -> Settings:
    """Settings of a run.

    Args:
        file: YAML file; None reads none.
        flags: sections given on the command line, strongest of all.

    Raises:
        ConfigurationError: unreadable file, unknown key, value out of range.
    """
    if file is not None and not file.is_file():
        raise ConfigurationError(f"No configuration file {file}.", remedy="see conf/local.yaml for an example")
    _refuse_unknown_environment()

    class _FromFile(Settings):
        model_config = SettingsConfigDict(yaml_file=file, yaml_file_encoding="utf-8")

    try:
        return _FromFile(**flags)  # type: ignore[arg-type]
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(f"Settings are not valid: {problems}.", remedy="see conf/local.yaml") from error
    except (yaml.YAMLError, TypeError, ValueError) as error:
        raise ConfigurationError(f"{file} is not a YAML mapping.", remedy="see conf/local.yaml") from error


def _refuse_unknown_environment() -> None:
    """An environment variable with our prefix that names no setting is a typing error, not a comment."""
    known = {
        name: field.annotation.model_fields
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        else None
        for name, field in Settings.model_fields.items()
    }
    for variable in os.environ:
        if not variable.upper().startswith(_PREFIX):
            continue
        section, _, key = variable.upper().removeprefix(_PREFIX).lower().partition("__")
        fields = known.get(section)
        is_known = section in known and (not key or (fields is not None and key.partition("__")[0] in fields))
        if not is_known:
            raise ConfigurationError(f"{variable} names no setting.", remedy="see conf/local.yaml for the keys")
