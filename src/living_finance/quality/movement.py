"""Whether births, deaths and moves of a month are of a size that happens."""

from __future__ import annotations

import numpy as np
import pandas as pd

from living_finance.config import QualitySettings
from living_finance.contracts import codes
from living_finance.contracts import quality as q
from living_finance.quality.evidence import Evidence

_MONTHS_A_YEAR = 12.0
_YEARLY = ("births",)
"""Observed over twelve months; the other events over the months since the month before."""
_CHANCE = 4.0
"""Standard deviations of a Poisson count that chance is given on both sides: one in 16,000 would be outside."""


def population_movement(evidence: Evidence, settings: QualitySettings) -> pd.DataFrame:
    """Events by dong, district and city beside what the city's rate leads to expect.

    A region's count is plausible within `movement_factor` times the city's rate and its inverse, each widened by four
    standard deviations of a Poisson count; the city's own rate, within `movement_rates`. Moves and changes need a month
    before. No person can be followed in the register, so births are its people of age 0 and deaths those of the bureau.

    Returns:
        Columns of gold.population_movement but `base_month`; previous_month as DATE or None.
    """
    found = pd.concat([_observed(evidence), *_register_change(evidence)], ignore_index=True)
    exposure = _exposures(evidence).loc[lambda rows: rows["event"].isin(found["event"])]
    dongs = exposure.merge(found, on=["dong_code", "event"], how="left", validate="one_to_one").fillna({"observed": 0.0})
    parts = []
    for level, code in (("dong", dongs["dong_code"]), ("gu", dongs["dong_code"].str[:5]), ("city", codes.CITY_CODE)):
        keyed = dongs.assign(region_level=level, region_code=code)
        keys = ["region_level", "region_code", "event"]
        parts.append(keyed.groupby(keys, as_index=False)[["observed", "exposure"]].sum())
    rows = pd.concat(parts, ignore_index=True)
    previous = evidence.before.month if evidence.before else None
    elapsed = evidence.now.month.index - previous.index if previous else 1
    years = rows["event"].map(lambda event: 1.0 if event in _YEARLY else elapsed / _MONTHS_A_YEAR)
    exposed = rows["exposure"].where(rows["exposure"] > 0)
    rows["rate_per_1000_year"] = 1000 * rows["observed"] / exposed / years
    is_city = rows["region_level"] == "city"
    city = rows[is_city].set_index("event")
    share = rows["event"].map(city["observed"] / city["exposure"].where(city["exposure"] > 0))
    least, most = (rows["event"].map(lambda event: settings.movement_rates[event][side]) for side in (0, 1))  # noqa: B023
    per_year = rows["exposure"] * years / 1000
    expected = (share * rows["exposure"]).where(~is_city, per_year * (least + most) / 2)
    lower = (expected / settings.movement_factor).where(~is_city, per_year * least)
    upper = (expected * settings.movement_factor).where(~is_city, per_year * most)
    rows["expected"] = expected
    rows["lower"] = np.maximum(0.0, lower - _CHANCE * np.sqrt(lower))
    rows["upper"] = upper + _CHANCE * np.sqrt(upper + 1.0)
    is_known = rows["exposure"] > 0
    rows["is_plausible"] = ~is_known | ((rows["observed"] >= rows["lower"]) & (rows["observed"] <= rows["upper"]))
    rows.loc[~is_known, ["expected", "lower", "upper"]] = np.nan
    rows["observed"] = rows["observed"].round().astype("int64")
    rows["previous_month"] = previous.date if previous else None
    return rows[[name for name in q.POPULATION_MOVEMENT.column_names if name != "base_month"]]


def _observed(evidence: Evidence) -> pd.DataFrame:
    """dong_code, event, observed; an event that is nowhere is there with 0."""
    parts = [evidence.infants.assign(event="births"), evidence.deaths.assign(event="deaths")]
    events = ["births", "deaths"]
    if evidence.before is not None:
        parts.append(evidence.moves)
        events += ["moved_in", "moved_out", "household_new", "household_ended"]
    parts.append(pd.DataFrame({"dong_code": evidence.regions["dong_code"].iloc[0], "event": events, "observed": 0}))
    every = pd.concat([part[["dong_code", "event", "observed"]] for part in parts], ignore_index=True)
    counted = every.groupby(["dong_code", "event"])["observed"].sum().reset_index()
    return counted.loc[counted["dong_code"].isin(evidence.regions["dong_code"])]


def _register_change(evidence: Evidence) -> list[pd.DataFrame]:
    if evidence.before is None:
        return []
    now, before = (facts.coverage.groupby("dong_code")["register_persons"].sum() for facts in (evidence.now, evidence.before))
    change = now.sub(before, fill_value=0.0)
    return [
        pd.DataFrame({"dong_code": change.index, "event": event, "observed": side.to_numpy()})
        for event, side in (("register_gain", change.clip(lower=0)), ("register_loss", (-change).clip(lower=0)))
    ]


def _exposures(evidence: Evidence) -> pd.DataFrame:
    cells = evidence.now.coverage
    women = cells[(cells["sex"] == "F") & cells["age_band"].between(20, 40)].groupby("dong_code")["register_persons"].sum()
    old = cells[cells["age_band"] >= 60].groupby("dong_code")["bureau_persons"].sum()
    people = cells.groupby("dong_code")["register_persons"].sum()
    households = evidence.areas.set_index("dong_code")["formed_households"]
    of_event = {"births": women, "deaths": old, "register_gain": people, "register_loss": people}
    valid = evidence.regions["dong_code"]
    return pd.concat(
        [
            pd.DataFrame({"dong_code": valid, "event": event, "exposure": valid.map(of_event.get(event, households)).fillna(0.0)})
            for event in q.EVENT.codes
        ],
        ignore_index=True,
    )
