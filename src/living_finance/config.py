"""Settings: defaults, then a YAML file, then environment (`LIVING_FINANCE_…`), then flags. Unknown keys are errors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

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

    draws: int = Field(default=32, ge=1, description="incomes drawn per household, the first from the point fit; 3 give an error")
    version: int = Field(default=0, ge=0, description="registered version to score with; 0 = the champion of the month")
    householding_draws: int = Field(
        default=2, ge=0, description="draws of the assignment in a sample of areas; 0 = no error of it"
    )


class ModelSettings(_Section):
    """Training, the gate of promotion, when to train again."""

    folds: int = Field(default=5, ge=2, description="groups of districts that are left out in turn")
    largest_total_bias: float = Field(default=0.10, gt=0, description="of the mean total income where districts were left out")
    largest_component_bias: float = Field(default=0.05, gt=0, description="of a component, relative to the mean total income")
    train_when_due: bool = Field(default=True, description="a month's run trains when the rule says so; else only `train` does")
    largest_age_months: int = Field(default=12, ge=1, description="months after which a training is due")
    largest_instability: float = Field(default=0.25, gt=0, description="population stability index above which one is due")


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
    repricing_shares_to_try: tuple[Annotated[float, Field(ge=0, le=1)], ...] = (0.25, 0.5, 0.75, 1.0)
    low_pay: float = Field(default=2 / 3, gt=0, description="of the median labour income of employees")
    low_pay_to_try: tuple[Annotated[float, Field(gt=0)], ...] = (0.5, 0.6, 0.75)
    youth_income_limit: float = Field(default=1.5, gt=0, description="of the city's median equivalised income")
    youth_income_limits_to_try: tuple[Annotated[float, Field(gt=0)], ...] = (1.2, 1.8)
    youth_oldest_to_try: tuple[Literal[24, 29, 34, 39, 44], ...] = (29, 39)
    smallest_ranked_group: int = Field(default=20, ge=2, description="bureau persons a group needs to be ranked")
    reach_m: float = Field(default=2000.0, gt=0, description="jobs within this distance of a dong's centre are within reach")
    reaches_to_try_m: tuple[Annotated[float, Field(gt=0)], ...] = (1000.0, 3000.0)


class QualityWeights(_Section):
    """What each dimension counts in a score; a dimension that is not measured counts for nothing."""

    completeness: float = Field(default=0.2, ge=0)
    validity: float = Field(default=0.15, ge=0)
    consistency: float = Field(default=0.15, ge=0)
    uniqueness: float = Field(default=0.1, ge=0)
    timeliness: float = Field(default=0.1, ge=0)
    accuracy: float = Field(default=0.2, ge=0)
    coverage: float = Field(default=0.1, ge=0)


class QualityGrades(_Section):
    """Least score of each grade; below `fair` it is poor."""

    excellent: float = Field(default=90.0, ge=0, le=100)
    good: float = Field(default=85.0, ge=0, le=100)
    fair: float = Field(default=80.0, ge=0, le=100)


class ChangeLimits(_Section):
    """Largest relative change from month to month that needs no explanation."""

    city: float = Field(default=0.05, gt=0)
    gu: float = Field(default=0.10, gt=0)
    dong: float = Field(default=0.25, gt=0)


class QualitySettings(_Section):
    """Scores, limits of the checks, and which of them stop a publication; conf/local.yaml says where each comes from."""

    weights: QualityWeights = QualityWeights()
    grades: QualityGrades = QualityGrades()
    due_days: float = Field(default=45.0, gt=0, description="days from month's end to supply that cost no points")
    lost_days: float = Field(default=135.0, gt=0, description="days at which timeliness has no points left")
    accuracy_tolerance: float = Field(default=0.25, gt=0, description="relative gap to a reference at which no points are left")
    max_change: ChangeLimits = ChangeLimits()
    input_change: float = Field(default=0.02, gt=0, description="change of an input that counts as an explanation")
    movement_factor: float = Field(default=3.0, gt=1, description="times the city's rate that a region may differ by")
    movement_rates: dict[str, tuple[float, float]] = Field(
        default={
            "births": (5.0, 80.0),
            "deaths": (2.0, 60.0),
            "moved_in": (20.0, 500.0),
            "moved_out": (20.0, 500.0),
            "household_new": (0.0, 300.0),
            "household_ended": (0.0, 300.0),
            "register_gain": (0.0, 120.0),
            "register_loss": (0.0, 120.0),
        },
        description="plausible events a year per 1,000 of the exposure, of the whole city",
    )
    max_implausible_share: float = Field(default=0.05, ge=0, le=1, description="of districts' and dongs' movements")
    max_unreliable_share: float = Field(default=0.05, ge=0, le=1, description="of dongs")
    published_mean_errors: float = Field(default=3.0, gt=0, description="standard errors the city's mean may be off")
    blocking: tuple[str, ...] = (
        "rows_accounted_for",
        "components_add_up",
        "every_dong_published",
        "levels_add_up",
        "quantiles_in_order",
        "near_published_mean",
        "city_change_explained",
    )
    allow_failed_checks: bool = Field(default=False, description="named override: publish and release in spite of them")


class CatalogSettings(_Section):
    """What the catalogue of products says of all of them alike; the items that Korean public data require."""

    publisher_ko: str = "서울특별시"
    publisher_en: str = "Seoul Metropolitan Government"
    department_ko: str = "서울특별시 데이터 담당관"
    department_en: str = "Data Officer, Seoul Metropolitan Government"
    contact: str = Field(default="", description="mailto: address of the department")
    spatial_ko: str = "서울특별시"
    spatial_en: str = "Seoul"
    legal_basis_ko: str = "개인정보 보호법 제28조의2 및 같은 법 시행령 제29조의5, 신용정보의 이용 및 보호에 관한 법률 제40조의2"
    legal_basis_en: str = (
        "Personal Information Protection Act, article 28-2, and its decree, article 29-5; Credit Information Act, article 40-2"
    )
    licence: str = "KOGL-1.0"
    licence_url: str = "https://www.kogl.or.kr/info/license.do"


class TrackingSettings(_Section):
    """MLflow store; empty uri = SQLite file inside the warehouse."""

    uri: str = ""
    experiment: str = "living-finance"
    model: str = Field(default="living-finance-income", pattern=r"^[A-Za-z0-9._-]+$", description="name in the registry")


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
    access_months: int = Field(
        default=24, ge=24, description="records of who read rows of households, and the log; two years at least, by law"
    )


class Settings(BaseSettings):
    """All settings of a run."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True)

    profile: Literal["local", "cluster"] = "local"
    seed: int = Field(default=20180901, description="key of every pseudo-random draw of the pipeline")
    spark: SparkSettings = SparkSettings()
    receipt: ReceiptSettings = ReceiptSettings()
    cleansing: CleansingSettings = CleansingSettings()
    income: IncomeSettings = IncomeSettings()
    models: ModelSettings = ModelSettings()
    analyses: AnalysisSettings = AnalysisSettings()
    quality: QualitySettings = QualitySettings()
    catalog: CatalogSettings = CatalogSettings()
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


def conf_file(name: str, *, remedy: str = "run where conf/ is, or install the package anew") -> Traversable:
    """A file of `conf/`: the one here, else that of the package, else that of the checkout that it is run from.

    Raises:
        ConfigurationError: none of them has it.
    """
    here, package = Path("conf"), resources.files("living_finance")
    for folder in (here, package / "conf", Path(__file__).resolve().parents[2] / "conf"):
        if (file := folder.joinpath(name)).is_file():
            return file
    raise ConfigurationError(f"No file {here / name}.", remedy=remedy)


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
