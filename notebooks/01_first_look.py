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
# # A first look at a month 첫걸음
#
# Opens the warehouse that `make demo` made and looks at what it published: how much of each delivery went into
# the figures, household income by district and neighbourhood (행정동), and how sure each figure is.
# Nothing here reads a person's or a household's row: only `gold.edit_report` and `gold.household_statistics`.
#
# Another warehouse: set `DEMO_WAREHOUSE` to its folder before opening the notebook.

# %%
# ruff: noqa: D100
import json
import os
from importlib import resources
from pathlib import Path

import altair as alt
import pandas as pd
from pyspark.sql import functions as F

from living_finance.config import SparkSettings
from living_finance.contracts import codes, gold, silver
from living_finance.reports.charts import use_in_notebooks
from living_finance.session import build_session
from living_finance.storage.warehouse import Warehouse

candidates = [Path(os.environ.get("DEMO_WAREHOUSE", ".demo/warehouse")), Path("../.demo/warehouse")]
folder = next((path.resolve() for path in candidates if path.is_dir()), None)
if folder is None:
    raise SystemExit("No warehouse found. Remedy: run `make demo`, or set DEMO_WAREHOUSE.")
use_in_notebooks()  # pictures without a network, Korean in every viewer
spark = build_session(SparkSettings(master="local[2]", driver_memory="1g", shuffle_partitions=2), name="first-look")
warehouse = Warehouse(spark, str(folder))

# %% [markdown]
# ## Which month
#
# The newest one that has statistics.

# %%
month = warehouse.read(gold.HOUSEHOLD_STATISTICS).agg(F.max("base_month")).first()[0]
regions = warehouse.read(silver.REGION, base_month=month).select("dong_code", "dong_name_ko", "gu_code", "gu_name_ko").toPandas()
f"{month:%Y-%m}"

# %% [markdown]
# ## What became of the delivered rows 정제 내역
#
# Every delivered row is kept, edited, quarantined or removed, with a reason. The rows `all` count everything.

# %%
edits = (
    warehouse.read(gold.EDIT_REPORT, base_month=month)
    .groupBy("table", "reason")
    .agg(*(F.sum(name).alias(name) for name in ("rows_kept", "rows_edited", "rows_quarantined", "rows_removed")))
    .orderBy("table", F.desc("rows_kept"), "reason")
    .toPandas()
)
edits[edits["reason"] == "all"].set_index("table").drop(columns="reason")

# %%
edits[edits["reason"] != "all"].set_index(["table", "reason"])

# %% [markdown]
# ## Income by district 자치구
#
# Amounts are shown in 만원 (10,000 won) a year, as Koreans read them. The median says what a household in the
# middle has; the mean is pulled up by the rich. `cv` is the error of the mean as a share of it.

# %%
is_margin = (F.col("head_sex") == codes.ALL) & (F.col("head_age_band") == codes.ALL) & (F.col("household_type") == codes.ALL)
statistics = warehouse.read(gold.HOUSEHOLD_STATISTICS, base_month=month)
AMOUNTS = {
    "p10_total_income_krw_year": "p10",
    "p25_total_income_krw_year": "p25",
    "median_total_income_krw_year": "median",
    "p75_total_income_krw_year": "p75",
    "p90_total_income_krw_year": "p90",
    "mean_total_income_krw_year": "mean",
    "mean_debt_krw": "mean_debt",
}


def in_manwon(frame: pd.DataFrame) -> pd.DataFrame:
    """Amounts in 만원, with short names."""
    return frame.assign(**{short: (frame[name] / 1e4).round() for name, short in AMOUNTS.items()}).drop(columns=list(AMOUNTS))


margins = in_manwon(
    statistics.where(is_margin & (F.col("region_level") != "output_area"))
    .select(
        "region_level",
        "region_code",
        "households",
        "households_unweighted",
        *AMOUNTS,
        "share_with_debt",
        "gini_total_income",
        "cv_mean_total_income",
        "reliability",
    )
    .toPandas()
)
dong_names = regions["gu_name_ko"] + " " + regions["dong_name_ko"]
names = dict(zip(regions["gu_code"], regions["gu_name_ko"], strict=True)) | dict(
    zip(regions["dong_code"], dong_names, strict=True)
)
margins["region"] = margins["region_code"].map(names).fillna("서울")
margins[margins["region_level"] != "dong"].sort_values(["region_level", "region_code"]).set_index("region")

# %% [markdown]
# ## Income by neighbourhood 행정동
#
# The box is the middle half of households, the line reaches from the tenth to the ninetieth percentile, the tick is the median.

# %%
dongs = margins[margins["region_level"] == "dong"].sort_values(["median", "region_code"], ascending=[False, True])
base = alt.Chart(dongs).encode(y=alt.Y("region:N", title=None, sort=list(dongs["region"])))
lines = base.mark_rule().encode(x=alt.X("p10:Q", title="가구 총소득 household income (만원/년)"), x2="p90:Q")
boxes = base.mark_bar(size=9, color="#7aa6c2").encode(
    x="p25:Q", x2="p75:Q", tooltip=["region:N", "median:Q", "mean:Q", "households:Q", "reliability:N"]
)
medians = base.mark_tick(size=11, thickness=2, color="#1b3a4b").encode(x="median:Q")
alt.layer(lines, boxes, medians).properties(width=480, title=f"가구 총소득 분포 · distribution of income, {month:%Y-%m}")

# %%
boundaries = json.loads(
    resources.files("living_finance.places").joinpath("data", "seoul_dong_2020.geojson").read_text(encoding="utf-8")
)
shown = set(dongs["region_code"])
features = [feature for feature in boundaries["features"] if feature["properties"]["adm3_code"] in shown]
columns = ["region", "median", "mean", "share_with_debt", "cv_mean_total_income", "reliability"]
alt.Chart(alt.Data(values=features)).mark_geoshape(stroke="white").encode(
    color=alt.Color("median:Q", title="중위 median (만원)", scale=alt.Scale(scheme="blues")),
    tooltip=["region:N", "median:Q", "mean:Q", alt.Tooltip("share_with_debt:Q", format=".0%"), "reliability:N"],
).transform_lookup(
    lookup="properties.adm3_code", from_=alt.LookupData(data=dongs[["region_code", *columns]], key="region_code", fields=columns)
).project(type="mercator").properties(
    width=480, height=420, title=f"행정동별 중위 가구소득 · median household income by dong, {month:%Y-%m}"
)

# %% [markdown]
# Boundaries: Statistics Korea SGIS (통계청 통계지리정보서비스), 2020, KOGL type 1.
#
# ## How sure 신뢰도
#
# A figure with a coefficient of variation above 15 % is to be used with caution, above 30 % it is not reliable.

# %%
labels = {code: korean for code, korean, _ in codes.RELIABILITY.labels}
margins.assign(reliability=margins["reliability"].map(labels)).groupby(["region_level", "reliability"]).agg(
    regions=("region_code", "size"), worst_cv=("cv_mean_total_income", "max")
)

# %% [markdown]
# ## By head's age 가구주 연령대

# %%
is_by_age = (F.col("head_sex") == codes.ALL) & (F.col("household_type") == codes.ALL) & (F.col("head_age_band") != codes.ALL)
by_age = in_manwon(
    statistics.where(is_by_age & (F.col("region_level") == "city"))
    .select("head_age_band", "households", *AMOUNTS)
    .orderBy("head_age_band")
    .toPandas()
)
by_age["head"] = [f"{band}대" if band < "80" else "80세 이상" for band in by_age["head_age_band"]]
alt.Chart(by_age).mark_bar(color="#7aa6c2", size=36).encode(
    x=alt.X("head:N", title="가구주 연령 head's age", sort=None, axis=alt.Axis(labelAngle=0)),
    y=alt.Y("median:Q", title="중위 총소득 median income (만원/년)"),
    tooltip=["head:N", "median:Q", "mean_debt:Q", "households:Q"],
).properties(width=480, title=f"가구주 연령별 중위 소득 · median income by head's age, {month:%Y-%m}")

# %%
spark.stop()
