"""The command and its step: what is listed, and what is refused before anything is read."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import cast

import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from typer.testing import CliRunner

from living_finance.analyses.registry import ANALYSES
from living_finance.cli import app
from living_finance.config import AnalysisSettings, load_settings
from living_finance.contracts.core import Table
from living_finance.contracts.language import IN_DEVELOPMENT
from living_finance.errors import ConfigurationError, MissingInput
from living_finance.months import Month
from living_finance.steps.analyse import analyse, labelled, shown, write_rows
from living_finance.steps.regions import check_region
from living_finance.steps.report import data_of_warehouse
from living_finance.storage.warehouse import PartitionValue, Warehouse

ROOT = Path(__file__).parents[2]


def test_the_list_names_every_analysis() -> None:
    listed = CliRunner().invoke(app, ["analyse", "--list"])
    assert listed.exit_code == 0
    assert len(ANALYSES) == 16 and all(name in listed.stdout for name in ANALYSES)
    assert all(analysis.tables for analysis in ANALYSES.values())


@pytest.mark.parametrize(("name", "region"), [("gini", "11"), ("inequality", "111"), ("inequality", "Mapo")])
def test_unknown_names_and_regions_are_refused(name: str, region: str) -> None:
    nothing_is_read = cast("Warehouse", object())
    with pytest.raises(ConfigurationError):
        analyse(nothing_is_read, name, month=Month(2020, 1), region=region, settings=AnalysisSettings())


@pytest.mark.parametrize("name", ["inequality", "household_moves", "jobs_in_reach", "comparison"])
def test_what_compares_no_months_says_what_does(name: str) -> None:
    nothing_is_read, month = cast("Warehouse", object()), Month(2020, 1)
    with pytest.raises(ConfigurationError, match=r"--against is for household_balance, .*, change\.?$"):
        analyse(nothing_is_read, name, month=month, against=month, region="11", settings=AnalysisSettings())


@pytest.mark.parametrize(
    "arguments", [[], ["inequality"], ["inequality", "--warehouse", ".", "--month", "202001", "--out", "x.xlsx"]]
)
def test_an_incomplete_command_says_what_is_missing(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["analyse", *arguments])
    assert isinstance(result.exception, ConfigurationError)


@pytest.mark.parametrize(
    "arguments",
    [
        ["analyse", "inequality", "--warehouse", ".", "--month", "202001"],
        ["report", "--warehouse", ".", "--month", "202001", "--out", "."],
        ["quality", "--warehouse", ".", "--month", "202001", "--out", "q.html"],
    ],
)
def test_a_language_that_is_not_spoken_is_wrong_use_everywhere(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, [*arguments, "--lang", "fr"])
    assert result.exit_code == 2
    assert "fr" in result.output and "ko" in result.output


def test_the_example_settings_are_the_defaults() -> None:
    assert load_settings(ROOT / "conf" / "local.yaml").analyses == AnalysisSettings()


class Held(Warehouse):
    """A warehouse whose month has two dongs, of one district."""

    def read(self, table: Table, **partition: PartitionValue) -> DataFrame:
        columns = "base_month date, mois_code string, gu_code string, gu_name_ko string, gu_name_en string, dong_code string, "
        rows = [
            (dt.date(2020, 1, 1), "1", "11140", "마포구", "Mapo-gu", "1114059", "용강동", "Yonggang-dong"),
            (dt.date(2020, 1, 1), "2", "11140", "마포구", "Mapo-gu", "1114060", "대흥동", "Daeheung-dong"),
        ]
        return self.spark.createDataFrame(rows, columns + "dong_name_ko string, dong_name_en string")


@pytest.mark.parametrize("name", ANALYSES)
def test_a_region_that_the_month_does_not_have_is_no_empty_answer(spark: SparkSession, tmp_path: Path, name: str) -> None:
    store, january = Held(spark, str(tmp_path)), Month(2020, 1)
    against = january if ANALYSES[name].compares_months or ANALYSES[name].can_change else None
    with pytest.raises(MissingInput, match=r"no region 11999.*11140 마포구") as raised:
        analyse(store, name, month=january, against=against, region="11999", settings=AnalysisSettings())
    assert raised.value.exit_code == 21


def test_regions_that_are_there_are_named_near_the_wrong_one(spark: SparkSession, tmp_path: Path) -> None:
    store, january = Held(spark, str(tmp_path)), Month(2020, 1)
    for region in ("11", "11140", "1114059"):
        check_region(store, january, region)
    with pytest.raises(MissingInput, match=r"one of: 1114059 용강동, 1114060 대흥동$"):
        check_region(store, january, "1114099")
    for region in ("12", "1199959", "11999590001"):
        with pytest.raises(MissingInput, match=r"one of: 11140 마포구$"):
            check_region(store, january, region)


ROWS = pd.DataFrame(
    [
        ("1114059", "all", "all", "gini", "index", 0.31234, 0.01234, 412, "publishable"),
        ("11140", "head_age_band", "80", "poverty_rate", "share", 0.4567, None, 9, "unreliable"),
        ("11", "change_since", "2020-01", "mean_debt_krw", "KRW", -1_234_567.0, 45_678.0, 999, None),
        ("11", "change_since / residence / sex", "2020-01 / F", "low_pay_share", "share", 0.021, 0.004, 99, "publishable"),
    ],
    columns=[
        "region_code",
        "dimension",
        "category",
        "statistic",
        "unit",
        "value",
        "standard_error",
        "contributors",
        "reliability",
    ],
)
NAMES = {"11": ("서울특별시", "Seoul"), "11140": ("마포구", "Mapo-gu"), "1114059": ("용강동", "Yonggang-dong")}


def test_what_is_shown_is_in_words_and_in_units_that_people_read() -> None:
    rows = labelled(ROWS, names=NAMES)
    assert shown(rows, language="ko") == [
        ("1114059 용강동", "", "지니계수(균등화소득)", "0.312 ± 0.012", "", "412", "공표 가능"),
        ("11140 마포구", "가구주 연령: 80세 이상", "상대적 빈곤율", "45.7", "%", "9", "신뢰 불가"),
        ("11 서울특별시", "이후 변화: 2020-01", "평균 부채", "-123 ± 5", "만원", "999", ""),
        ("11 서울특별시", "이후 변화 / 성별: 2020-01 / 여", "저임금 근로자 비율", "2.1 ± 0.4", "%p", "99", "공표 가능"),
    ]
    assert shown(rows, language="en")[1] == (
        "11140 Mapo-gu", "head's age: 80 and over", "relative poverty rate", "45.7", "%", "9", "unreliable"
    )  # fmt: skip
    assert rows["value"].tolist() == ROWS["value"].tolist(), "files keep won and shares"


@pytest.mark.parametrize("name", ["rows.csv", "rows.json"])
def test_every_row_of_a_file_says_its_sources_and_that_the_statistic_is_in_development(name: str, tmp_path: Path) -> None:
    """A column, so that the file stays a plain table: its first line is the header, and no row is apart from it."""
    rows = labelled(ROWS.assign(base_month=dt.date(2020, 1, 1)), names=NAMES)
    write_rows(rows, tmp_path / name, sources="gold.household v3; income m9")
    read = pd.read_csv if name.endswith(".csv") else pd.read_json
    found = read(tmp_path / name)
    assert list(found.columns) == [*rows.columns, "sources", "notice_ko", "notice_en"] and len(found) == len(rows)
    assert set(found["sources"]) == {"gold.household v3; income m9"}
    assert set(found["notice_ko"]) == {IN_DEVELOPMENT.ko} and set(found["notice_en"]) == {IN_DEVELOPMENT.en}


def test_a_report_refuses_what_is_no_region_before_it_reads() -> None:
    nothing_is_read = cast("Warehouse", object())
    with pytest.raises(ConfigurationError, match="'1114059' is not a region"):
        data_of_warehouse(nothing_is_read, month=Month(2020, 1), year=None, region="1114059", settings=AnalysisSettings())
