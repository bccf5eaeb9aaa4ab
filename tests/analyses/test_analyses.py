"""Every analysis on forty households, beside figures worked out here from the definitions."""

from __future__ import annotations

import itertools
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from living_finance.analyses.change import PLACES, paired_results
from living_finance.analyses.registry import ANALYSES, manual
from living_finance.analyses.result import KEY, RESULT
from living_finance.config import AnalysisSettings
from living_finance.contracts import gold, silver
from living_finance.contracts.core import Table
from living_finance.methods.distribution import UNITS
from living_finance.methods.ratios import mean
from living_finance.months import Month
from living_finance.steps.analyse import analyse, analyse_all
from living_finance.storage.warehouse import PartitionValue, Warehouse

sys.path.insert(0, str(Path(__file__).parent))
from tiny_city import AGAINST, DONGS, MONTH, SHARED, Home, drawn, homes, published, tables

INCOME = gold.TOTAL_INCOME
SETTINGS = AnalysisSettings(smallest_ranked_group=2)
CITY = ("11", "all", "all")
_HANGUL = re.compile("[가-힣]")
Results = Callable[[str], Mapping[tuple[str, ...], Any]]


def _run(name: str, frames: Mapping[str, DataFrame], *, region: str = "11", reference: str | None = None) -> DataFrame:
    """`change` always has its differences in differences: another run of it would be the longest test."""
    analysis = ANALYSES[name]
    extra: dict[str, object] = {"settings": SETTINGS} if analysis.takes_settings else {}
    if analysis.compares_months:
        extra |= {"month": Month.from_date(MONTH), "against": Month.from_date(AGAINST)}
    if analysis.compares_areas:
        extra["reference"] = reference or {"change": DONGS[1]}.get(name, "")
    return analysis.function(**{key: frames[key] for key in analysis.tables}, region=region, **extra)


@pytest.fixture(scope="module")
def frames(spark: SparkSession) -> dict[str, DataFrame]:
    return {name: frame.cache() for name, frame in tables(spark).items()}


@pytest.fixture(scope="module")
def split(frames: dict[str, DataFrame]) -> dict[str, DataFrame]:
    """The frames in three parts, by the column after the month."""
    return {name: frame.repartition(3, frame.columns[1]).cache() for name, frame in frames.items()}


@pytest.fixture(scope="module")
def result(frames: dict[str, DataFrame]) -> Results:
    """Rows of the later month by (region_code, dimension, category, statistic), each analysis run once."""
    known: dict[str, dict[tuple[str, ...], Any]] = {}

    def of(name: str) -> dict[tuple[str, ...], Any]:
        if name not in known:
            found = _run(name, frames)
            assert found.columns == [column.name for column in RESULT]
            rows = found.collect()
            keys = [tuple(row[key] for key in KEY) for row in rows]
            assert len(set(keys)) == len(keys), "a key twice"
            assert all(row["contributors"] > 0 and row["population"] > 0 for row in rows)
            later = [row for row in rows if row["base_month"] == MONTH]
            known[name] = {(row["region_code"], row["dimension"], row["category"], row["statistic"]): row for row in later}
        return known[name]

    return of


def _ratio(y: Any, x: Any, w: Any) -> tuple[float, float]:
    """Value and linearised error, from the definition."""
    value = float(np.sum(w * y) / np.sum(w * x))
    e = w * (y - value * x)
    return value, float(np.sqrt(len(w) / (len(w) - 1) * np.sum(e * e)) / np.sum(w * x))


def _columns(rows: list[Home]) -> dict[str, Any]:
    names = ("size", "weight", "income", "debt", "spending", "children", "elderly", "number")
    columns = {name: np.array([float(getattr(row, name)) for row in rows]) for name in names}
    columns["dong"] = np.array([row.dong for row in rows])
    columns["equivalised"] = columns["income"] / np.sqrt(columns["size"])
    order = np.argsort(columns["equivalised"])
    through = np.cumsum((columns["weight"] * columns["size"])[order])
    columns["median"] = columns["equivalised"][order][np.searchsorted(through, through[-1] / 2)]
    columns["relative"] = columns["equivalised"] / columns["median"]
    return columns


NOW, BEFORE = _columns(homes(MONTH)), _columns(homes(AGAINST))


def _estimate(row: Any) -> tuple[float, float]:
    return row["value"], row["standard_error"]


def test_household_balance(result: Results) -> None:
    found = result("household_balance")
    in_deficit = (NOW["spending"] > NOW["income"] / 12).astype(float)
    assert 0 < in_deficit.sum() < 40
    assert _estimate(found[(*CITY, "deficit_share")]) == pytest.approx(_ratio(in_deficit, np.ones(40), NOW["weight"]), rel=1e-6)
    expected = _ratio(NOW["spending"], NOW["income"] / 12, NOW["weight"])
    assert _estimate(found[(*CITY, "spending_to_income")]) == pytest.approx(expected, rel=1e-6)
    inside = NOW["dong"] == DONGS[2]
    expected = _ratio(NOW["income"][inside] / 12, np.ones(inside.sum()), NOW["weight"][inside])
    assert _estimate(found[DONGS[2], "all", "all", "mean_income_krw_month"]) == pytest.approx(expected, rel=1e-6)
    quintiles = [found["11", "income_quintile", str(k), "mean_income_krw_month"] for k in range(1, 6)]
    assert [row["value"] for row in quintiles] == sorted(row["value"] for row in quintiles)
    assert sum(row["contributors"] for row in quintiles) == 40
    assert sum(row["population"] for row in quintiles) == pytest.approx(NOW["weight"].sum())


def test_low_income(result: Results) -> None:
    found = result("low_income")
    poor = (NOW["relative"] < 0.5).astype(float)
    for statistic, members in (
        ("poverty_rate", "size"),
        ("poverty_rate_elderly", "elderly"),
        ("poverty_rate_children", "children"),
    ):
        row = found[(*CITY, statistic)]
        assert row["value"] == pytest.approx(np.sum(NOW["weight"] * NOW[members] * poor) / np.sum(NOW["weight"] * NOW[members]))
        assert row["contributors"] == np.sum(NOW[members] > 0)
    shortfall = (0.5 - np.maximum(NOW["relative"], 0)) / 0.5
    people = NOW["weight"] * NOW["size"] * poor
    assert found[(*CITY, "poverty_gap")]["value"] == pytest.approx(np.sum(people * shortfall) / np.sum(people))
    assert ("11", "family", "lone_parent", "poverty_rate") in found
    assert found["11", "programme", "basic_pension", "recipients"]["value"] == 8
    reach = found["11140", "programme", "basic_pension", "recipients_to_entitled"]["value"]
    in_gu = np.char.startswith(NOW["dong"], "11140")
    assert reach == pytest.approx(4 / np.sum((NOW["weight"] * NOW["elderly"])[in_gu]))
    assert ("11", "programme", "disability_allowance", "recipients_to_entitled") not in found


def test_benefit_coverage_shows_where_nobody_receives(result: Results) -> None:
    """Children live in two dongs, in different districts; an allowance is paid in the first."""
    found = {key: row for key, row in result("low_income").items() if key[1] == "programme"}
    inside = NOW["dong"] == DONGS[3]
    children = np.sum((NOW["weight"] * NOW["children"])[inside])
    assert set(NOW["dong"][NOW["children"] > 0]) == {DONGS[1], DONGS[3]}
    for region in (DONGS[3], DONGS[3][:5]):
        for statistic in ("recipients", "recipients_to_entitled"):
            row = found[region, "programme", "child_allowance", statistic]
            assert _estimate(row) == (0, None)
            assert row["population"] == pytest.approx(children)
            assert row["contributors"] == np.char.startswith(NOW["dong"], region).sum()
            assert row["reliability"] is None
    allowance = {(region, statistic) for region, _, category, statistic in found if category == "child_allowance"}
    assert (DONGS[3], "amount_per_recipient") not in allowance
    assert not any(region in (DONGS[0], DONGS[2]) for region, _ in allowance), "no children live there"
    assert not any(key[2] == "childcare_allowance" for key in found), "not delivered: nothing is known"


def test_the_reach_of_a_benefit_errs_as_the_members_it_is_divided_by(result: Results) -> None:
    row = result("low_income")["11", "programme", "basic_pension", "recipients_to_entitled"]
    by_household, error = _ratio(NOW["elderly"], np.ones(40), NOW["weight"])
    value = 8 / np.sum(NOW["weight"] * NOW["elderly"])
    assert _estimate(row) == pytest.approx((value, value * error / by_household), rel=1e-6)


def test_classes_and_poverty_agree(result: Results) -> None:
    inequality, poverty = result("inequality"), result("low_income")
    assert _estimate(inequality[(*CITY, "poverty_rate")]) == _estimate(poverty[(*CITY, "poverty_rate")])
    inside = (NOW["relative"] >= 0.5) & (NOW["relative"] <= 1.5)
    people = NOW["weight"] * NOW["size"]
    assert inequality[(*CITY, "middle_50_150")]["value"] == pytest.approx(people[inside].sum() / people.sum())


def test_employment_and_flows(result: Results) -> None:
    work, flows = result("employment"), result("commuting")
    now = homes(MONTH)
    employees = [h for h in now if h.number % 3 == 0]
    paid = sorted(h.income for h in employees if h.income > 0)
    limit = 2 / 3 * paid[(len(paid) + 1) // 2 - 1]
    low = sum(income < limit for income in paid) / len(paid)
    assert work["11", "residence / all", "all", "low_pay_share"]["value"] == pytest.approx(low)
    assert work["11", "residence / employment", "employee", "persons"]["value"] == len(employees)
    assert work["11", "residence / all", "all", "employee_share"]["value"] == pytest.approx(len(employees) / len(now))
    assert ("11", "residence / employment", "employee", "employee_share") not in work, "all employees are employees"
    expected: dict[tuple[str, str], int] = defaultdict(int)
    for h in now:
        if h.number % 3 != 2:
            expected[h.dong, DONGS[(h.number // 2) % 4] if h.number % 8 else "outside"] += 1
    outward = {
        (region, category): row["value"]
        for (region, dimension, category, statistic), row in flows.items()
        if dimension == "workplace_dong" and statistic == "persons" and len(region) == 7
    }
    assert outward == expected
    inward = {
        (category, region): row["value"]
        for (region, dimension, category, statistic), row in flows.items()
        if dimension == "home_dong" and statistic == "persons" and len(region) == 7
    }
    assert inward == {pair: count for pair, count in expected.items() if pair[1] != "outside"}


def test_small_business_by_the_buildings_industry(result: Results) -> None:
    found = result("small_business")
    own = [h for h in homes(MONTH) if h.number % 3 == 1]
    at_work = {"G": [h for h in own if h.number % 8 and h.number % 2 == 0], "mixed": [h for h in own if h.number % 2]}
    for industry, people in at_work.items():
        row = found["11", "residence / industry_at_work", industry, "mean_business_income_krw_year"]
        assert row["contributors"] == len(people)
        assert row["value"] == pytest.approx(np.mean([h.income for h in people]))
    assert found["11", "residence / all", "all", "loss_share"]["value"] == pytest.approx(1 / len(own))


def test_youth(result: Results) -> None:
    found = result("youth")
    young = [h for h in homes(MONTH) if h.number % 10 < 3]
    relative = {h.number: r for h, r in zip(homes(MONTH), NOW["relative"], strict=True)}
    candidates = [h for h in young if h.number % 3 == 2 and relative[h.number] < 1.5]
    assert candidates
    assert found[(*CITY, "persons")]["value"] == len(young)
    assert found[(*CITY, "allowance_candidates")]["value"] == len(candidates)
    independent = sum(20 + 10 * (h.number % 6) < 40 for h in young)
    assert found[(*CITY, "independent_share")]["value"] == pytest.approx(independent / len(young))


def test_debt_and_the_rise_of_interest(result: Results) -> None:
    found, rise, tried = result("household_debt"), result("interest_rate_rise"), result("debt_sensitivity")
    service = np.rint(NOW["debt"] // 60) * 12
    owes = NOW["debt"] > 0
    w = NOW["weight"]
    expected = _ratio(NOW["debt"], NOW["income"], w)
    assert _estimate(found[(*CITY, "debt_to_income")]) == pytest.approx(expected, rel=1e-6)
    risky = owes & (service > 0.4 * NOW["income"]) & (NOW["debt"] > 7.5 * NOW["income"])
    assert 0 < risky.sum() < owes.sum()
    row = found[(*CITY, "high_risk_share_of_debtors")]
    assert _estimate(row) == pytest.approx(_ratio(risky[owes] * 1.0, np.ones(owes.sum()), w[owes]), rel=1e-6)
    assert row["contributors"] == owes.sum()
    in_use = tried[(*CITY, "high_risk_share_of_debtors (service > 40%, debt > 7.5 years)")]
    assert _estimate(in_use) == _estimate(row)
    extra = rise[(*CITY, "extra_interest_100bp_krw_year")]["value"]
    assert extra == pytest.approx(0.01 * np.sum(w * NOW["debt"]) / np.sum(w[owes]), rel=1e-6)
    loans = ("mortgage", "jeonse", "credit", "business")
    by_loan = [rise[(*CITY, f"extra_interest_{loan}_100bp_krw_year")]["value"] for loan in loans]
    assert sum(by_loan) == pytest.approx(extra)
    assert rise[(*CITY, "extra_interest_200bp_krw_year")]["value"] == pytest.approx(2 * extra)


def test_the_rise_of_interest_for_other_shares_that_reprice(result: Results) -> None:
    rise, tried = result("interest_rate_rise"), result("debt_sensitivity")
    service, owes, w = np.rint(NOW["debt"] // 60) * 12, NOW["debt"] > 0, NOW["weight"]
    limit, pushed_over = 0.4 * NOW["income"], set()
    for share, points in itertools.product((0.25, 0.5, 0.75, 1.0), (50, 100, 200)):
        extra = points / 10_000 * share * NOW["debt"]
        pushed = (service + extra > limit) & ~(service > limit) & owes
        pushed_over.add(pushed.sum())
        row = tried[(*CITY, f"pushed_over_limit_share_of_debtors_{points}bp (repricing {share:.0%})")]
        assert _estimate(row) == pytest.approx(_ratio(pushed[owes] * 1.0, np.ones(owes.sum()), w[owes]), rel=1e-6)
        row = tried[(*CITY, f"rise_of_debt_service_to_income_{points}bp (repricing {share:.0%})")]
        assert _estimate(row) == pytest.approx(_ratio(extra, NOW["income"], w), rel=1e-4)
        for statistic in ("rise_of_debt_service_to_income", "pushed_over_limit_share_of_debtors"):
            in_use = tried[(*CITY, f"{statistic}_{points}bp (repricing in use)")]
            assert _estimate(in_use) == _estimate(rise[(*CITY, f"{statistic}_{points}bp")])
    assert len(pushed_over) > 1, "one household is pushed over the limit, but not by every scenario"


def test_figures_move_with_the_limits_they_are_stated_with(result: Results) -> None:
    tried, work, young, reach = (result(n) for n in ("limit_sensitivity", "employment", "youth", "jobs_in_reach"))
    paid = sorted(h.income for h in homes(MONTH) if h.number % 3 == 0 and h.income > 0)
    median = paid[(len(paid) + 1) // 2 - 1]
    low = {}
    for limit in (0.5, 0.6, 2 / 3, 0.75):
        low[limit] = tried[(*CITY, f"low_pay_share (below {limit:.0%} of the median)")]["value"]
        assert low[limit] == pytest.approx(sum(income < limit * median for income in paid) / len(paid))
    assert low[0.5] < low[0.75] and low[2 / 3] == work["11", "residence / all", "all", "low_pay_share"]["value"]
    candidates = {}
    for oldest, limit in itertools.product((29, 34, 39), (1.2, 1.5, 1.8)):
        name = f"allowance_candidate_share (up to {oldest} years, income below {limit:.0%} of the median)"
        candidates[oldest, limit] = _estimate(tried[(*CITY, name)])
        of_age = [(h.number, r) for h, r in zip(homes(MONTH), NOW["relative"], strict=True) if 24 + 5 * (h.number % 10) <= oldest]
        expected = np.mean([number % 3 == 2 and r < limit for number, r in of_age])
        assert candidates[oldest, limit][0] == pytest.approx(expected)
    assert len(set(candidates.values())) > 3
    assert candidates[34, 1.5] == _estimate(young[(*CITY, "allowance_candidate_share")])
    jobs = [tried[DONGS[3], "all", "all", f"jobs_within_reach{name}"]["value"] for name in (" (1000 m)", "", " (3000 m)")]
    assert jobs == [4, 4, 13] and jobs[1] == reach[DONGS[3], "all", "all", "jobs_within_reach"]["value"]


def test_ranks_have_intervals(result: Results) -> None:
    found = result("vulnerable_groups")
    groups = [key for key in found if key[1] == "employment / age" and key[3] == "rank" and len(key[0]) == 2]
    assert len(groups) > 3
    shares = {key: found[(*key[:3], "poverty_share")]["value"] for key in groups}
    for key in groups:
        rank = found[key]["value"]
        assert rank == 1 + sum(other > shares[key] for other in shares.values())
        assert found[(*key[:3], "rank_low")]["value"] <= rank <= found[(*key[:3], "rank_high")]["value"] <= len(groups)


def test_jobs_in_reach(result: Results) -> None:
    found = result("jobs_in_reach")
    # Dong k's homes are at x = 1000 k; workplaces in dongs 0 and 3, one of them 90 km away, are no dwellings and move no middle.
    assert found[DONGS[0], "all", "all", "jobs_within_reach"]["value"] == 9
    assert found[DONGS[0], "industry", "G", "establishments_within_reach"]["value"] == 2
    assert found[DONGS[3], "all", "all", "jobs_within_reach"]["value"] == 4


def test_moves(result: Results) -> None:
    found = result("household_moves")
    moved = [h for h in homes(MONTH) if h.previous_dong != h.dong]
    assert len(moved) == 5
    origin = {
        (region, category): row["value"]
        for (region, dimension, category, statistic), row in found.items()
        if dimension == "origin_dong" and statistic == "households" and len(region) == 7
    }
    expected: dict[tuple[str, str], float] = defaultdict(float)
    for h in moved:
        expected[h.dong, h.previous_dong] += h.weight
    assert origin == pytest.approx(expected)
    assert found["11", "event", "moved", "households"]["value"] == pytest.approx(sum(h.weight for h in moved))
    left = sum(row["value"] for key, row in found.items() if key[1:] == ("left_from", "left", "households") and len(key[0]) == 7)
    assert left == pytest.approx(sum(h.weight for h in moved))
    everybody = sum(h.weight for h in homes(MONTH))
    for rate in ("came_share", "left_share"):
        assert found["11", "all", "all", rate]["value"] == pytest.approx(sum(h.weight for h in moved) / everybody)
    stayed = sum(h.weight for h in homes(MONTH) if h.dong == h.previous_dong == DONGS[0])
    gone = sum(h.weight for h in moved if h.previous_dong == DONGS[0])
    assert found[DONGS[0], "all", "all", "left_share"]["value"] == pytest.approx(gone / (gone + stayed))
    assert {key[3] for key in found if key[1] == "all"} == {"came_share", "left_share"}


def test_change_has_the_error_of_the_difference(result: Results) -> None:
    found = result("change")
    since = ("change_since", "2019-01")
    for region in ("11", DONGS[1]):

        def influence(columns: dict[str, Any], region: str = region) -> tuple[float, dict[float, float], int]:
            inside = np.char.startswith(columns["dong"], region)
            if columns is BEFORE and region == DONGS[1]:
                inside = inside | (columns["number"] == 0)  # its building is in that dong now
            w, income = columns["weight"][inside], columns["income"][inside]
            value = float(np.sum(w * income) / np.sum(w))
            u = w * (income - value) / np.sum(w)
            return value, dict(zip(columns["number"][inside], u, strict=True)), len(w)

        later, of_later, n_later = influence(NOW)
        earlier, of_earlier, n = influence(BEFORE)
        row = found[(region, *since, "mean_total_income_krw_year")]
        assert row["value"] == pytest.approx(later - earlier, rel=1e-9)
        assert row["contributors"] == n
        both = sum(u * of_earlier.get(number, 0.0) for number, u in of_later.items())
        squares = sum(u * u for u in of_later.values()) * n_later / (n_later - 1)
        squares += sum(u * u for u in of_earlier.values()) * n / (n - 1)
        assert row["standard_error"] == pytest.approx(np.sqrt(squares - 2 * both * n / (n - 1)), rel=1e-4)
    # The same households in both months: the change of the Gini coefficient is far surer than either.
    level = result("inequality")[(*CITY, "gini")]["standard_error"]
    assert 0 < found[("11", *since, "gini")]["standard_error"] < level


def _measured(columns: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Numerator and denominator by household of what `change` looks at beside income and balance, from the definitions."""
    size, elderly, children, debt, income = (columns[name] for name in ("size", "elderly", "children", "debt", "income"))
    everybody, owes, service = np.ones(len(size)), debt > 0, debt // 60 * 12
    poor, gap = columns["relative"] < 0.5, (0.5 - np.maximum(columns["relative"], 0)) / 0.5
    is_overdue = owes & (columns["number"] % 9 == 2) & ((columns is NOW) | (columns["number"] != 20))
    is_livelihood = owes & (columns["spending"] * 12 + service > income)
    is_risky = owes & (service > 0.4 * income) & (debt > 7.5 * income)
    return {
        "debt_to_income": (debt, income),
        "debt_service_to_income": (service, income),
        "mean_credit_loan_balance_krw": (debt // 2, everybody),
        "mean_business_loan_balance_krw": (debt - debt // 2, everybody),
        "overdue_share": (is_overdue, everybody),
        "overdue_share_of_debtors": (is_overdue, owes),
        "livelihood_loan_share": (is_livelihood, everybody),
        "high_risk_share_of_debtors": (is_risky, owes),
        "poverty_rate_elderly": (elderly * poor, elderly),
        "poverty_rate_children": (children * poor, children),
        "poverty_rate_60": (size * (columns["relative"] < 0.6), size),
        "poverty_gap": (size * poor * gap, size * poor),
    }


def test_change_of_debt_and_of_poverty(result: Results) -> None:
    found, shared = result("change"), len(BEFORE["weight"])
    later, earlier = _measured(NOW), _measured(BEFORE)
    for statistic in later:
        values, influences, counts = [], [], []
        for (y, x), w in ((later[statistic], NOW["weight"]), (earlier[statistic], BEFORE["weight"])):
            values.append(np.sum(w * y) / np.sum(w * x))
            influences.append(w * (y - values[-1] * x) / np.sum(w * x))
            counts.append(len(w) if statistic.endswith("_to_income") else np.count_nonzero(x))
        squares = sum(np.sum(u * u) * n / (n - 1) for u, n in zip(influences, counts, strict=True))
        both, n = np.sum(influences[0][:shared] * influences[1]), min(counts)
        row = found["11", "change_since", "2019-01", statistic]
        assert row["value"] == pytest.approx(values[0] - values[1], rel=1e-6), statistic
        assert row["contributors"] == n, statistic
        assert row["standard_error"] == pytest.approx(np.sqrt(squares - 2 * both * n / (n - 1)), rel=1e-3), statistic


def test_shares_that_moved_are_compared_before_and_after(result: Results) -> None:
    """Five of the city's households moved in the later month, three in the earlier."""
    moved = {month: [h for h in homes(month) if h.previous_dong != h.dong] for month in (MONTH, AGAINST)}
    assert [len(found) for found in moved.values()] == [5, 3]
    for statistic in ("came_share", "left_share"):
        row = result("change")["11", "change_since", "2019-01", statistic]
        expected = [sum(h.weight for h in moved[m]) / sum(h.weight for h in homes(m)) for m in (MONTH, AGAINST)]
        assert row["value"] == pytest.approx(expected[0] - expected[1])
        assert row["standard_error"] > 0 and row["unit"] == "share"
    assert result("household_moves")["11", "all", "all", "came_share"]["value"] == pytest.approx(expected[0])


def test_a_change_less_that_of_another_area_has_the_covariance_of_the_households_in_both(result: Results) -> None:
    """A district with a dong of it, that dong's neighbour, and the city: from the definition, household by household."""
    rows = {key: row for key, row in result("change").items() if key[1] == "change_since / minus_region"}
    found = {(region, statistic): row for (region, _, _, statistic), row in rows.items()}
    assert {category for _, _, category, _ in rows} == {f"2019-01 / {DONGS[1]}"} and DONGS[1] not in {code for code, _ in found}

    def change(region: str) -> tuple[float, float, Any]:
        """Value, variance, and what each of the forty households adds."""
        added, means, variance = np.zeros((2, 40)), [], 0.0
        for k, columns in enumerate((NOW, BEFORE)):
            # Household 0 is in another dong later, at the same address.
            dong = np.where(columns["number"] == 0, DONGS[1], columns["dong"])
            inside = np.char.startswith(dong.astype(str), region)
            w, income = columns["weight"][inside], columns["income"][inside]
            means.append(np.sum(w * income) / np.sum(w))
            added[k, columns["number"][inside].astype(int)] = w * (income - means[-1]) / np.sum(w)
            variance += np.sum(added[k] ** 2) * len(w) / (len(w) - 1)
        variance -= 2 * np.sum(added[0] * added[1]) * len(w) / (len(w) - 1)
        return float(means[0] - means[1]), float(variance), added[0] - added[1]

    statistic = f"mean_{INCOME}"
    value0, variance0, added0 = change(DONGS[1])
    for region in ("11140", DONGS[0], "11", "11230"):
        value, variance, added = change(region)
        row = found[region, statistic]
        assert row["value"] == pytest.approx(value - value0, rel=1e-6)
        assert row["standard_error"] == pytest.approx(np.sqrt(variance + variance0 - 2 * np.sum(added * added0)), rel=1e-3)
    changed = {statistic for region, dimension, _, statistic in result("change") if (region, dimension) == ("11", "change_since")}
    assert {s for code, s in found if code == "11"} == changed - set(UNITS)


class Tiny(Warehouse):
    """A warehouse of the frames."""

    def __init__(self, frames: Mapping[str, DataFrame]) -> None:
        super().__init__(frames["household"].sparkSession, "")
        self._of_table = {table: frames[argument] for a in ANALYSES.values() for argument, table in a.tables.items()}

    def read(self, table: Table, **partition: PartitionValue) -> DataFrame:
        return self._of_table[table]


def _changed(name: str, frames: Mapping[str, DataFrame], monkeypatch: pytest.MonkeyPatch) -> Mapping[tuple[str, ...], Any]:
    """Rows of `analyse NAME --against` by (region_code, dimension, category, statistic)."""
    monkeypatch.setattr("living_finance.steps.analyse.check_region", lambda *_: None)
    months = {"month": Month.from_date(MONTH), "against": Month.from_date(AGAINST)}
    rows = analyse(Tiny(frames), name, region="11", settings=SETTINGS, **months)
    assert rows.columns == [column.name for column in RESULT]
    found = {(row["region_code"], row["dimension"], row["category"], row["statistic"]): row for row in rows.collect()}
    assert {row["base_month"] for row in found.values()} == {MONTH}
    return found


def test_places_are_columns_of_their_tables() -> None:
    declared = {"household": gold.HOUSEHOLD, "placed_person": silver.PLACED_PERSON}
    for name, columns in PLACES.items():
        assert {*columns, *columns.values()} <= set(declared[name].column_names)


def _change_from_the_definition(sides: list[tuple[Any, Any, Any, Any]]) -> tuple[float, float, int]:
    """Value, error and units of a change, of numbers of the units, weights, numerators and denominators of both months."""
    values, influences = [], []
    for numbers, w, y, x in sides:
        values.append(np.sum(w * y) / np.sum(w * x))
        influences.append(dict(zip(numbers, w * (y - values[-1] * x) / np.sum(w * x), strict=True)))
    n = min(map(len, influences))
    squares = sum(sum(u * u for u in each.values()) * len(each) / (len(each) - 1) for each in influences)
    both = sum(u * influences[1].get(number, 0.0) for number, u in influences[0].items()) * n / (n - 1)
    return values[0] - values[1], float(np.sqrt(squares - 2 * both)), n


def test_what_has_changed_in_an_analysis_is_what_change_says_and_is_there_by_group(
    frames: dict[str, DataFrame], result: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, whole = _changed("household_balance", frames, monkeypatch), result("change")
    everybody = {key: row for key, row in found.items() if key[1] == "change_since"}
    assert {key[0] for key in everybody} == {"11", "11140", "11230", *DONGS} and len({key[3] for key in everybody}) == 6
    for key, row in everybody.items():
        assert row["value"] == pytest.approx(whole[key]["value"], rel=1e-9), key
        assert row["standard_error"] == pytest.approx(whole[key]["standard_error"], rel=1e-6), key
        assert (row["reliability"], row["contributors"]) == (whole[key]["reliability"], whole[key]["contributors"]), key
    names = ("number", "weight", "spending", "income")
    sides = [tuple(side[name][side["number"] % 2 == 1] for name in names) for side in (NOW, BEFORE)]
    row = found["11", "change_since / tenure", "2019-01 / owned", "spending_to_income"]
    value, error, n = _change_from_the_definition(sides)
    assert _estimate(row) == pytest.approx((12 * value, 12 * error), rel=1e-3) and row["contributors"] == n
    assert found["11", "change_since / income_quintile", "2019-01 / 1", "deficit_share"]["contributors"] > 1


def test_what_has_changed_for_youth_by_sex_and_on_the_later_months_dongs(
    frames: dict[str, DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bureau persons of 20 to 34 who are women; person 0 lives in another dong by the later month's borders."""
    found = _changed("youth", frames, monkeypatch)
    for region in ("11", DONGS[1]):
        sides = []
        for month in (MONTH, AGAINST):
            rows = [h for h in homes(month) if h.number % 10 < 3 and h.number % 2 == 0]
            inside = [h for h in rows if (DONGS[1] if h.number == 0 else h.dong).startswith(region)]
            earned = np.array([float(h.income) if h.number % 3 != 2 else 0.0 for h in inside])
            sides.append(([h.number for h in inside], np.ones(len(inside)), earned, np.ones(len(inside))))
        where = (region, "change_since / sex", "2019-01 / F")
        numbers = [set(side[0]) for side in sides]
        row = found[(*where, "persons")]
        kept = len(numbers[0] & numbers[1])
        expected = len(numbers[0]) - len(numbers[1]), np.sqrt(len(numbers[0]) + len(numbers[1]) - 2 * kept)
        assert _estimate(row) == pytest.approx(expected, abs=1e-6), region
        row = found.get((*where, "mean_labour_business_income_krw_year"))
        if len(numbers[1]) > 1:
            value, error, n = _change_from_the_definition(sides)
            assert row is not None and _estimate(row) == pytest.approx((value, error), rel=1e-3) and row["contributors"] == n
    assert ("11", "change_since", "2019-01", "allowance_candidate_share") in found


def test_a_change_of_persons_has_the_covariance_of_their_households(spark: SparkSession) -> None:
    """Households of one to three persons in two months, one of which goes and one of which comes; from the definition."""
    rows = [
        (month, f"H{home}", DONGS[0], "FM"[person % 2], float((7 * home + 3 * person + (month == MONTH) * home**2) % 11) * 1e7)
        for month in (MONTH, AGAINST)
        for home in range(8)
        for person in range(1 + home % 3)
        if home != (0 if month == MONTH else 7)
    ]
    frame = spark.createDataFrame(rows, "base_month date, home string, dong_code string, sex string, earned double")
    months = {"month": Month.from_date(MONTH), "against": Month.from_date(AGAINST)}
    measures, groups = [mean("earned", F.col("earned"), unit="KRW/year")], {"sex": F.col("sex")}
    found = paired_results(
        frame.withColumns({"one": F.lit(1.0)}), measures, weight="one", groups=groups, cluster="home", **months
    ).collect()
    assert len(found) == 18
    for row in found:
        influences = []
        for month in (MONTH, AGAINST):
            of = [r for r in rows if r[0] == month and row["category"] in ("all", r[3])]
            average = np.mean([r[4] for r in of])
            influences.append({home: sum(r[4] - average for r in of if r[1] == home) / len(of) for home in {r[1] for r in of}})
        m = min(map(len, influences))
        shared = sum(u * influences[1].get(home, 0.0) for home, u in influences[0].items()) * m / (m - 1)
        assert row["covariance"] == pytest.approx(shared, rel=1e-4)


def test_comparison_with_the_city_and_with_published_figures(result: Results) -> None:
    found = result("comparison")
    row = found["11140", "minus_city", "11", "mean_income_krw_month"]
    assert _estimate(row) == pytest.approx(_difference("11140", "11"), rel=1e-4)
    outside = {key: row for key, row in found.items() if key[1] == "minus_published"}
    assert {key[0] for key in outside} == {"11"} and {key[3] for key in outside} == {"mean_total_income"}
    ours = np.sum(NOW["weight"] * NOW["income"]) / np.sum(NOW["weight"])
    of_area = {category.partition(" / ")[0]: row for (_, _, category, _), row in outside.items()}
    # The nation and the capital area, each beside its own figure and with its own error.
    assert {category for _, _, category, _ in outside} == {f"{a} / household_finances_survey / 2020 / 2020" for a in of_area}
    assert {area: row["value"] for area, row in of_area.items()} == pytest.approx({"00": ours - 5e7, "capital": ours - 6e7})
    squares = {area: row["standard_error"] ** 2 for area, row in of_area.items()}
    assert squares["capital"] - squares["00"] == pytest.approx((6e7 * 0.02) ** 2 - (5e7 * 0.01) ** 2)


def _difference(one: str, other: str) -> tuple[float, float]:
    """Of the mean monthly income of two areas, with the covariance of the households in both."""
    w, income = NOW["weight"], NOW["income"] / 12
    means, influences, own = [], [], 0.0
    for region in (one, other):
        inside = np.char.startswith(NOW["dong"], region)
        means.append(np.sum((w * income)[inside]) / np.sum(w[inside]))
        influences.append(np.where(inside, w * (income - means[-1]) / np.sum(w[inside]), 0.0))
        own += np.sum(influences[-1] ** 2) * inside.sum() / (inside.sum() - 1)
    return float(means[0] - means[1]), float(np.sqrt(own - 2 * np.sum(influences[0] * influences[1])))


def test_two_areas_are_compared_with_the_covariance_of_their_households(frames: dict[str, DataFrame]) -> None:
    """A dong with its district, with another dong, and the city that it is in."""
    rows = (
        _run("comparison", frames, reference=DONGS[2]).where(f"base_month = '{MONTH}' and dimension = 'minus_region'").collect()
    )
    found = {(row["region_code"], row["statistic"]): row for row in rows}
    assert {row["category"] for row in rows} == {DONGS[2]} and DONGS[2] not in {row["region_code"] for row in rows}
    for region in ("11", "11230", "11140", DONGS[3], DONGS[0]):
        assert _estimate(found[region, "mean_income_krw_month"]) == pytest.approx(_difference(region, DONGS[2]), rel=1e-4)
    assert found[DONGS[0], f"mean_{INCOME}"]["value"] == published(DONGS[0]) - published(DONGS[2])


def test_what_areas_share_in_the_draws_of_the_income_model_is_not_in_the_error_of_their_difference(result: Results) -> None:
    """A draw moves all regions by millions and each by some hundred thousand won of its own: known here, draw by draw."""
    found = result("comparison")
    for region in ("11230", DONGS[1]):
        apart = np.array([drawn(region, draw) - drawn("11", draw) for draw in range(len(SHARED))])
        between = published(region) - published("11")
        row = found[region, "minus_city", "11", f"mean_{INCOME}"]
        spread = np.std(apart[1:], ddof=1)
        assert _estimate(row) == pytest.approx((between, spread * np.sqrt(1 + 1 / 4)))
        median = found[region, "minus_city", "11", f"median_{INCOME}"]
        assert _estimate(median) == pytest.approx((between, np.hypot(spread, between - apart.mean())))
        alone = np.std([drawn(region, draw) for draw in range(1, len(SHARED))], ddof=1)
        assert row["standard_error"] < alone / 3
        assert (row["population"], row["contributors"]) == (10.0, 8)
        assert _estimate(found[region, "minus_city", "11", "gini_total_income"]) == (0.0, 0.0)


def test_several_at_a_time_give_what_each_gives_alone(frames: dict[str, DataFrame], result: Results) -> None:
    """In the order asked for; of regions other than the one looked at, only the dimensions that are wanted everywhere."""
    names = ("low_income", "household_moves")
    found = analyse_all(
        Tiny(frames),
        [(ANALYSES[name], None) for name in names],
        month=Month.from_date(MONTH),
        region="11",
        settings=SETTINGS,
        everywhere=lambda analysis: ("all", "programme") if analysis.name == "low_income" else ("all",),
    )
    for name, rows in zip(names, found, strict=True):
        kept = {"all", "programme"} if name == "low_income" else {"all"}
        expected = {key: row["value"] for key, row in result(name).items() if key[0] == "11" or key[1] in kept}
        assert len(expected) < len(result(name))
        assert {tuple(key): value for *key, value in rows[[*KEY[2:], "value"]].itertuples(index=False)} == expected
        assert rows.equals(rows.sort_values(list(KEY)))


@pytest.mark.parametrize("name", ANALYSES)
def test_the_same_under_another_partitioning(split: dict[str, DataFrame], result: Results, name: str) -> None:
    again = _run(name, split, region="11230").where(f"base_month = '{MONTH}'").collect()
    found = {(row["region_code"], row["dimension"], row["category"], row["statistic"]): row for row in again}
    assert found == {key: row for key, row in result(name).items() if key[0].startswith("11230")}
    assert found


@pytest.mark.parametrize("name", ANALYSES)
def test_formulas_and_sources_are_in_both_languages(name: str) -> None:
    """A source may be the same in both where it only cites; Korean names stand in English texts where they are the name."""
    analysis = ANALYSES[name]
    assert analysis.formulas
    for formula in analysis.formulas:
        assert _HANGUL.search(formula.ko), formula
        assert formula.en and not _HANGUL.search(formula.en), formula
    cites_only = re.fullmatch(r"([A-Z][^;]* \(\d{4}(, \d{4})*\)(; |$))+", analysis.source.ko)
    assert cites_only or _HANGUL.search(analysis.source.ko), analysis.source
    assert bool(cites_only) is (analysis.source.ko == analysis.source.en), analysis.source


def test_the_manual_is_the_registrys() -> None:
    document = Path(__file__).parents[2] / "docs" / "analyses.md"
    assert document.read_text(encoding="utf-8") == manual()
