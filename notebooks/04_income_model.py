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
# # The income model under the lamp 소득 모형 진단
#
# Which model scored which month, what it was trained on, how it does where it had not been, and whether a month still
# looks like the one it knows. All of it is read from the warehouse's MLflow store and ledger: numbers about groups of
# ten or more, nothing of a person. The methods are decisions 0021 and 0025.
#
# Another warehouse: set `DEMO_WAREHOUSE` to its folder before opening the notebook. Another version: change `NUMBER`.

# %%
# ruff: noqa: D100
import os
from pathlib import Path

import altair as alt
import pandas as pd
from IPython.display import Image, Markdown

from living_finance.config import load_settings
from living_finance.places.boundaries import DONG_CODE_PROPERTY, dong_boundaries
from living_finance.registry import CHAMPION, Registry
from living_finance.reports.charts import use_in_notebooks
from living_finance.storage.ledger import Ledger

candidates = [Path(os.environ.get("DEMO_WAREHOUSE", ".demo/warehouse")), Path("../.demo/warehouse")]
folder = next((path.resolve() for path in candidates if path.is_dir()), None)
if folder is None:
    raise SystemExit("No warehouse found. Remedy: run `make demo`, or set DEMO_WAREHOUSE.")
pd.options.display.max_colwidth = None
use_in_notebooks()  # pictures without a network, Korean in every viewer
settings = load_settings(None)
registry, ledger = Registry(settings.tracking, str(folder)), Ledger(str(folder))
facts = {str(month): record.facts for month in ledger.months() if (record := ledger.find(month, "income"))}
if not facts or not registry.versions():
    raise SystemExit("No month has been scored here. Remedy: run `make demo`.")
NUMBER = None  # of a version; None: the champion, or the newest where there is none

# %% [markdown]
# ## Versions 모형 버전
#
# A version is trained on one month and held against the champion where districts were left out. `loss` is the sum of
# the absolute biases of the components by district, as a share of mean total income: smaller is better.

# %%
versions = registry.versions()
champion = next((v for v in versions if CHAMPION in v.aliases), versions[-1])
version = next((v for v in versions if v.number == NUMBER), champion)
pd.DataFrame(
    [
        {
            "version": v.number,
            "alias": ", ".join(v.aliases),
            "trained on": str(v.month),
            "passed the gate": v.is_promoted,
            "loss": round(registry.metrics(v)["cv_loss"], 4),
            "gate": v.tags.get("gate", ""),
        }
        for v in versions
    ]
).set_index("version")

# %% [markdown]
# Which version scored each month, why that one, and what says that a new training is due:

# %%
pd.DataFrame(
    [
        {
            "month": month,
            "version": of["model"]["number"],
            "why": of["model"]["why"],
            "training is due": "; ".join(of["model"]["due"]) or "no",
        }
        for month, of in facts.items()
    ]
).set_index("month")

# %% [markdown]
# ## Model card 모형 카드

# %%
Markdown(registry.card(version).replace("\n#", "\n###").removeprefix("# "))

# %% [markdown]
# ## Before and after benchmarking 벤치마킹 전후
#
# The model's means by component, before they are moved to the published figures, and after. A component that has to
# be moved far is one that the survey and the scores do not know well. The table adds the factor by which a component
# was multiplied.

# %%
COMPONENTS = {"labour": "근로 labour", "business": "사업 business", "property": "재산 property"} | {
    "transfer": "이전 transfer",
    "irregular": "비경상 irregular",
}
TOTAL = {"total": "총소득 total"}
MANWON = 1e4
last = max(facts)
moved = registry.metrics_of_run(facts[last]["mlflow_run_id"])
before = {name: moved[f"mean_{name}_before_krw_year"] / MANWON for name in COMPONENTS}
benchmarked = pd.DataFrame(
    [
        {
            "component": label,
            "before": before[name],
            "after": before[name] * moved[f"ratio_{name}"],
            "factor": moved[f"ratio_{name}"],
        }
        for name, label in COMPONENTS.items()
    ]
)
stages = {"before": "전 before", "after": "후 after"}
long = benchmarked.melt(id_vars="component", value_vars=list(stages), var_name="stage", value_name="mean")
alt.Chart(long.assign(stage=long["stage"].map(stages))).mark_bar().encode(
    y=alt.Y("component:N", title=None, sort=list(COMPONENTS.values())),
    yOffset=alt.YOffset("stage:N", sort=list(stages.values())),
    x=alt.X("mean:Q", title="가구당 평균 mean of a household (만원/년)", axis=alt.Axis(format=",.0f")),
    color=alt.Color("stage:N", title=None, sort=list(stages.values()), legend=alt.Legend(orient="bottom")),
).properties(width=480, title=f"벤치마킹 전후 소득원별 평균 · means before and after, {last}")

# %%
benchmarked.set_index("component").round({"before": 0, "after": 0, "factor": 3})

# %% [markdown]
# After that, totals are moved by income fifth and head's age, without changing anybody's rank inside a group. As the
# training saw it (published: the survey of household finances of that year):

# %%
plots = registry.plots(version)
Image(plots["calibration"])

# %% [markdown]
# The survey itself was calibrated first, because who answers depends on income: mean total income by design and
# after, 만원 a year.

# %%
pd.Series(
    {
        "by design 설계": round(moved["survey_mean_by_design_krw_year"] / MANWON),
        "calibrated 보정": round(moved["survey_mean_calibrated_krw_year"] / MANWON),
    },
    name="survey mean",
)

# %% [markdown]
# ## Shrinkage 축소
#
# How much of a dong's own difference the model keeps: 100 % where the survey has many households there, 0 % where
# dongs do not differ at all, or nobody was asked. Points are means of ten dongs.

# %%
Image(plots["shrinkage"])

# %% [markdown]
# ## Does the model fit? 적합
#
# Residuals should lie around zero over all fitted values, and on the line beside the normal distribution. In the last
# picture, what a variable adds to the log amount when it is larger by its own spread.

# %%
Image(plots["residuals"])

# %%
Image(plots["normal_quantiles"])

# %%
Image(plots["importance"])

# %% [markdown]
# ## Where it had not been 제외 지역에서의 오차
#
# Every district was left out of a fit once, and predicted by it; with one district its dongs are left out instead.
# Bias is relative to the survey's own mean there; bars are 95 % intervals of the survey's design. An interval that
# holds zero says that no bias can be told from the survey's error, not that there is none.

# %%
names = {}
for feature in dong_boundaries()["features"]:
    code, (_, gu, dong) = feature["properties"][DONG_CODE_PROPERTY], feature["properties"]["adm3_name_kr"].split(" ", 2)
    names |= {code: dong, code[:5]: gu}
tested = registry.metrics(version)


def held_out(component: str, area: str = "") -> dict[str, float] | None:
    """Relative bias with its interval; None: too few answered there."""
    stem = f"cv_{component}" + (f"_{area}" if area else "") + "_relative_bias"
    return {"bias": tested[stem], "low": tested[f"{stem}_lower"], "high": tested[f"{stem}_upper"]} if stem in tested else None


def intervals(rows: list[dict[str, object]], *, by: str, title: str) -> alt.LayerChart:
    """Points with their intervals, in the order of the rows."""
    base = alt.Chart(pd.DataFrame(rows)).encode(y=alt.Y(f"{by}:N", title=None, sort=None))
    x_title = "상대편향 relative bias"
    return alt.layer(
        alt.Chart(pd.DataFrame([{"zero": 0}])).mark_rule(color="#6b7280").encode(x="zero:Q"),
        base.mark_rule(strokeWidth=2, color="#6b7280").encode(
            x=alt.X("low:Q", title=x_title, axis=alt.Axis(format="+.0%")), x2="high:Q"
        ),
        base.mark_point(filled=True, size=70, opacity=1, color="#005a9c").encode(x=alt.X("bias:Q", title=x_title)),
    ).properties(width=420, title=title)


pooled = [{"component": label, **found} for name, label in (COMPONENTS | TOTAL).items() if (found := held_out(name))]
intervals(pooled, by="component", title="소득원별 제외 지역 편향 · bias where left out, by component")

# %%
areas = sorted({key.split("_")[2] for key in tested if key.startswith("cv_total_") and key.split("_")[2].isdigit()})
of_areas = [{"area": names.get(area, area), **found} for area in areas if (found := held_out("total", area))]
intervals(of_areas, by="area", title="지역별 제외 시 총소득 편향 · bias of total income, by area left out")

# %% [markdown]
# ## Drift 변동
#
# The population stability index says how far the households and scores of a month have moved from those of the
# training month: above 0.1 look at it, above the second line (`models.largest_instability`) a new training is due.

# %%
INPUTS = {
    "head_age": "가구주 연령 head's age",
    "household_size": "가구원수 size",
    "household_type": "가구 유형 type",
    "tenure": "점유형태 tenure",
    "dwelling_type": "주택 유형 dwelling",
    "bureau_members": "신용거래자 수 bureau members",
    "labour_score": "근로소득 점수 labour score",
    "business_score": "사업소득 점수 business score",
    "place": "지역 수준 level of the place",
    "score": "예측 총소득 predicted total",
}
drift = pd.DataFrame(
    [
        {"month": month, "input": INPUTS.get(name, name), "index": value}
        for month, of in facts.items()
        for name, value in of["model"]["stability"].items()
    ]
)
limits = pd.DataFrame({"limit": [0.1, settings.models.largest_instability]})
alt.layer(
    alt.Chart(limits).mark_rule(strokeDash=[4, 4], color="#b91c1c").encode(x="limit:Q"),
    alt.Chart(drift)
    .mark_point(filled=True, size=70, opacity=0.9)
    .encode(
        y=alt.Y("input:N", title=None, sort=list(INPUTS.values()), axis=alt.Axis(labelLimit=240)),
        x=alt.X("index:Q", title="안정성 지수 population stability index", scale=alt.Scale(domainMin=0)),
        color=alt.Color("month:N", title="월 month", legend=alt.Legend(orient="bottom")),
        shape=alt.Shape("month:N", title="월 month"),
    ),
).properties(width=420, title="훈련월 대비 변동 · drift since the training month")

# %%
drift.pivot_table(index="input", columns="month", values="index", sort=False).round(4)
