"""Errors of persons' figures: people of a household are drawn together. Beside statsmodels, and beside sums by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from statsmodels.stats.proportion import proportion_confint

from living_finance.analyses.registry import ANALYSES
from living_finance.analyses.result import KEY, ratio_results
from living_finance.analyses.vulnerable import ranks_of
from living_finance.config import AnalysisSettings
from living_finance.contracts import silver
from living_finance.methods import ratios

MONTH = dt.date(2020, 1, 1)
DONGS = ("1114051", "1114052", "1123051")
SETTINGS = AnalysisSettings(smallest_ranked_group=2)
QUARTERS, ALONE = "quarters", 6
"""A home of many people without a common living; persons whose household is not known."""
Found = Mapping[tuple[str, ...], Any]


def _people() -> pd.DataFrame:
    """Sixty households of one to four bureau persons, a home of eight, and six people without an address."""
    random = np.random.default_rng(20200101)
    rows: list[dict[str, Any]] = []
    homes = [(f"H{number}", int(random.integers(1, 5)), DONGS[number % 3]) for number in range(60)]
    for home, size, dong in [*homes, (QUARTERS, 8, DONGS[0]), *((None, 1, DONGS[1]) for _ in range(ALONE))]:
        income = float(random.lognormal(17, 0.8))
        for _ in range(size):
            work = random.choice(["employee", "self_employed", "none"], p=[0.5, 0.2, 0.3])
            rows.append(
                {
                    "person_id": f"P{len(rows)}",
                    "household_id": home,
                    "household_income": round(income * size),
                    "size": size,
                    "dong_code": dong,
                    "sex": random.choice(["M", "F"]),
                    "age_band": int(random.choice([20, 25, 30, 50, 65])),
                    "employment": work,
                    "workplace": "none" if work == "none" else "seoul",
                    "workplace_dong_code": None if work == "none" else str(random.choice(DONGS)),
                    "labour_income_krw_year": float(round(income * random.uniform(0.5, 1.5))) if work == "employee" else 0.0,
                    "business_income_krw_year": float(round(income)) if work == "self_employed" else 0.0,
                    "overdue_balance_krw": 1000.0 if income < 1.5e7 and random.random() < 0.5 else 0.0,
                }
            )
    return pd.DataFrame(rows)


PEOPLE = _people()
PEOPLE["cluster"] = [
    person if home in (None, QUARTERS) else home for person, home in zip(PEOPLE["person_id"], PEOPLE["household_id"], strict=True)
]
PEOPLE["earned"] = PEOPLE["labour_income_krw_year"] + PEOPLE["business_income_krw_year"]


@pytest.fixture(scope="module")
def frames(spark: SparkSession) -> dict[str, DataFrame]:
    columns = [c for c in PEOPLE.columns if c not in ("household_id", "household_income", "size", "cluster", "earned")]
    rows = [tuple(row) for row in PEOPLE[columns].itertuples(index=False)]
    text = {"age_band": "int", **{c: "double" for c in columns if c.endswith(("_krw", "_krw_year"))}}
    schema = ", ".join(f"{name} {text.get(name, 'string')}" for name in columns)
    persons = spark.createDataFrame(rows, schema).coalesce(1)
    zero = {name: F.lit(0.0) for name in silver.BALANCE_COLUMNS}
    fixed = {"base_month": F.lit(MONTH), "residence": F.lit("seoul"), "work_address_id": F.lit("W")}
    homes = PEOPLE.dropna(subset=["household_id"]).drop_duplicates("household_id")
    household = spark.createDataFrame(
        [
            (MONTH, home, dong, int(size), int(income), 30, 0.0 if home == QUARTERS else 1.0)
            for home, dong, size, income in homes[["household_id", "dong_code", "size", "household_income"]].itertuples(
                index=False
            )
        ],
        "base_month date, household_id string, dong_code string, household_size int, total_income_krw_year bigint,"
        " head_age_band int, weight double",
    ).coalesce(1)
    members = spark.createDataFrame(
        [(MONTH, p, h) for p, h in PEOPLE[["person_id", "household_id"]].itertuples(index=False) if h],
        "base_month date, person_id string, household_id string",
    ).coalesce(1)
    establishment = spark.createDataFrame(
        [(MONTH, "E", "W", "G", 5)],
        "base_month date, establishment_id string, address_id string, industry string, workers bigint",
    )
    return {
        "placed_person": persons.withColumns({**zero, **fixed}).cache(),
        "household": household.cache(),
        "household_member": members.cache(),
        "establishment": establishment.cache(),
    }


def _found(name: str, frames: Mapping[str, DataFrame]) -> Found:
    analysis = ANALYSES[name]
    extra: dict[str, object] = {"settings": SETTINGS} if analysis.takes_settings else {}
    rows = analysis.function(**{key: frames[key] for key in analysis.tables}, region="11", **extra).collect()
    return {tuple(row[key] for key in KEY[2:]): row for row in rows}


def _by_statsmodels(people: pd.DataFrame, value: str) -> tuple[float, float]:
    """Mean and error of a regression on a constant, clustered, with the correction for few clusters."""
    fit = sm.OLS(people[value].to_numpy(float), np.ones(len(people))).fit(
        cov_type="cluster", cov_kwds={"groups": pd.factorize(people["cluster"])[0], "use_correction": True}
    )
    return float(fit.params[0]), float(fit.bse[0])


def _by_hand(people: pd.DataFrame, value: str) -> tuple[float, float]:
    """Särndal, Swensson & Wretman (1992): the deviations of a household added up, then squared."""
    mean = people[value].mean()
    of_cluster = (people[value] - mean).groupby(people["cluster"]).sum()
    m = len(of_cluster)
    return mean, float(np.sqrt(m / (m - 1) * (of_cluster**2).sum()) / len(people))


def _of_count(people: pd.DataFrame) -> tuple[int, float]:
    return len(people), float(np.sqrt((people.groupby("cluster").size() ** 2).sum()))


def _estimate(row: Any) -> tuple[float, float]:
    return row["value"], row["standard_error"]


def _relative_income() -> pd.Series:
    """Of the household, in medians of all members of private households; missing for everybody else."""
    private = PEOPLE["cluster"] == PEOPLE["household_id"]
    homes = PEOPLE[private].drop_duplicates("household_id")
    equivalised = homes["household_income"] / np.sqrt(homes["size"])
    order = np.argsort(equivalised.to_numpy())
    through = np.cumsum(homes["size"].to_numpy()[order])
    median = equivalised.to_numpy()[order][np.searchsorted(through, through[-1] / 2)]
    return (PEOPLE["household_income"] / np.sqrt(PEOPLE["size"]) / median).where(private)


def test_two_computations_of_the_error_agree() -> None:
    assert _by_statsmodels(PEOPLE, "earned") == pytest.approx(_by_hand(PEOPLE, "earned"))
    clustered, alone = (_by_hand(PEOPLE.assign(cluster=c), "earned")[1] for c in (PEOPLE["cluster"], PEOPLE["person_id"]))
    assert clustered > 1.1 * alone, "the households make a difference"


@pytest.mark.parametrize(("place", "column"), [("residence", "dong_code"), ("workplace", "workplace_dong_code")])
def test_employment_at_home_and_at_work(frames: dict[str, DataFrame], place: str, column: str) -> None:
    """At work people of a household are in several dongs, and one household in the district and the city."""
    found = _found("employment", frames)
    there = PEOPLE.dropna(subset=[column])
    for region in ("11", "11140", *DONGS):
        people = there[there[column].str.startswith(region)]
        row = found[region, f"{place} / all", "all", "mean_labour_business_income_krw_year"]
        assert _estimate(row) == pytest.approx(_by_statsmodels(people, "earned"), rel=1e-6)
        assert row["contributors"] == len(people), "a release counts persons"
        assert _estimate(found[region, f"{place} / all", "all", "persons"]) == pytest.approx(_of_count(people))
        women = people[people["sex"] == "F"]
        row = found[region, f"{place} / sex", "F", "mean_labour_business_income_krw_year"]
        assert _estimate(row) == pytest.approx(_by_statsmodels(women, "earned"), rel=1e-6)


def test_youth_and_vulnerable_groups(frames: dict[str, DataFrame]) -> None:
    relative = _relative_income()
    people = PEOPLE.assign(poor=(relative < 0.5).astype(float))
    young = people[(people["age_band"] < 35) & relative.notna()]
    youth, vulnerable = _found("youth", frames), _found("vulnerable_groups", frames)
    assert 0 < young["poor"].mean() < 1
    expected = _by_statsmodels(young, "poor")
    assert _estimate(youth["11", "all", "all", "poverty_share"]) == pytest.approx(expected)
    assert _estimate(vulnerable["11", "all", "all", "poverty_share"]) == pytest.approx(
        _by_statsmodels(people[relative.notna()], "poor")
    )
    group = people[relative.notna() & (people["employment"] == "none") & (people["age_band"] >= 65)]
    row = vulnerable["11", "employment / age", "none / 65+", "poverty_share"]
    assert _estimate(row) == pytest.approx(_by_statsmodels(group, "poor"))


@pytest.mark.parametrize(("persons_of_a_household", "best_of_second"), [(1, 2.0), (4, 1.0)])
def test_ranks_are_less_sure_where_people_live_together(
    spark: SparkSession, persons_of_a_household: int, best_of_second: float
) -> None:
    """Two groups of 200 persons, 35 % and 20 % poor: surely apart if each stands alone, not if four live together."""
    rows = []
    for category, poor in (("a", 0.35), ("b", 0.2)):
        of = {"base_month": MONTH, "region_level": "city", "region_code": "11", "dimension": "d", "category": category}
        of |= {"population": 200.0, "contributors": 200}
        count_error = float(np.sqrt(200 / persons_of_a_household) * persons_of_a_household)
        rows += [
            {**of, "statistic": "persons", "value": 200.0, "standard_error": count_error},
            {**of, "statistic": "poverty_share", "value": poor, "standard_error": None},
        ]
    schema = (
        "base_month date, region_level string, region_code string, dimension string, category string, statistic string,"
        " value double, standard_error double, population double, contributors bigint"
    )
    names = [column.split()[0] for column in schema.split(",")]
    frame = spark.createDataFrame([tuple(row[name] for name in names) for row in rows], schema)
    found = {(row["category"], row["statistic"]): row["value"] for row in ranks_of(frame).collect()}
    assert (found["a", "rank"], found["b", "rank"]) == (1.0, 2.0)
    assert found["b", "rank_low"] == best_of_second
    n = 200 / persons_of_a_household
    low, _ = proportion_confint(0.35 * n, n, alpha=0.05 / 2, method="wilson")
    _, high = proportion_confint(0.2 * n, n, alpha=0.05 / 2, method="wilson")
    assert (low > high) is (best_of_second == 2.0)


def test_people_of_group_quarters_are_drawn_apart(frames: dict[str, DataFrame]) -> None:
    of_home = PEOPLE[PEOPLE["household_id"] == QUARTERS]
    only = {**frames, "placed_person": frames["placed_person"].where(F.col("person_id").isin(*of_home["person_id"]))}
    row = _found("employment", only)["11", "residence / all", "all", "persons"]
    assert _estimate(row) == pytest.approx((8, np.sqrt(8)))


def test_one_household_says_nothing_about_others(frames: dict[str, DataFrame]) -> None:
    """However many live in it: there is no error, and the class is not left open."""
    sizes = PEOPLE["household_id"].value_counts()
    home = next(name for name in sizes.index if name != QUARTERS)
    only = {**frames, "placed_person": frames["placed_person"].where(
        F.col("person_id").isin(*PEOPLE.loc[PEOPLE["household_id"] == home, "person_id"])
    )}  # fmt: skip
    row = _found("employment", only)["11", "residence / all", "all", "overdue_share"]
    assert (row["contributors"], row["standard_error"], row["reliability"]) == (sizes[home], None, "unreliable")


def test_clusters_of_one_change_nothing(frames: dict[str, DataFrame]) -> None:
    people = frames["placed_person"].withColumns({"one": F.lit(1.0)})
    measures = (
        ratios.total("persons", F.lit(1.0), unit="persons"),
        ratios.mean("labour", F.col("labour_income_krw_year"), unit="KRW/year"),
        ratios.share("employed", F.when(F.col("sex") == "F", F.col("employment") != "none")),
        ratios.ratio("business_to_labour", F.col("business_income_krw_year"), F.col("labour_income_krw_year")),
    )
    groups = {"sex": F.col("sex"), "age_band": F.col("age_band").cast("string")}
    plain = ratio_results(people, measures, weight="one", groups=groups)
    clustered = ratio_results(people, measures, weight="one", groups=groups, cluster="person_id")
    assert clustered.where("clusters <> contributors").isEmpty()
    one, other = ({tuple(row[key] for key in KEY): row for row in frame.collect()} for frame in (plain, clustered))
    assert one.keys() == other.keys()
    assert len(one) > 40
    for key, row in one.items():
        assert _estimate(other[key]) == pytest.approx(_estimate(row), rel=1e-9, nan_ok=True), key


def test_a_line_that_is_estimated_has_no_errors_by_cluster(frames: dict[str, DataFrame]) -> None:
    shift = ratios.Shift(density=F.lit(0.0), half=F.lit(0.0), factor=F.lit(0.0), squares=F.lit(0.0))
    line = ratios.Ratio(name="poor", numerator=F.lit(1.0), denominator=F.lit(1.0), unit="share", shift=shift)
    with pytest.raises(ValueError, match="poor"):
        ratios.unit_sums(frames["placed_person"], [line], weight="overdue_balance_krw", keep=["person_id"])
