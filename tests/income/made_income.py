"""A made city and survey as arrays: persons with scores, households with incomes, without Spark."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from living_finance.income.earnings import BANDS, Earners
from living_finance.income.model import CityHouseholds, SurveyHouseholds
from living_finance.income.other_components import Characteristics
from living_finance.income.programmes import People
from living_finance.income.published import Figure, Published
from living_finance.income.training import TrainingData
from living_finance.methods.keyed_random import key_bits, mixed

DISTRICTS = ("11110", "11140", "11200")
DONGS = tuple(f"{district}{number}" for district in DISTRICTS for number in range(51, 55))
PLACE = dict(zip(DONGS, np.linspace(-0.2, 0.2, len(DONGS)).tolist(), strict=True))


def characteristics(random: np.random.Generator, count: int) -> Characteristics:
    dong = np.array(DONGS, dtype=object)[random.integers(0, len(DONGS), count)]
    size = random.integers(1, 5, count)
    return Characteristics(
        head_age_band=10 * random.integers(2, 9, count),
        size=size,
        tenure=random.choice(np.array(["owned", "jeonse", "monthly_rent"], dtype=object), count),
        dwelling_type=random.choice(np.array(["apartment", "multi_family", "detached"], dtype=object), count),
        household_type=np.where(size == 1, "one_person", np.where(size > 2, "two_generation", "one_generation")).astype(object),
        dong_code=dong,
        earnings=np.zeros(count),
        place=np.array([PLACE[code] for code in dong]),
    )


def surveyed(random: np.random.Generator, count: int) -> SurveyHouseholds:
    """Households of the made city with true incomes."""
    households = characteristics(random, count)

    def some(share: np.ndarray, centre: np.ndarray, spread: float) -> np.ndarray:
        return np.where(random.random(count) < share, np.rint(np.exp(centre + spread * random.normal(size=count))), 0.0)

    old, owned = households.head_age_band >= 60, households.tenure == "owned"
    flat = np.zeros(count)
    amounts = {
        "labour": some(flat + 0.75, 17.3 + households.place + 0.2 * np.log(households.size), 0.6),
        "business": some(flat + 0.2, flat + 16.8, 0.9),
        "property": some(0.15 + 0.3 * owned, 15.2 + 0.5 * owned, 1.0),
        "transfer": some(0.3 + 0.5 * old, 14.9 + 0.6 * old, 0.7),
        "irregular": some(flat + 0.12, flat + 15.0, 0.8),
    }
    earnings = amounts["labour"] + amounts["business"]
    keys = np.array([f"S{number:05d}" for number in random.permutation(90_000)[:count]])
    spending = np.rint(np.exp(14.2 + 0.3 * random.normal(size=count)))
    return SurveyHouseholds(replace(households, earnings=earnings), amounts, spending, 1.0 + random.random(count), keys)


def city_of(random: np.random.Generator, count: int) -> CityHouseholds:
    households = characteristics(random, count)
    adults = np.minimum(households.size, 2)
    household = np.repeat(np.arange(count), adults)
    peer = (households.head_age_band[household] // 5 - 3).clip(0, BANDS - 1) + BANDS * random.integers(0, 2, household.size)
    place = households.place[household]
    works = random.random(household.size) < 0.55
    labour = np.where(works, np.rint(np.exp(17.0 + place + 0.4 * random.normal(size=household.size))), 0.0)
    trades = ~works & (random.random(household.size) < 0.25)
    business = np.where(trades, np.rint(np.exp(16.0 + 0.6 * random.normal(size=household.size))), 0.0)
    unseen = np.flatnonzero(random.random(count) < 0.1)
    key = key_bits([f"H{number}" for number in range(count)])
    earners = Earners(
        households=count,
        household=household,
        peer=peer,
        labour=labour,
        business=business,
        key=mixed(key[household], np.arange(household.size)),
        unseen_household=unseen,
        unseen_class=random.integers(0, 6, unseen.size),
        unseen_key=mixed(key[unseen], 0),
        place=households.place,
    )
    dongs, dong = np.unique(households.dong_code.astype(str), return_inverse=True)
    children = households.size - adults
    return CityHouseholds(
        households=households,
        earners=earners,
        people=People(
            households.size, adults, children, adults * (households.head_age_band >= 70), households.head_age_band, key
        ),
        spending=np.rint(np.exp(14.0 + 0.3 * random.normal(size=count))),
        weight=0.8 + 0.4 * random.random(count),
        key=key,
        dongs=dongs.tolist(),
        dong=dong.astype(np.int64),
    )


def published(survey: SurveyHouseholds) -> dict[Figure, Published]:
    total = np.sum(list(survey.amounts.values()), axis=0)
    means = {"total": float(total.mean()), "property": float(survey.amounts["property"].mean())}
    return {(f"mean_{name}_income", "all", "all"): Published("s", 2020, value, 0.01) for name, value in means.items()}


def training_data(seed: int = 1, *, households: int = 3000, answers: int = 600) -> TrainingData:
    random = np.random.default_rng(seed)
    survey = surveyed(random, answers)
    return TrainingData(survey, city_of(random, households), published(survey))
