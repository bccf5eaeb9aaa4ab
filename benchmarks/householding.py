"""Householding beside its baselines and an oracle, on a made month whose truth is known.

python benchmarks/householding.py --warehouse DIR --truth DIR --month 202001

Baselines: everybody at one address and unit is one household (the New York Fed's Consumer Credit Panel); first fit of bureau
persons to register households; the same with people taken out of units whose register does not know their sex and age; the same
with the register households of one unit joined; and with those people of a unit joined too, who are alone otherwise. How much of
the way to the oracle the month goes is measured, by measure and dwelling type, from whichever first fit is nearest to it.

The oracle is our model and our assignment with parameters counted on the true matches, which no pipeline has. It does not know
the probabilities by which the city was made, so that it is no upper bound: a better model could beat it, and its distance says
only what is lost by estimating the parameters.

Households also stand beside the truth by size, type, head's sex and age, dwelling type, tenure, and by size × type × dwelling
type, which no margin fixes, before and after weighting: total variation of the city, and its mean over dongs, as
`living-finance evaluate` has it. Two floors after weighting: the oracle's households from the truth, and the month's from draws
of its own posterior, weighted in the same way (what the assignment leaves open even if the model is right; who of the formed
households exists at all comes on top).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.config import SparkSettings
from living_finance.contracts import gold, silver
from living_finance.evaluation.agreement import agreement, household_shares
from living_finance.evaluation.distances import distances
from living_finance.households import householding
from living_finance.households.assignment import Assignment, assign
from living_finance.households.evidence import gather_evidence
from living_finance.households.layout import Flags, Layout, lay_out, ranks
from living_finance.households.matching import as_block, as_numbers, fit_model
from living_finance.households.model import AssignmentModel, fit
from living_finance.households.tenure import fit_tenure
from living_finance.methods.grouped import Integers
from living_finance.months import Month
from living_finance.session import build_session
from living_finance.storage.warehouse import Warehouse

SEED = 20180901
NEW_ZEALAND = {"right_size_share": 0.55, "exact_member_share": 0.48}
"""Statistics New Zealand's households from administrative data beside its census: quoted in the specification, of another country
and other sources; for the order of magnitude."""
DISTANCES = {
    "dong, before": "dong_unweighted",
    "dong, after": "dong_weighted",
    "city, before": "city_unweighted",
    "city, after": "city_weighted",
}
DRAWS = 4
"""Of the whole assignment, for the floor."""
FIRST_FITS = {
    "first fit": {"old_addresses_out": False},
    "first fit, old addresses out": {"old_addresses_out": True},
    "first fit, old out, units joined": {"old_addresses_out": True, "units_joined": True},
    "first fit, old out, units and strangers joined": {"old_addresses_out": True, "units_joined": True, "strangers_joined": True},
}
OURS, ORACLE = "the month (gold.household_member)", "oracle"
LEAST_WAY = 0.005
"""Between first fit and oracle; of less, shares would be of nothing."""


def main() -> None:
    """Parse, score, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--warehouse", type=Path, required=True)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--month", default="202001")
    parser.add_argument("--json", type=Path)
    parser.add_argument(
        "--pool", type=Path, nargs="+", default=[], help="--json of other cities: probabilities over all of them too"
    )
    options = parser.parse_args()
    month = Month.parse(options.month)
    spark = build_session(SparkSettings(driver_memory="3g"))
    spark.sparkContext.setLogLevel("OFF")
    warehouse = Warehouse(spark, str(options.warehouse))
    sources = {
        "persons": warehouse.read(silver.PLACED_PERSON, base_month=month.date),
        "register": warehouse.read(silver.REGISTER_PERSON, base_month=month.date),
        "buildings": warehouse.read(silver.BUILDING, base_month=month.date),
    }
    margins = warehouse.read(silver.CENSUS_MARGIN, base_month=month.date)
    evidence = gather_evidence(**sources)
    dwellings = warehouse.read(silver.BUILDING, base_month=month.date).select("address_id", "dwelling_type")
    about = ("person_key", "age", "sex", "dwelling_type")
    people = evidence.join(dwellings, on="address_id", how="left").select(
        "person_key", "age", F.when(F.col("is_man"), "M").otherwise("F").alias("sex"), "dwelling_type", *as_numbers()
    )
    table = people.toArrow()
    members = warehouse.read(gold.HOUSEHOLD_MEMBER, base_month=month.date).toPandas()
    registered = warehouse.read(silver.HOUSEHOLD_REGISTER, base_month=month.date).toPandas()
    households = warehouse.read(silver.HOUSEHOLD, base_month=month.date)
    made = households.select("household_id", "address_id", "household_size").toPandas()
    homes = made[["household_id", "address_id"]]

    layout = lay_out(as_block(table))
    rows = table.select(about).to_pandas().iloc[layout.block.position].reset_index(drop=True)
    truth = read_truth(options.truth, month)
    bureau = layout.block.is_bureau
    best = oracle_model(layout, rows, truth)
    optimal = assign(layout, best, seed=SEED)
    fits = {name: first_fit(layout, **rules) for name, rules in FIRST_FITS.items()}
    month_id = rows["person_key"].map(members.set_index("person_id")["household_id"])
    found = {
        "same address and unit": (layout.unit, sizes(layout, layout.unit, layout.partner >= 0)),
        **{name: (fitted[0], sizes(layout, *fitted)) for name, fitted in fits.items()},
        OURS: (
            np.asarray(pd.factorize(month_id)[0], np.int64),
            month_id.map(made.set_index("household_id")["household_size"]).fillna(0).to_numpy(np.int64),
        ),
        ORACLE: (labels(layout, optimal), sizes(layout, labels(layout, optimal), optimal.is_matched)),
    }
    columns = ["true_id", "true_dwelling", "true_size", "found_dwelling", "found_id", "found_size"]
    scores: dict[str, dict[str, dict[str, float]]] = {}
    shares: dict[str, dict[str, float]] = {}
    for name, (label, size) in found.items():
        persons = pd.DataFrame({"person_id": rows["person_key"], "found_dwelling": rows["dwelling_type"]})
        persons = persons.assign(found_id=label, found_size=size)[bureau].merge(truth, on="person_id")
        persons = persons[persons["is_group_quarters"].eq(False)]  # people whom the truth does not know have none
        of_truth = {"household_id": "true_id", "dwelling_type": "true_dwelling", "household_size": "true_size"}
        compared = spark.createDataFrame(persons.rename(columns=of_truth)[columns]).cache()
        scores[name], shares[name] = agreement(compared), household_shares(compared)
        compared.unpersist()
    true_households = spark.read.parquet(f"{options.truth}/households/{month}*.parquet")
    is_private = ~F.col("is_group_quarters")
    private, true_private = households.where(is_private), true_households.where(is_private)
    apart = distances(found=private, true=true_private)
    ours = fit_model(evidence, rows=table.num_rows)
    tenure = fit_tenure(warehouse.read(silver.SURVEY_HOUSEHOLD, base_month=month.date))

    def made_with(model: AssignmentModel, draw: int | None = None) -> DataFrame:
        """Private households by a model, weighted as the month's first run has them."""
        made = householding(
            **sources,
            margins=margins,
            tenure=tenure,
            census_register_counts=None,
            month=month,
            rows=table.num_rows,
            seed=SEED,
            is_provisional=False,
            draw=draw,
            model=model,
        )
        for frame in made.shared:
            frame.persist()
        return made.household.where(is_private)

    of_oracle = distances(found=made_with(best), true=true_private)
    drawn = [distances(found=private, true=made_with(ours, draw)) for draw in range(DRAWS)]
    spark.stop()
    for measure in ("pairwise_f1", "b_cubed_f1"):
        print(f"{measure} of bureau persons, by dwelling type")
        by_dwelling = pd.DataFrame({name: {kind: s[measure] for kind, s in of.items()} for name, of in scores.items()})
        print(by_dwelling.T.round(4).to_string())
    print("way from the nearest first fit to the oracle that the month has gone (aim: half)")
    print(way_gone(scores).to_string())
    print("true households found with their size, and with exactly their bureau members")
    print(pd.DataFrame(shares | {"Statistics New Zealand (quoted)": NEW_ZEALAND}).T.round(4).to_string())
    print("total variation of households from the truth, before and after weighting")
    by_weighting = {name: {title: row[column] for title, column in DISTANCES.items()} for name, row in apart.items()}
    print(pd.DataFrame(by_weighting).T.round(4).to_string())
    after = {
        "the oracle from the truth": {of: row["dong_weighted"] for of, row in of_oracle.items()},
        "the month from draws": {of: float(np.mean([one[of]["dong_weighted"] for one in drawn])) for of in apart},
    }
    print("floors by dong, after weighting")
    print(pd.DataFrame(after).T.round(4).to_string())
    reliability = right_by_probability(members, registered=registered, homes=homes, truth=truth)
    print("assignments that are right, by stated probability")
    print(reliability.round(4).to_string())
    if options.pool:
        others = [json.loads(file.read_text(encoding="utf-8"))["reliability"] for file in options.pool]
        print(f"the same over {len(others) + 1} cities")
        print(pooled([reliability, *(pd.DataFrame.from_dict(other, orient="index") for other in others)]).round(4).to_string())
    if options.json:
        result = {
            "agreement": scores,
            "households": shares,
            "distances": apart,
            "floors": after,
            "reliability": reliability.to_dict("index"),
        }
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def read_truth(folder: Path, month: Month) -> pd.DataFrame:
    """One row per person: the bureau's key (if it knows the person), true household, its dwelling type, register household."""
    persons = pd.concat(pd.read_parquet(file) for file in sorted((folder / "persons").glob(f"{month}*.parquet")))
    households = pd.concat(pd.read_parquet(file) for file in sorted((folder / "households").glob(f"{month}*.parquet")))
    about = households[["household_id", "dwelling_type", "household_size", "is_group_quarters"]]
    columns = ["person_id", "household_id", "register_household_id", "sex", "age"]
    return persons[columns].merge(about, on="household_id", how="left")


def first_fit(
    layout: Layout, *, old_addresses_out: bool, units_joined: bool = False, strangers_joined: bool = False
) -> tuple[Integers, Flags]:
    """The k-th bureau person of a cell is the k-th register person: first of the unit, then of the address.

    Args:
        layout: whole addresses.
        old_addresses_out: whoever the register of the unit does not know is not looked for elsewhere at the address.
        units_joined: register households of one unit are one household.
        strangers_joined: people of one unit who have no partner are one household, not alone.

    Returns:
        By row: the household, and whether the row has a partner in the other source.
    """
    block = layout.block
    registered = layout.dwelling if units_joined else layout.household
    household = np.where(layout.is_register, registered, -1)
    partner = layout.partner.copy()
    left = np.flatnonzero((partner < 0) & (block.sex_age >= 0))
    open_to = left[~block.is_bureau[left] | (block.unit[left] == 0) | (not old_addresses_out)]
    key = layout.address[open_to] * 1000 + block.sex_age[open_to]
    rank = ranks(key * 2 + block.is_bureau[open_to])
    side = pd.DataFrame({"row": open_to, "key": key, "rank": rank, "is_bureau": block.is_bureau[open_to]})
    pairs = side[side["is_bureau"]].merge(side[~side["is_bureau"]], on=["key", "rank"])
    partner[pairs["row_x"]], partner[pairs["row_y"]] = pairs["row_y"], pairs["row_x"]
    matched = block.is_bureau & (partner >= 0)
    household[matched] = registered[partner[matched]]
    alone = household < 0
    first_there = np.arange(block.rows)
    if strangers_joined:
        first_of_unit = np.unique(layout.unit, return_index=True)[1][layout.unit]
        first_there = np.where(block.unit != 0, first_of_unit, first_there)
    household[alone] = layout.households + first_there[alone]
    return household, partner >= 0


def sizes(layout: Layout, household: Integers, is_matched: Flags) -> Integers:
    """People of each row's household: everybody once, whichever sources know them."""
    counts = layout.block.is_bureau | ~is_matched
    return np.bincount(household[counts], minlength=int(household.max()) + 1)[household]


def way_gone(scores: dict[str, dict[str, dict[str, float]]]) -> pd.DataFrame:
    """By measure and dwelling type: the nearest first fit, the month and the oracle; the share of the distance that is gone."""
    rows = {}
    for measure in ("pairwise_f1", "b_cubed_f1"):
        for kind in scores[ORACLE]:
            nearest = max(FIRST_FITS, key=lambda name, kind=kind, measure=measure: scores[name][kind][measure])
            first, ours, oracle = (scores[name][kind][measure] for name in (nearest, OURS, ORACLE))
            way = oracle - first
            gone = f"{(ours - first) / way:.3f}" if way >= LEAST_WAY else f"first fit is within {LEAST_WAY} of the oracle"
            rows[measure, kind] = {"first fit": first, "the month": ours, "oracle": oracle, "gone": gone, "nearest": nearest}
    return pd.DataFrame.from_dict(rows, orient="index").round(4)


def right_by_probability(
    members: pd.DataFrame, *, registered: pd.DataFrame, homes: pd.DataFrame, truth: pd.DataFrame
) -> pd.DataFrame:
    """Share of right assignments by tenth of the stated probability, and over all.

    With register people: right if the person lives with the people of a register household that is in the household. With none:
    right if the person lives with no register household of the address.
    """
    lives = (
        truth.dropna(subset=["register_household_id"])
        .groupby("register_household_id")["household_id"]
        .agg(lambda households: households.value_counts().index[0])
    )
    places = registered.merge(homes, on="household_id")
    places["true_id"] = places["register_household_id"].str.split("|").str[0].map(lives)
    people = members.merge(homes, on="household_id").merge(
        truth.loc[truth["person_id"].notna(), ["person_id", "household_id"]].rename(columns={"household_id": "true_id"}),
        on="person_id",
    )
    people = people[people["true_id"].notna()]
    together = set(zip(places["household_id"], places["true_id"], strict=True))
    nearby = set(zip(places["address_id"], places["true_id"], strict=True))
    with_register = people["household_id"].isin(set(places["household_id"]))
    is_together = pd.Series(list(zip(people["household_id"], people["true_id"], strict=True)), people.index).isin(together)
    is_nearby = pd.Series(list(zip(people["address_id"], people["true_id"], strict=True)), people.index).isin(nearby)
    people["is_right"] = np.where(with_register, is_together, ~is_nearby)
    people["tenth"] = pd.cut(people["assignment_probability"], np.linspace(0, 1, 11), include_lowest=True).astype(str)
    people["all"] = "all"
    return pd.concat([_right_and_stated(people, key) for key in ("tenth", "assignment_evidence", "all")])


def _right_and_stated(people: pd.DataFrame, key: str) -> pd.DataFrame:
    """By group: persons, mean stated probability, share that is right, their gap and its standard error.

    People of one address are right or wrong together: the error is that of the sums by address.
    """
    summary = {"persons": ("is_right", "size"), "stated": ("assignment_probability", "mean"), "right": ("is_right", "mean")}
    groups = people.groupby(key).agg(**summary)
    groups["gap"] = groups["right"] - groups["stated"]
    left = people["is_right"] - people["assignment_probability"] - people[key].map(groups["gap"])
    by_address = left.groupby([people[key], people["address_id"]]).sum()
    groups["gap_error"] = np.sqrt((by_address**2).groupby(level=0).sum()) / groups["persons"]
    return groups


def pooled(cities: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The same over independent cities, each of which counts by its persons."""
    weighted = [city.assign(**city.drop(columns="persons").mul(city["persons"], axis=0)) for city in cities]
    sums = pd.concat(weighted).groupby(level=0, sort=False).sum()
    error = pd.concat([city[["gap_error"]] ** 2 for city in weighted]).groupby(level=0, sort=False).sum() ** 0.5
    sums["gap_error"] = error["gap_error"]
    return sums.assign(**sums.drop(columns="persons").div(sums["persons"], axis=0))


def labels(layout: Layout, result: Assignment) -> Integers:
    """Found household by row."""
    return np.where(result.dwelling >= 0, result.dwelling, layout.dwellings + result.extras)


def oracle_model(layout: Layout, rows: pd.DataFrame, truth: pd.DataFrame) -> AssignmentModel:
    """Parameters from the true partners: the register row of the person's household, sex and age."""
    register = pd.DataFrame({"row": np.flatnonzero(layout.is_register)})
    register[["register_household_id", "sex", "age"]] = rows.loc[register["row"], ["person_key", "sex", "age"]].to_numpy()
    register["twin"] = register.groupby(["register_household_id", "sex", "age"]).cumcount()
    people = pd.DataFrame({"row": np.flatnonzero(layout.block.is_bureau)})
    people["person_id"] = rows.loc[people["row"], "person_key"].to_numpy()
    people = people.merge(truth.dropna(subset=["person_id"]), on="person_id")
    people["twin"] = people.groupby(["register_household_id", "sex", "age"]).cumcount()
    pairs = people.merge(register, on=["register_household_id", "sex", "age", "twin"], suffixes=("", "_register"))
    pairs = pairs[layout.address[pairs["row"]] == layout.address[pairs["row_register"]]]
    partner = np.full(layout.block.rows, -1, np.int64)
    partner[pairs["row"]], partner[pairs["row_register"]] = pairs["row_register"], pairs["row"]
    return fit(replace(layout, partner=partner), certain=np.ones(layout.block.rows, bool))


if __name__ == "__main__":
    main()
