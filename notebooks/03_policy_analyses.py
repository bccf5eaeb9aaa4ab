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
from living_finance.config import AnalysisSettings, SparkSettings
from living_finance.contracts import gold, silver
from living_finance.months import Month
from living_finance.session import build_session
from living_finance.steps.analyse import analyse
from living_finance.storage.warehouse import Warehouse

candidates = [Path(os.environ.get("DEMO_WAREHOUSE", ".demo/warehouse")), Path("../.demo/warehouse")]
folder = next((path.resolve() for path in candidates if path.is_dir()), None)
if folder is None:
    raise SystemExit("No warehouse found. Remedy: run `make demo`, or set DEMO_WAREHOUSE.")
alt.renderers.enable("svg")  # pictures without a network, in every viewer
spark = build_session(SparkSettings(master="local[2]", driver_memory="1g", shuffle_partitions=2), name="policy-analyses")
warehouse = Warehouse(spark, str(folder))
months = sorted(row[0] for row in warehouse.read(gold.HOUSEHOLD).select("base_month").distinct().collect())
month = Month.from_date(months[-1])
regions = warehouse.read(silver.REGION, base_month=months[-1]).toPandas()
DISTRICT = min(regions["gu_code"])
names = (
    dict(zip(regions["gu_code"], regions["gu_name_ko"], strict=True))
    | dict(zip(regions["dong_code"], regions["dong_name_ko"], strict=True))
    | {DISTRICT[:2]: "서울"}
)


def run(name: str) -> pd.DataFrame:
    """An analysis of the whole city, with region names."""
    found = analyse(warehouse, name, month=month, region=DISTRICT[:2], settings=AnalysisSettings()).toPandas()
    return found.assign(region=found["region_code"].map(names))


def table(rows: pd.DataFrame, *, index: str = "region") -> pd.DataFrame:
    """Values of the statistics side by side."""
    return rows.pivot_table(index=index, columns="statistic", values="value", sort=False).round(3)


def bars(rows: pd.DataFrame, *, by: str, title: str, form: str = ".0%") -> alt.LayerChart:
    """Values with 95 % intervals."""
    reach = 1.96 * rows["standard_error"].fillna(0)
    shown = rows.assign(low=rows["value"] - reach, high=rows["value"] + reach).dropna(subset=["value"])
    base = alt.Chart(shown).encode(y=alt.Y(f"{by}:N", title=None, sort=None))
    points = base.mark_bar(size=9, color="#7aa6c2").encode(
        x=alt.X("value:Q", title=None, axis=alt.Axis(format=form)),
        tooltip=[f"{by}:N", "value:Q", "standard_error:Q", "reliability:N"],
    )
    return alt.layer(points, base.mark_rule().encode(x="low:Q", x2="high:Q")).properties(width=420, title=f"{title}, {month}")


def of(rows: pd.DataFrame, *, level: str = "city", dimension: str = "all", statistic: str | None = None) -> pd.DataFrame:
    """Rows of one level, dimension and statistic; of dongs, those of the district."""
    chosen = rows[(rows["region_level"] == level) & (rows["dimension"] == dimension)]
    chosen = chosen if level != "dong" else chosen[chosen["region_code"].str.startswith(DISTRICT)]
    return chosen if statistic is None else chosen[chosen["statistic"] == statistic]


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
    of(balance, dimension="income_quintile", statistic="deficit_share"),
    by="category",
    title="소득분위별 적자가구 비율 · deficit share by quintile",
)

# %% [markdown]
# ## Inequality, polarisation, middle class 양극화·불평등·중산층

# %%
inequality = run("inequality")
measures = ["gini", "s80_s20", "p90_p10", "wolfson", "theil", "poverty_rate", "middle_50_150", "middle_75_200"]
both = pd.concat([of(inequality), of(inequality, level="gu")])
table(both[both["statistic"].isin(measures)])

# %%
lorenz = both[both["statistic"].str.startswith("lorenz")].assign(share=lambda f: f["statistic"].str[7:].astype(int) / 100)
alt.Chart(lorenz).mark_line(point=True).encode(
    x=alt.X("share:Q", title="인구 people, poorest first", axis=alt.Axis(format=".0%")),
    y=alt.Y("value:Q", title="소득 income held", axis=alt.Axis(format=".0%")),
    color=alt.Color("region:N", title=None),
).properties(width=360, height=300, title=f"로렌츠 곡선 · Lorenz curves, {month}")

# %%
table(of(inequality)[lambda f: f["statistic"].str.startswith("theil")])

# %%
bars(of(inequality, level="dong", statistic="gini"), by="region", title="행정동별 지니계수 · Gini by dong", form=".2f")

# %% [markdown]
# ## Low income and age 저소득·연령
#
# Poor is below half of the city's median equivalised income.

# %%
low = run("low_income")
bars(
    of(low, dimension="head_age_band", statistic="poverty_rate"),
    by="category",
    title="가구주 연령별 상대빈곤율 · poverty by head's age",
)

# %%
table(of(low, dimension="family"), index="category")

# %%
table(of(low, level="gu", dimension="programme"), index="category")

# %% [markdown]
# ## Employment and commuting 고용·통근

# %%
work = run("employment")
table(of(work, dimension="residence / employment"), index="category")

# %%
flows = of(run("commuting"), level="dong", dimension="workplace_dong", statistic="persons")
flows = flows.assign(work=flows["category"].map(names).fillna(flows["category"]))
alt.Chart(flows).mark_rect().encode(
    x=alt.X("work:N", title="근무지 workplace"),
    y=alt.Y("region:N", title="거주지 home"),
    color=alt.Color("value:Q", title="명 persons"),
).properties(title=f"거주지–근무지 · residence to workplace, {month}")

# %% [markdown]
# ## Self-employed and small business 자영업·소상공인

# %%
business = run("small_business")
table(of(business, dimension="workplace / industry_at_work"), index="category")

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
table(of(debt, dimension="income_quintile"), index="category")

# %%
rise = of(run("interest_rate_rise"), dimension="income_quintile")
bars(
    rise[rise["statistic"] == "rise_of_debt_service_to_income_100bp"],
    by="category",
    title="금리 1%p 상승 시 DSR 증가 · added debt service, by quintile",
    form=".1%",
)

# %%
of(run("debt_sensitivity"))[["statistic", "value", "standard_error", "reliability"]]

# %% [markdown]
# ## Vulnerable groups 취약계층
#
# Ranked by the share in poor households, with intervals that hold all at once; and the jobs within reach of a dong.

# %%
groups = of(run("vulnerable_groups"), level="gu", dimension="employment / age")
table(groups.assign(group=groups["region"] + " " + groups["category"]), index="group").sort_values("rank").head(12)

# %%
table(of(run("jobs_in_reach"), level="dong"))

# %% [markdown]
# ## Moves 가구 이동
#
# The first month of a warehouse has nothing to compare with: it has events only.

# %%
moves = run("household_moves")
table(of(moves, dimension="event"), index="category")

# %% [markdown]
# ## Change 변화
#
# From the month before, where there is one. A change is shown as sure where it exceeds 1.96 of its errors.

# %%
earlier = [Month.from_date(date) for date in months[-2:-1]]
pd.concat(
    [
        pd.DataFrame(columns=["region_code", "statistic", "value", "standard_error", "reliability"]),
        *(
            analyse(warehouse, "change", month=month, against=date, region=DISTRICT, settings=AnalysisSettings()).toPandas()
            for date in earlier
        ),
    ]
)

# %% [markdown]
# ## Comparison 비교
#
# District less city; city less published figures (nation, capital and non-capital areas).

# %%
compared = run("comparison")
columns = ["region", "category", "statistic", "value", "standard_error", "reliability"]
of(compared, level="gu", dimension="minus_city")[columns]

# %%
of(compared, dimension="minus_published")[columns]

# %%
spark.stop()
