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
# # From evidence to households 가구화 따라가기
#
# Three addresses: what the bureau and the register know there, who was put together with whom, and how sure that is. Then a
# map of how well householding went, and one household through the whole flow: as it was delivered, cleansed, placed, formed,
# weighted, its income, its part in the figure of its dong. It reads rows of persons (bronze to gold): for staff who may see them.
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
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.config import SparkSettings
from living_finance.contracts import bronze, codes, gold, silver
from living_finance.reports.charts import use_in_notebooks
from living_finance.session import build_session
from living_finance.storage.warehouse import Warehouse

candidates = [Path(os.environ.get("DEMO_WAREHOUSE", ".demo/warehouse")), Path("../.demo/warehouse")]
folder = next((path.resolve() for path in candidates if path.is_dir()), None)
if folder is None:
    raise SystemExit("No warehouse found. Remedy: run `make demo`, or set DEMO_WAREHOUSE.")
pd.options.display.max_colwidth = None
use_in_notebooks()  # pictures without a network, Korean in every viewer
spark = build_session(SparkSettings(master="local[2]", driver_memory="1g", shuffle_partitions=2), name="evidence")
warehouse = Warehouse(spark, str(folder))
month = warehouse.read(gold.HOUSEHOLD).agg(F.max("base_month")).first()[0]
households = warehouse.read(gold.HOUSEHOLD, base_month=month)
members = warehouse.read(gold.HOUSEHOLD_MEMBER, base_month=month)
f"{month:%Y-%m}"

# %% [markdown]
# ## Three addresses
#
# An apartment building, a multi-family house and an officetel. Of each kind the one in the middle by number of people, among
# those whose least certain resident is typical: neither the easiest nor the hardest.

# %%
KINDS = ("apartment", "multi_family", "officetel")
MOST_PEOPLE = 400
persons = warehouse.read(silver.PLACED_PERSON, base_month=month).where("has_household")
at_home = persons.select("person_id", F.col("home_address_id").alias("address_id"), "dwelling_type")
addresses = (
    members.join(at_home, on="person_id", how="inner")
    .where(F.col("dwelling_type").isin(*KINDS))
    .groupBy("dwelling_type", "address_id")
    .agg(F.count(F.lit(1)).alias("people"), F.min("assignment_probability").alias("least"))
    .where(F.col("people").between(3, MOST_PEOPLE))
    .toPandas()
)


def typical(of_kind: pd.DataFrame) -> str:
    """The address in the middle: by certainty among the middle half by size."""
    middle = of_kind[of_kind["people"].between(*of_kind["people"].quantile([0.25, 0.75]))]
    return str(middle.sort_values(["least", "address_id"])["address_id"].iloc[len(middle) // 2])


chosen = {kind: typical(of_kind) for kind, of_kind in addresses.groupby("dwelling_type")}
kinds = {code: f"{korean} {english}" for code, korean, english in codes.DWELLING_TYPE.labels}

# %% [markdown]
# What each source knows of an address, household by household. Keys are numbered for reading. `register` rows are people of the
# resident register (no key of a person, ages in years); `bureau` rows are people of the credit bureau (ages in bands). A row
# of the bureau that was matched is the same human as one of the register of the same sex and band.

# %%
REGISTER = warehouse.read(silver.REGISTER_PERSON, base_month=month)
REGISTER_HOUSEHOLDS = warehouse.read(silver.HOUSEHOLD_REGISTER, base_month=month)
MOST_ROWS = 24


def people_of(address: str) -> pd.DataFrame:
    """One row per record at the address, ordered by the household it went to."""
    bureau = (
        persons.where(F.col("home_address_id") == address)
        .join(
            members.select("person_id", "household_id", "assignment_evidence", "assignment_probability"),
            on="person_id",
            how="left",
        )
        .select(
            F.lit("bureau").alias("source"),
            F.col("home_unit_id").alias("unit"),
            "sex",
            F.col("age_band").cast("string").alias("age"),
            F.lit(None).cast("string").alias("relation"),
            "household_id",
            F.col("assignment_evidence").alias("evidence"),
            F.col("assignment_probability").alias("probability"),
        )
    )
    registered = (
        REGISTER.where(F.col("address_id") == address)
        .join(REGISTER_HOUSEHOLDS.select("register_household_id", "household_id"), on="register_household_id", how="left")
        .select(
            F.lit("register").alias("source"),
            F.col("unit_id").alias("unit"),
            "sex",
            F.col("age").cast("string").alias("age"),
            F.col("relation_to_head").alias("relation"),
            "household_id",
            F.lit(None).cast("string").alias("evidence"),
            F.lit(None).cast("double").alias("probability"),
        )
    )
    found = bureau.unionByName(registered).toPandas()
    order = ["household_id", "source", "age", "sex"]
    found = found.sort_values(order, ascending=[True, False, False, True], na_position="last")
    for name in ("unit", "household_id"):
        found[name] = pd.factorize(found[name])[0] + 1
    return found.replace({"unit": {0: ""}}).rename(columns={"household_id": "household"}).set_index(["household", "source"])


def households_of(address: str) -> pd.DataFrame:
    """The households of the address as published to the staff, under the same numbers."""
    columns = ("household_size", "household_type", "head_sex", "head_age_band", "tenure", "household_source", "weight")
    found = households.where(F.col("address_id") == address).orderBy("household_id").select(*columns).toPandas()
    return found.set_axis(pd.RangeIndex(1, len(found) + 1, name="household"))


# %% [markdown]
# ### An apartment: the unit number decides 아파트
#
# Nearly every record has a unit, and a unit is one household. What stays open: records whose unit is missing, and people who
# have left without telling the bureau (evidence `alone`: the register does not know them in the unit).

# %%
people_of(chosen["apartment"]).head(MOST_ROWS) if "apartment" in chosen else "no apartment in this month"

# %%
households_of(chosen["apartment"]).head(MOST_ROWS) if "apartment" in chosen else None

# %% [markdown]
# ### A multi-family house: several households, no units 다가구주택
#
# The register says which households live here, the bureau which people. Sex and band leave several matchings; loans, jobs and
# spending make some of them likelier. After the choice the chain of matchings goes on: the probability is the average, over its
# proposals to move the person, of the chance to be in the chosen household given everybody else's place (decision 0029).

# %%
people_of(chosen["multi_family"]).head(MOST_ROWS) if "multi_family" in chosen else "no multi-family house in this month"

# %%
households_of(chosen["multi_family"]).head(MOST_ROWS) if "multi_family" in chosen else None

# %% [markdown]
# ### An officetel: people who stay for a while 오피스텔
#
# Many live here without being registered here. Who is alone in a unit that the register leaves empty is a household of one;
# the weights then say how many such households there are.

# %%
people_of(chosen["officetel"]).head(MOST_ROWS) if "officetel" in chosen else "no officetel in this month"

# %%
households_of(chosen["officetel"]).head(MOST_ROWS) if "officetel" in chosen else None

# %% [markdown]
# ## How sure, by evidence 배정 근거별 확률

# %%
by_evidence = (
    members.groupBy("assignment_evidence")
    .agg(
        F.count(F.lit(1)).alias("persons"),
        F.avg("assignment_probability").alias("mean_probability"),
        F.avg((F.col("assignment_probability") < 0.8).cast("double")).alias("share_below_0.8"),
    )
    .orderBy(F.desc("persons"))
    .toPandas()
)
labels = {code: f"{korean} · {english}" for code, korean, english in gold.HOUSEHOLD_EVIDENCE.labels}
by_evidence.assign(assignment_evidence=by_evidence["assignment_evidence"].map(labels)).set_index("assignment_evidence").round(3)

# %% [markdown]
# ## How well, by dong 행정동별 가구화 품질
#
# The mean probability of the residents' assignments, beside the share of census margins that the weights of the dong's output
# areas meet.

# %%
certainty = (
    members.join(persons.select("person_id", "dong_code"), on="person_id", how="inner")
    .groupBy("dong_code")
    .agg(F.avg("assignment_probability").alias("probability"), F.count(F.lit(1)).alias("persons"))
)
areas = warehouse.read(silver.OUTPUT_AREA, base_month=month)
fit = areas.groupBy(F.substring("output_area_id", 1, 7).alias("dong_code")).agg(
    (1 - F.try_divide(F.sum("relaxed_targets"), F.sum("targets"))).alias("margins_met")
)
regions = warehouse.read(silver.REGION, base_month=month).select("dong_code", "dong_name_ko", "gu_name_ko")
quality = certainty.join(fit, on="dong_code", how="left").join(regions, on="dong_code", how="inner").toPandas()
quality["region"] = quality["gu_name_ko"] + " " + quality["dong_name_ko"]
boundaries = json.loads(
    resources.files("living_finance.places").joinpath("data", "seoul_dong_2020.geojson").read_text(encoding="utf-8")
)
shown = set(quality["dong_code"])
features = [feature for feature in boundaries["features"] if feature["properties"]["adm3_code"] in shown]
columns = ["region", "probability", "margins_met", "persons"]


def map_of(name: str, title: str) -> alt.Chart:
    """The dongs, coloured by one column."""
    return (
        alt.Chart(alt.Data(values=features))
        .mark_geoshape(stroke="white")
        .encode(
            color=alt.Color(f"{name}:Q", title=None, scale=alt.Scale(scheme="viridis"), legend=alt.Legend(format=".0%")),
            tooltip=[
                "region:N",
                alt.Tooltip("probability:Q", format=".1%"),
                alt.Tooltip("margins_met:Q", format=".1%"),
                "persons:Q",
            ],
        )
        .transform_lookup(
            lookup="properties.adm3_code",
            from_=alt.LookupData(data=quality[["dong_code", *columns]], key="dong_code", fields=columns),
        )
        .project(type="mercator")
        .properties(width=330, height=330, title=title)
    )


alt.hconcat(
    map_of("probability", "평균 배정 확률 · mean probability"), map_of("margins_met", "총조사 충족 비율 · margins met")
).resolve_scale(color="independent")

# %% [markdown]
# Boundaries: Statistics Korea SGIS (통계청 통계지리정보서비스), 2020, KOGL type 1.

# %%
quality.sort_values("probability").set_index("region")[["probability", "margins_met", "persons"]].round(3)

# %% [markdown]
# ## One household, from delivery to the figure of its dong 한 가구 따라가기
#
# A household of at least two people whom the bureau knows, in a multi-family house, with something to edit in what was
# delivered of them; of several the one in the middle by weight. People are numbered: keys are not shown.

# %%
edited = persons.select("person_id", "dwelling_type", F.size(F.coalesce("edits", F.array())).alias("edits"))
candidates = (
    members.join(edited, on="person_id", how="inner")
    .groupBy("household_id")
    .agg(F.count(F.lit(1)).alias("people"), F.sum("edits").alias("edits"), F.first("dwelling_type").alias("dwelling_type"))
    .where("people >= 2")
    .join(households.where("weight > 0").select("household_id", "weight"), on="household_id", how="inner")
    .toPandas()
    .assign(is_wanted=lambda found: (found["dwelling_type"] == "multi_family").astype(int) + (found["edits"] > 0))
    .sort_values(["is_wanted", "weight", "household_id"], ascending=[False, True, True])
)
best = candidates[candidates["is_wanted"] == candidates["is_wanted"].max()]
WALKED = best["household_id"].iloc[len(best) // 2]
own = households.where(F.col("household_id") == WALKED).toPandas().iloc[0]
of_members = members.where(F.col("household_id") == WALKED).orderBy("person_id").toPandas()
keys = of_members["person_id"].tolist()
numbers = {key: f"person {number}" for number, key in enumerate(keys, start=1)}


def people(rows: DataFrame, *columns: str) -> pd.DataFrame:
    """One column per member, as the table has them."""
    found = rows.where(F.col("person_id").isin(keys)).select("person_id", *columns).toPandas()
    return found.assign(person_id=found["person_id"].map(numbers)).set_index("person_id").sort_index()


# %% [markdown]
# ### As delivered 제공 자료 (bronze)
#
# Text, as the bureau wrote it, with file and row: nothing is lost.

# %%
AMOUNTS = {
    "labour_income": "labour_income_krw_year",
    "business_income": "business_income_krw_year",
    "credit_card_spending": "credit_card_spending_krw_month",
    "check_card_spending": "check_card_spending_krw_month",
    "cash_spending": "cash_spending_krw_month",
}
bronze_rows = warehouse.read(bronze.BRONZE_TABLES["bureau_persons"], delivery_month=month)
newest = bronze_rows.agg(F.max("delivery_number")).first()[0]
delivered = people(
    bronze_rows.where(F.col("delivery_number") == newest),
    *("file_name", "row_number", "sex", "age_band", "residence", "employment", *AMOUNTS, "monthly_repayment"),
)
delivered.transpose()

# %% [markdown]
# ### Cleansed 정제 (silver)
#
# Every value that is not as delivered, with the reasons that the person's row carries.

# %%
cleansed = people(warehouse.read(silver.PERSON, base_month=month), *AMOUNTS.values(), "edits")
pairs = [
    (
        person,
        name,
        pd.to_numeric(delivered.loc[person, name]),
        cleansed.loc[person, stored],
        ", ".join(cleansed.loc[person, "edits"]),
    )
    for person in cleansed.index
    for name, stored in AMOUNTS.items()
]
edits = pd.DataFrame(pairs, columns=["person", "item", "delivered", "stored", "edits"]).drop_duplicates()
is_same = edits["delivered"].round() == edits["stored"].round()
edits[~is_same].set_index(["person", "item"]) if (~is_same).any() else "every amount is as delivered"

# %% [markdown]
# ### Placed 배치
#
# The output area and dong of the address in this month, by what evidence; and where people work.

# %%
people(persons, "dong_code", "output_area_id", "dwelling_type", "home_evidence", "employment", "workplace_dong_code").transpose()

# %% [markdown]
# ### Put together 가구 형성
#
# Why each is in this household and how sure that is; the register households in it; the household that came of it.

# %%
of_members.assign(person=of_members["person_id"].map(numbers)).set_index("person")[
    ["assignment_evidence", "assignment_probability"]
]

# %%
formed = warehouse.read(silver.HOUSEHOLD, base_month=month).where(F.col("household_id") == WALKED).toPandas().iloc[0]
SHAPE = (
    "household_source",
    "household_size",
    "household_type",
    "head_sex",
    "head_age_band",
    "tenure",
    "bureau_members",
    "children",
)
formed[[*SHAPE, "register_members", "elderly", "unseen_adults"]].to_frame("household")

# %% [markdown]
# ### Weighted 가중
#
# Households of the output area, each once, by weight; the line is this household. Weights make them add up to the census: the
# table has the margins of the output area that are met least well.

# %%
area = own["output_area_id"]
neighbours = households.where((F.col("output_area_id") == area) & (F.col("weight") > 0)).select("weight").toPandas()
alt.layer(
    alt.Chart(neighbours)
    .mark_bar(color="#56b4e9")
    .encode(x=alt.X("weight:Q", bin=alt.Bin(maxbins=24), title="가중치 weight"), y=alt.Y("count()", title="가구 households")),
    alt.Chart(pd.DataFrame({"weight": [own["weight"]]})).mark_rule(color="#005a9c", strokeWidth=3).encode(x="weight:Q"),
).properties(width=380, height=220, title=f"집계구의 가구 가중치 · weights of its output area, {len(neighbours)} households")

# %%
targets = warehouse.read(silver.CALIBRATION_TARGET, base_month=month).where(F.col("output_area_id") == area).toPandas()
least = targets.assign(distance=targets["gap"].abs()).sort_values(
    ["distance", "margin", "category"], ascending=[False, True, True]
)
least.set_index(["margin", "category"])[["lower", "upper", "achieved", "gap", "is_relaxed"]].head(8)

# %% [markdown]
# ### Its income 소득
#
# What the bureau's scores of its members add up to, beside the components as published: labour and business corrected and with
# people whom the bureau does not know, the rest from the survey's model, everything adjusted to published figures. The
# published draw is one of those that the model makes; the mean over draws is the dashed line.

# %%
COMPONENTS = ("labour", "business", "property", "transfer", "irregular")
KOREAN = dict(zip(COMPONENTS, ("근로", "사업", "재산", "이전", "비경상"), strict=True))
scores = {name: formed[f"bureau_{name}_income_krw_year"] for name in COMPONENTS[:2]}
income = pd.DataFrame(
    [
        *((f"{KOREAN[name]} {name}", "신용정보 bureau", scores[name] / 1e4) for name in scores),
        *((f"{KOREAN[name]} {name}", "공표 published", own[f"{name}_income_krw_year"] / 1e4) for name in COMPONENTS),
        ("합계 total", "신용정보 bureau", sum(scores.values()) / 1e4),
        ("합계 total", "공표 published", own["total_income_krw_year"] / 1e4),
    ],
    columns=["component", "source", "manwon"],
)
expected = pd.DataFrame({"component": ["합계 total"], "manwon": [own["expected_total_income_krw_year"] / 1e4]})
alt.layer(
    alt.Chart(income)
    .mark_bar()
    .encode(
        y=alt.Y("component:N", title=None, sort=None),
        yOffset=alt.YOffset("source:N", sort=None),
        x=alt.X("manwon:Q", title="만원/년 10,000 KRW a year"),
        color=alt.Color("source:N", title=None, sort=None, scale=alt.Scale(range=["#bdbdbd", "#005a9c"])),
    ),
    alt.Chart(expected).mark_rule(strokeDash=[6, 4], strokeWidth=2, color="#1f2937").encode(x="manwon:Q"),
).properties(width=380, height=260, title=f"한 가구의 소득 · income of the household, {month:%Y-%m}")

# %% [markdown]
# ### Its part in the figure of its dong 행정동 통계에서의 몫
#
# The dong's mean is Σ weight × income / Σ weight; this household brings one term. The picture has the dong's households by
# income, weighted, and the line is this household.

# %%
dong = households.where((F.col("dong_code") == own["dong_code"]) & (F.col("weight") > 0))
incomes = dong.select("weight", "total_income_krw_year").toPandas()
is_dong = (F.col("region_code") == own["dong_code"]) & (F.col("head_sex") == codes.ALL) & (F.col("head_age_band") == codes.ALL)
published = (
    warehouse.read(gold.HOUSEHOLD_STATISTICS, base_month=month)
    .where(is_dong & (F.col("household_type") == codes.ALL))
    .select("households", "mean_total_income_krw_year", "rmse_mean_total_income_krw_year", "reliability")
    .toPandas()
    .iloc[0]
)
together = incomes["weight"].sum()
brought = own["weight"] * own["total_income_krw_year"] / together
is_poorer = incomes["total_income_krw_year"] <= own["total_income_krw_year"]
part = {
    "weight of the household 가중치": own["weight"],
    "households of the dong 행정동 가구": together,
    "Σ weight × income / Σ weight, 만원": (incomes["weight"] * incomes["total_income_krw_year"]).sum() / together / 1e4,
    "published mean 공표 평균, 만원": published["mean_total_income_krw_year"] / 1e4,
    "its error 오차, 만원": published["rmse_mean_total_income_krw_year"] / 1e4,
    "what this household brings of the mean 이 가구의 몫, 만원": brought / 1e4,
    "households that have as much or less 이하인 가구의 비율": incomes.loc[is_poorer, "weight"].sum() / together,
}
pd.Series(part).round(3).to_frame("dong")

# %%
alt.layer(
    alt.Chart(incomes.assign(manwon=incomes["total_income_krw_year"] / 1e4))
    .mark_bar(color="#56b4e9")
    .encode(
        x=alt.X("manwon:Q", bin=alt.Bin(maxbins=40), title="만원/년 10,000 KRW a year"),
        y=alt.Y("sum(weight)", title="가구 households, weighted"),
    ),
    alt.Chart(pd.DataFrame({"manwon": [own["total_income_krw_year"] / 1e4]}))
    .mark_rule(color="#005a9c", strokeWidth=3)
    .encode(x="manwon:Q"),
).properties(width=480, height=240, title=f"행정동 가구의 총소득 · total income in its dong, {month:%Y-%m}")

# %%
spark.stop()
