"""A stored model asked about households in a table, without Spark: what the MLflow model answers."""

from __future__ import annotations

import numpy as np
import pandas as pd

from living_finance.income.earnings import BANDS, FIRST_BAND, Earners, classes_of_peers
from living_finance.income.model import CityHouseholds, IncomeModel
from living_finance.income.other_components import Characteristics
from living_finance.income.programmes import People
from living_finance.income.value_benchmark import COMPONENTS
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import key_bits, mixed

_SCORES = ("labour_income_krw_year", "business_income_krw_year")


def expected_income(model: IncomeModel, households: pd.DataFrame) -> pd.DataFrame:
    """Mean over the model's draws of each component and the total, KRW/year, before benchmarking.

    Args:
        model: stored or just fitted.
        households: as `made_up_households` shows: one row per household.

    Returns:
        One row per household in the same order: household_id, one column per component, total.
    """
    city = _as_city(households.reset_index(drop=True))
    amounts = np.mean([draw.amounts(city) for draw in model.draws], axis=0)
    found = {f"{name}_income_krw_year": values for name, values in zip(COMPONENTS, amounts, strict=True)}
    keys = households["household_id"].astype(str).to_numpy()
    return pd.DataFrame({"household_id": keys, **found, "total_income_krw_year": amounts.sum(axis=0)})


def made_up_households() -> pd.DataFrame:
    """Two households that nobody is: the input's form."""

    def person(sex: str, age_band: int, labour: float, business: float) -> dict[str, object]:
        return {"sex": sex, "age_band": age_band, _SCORES[0]: labour, _SCORES[1]: business}

    rows = [
        {
            "household_id": "made-up-1",
            "dong_code": "0000000",
            "head_age_band": 40,
            "household_size": 4,
            "adults": 3,
            "children": 1,
            "elderly": 1,
            "tenure": "jeonse",
            "dwelling_type": "apartment",
            "household_type": "two_generation",
            "place": 0.1,
            "bureau_members": [person("M", 40, 5.0e7, 0.0), person("F", 40, 2.0e7, 0.0)],
            "unseen_adults": [{"sex": "F", "age_band": 65}],
        },
        {
            "household_id": "made-up-2",
            "dong_code": "0000000",
            "head_age_band": 60,
            "household_size": 2,
            "adults": 2,
            "children": 0,
            "elderly": 0,
            "tenure": "owned",
            "dwelling_type": "multi_family",
            "household_type": "one_person",
            "place": -0.1,
            "bureau_members": [person("F", 60, 0.0, 1.0e7)],
            "unseen_adults": [{"sex": "F", "age_band": 15}],
        },
    ]
    return pd.DataFrame(rows)


def _peer(sex: str, age_band: float) -> int:
    band = (int(np.clip(age_band, FIRST_BAND, FIRST_BAND + 5 * (BANDS - 1))) - FIRST_BAND) // 5
    return band + (0 if sex == "M" else BANDS)


def _as_city(rows: pd.DataFrame) -> CityHouseholds:
    members, unseen = (
        [(at, position, person) for at, persons in enumerate(rows[name]) for position, person in enumerate(persons)]
        for name in ("bureau_members", "unseen_adults")
    )
    key = key_bits(rows["household_id"].astype(str).to_numpy())
    class_of = classes_of_peers()
    place = rows["place"].to_numpy(dtype=np.float64)

    def numbers(values: list[int]) -> Integers:
        return np.array(values, dtype=np.int64)

    def scores(name: str) -> Floats:
        return np.array([float(person[name]) for _, _, person in members], dtype=np.float64)

    household, unseen_household = (numbers([at for at, _, _ in those]) for those in (members, unseen))
    earners = Earners(
        households=len(rows),
        household=household,
        peer=numbers([_peer(person["sex"], person["age_band"]) for _, _, person in members]),
        labour=scores(_SCORES[0]),
        business=scores(_SCORES[1]),
        key=mixed(key[household], numbers([position for _, position, _ in members])),
        unseen_household=unseen_household,
        unseen_class=class_of[numbers([_peer(person["sex"], person["age_band"]) for _, _, person in unseen])],
        unseen_key=mixed(key[unseen_household], numbers([position for _, position, _ in unseen])),
        place=place,
    )
    households = Characteristics(
        head_age_band=rows["head_age_band"].to_numpy(dtype=np.int64),
        size=rows["household_size"].to_numpy(dtype=np.int64),
        earnings=np.zeros(len(rows)),
        place=place,
        **{name: rows[name].to_numpy(dtype=object) for name in ("tenure", "dwelling_type", "household_type", "dong_code")},
    )
    dongs, dong = np.unique(rows["dong_code"].astype(str), return_inverse=True)
    size, adults, children, elderly = (
        rows[name].to_numpy(dtype=np.int64) for name in ("household_size", "adults", "children", "elderly")
    )
    return CityHouseholds(
        households=households,
        earners=earners,
        spending=np.full(len(rows), np.nan),
        people=People(size, adults, children, elderly, rows["head_age_band"].to_numpy(dtype=np.int64), key),
        weight=np.ones(len(rows)),
        key=key,
        dongs=dongs.tolist(),
        dong=dong.astype(np.int64),
    )
