# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Policy analyses of a month 정책 분석
#
# Every analysis of `docs/analyses.md` on the warehouse that `make demo` made, for the city and one district. It reads household
# and person rows (it is for analysts) and shows aggregates only. Errors are standard errors, bars reach 1.96 of them;
# they leave out the error of the income model. The demo is a twentieth of two districts: many dong figures are not reliable.
#
# Another warehouse: set `DEMO_WAREHOUSE` to its folder before opening the notebook. Another district: change `DISTRICT`.

# %%
# ruff: noqa: D100
import os
from pathlib import Path

import altair as alt
import pandas as pd

from living_finance.analyses.registry import ANALYSES
from living_finance.config import SparkSettings, load_settings
from living_finance.contracts import gold
from living_finance.months import Month
from living_finance.reports.charts import use_in_notebooks
from living_finance.reports.data import region_pairs
from living_finance.reports.formats import Estimate, unit_label
from living_finance.session import build_session
from living_finance.steps.analyse import analyse, labelled
from living_finance.steps.regions import region_names
from living_finance.storage.warehouse import Warehouse

candidates = [Path(os.environ.get("DEMO_WAREHOUSE", ".demo/warehouse")), Path("../.demo/warehouse")]
folder = next((path.resolve() for path in candidates if path.is_dir()), None)
if folder is None:
    raise SystemExit("No warehouse found. Remedy: run `make demo`, or set DEMO_WAREHOUSE.")
use_in_notebooks()  # pictures without a network, Korean in every viewer
spark = build_session(SparkSettings(master="local[2]", driver_memory="1g", shuffle_partitions=2), name="policy-analyses")
warehouse = Warehouse(spark, str(folder))
months = sorted(row[0] for row in warehouse.read(gold.HOUSEHOLD).select("base_month").distinct().collect())
month = Month.from_date(months[-1])
names = region_pairs(region_names(warehouse, month))
DISTRICT = min(code for code in names if len(code) == 5)
pd.options.display.max_columns = None


def run(name: str, *, against: Month | None = None) -> pd.DataFrame:
    """An analysis of the whole city, with the names of regions, categories and statistics."""
    settings = load_settings(None).analyses
    found = analyse(warehouse, name, month=month, region=DISTRICT[:2], settings=settings, against=against).toPandas()
    return labelled(found, names=names).rename(columns={"region_name_ko": "region", "category_ko": "label"})


def of(rows: pd.DataFrame, *, level: str = "city", dimension: str = "all", statistics: tuple[str, ...] = ()) -> pd.DataFrame:
    """Rows of one level and dimension, in the order of codes; of dongs, those of the district."""
    chosen = rows[(rows["region_level"] == level) & (rows["dimension"] == dimension)]
    chosen = chosen if level != "dong" else chosen[chosen["region_code"].str.startswith(DISTRICT)]
    chosen = chosen if not statistics else chosen[chosen["statistic"].isin(statistics)]
    place = {name: number for number, name in enumerate(statistics)}
    return chosen.sort_values("statistic", key=lambda names: names.map(place), kind="stable") if statistics else chosen


def table(rows: pd.DataFrame, *, index: str = "region") -> pd.DataFrame:
    """Statistics side by side: value ± standard error, amounts in 만원, shares in %; * use with caution, † not reliable."""
    cells = [
        (row[index], f"{row['statistic_ko']} {unit_label(row['unit'], 'ko')}", _estimate(row)) for row in rows.to_dict("records")
    ]
    return pd.DataFrame(cells, columns=[index, "", "value"]).pivot_table(
        index=index, columns="", values="value", aggfunc="first", sort=False
    )


def _estimate(row: dict[str, object]) -> str:
    return Estimate(row["value"], row["unit"], row["standard_error"], row["reliability"]).shown()


def bars(rows: pd.DataFrame, *, by: str, title: str, form: str = ".0%", is_change: bool = False) -> alt.LayerChart:
    """Values with 95 % intervals; pale are a value that is not reliable, and a change within its error."""
    reach = 1.96 * rows["standard_error"].fillna(0)
    shown = rows.assign(low=rows["value"] - reach, high=rows["value"] + reach).dropna(subset=["value"])
    is_sure = shown["reliability"].isin(("publishable",) if is_change else ("publishable", "caution"))
    shown = shown.assign(is_sure=is_sure, low=shown["low"] if is_change else shown["low"].clip(lower=0))
    shown = shown[[by, "value", "low", "high", "is_sure"]]
    base = alt.Chart(shown).encode(
        y=alt.Y(f"{by}:N", title=None, sort=None, axis=alt.Axis(labelLimit=240)),
        opacity=alt.Opacity("is_sure:N", legend=None, scale=alt.Scale(domain=[True, False], range=[1, 0.35])),
    )
    x = alt.X("value:Q", title=None, axis=alt.Axis(format=form))
    if is_change:
        points = base.mark_point(filled=True, size=60, color="#005a9c").encode(x=x)
    else:
        points = base.mark_bar(size=11, color="#56b4e9").encode(x=x)
    return alt.layer(points, base.mark_rule(strokeWidth=2, color="#1f2937").encode(x="low:Q", x2="high:Q")).properties(
        width=420, title=f"{title}, {month}"
    )


pd.DataFrame([(a.name, a.label_ko, a.label_en) for a in ANALYSES.values()], columns=["name", "이름", "what"])

# %% [markdown]
# ## Household balance 가계수지
#
# Income is gross, of a twelfth of the year. A deficit is a household that spends more than that.

# %%
balance = run("household_balance")
table(pd.concat([of(balance), of(balance, level="gu")]))

# %%
bars(
    of(balance, dimension="income_quintile", statistics=("deficit_share",)),
    by="label",
    title="소득분위별 적자가구 비율 · deficit share by quintile",
)

# %% [markdown]
# ## Inequality, polarisation, middle class 양극화·불평등·중산층
#
# Of persons, by equivalised income (균등화소득).

# %%
inequality = run("inequality")
MEASURES = ("gini", "s80_s20", "p90_p10", "wolfson", "theil", "poverty_rate", "middle_50_150", "middle_75_200")
table(pd.concat([of(inequality, statistics=MEASURES), of(inequality, level="gu", statistics=MEASURES)]))

# %%
both = pd.concat([of(inequality), of(inequality, level="gu")])
curve = both[both["statistic"].str.startswith("lorenz")]
curve = curve.assign(people=curve["statistic"].str[7:].astype(int) / 100)
ends = [
    {"region": region, "people": share, "value": share}
    for region in [*curve["region"].unique(), "균등 equality"]
    for share in (0.0, 1.0)
]
lorenz = pd.concat([pd.DataFrame(ends), curve[["region", "people", "value"]]]).sort_values(["region", "people"])
alt.Chart(lorenz).mark_line().encode(
    x=alt.X("people:Q", title="인구(저소득부터) people, poorest first", axis=alt.Axis(format=".0%")),
    y=alt.Y("value:Q", title="소득 점유율 share of income", axis=alt.Axis(format=".0%")),
    color=alt.Color("region:N", title=None, sort=None),
    strokeDash=alt.StrokeDash("region:N", title=None, sort=None),
).properties(width=380, height=340, title=f"로렌츠 곡선 · Lorenz curves, {month}")

# %% [markdown]
# Theil's index of the city is that within its districts and between them; the same by dong.

# %%
THEIL = ("theil", "theil_within_gu", "theil_between_gu", "theil_within_dong", "theil_between_dong")
table(of(inequality, statistics=THEIL))

# %%
bars(
    of(inequality, level="dong", statistics=("gini",)),
    by="region",
    title=f"{names[DISTRICT][0]} 행정동별 지니계수 · Gini by dong",
    form=".2f",
)

# %% [markdown]
# ## Low income and age 저소득·연령
#
# Poor is below half of the city's median equivalised income.

# %%
low = run("low_income")
bars(
    of(low, dimension="head_age_band", statistics=("poverty_rate",)),
    by="label",
    title="가구주 연령별 상대빈곤율 · poverty by head's age",
)

# %%
table(of(low, dimension="family"), index="label")

# %%
table(of(low, level="gu", dimension="programme"), index="label")

# %% [markdown]
# ## Employment and commuting 고용·통근

# %%
work = run("employment")
table(of(work, dimension="residence / employment"), index="label")

# %%
flows = of(run("commuting"), level="dong", dimension="workplace_dong", statistics=("persons",))
alt.Chart(flows[["region", "label", "value"]]).mark_rect().encode(
    x=alt.X("label:N", title="근무지 workplace", axis=alt.Axis(labelAngle=-90, labelLimit=120)),
    y=alt.Y("region:N", title="거주지 home"),
    color=alt.Color("value:Q", title="명 persons", scale=alt.Scale(type="sqrt", scheme="viridis")),
).properties(title=f"{names[DISTRICT][0]} 주민의 거주지–근무지 · residence to workplace, {month}")

# %% [markdown]
# ## Self-employed and small business 자영업·소상공인

# %%
business = run("small_business")
table(of(business, dimension="workplace / industry_at_work"), index="label")

# %% [markdown]
# ## Youth 청년

# %%
young = run("youth")
table(pd.concat([of(young), of(young, level="gu"), of(young, level="dong")]))

# %% [markdown]
# ## Household debt 가계부채
#
# Assets, purposes and rates of loans are not in the data; the proxies are in `conf/local.yaml`, and the last table moves them.

# %%
debt = run("household_debt")
table(of(debt, dimension="income_quintile"), index="label")

# %%
bars(
    of(run("interest_rate_rise"), dimension="income_quintile", statistics=("rise_of_debt_service_to_income_100bp",)),
    by="label",
    title="금리 1%p 상승 시 원리금상환비율 증가 · added debt service",
    form=".1%",
)

# %%
table(of(run("debt_sensitivity")), index="region").transpose()

# %% [markdown]
# The limits of low pay and of the youth allowance, moved as well.

# %%
table(of(run("limit_sensitivity")), index="region").transpose()

# %% [markdown]
# ## Vulnerable groups 취약계층
#
# Ranked by the share in poor households, with intervals that hold all at once; and the establishments and jobs within reach
# of a dong, beside the groups of it that come first.

# %%
vulnerable = run("vulnerable_groups")
groups = of(vulnerable, level="gu", dimension="employment / age")
ranked = groups[groups["statistic"] == "rank"].sort_values("value").head(12)
first = groups[groups["region_code"].isin(ranked["region_code"])].assign(group=groups["region"] + " " + groups["label"])
table(first, index="group").reindex(ranked["region"] + " " + ranked["label"])

# %%
reach = of(run("jobs_in_reach"), level="dong")
table(reach)

# %%
groups = of(vulnerable, level="dong", dimension="employment / age")
first = groups[groups["statistic"] == "rank"].sort_values("value").head(12)[["region_code", "region", "label"]]
shown = pd.concat([groups.merge(first[["region_code", "label"]]), reach.drop(columns="label").merge(first)])
order = first["region"] + " " + first["label"]
table(shown.assign(group=shown["region"] + " " + shown["label"]), index="group").reindex(order)

# %% [markdown]
# ## Moves 가구 이동
#
# The first month of a warehouse has nothing to compare with: it has events only.

# %%
moves = run("household_moves")
table(of(moves, dimension="event"), index="label")

# %%
rates = pd.concat([of(moves), of(moves, level="gu"), of(moves, level="dong")])
table(rates) if len(rates) else "no month before"

# %% [markdown]
# ## Change 변화
#
# From the month before, where there is one. Errors are those of the difference: most households are the same in both months.
# A change with † or * is within 1.96 of them: it may be none. Both months are adjusted to the same year's published means, so the
# city's mean income cannot have changed.

# %%
changes = run("change", against=Month.from_date(months[-2])) if len(months) > 1 else None
CHANGED = ("gini", "poverty_rate", "middle_50_150", "median_equivalised_income", "mean_debt_krw", "deficit_share")
since = {"dimension": "change_since", "statistics": CHANGED}
"no month before" if changes is None else table(pd.concat([of(changes, **since), of(changes, level="gu", **since)]))

# %%
"no month before" if changes is None else bars(
    of(changes, level="dong", dimension="change_since", statistics=("poverty_rate",)),
    by="region",
    title="행정동별 상대빈곤율 변화 · change of the poverty rate by dong",
    form="+.1%",
    is_change=True,
)

# %% [markdown]
# ## Comparison 비교
#
# District less city; city less published figures (nation, capital and non-capital areas).

# %%
compared = run("comparison")
table(of(compared, level="gu", dimension="minus_city", statistics=("mean_total_income_krw_year", "mean_debt_krw", *MEASURES)))

# %%
table(of(compared, dimension="minus_published"), index="label")

# %%
spark.stop()
