"""Indicators, scores, cross-validation, movement, change and checks on a city written down by hand."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pandas as pd
import pytest
from evidence_rows import DONGS, coverage_rows, delivery, edit_rows, evidence, statistics_rows, two_months

from living_finance.config import QualityGrades, QualitySettings, QualityWeights
from living_finance.contracts import quality as q
from living_finance.contracts.deliveries import DATASETS, DELIVERED_TABLES
from living_finance.contracts.edits import EDIT_RULES
from living_finance.errors import ConfigurationError, MissingInput, QualityInsufficient
from living_finance.quality.change import quality_change
from living_finance.quality.cross_validation import cross_validation
from living_finance.quality.dimensions import indicators, scores
from living_finance.quality.evidence import Evidence
from living_finance.quality.movement import population_movement
from living_finance.quality.prechecks import quality_checks
from living_finance.steps.quality import check_names, refuse_failed
from living_finance.storage.ledger import Ledger, StepRecord

SETTINGS = QualitySettings()
SOURCES = Path(__file__).resolve().parents[2] / "src" / "living_finance"


def value_of(rows: pd.DataFrame, column: str, **key: str) -> float:
    for name, wanted in key.items():
        rows = rows[rows[name] == wanted]
    assert len(rows) == 1, key
    return float(rows[column].iloc[0])


def checks_of(found: Evidence, settings: QualitySettings = SETTINGS) -> dict[str, object]:
    measured = indicators(found, settings)
    rows = quality_checks(
        found,
        scores=scores(measured, settings),
        changes=quality_change(found, settings),
        movement=population_movement(found, settings),
        settings=settings,
    )
    assert set(rows["check_name"]) == set(q.CHECK.codes)
    return dict(zip(rows["check_name"], rows["passed"], strict=True))


def with_now(found: Evidence, **now: object) -> Evidence:
    return dataclasses.replace(found, now=dataclasses.replace(found.now, **now))  # type: ignore[arg-type]


def test_every_rule_that_the_code_names_is_declared() -> None:
    named = set()
    for file in (*(SOURCES / "cleansing").glob("*.py"), *(SOURCES / "places").glob("*.py"), SOURCES / "contracts/validation.py"):
        text = file.read_text(encoding="utf-8")
        named |= set(re.findall(r'"[a-z_{}.]+:([a-z_]+)"', text))
        rule_of_column = r'^ +when\(.*"([a-z_]+)"\)$'
        named |= set(re.findall(rule_of_column, text, re.MULTILINE)) if file.name == "validation.py" else set()
    assert {"imputed", "repeated", "unknown_code", "below_range"} <= named
    assert named - set(EDIT_RULES) - {"own"} == set()
    statuses = (SOURCES / "cleansing/register.py").read_text(encoding="utf-8")
    assert all(name in EDIT_RULES for name in re.findall(r'"(unknown_residence|overseas)"', statuses))


def test_indicators_count_reasons_against_their_dimension() -> None:
    reasons = [
        ("labour_income_krw_year:imputed", 50, 0, 0),
        ("labour_income_krw_year:unit_slip", 10, 0, 0),
        ("sex:unknown_code", 0, 5, 0),
        ("row:repeated", 0, 0, 20),
        ("deceased:true", 0, 0, 100),
    ]
    rows = indicators(with_now(evidence(), edits=edit_rows(reasons)), SETTINGS)
    of_table = rows[(rows["object_type"] == "table") & (rows["object_name"] == "delivery.bureau_persons")]
    assert value_of(of_table, "value", dimension="completeness") == pytest.approx(1 - 50 / 5000)
    assert value_of(of_table, "value", dimension="validity") == pytest.approx(1 - 15 / 1000)
    assert value_of(of_table, "value", dimension="uniqueness") == pytest.approx(1 - 20 / 1000)
    assert not rows.duplicated(["object_type", "object_name", "dimension", "indicator"]).any()
    ratios = rows.dropna(subset=["denominator"])
    assert (ratios["numerator"] / ratios["denominator"]).to_numpy() == pytest.approx(ratios["value"].to_numpy())


@pytest.mark.parametrize(("as_of", "score"), [("2020-04-14", 100.0), ("2020-05-29", 50.0), ("2021-01-01", 0.0)])
def test_timeliness_falls_from_due_to_lost(as_of: str, score: float) -> None:
    found = evidence()
    late = {"bureau": delivery("bureau", found.now.month, {"persons": 1000}, as_of=as_of)}
    rows = indicators(with_now(found, deliveries=late), SETTINGS)
    assert value_of(rows, "score", object_type="delivery", indicator="days_to_supply") == pytest.approx(score)


def test_coverage_and_accuracy_are_measured_against_their_reference() -> None:
    rows = indicators(evidence(), SETTINGS)
    assert value_of(rows, "value", object_type="delivery", indicator="adults_to_census") == pytest.approx(0.8)
    assert value_of(rows, "score", object_type="month", indicator="published_mean_total_income") == 100
    gap = 50e6 / 45e6 - 1
    wanted = 100 * (1 - gap / SETTINGS.accuracy_tolerance)
    assert value_of(rows, "score", object_type="month", indicator="survey_mean_total_income") == pytest.approx(wanted)


def _with_every_delivery(found: Evidence) -> Evidence:
    datasets = {d.name: delivery(d.name, found.now.month, {t.name: 1000 for t in d.tables}) for d in DATASETS}
    return with_now(found, deliveries=datasets)


def test_every_delivery_says_how_accurate_it_is_or_why_that_cannot_be_measured() -> None:
    rows = indicators(_with_every_delivery(evidence()), SETTINGS)
    accuracy = rows[rows["dimension"] == "accuracy"]
    of = {name: accuracy[accuracy["object_name"] == name] for name in (d.name for d in DATASETS)}
    assert value_of(of["survey"], "value", indicator="published_mean_total_income") == pytest.approx(45 / 50)
    assert value_of(of["survey"], "score", indicator="published_mean_total_income") == pytest.approx(100 * (1 - 0.1 / 0.25))
    assert value_of(of["city"], "score", indicator="residents_by_sex_and_age") == pytest.approx(100)
    assert value_of(of["bureau"], "score", indicator="adults_by_sex_and_age") == pytest.approx(100)
    for name in ("census", "benchmarks", "regions"):
        (row,) = of[name].to_dict("records")
        assert row["indicator"] == "not_measurable" and pd.isna(row["score"]) and row["method_ko"] and ": " in row["method_en"]
    scored = scores(rows, SETTINGS).set_index("object_name")
    assert {name for name in of if pd.isna(scored.loc[name, "accuracy_score"])} == {"census", "benchmarks", "regions"}
    tables = {name: set(found["dimension"]) for name, found in rows[rows["object_type"] == "table"].groupby("object_name")}
    assert all("accuracy" in tables[f"delivery.{t.bronze_name}"] for t in DELIVERED_TABLES)
    assert tables["delivery.bureau_persons"] == set(q.DIMENSION.codes) - {"consistency"}


def test_people_who_are_not_where_the_census_has_them_cost_points_of_accuracy() -> None:
    sound = _with_every_delivery(evidence())
    cells = sound.now.coverage
    older = cells.assign(
        **{name: cells[name].where(cells["age_band"] != 30, 0.0) for name in ("bureau_persons", "register_persons")}
    )
    rows = indicators(with_now(sound, coverage=older), SETTINGS)
    delivered = rows[rows["object_type"] == "delivery"]
    assert value_of(delivered, "value", indicator="adults_by_sex_and_age") == pytest.approx(50 / 150)
    assert value_of(delivered, "value", indicator="residents_by_sex_and_age") == pytest.approx(60 / 160)
    persons = sound.persons.assign(persons=[600, 600, 0, 0])
    moved = indicators(dataclasses.replace(sound, persons=persons), SETTINGS)
    before, after = (
        value_of(of, "value", object_name="gold.person_statistics", dimension="accuracy")
        for of in (indicators(sound, SETTINGS), moved)
    )
    assert (before, after) == (pytest.approx(1), pytest.approx(1 / 3))


def test_a_published_figure_of_another_concept_is_shown_and_not_scored() -> None:
    """Published debt holds the deposits that landlords owe."""
    rows = indicators(evidence(), SETTINGS)
    debt = rows[rows["indicator"] == "published_mean_debt"]
    assert set(debt["object_name"]) == {"bureau", "delivery.bureau_persons", "gold.household", "202002"}
    assert debt["score"].isna().all() and debt["method_en"].str.contains("definitions differ").all()
    assert value_of(debt, "value", object_name="bureau") == pytest.approx(600 * 2e7 / 300 / 50e6)
    cross = cross_validation(evidence())
    ours = cross[(cross["measure"] == "mean_debt_krw") & (cross["source"] == "statistics")]
    assert len(ours) and not ours["is_same_definition"].any()
    income = cross[(cross["measure"] == "mean_total_income_krw_year") & (cross["source"] == "statistics")]
    assert income["is_same_definition"].all()


def test_published_tables_are_measured_in_every_dimension_that_applies() -> None:
    rows = indicators(evidence(), SETTINGS)
    found = {name: set(of["dimension"]) for name, of in rows[rows["object_type"] == "table"].groupby("object_name")}
    everything = set(q.DIMENSION.codes)
    published = ("gold.household_statistics", "gold.household_breakdown", "gold.person_statistics")
    assert {name: found[name] for name in published} == dict.fromkeys(published, everything)
    breakdown = rows[rows["object_name"] == "gold.household_breakdown"]
    assert value_of(breakdown, "value", indicator="rows_final") == pytest.approx(0.75)
    assert value_of(breakdown, "value", indicator="households_to_census") == pytest.approx(1.0)
    persons = rows[rows["object_name"] == "gold.person_statistics"]
    assert value_of(persons, "value", indicator="persons_to_census") == pytest.approx(600 / 900)
    assert value_of(persons, "score", indicator="days_to_supply") == 100


def test_rows_of_households_and_members_are_measured_in_every_dimension() -> None:
    rows = indicators(evidence(), SETTINGS)
    of = {name: rows[rows["object_name"] == name] for name in ("gold.household", "gold.household_member")}
    for name, found in of.items():
        assert set(found["dimension"]) == set(q.DIMENSION.codes), name
        assert set(found["object_type"]) == {"table"}
    household, member = of.values()
    assert value_of(household, "value", indicator="households_placed") == pytest.approx(245 / 250)
    assert value_of(household, "value", indicator="rows_final") == pytest.approx(200 / 250)
    assert value_of(household, "score", indicator="published_mean_total_income") == 100
    assert value_of(household, "value", indicator="households_to_census") == pytest.approx(1.0)
    assert value_of(member, "value", indicator="assignments_expected_right") == pytest.approx(320 / 400)
    assert value_of(member, "value", indicator="persons_to_census") == pytest.approx(400 / 900)
    scored = scores(rows, SETTINGS).set_index("object_name")
    assert scored.loc["gold.household_member", "accuracy_score"] == pytest.approx(80.0)


@pytest.mark.parametrize(
    ("part", "fact", "value", "table", "dimension"),
    [
        ("household", "placed", 200, "gold.household", "completeness"),
        ("household", "valid", 200, "gold.household", "validity"),
        ("links", "agreeing", 200, "gold.household", "consistency"),
        ("links", "households", 200, "gold.household", "uniqueness"),
        ("household", "final", 100, "gold.household", "timeliness"),
        ("household", "total_income_krw_year", 40e6, "gold.household", "accuracy"),
        ("household", "covered", 200.0, "gold.household", "coverage"),
        ("member", "residents", 500, "gold.household_member", "completeness"),
        ("member", "valid", 300, "gold.household_member", "validity"),
        ("links", "linked", 300, "gold.household_member", "consistency"),
        ("member", "keys", 300, "gold.household_member", "uniqueness"),
        ("member", "sure", 200.0, "gold.household_member", "accuracy"),
    ],
)
def test_a_flaw_of_rows_costs_points_of_its_dimension(part: str, fact: str, value: float, table: str, dimension: str) -> None:
    sound = evidence()
    flawed = dataclasses.replace(sound, **{part: getattr(sound, part).assign(**{fact: value})})
    before, after = (scores(indicators(found, SETTINGS), SETTINGS).set_index("object_name") for found in (sound, flawed))
    assert after.loc[table, f"{dimension}_score"] < before.loc[table, f"{dimension}_score"]


def test_a_score_weighs_the_dimensions_that_are_measured() -> None:
    columns = ["object_type", "object_name", "dimension", "indicator", "score"]
    measured = pd.DataFrame(
        [
            ("table", "t", "completeness", "a", 100.0),
            ("table", "t", "completeness", "b", 50.0),
            ("table", "t", "accuracy", "c", 90.0),
            ("table", "t", "validity", "d", None),
        ],
        columns=columns,
    )
    settings = QualitySettings(weights=QualityWeights(completeness=1, accuracy=3), grades=QualityGrades(excellent=87))
    found = scores(measured, settings)
    assert found["score"].tolist() == [pytest.approx((75 + 3 * 90) / 4)]
    assert found["grade"].tolist() == ["good"] and found["validity_score"].isna().all()
    assert found["completeness_score"].tolist() == [75.0]


def test_a_score_never_exceeds_its_range() -> None:
    """Weights that add up to a little more than one must not break the table's constraint."""
    columns = ["object_type", "object_name", "dimension", "indicator", "score"]
    perfect = pd.DataFrame([("month", "m", code, "a", 100.0) for code in q.DIMENSION.codes], columns=columns)
    weights = QualityWeights(completeness=0.1, validity=0.1, consistency=0.1, uniqueness=0.1, timeliness=0.1, accuracy=0.1)
    for settings in (SETTINGS, QualitySettings(weights=weights)):
        for count in range(1, len(perfect) + 1):
            assert scores(perfect.head(count), settings)["score"].max() <= 100


def test_sources_stand_beside_their_reference() -> None:
    rows = cross_validation(evidence())
    assert set(rows.columns) | {"base_month"} == set(q.CROSS_VALIDATION.column_names)
    assert not rows.duplicated(["region_level", "region_code", "measure", "source"]).any()
    city = rows[rows["region_code"] == "11"]
    assert value_of(city, "ratio", measure="persons_15_and_over", source="bureau") == pytest.approx(0.8)
    assert value_of(city, "ratio", measure="persons_65_and_over", source="benefits") == pytest.approx(60 / 300)
    assert value_of(city, "ratio", measure="mean_total_income_krw_year", source="survey") == pytest.approx(0.9)
    assert value_of(city, "standard_error", measure="mean_total_income_krw_year", source="benchmark") == pytest.approx(50e4)
    assert value_of(city, "standard_error", measure="mean_total_income_krw_year", source="statistics") == pytest.approx(200e4)
    assert value_of(city, "standard_error", measure="share_owned", source="benchmark") == pytest.approx(0.005)
    assert value_of(city, "value", measure="mean_transfer_income_krw_year", source="benefits") == pytest.approx(36e6 / 300)
    assert value_of(city, "value", measure="mean_debt_krw", source="bureau") == pytest.approx(600 * 2e7 / 300)
    assert value_of(city, "ratio", measure="share_owned", source="statistics") == pytest.approx((2 / 3) / 0.5)
    assert not city.loc[city["source"] == "bureau", "is_same_definition"].any()
    assert city.loc[city["source"] == "census", "is_same_definition"].all()
    of_reference = rows["source"] == rows["reference_source"]
    assert (rows.loc[of_reference, "ratio"] == 1).all()


def movements() -> Evidence:
    moved = [(dong, event, 6) for dong in DONGS for event in ("moved_in", "moved_out")]
    infants = pd.DataFrame({"dong_code": DONGS, "observed": [4, 4, 4]})
    deaths = pd.DataFrame({"dong_code": DONGS[:1], "observed": [1]})
    return dataclasses.replace(
        two_months(), moves=pd.DataFrame(moved, columns=["dong_code", "event", "observed"]), infants=infants, deaths=deaths
    )


def test_ordinary_movement_is_plausible_and_adds_up() -> None:
    rows = population_movement(movements(), SETTINGS)
    assert set(rows["event"]) == set(q.EVENT.codes)
    sums = rows.groupby(["region_level", "event"])["observed"].sum().unstack("region_level")
    assert (sums["dong"] == sums["gu"]).all() and (sums["gu"] == sums["city"]).all()
    assert value_of(rows, "rate_per_1000_year", region_level="city", event="births") == pytest.approx(1000 * 12 / 300)
    assert value_of(rows, "rate_per_1000_year", region_level="city", event="moved_in") == pytest.approx(12 * 1000 * 18 / 300)
    assert rows.loc[rows["event"] == "births", "is_plausible"].all()


@pytest.mark.parametrize("factor", [60, 0])
def test_movement_far_from_the_citys_rate_is_not(factor: int) -> None:
    found = movements()
    moves = found.moves.assign(observed=found.moves["observed"] * 100)
    here = (moves["dong_code"] == DONGS[2]) & (moves["event"] == "moved_in")
    moves.loc[here, "observed"] = factor * 100
    rows = population_movement(dataclasses.replace(found, moves=moves), QualitySettings(movement_factor=2))
    of_dong = rows[rows["region_code"] == DONGS[2]]
    assert not of_dong.loc[of_dong["event"] == "moved_in", "is_plausible"].any()
    assert of_dong.loc[of_dong["event"] == "births", "is_plausible"].all()


def test_an_event_that_is_nowhere_counts_as_none() -> None:
    found = movements()
    nobody = dataclasses.replace(found, infants=found.infants.iloc[:0])
    rows = population_movement(nobody, QualitySettings(movement_rates=SETTINGS.movement_rates | {"births": (200.0, 400.0)}))
    city = rows[(rows["region_level"] == "city") & (rows["event"] == "births")]
    assert city["observed"].tolist() == [0] and not city["is_plausible"].any()


def test_without_a_month_before_only_births_and_deaths_are_known() -> None:
    rows = population_movement(dataclasses.replace(movements(), before=None), SETTINGS)
    assert set(rows["event"]) == {"births", "deaths"} and rows["previous_month"].isna().all()


def test_a_large_change_is_explained_by_the_inputs_that_changed() -> None:
    found = two_months(statistics=statistics_rows(mean=60e6), coverage=coverage_rows(bureau=60.0))
    rows = quality_change(found, SETTINGS)
    city = rows[(rows["region_code"] == "11") & (rows["measure"] == "mean_total_income_krw_year")].iloc[0]
    assert city["relative_change"] == pytest.approx(0.2) and not city["is_within_limit"]
    assert city["causes"] == "bureau_rows coverage" and "-25.0%" in city["explanation_en"] and "80.0%" not in city["causes"]
    dong = rows[(rows["region_code"] == DONGS[0]) & (rows["measure"] == "mean_total_income_krw_year")].iloc[0]
    assert dong["is_within_limit"] and dong["explanation_en"] == ""
    assert checks_of(found)["city_change_explained"]


def test_a_large_change_without_a_changed_input_stops_the_month() -> None:
    found = two_months(statistics=statistics_rows(mean=56e6))
    rows = quality_change(found, SETTINGS)
    assert rows.loc[~rows["is_within_limit"], "causes"].eq("").all()
    checks = checks_of(found)
    assert not checks["city_change_explained"] and not checks["district_change_explained"]
    assert (
        "another version of the code"
        in quality_change(with_now(found, models={"code": "b"}), SETTINGS)["explanation_en"].iloc[-1]
    )


def test_a_restated_delivery_and_a_new_census_are_causes() -> None:
    found = two_months(statistics=statistics_rows(mean=56e6))
    deliveries = {
        "bureau": delivery("bureau", found.now.month, {"persons": 1000}, number=1),
        "census": delivery("census", found.now.month, {"margins": 0}),
    }
    rows = quality_change(with_now(found, deliveries=deliveries), SETTINGS)
    causes = rows.loc[rows["region_level"] == "city", "causes"]
    assert set(causes) == {"restated_bureau new_census"}


def test_a_sound_month_passes_every_check_that_can_be_made() -> None:
    checks = checks_of(two_months())
    assert [name for name, passed in checks.items() if passed is False] == []
    assert [name for name, passed in checks_of(evidence()).items() if passed is None] == [
        "city_change_explained",
        "district_change_explained",
    ]


def _broken(name: str) -> Evidence:
    sound = two_months()
    statistics = sound.now.statistics.copy()
    if name == "rows_accounted_for":
        return with_now(sound, edits=edit_rows().assign(rows_kept=999))
    if name == "components_add_up":
        return dataclasses.replace(sound, report=sound.report.assign(value=1.0))
    if name == "every_dong_published":
        return with_now(sound, statistics=statistics[statistics["region_code"] != DONGS[1]])
    if name == "levels_add_up":
        return with_now(
            sound, statistics=statistics.assign(households=statistics["households"] + (statistics["region_code"] == "11"))
        )
    if name == "quantiles_in_order":
        return with_now(sound, statistics=statistics.assign(p90_total_income_krw_year=1.0))
    if name == "census_households_met":
        return dataclasses.replace(sound, areas=sound.areas.assign(areas_met=1))
    if name == "near_published_mean":
        return with_now(sound, statistics=statistics_rows(mean=52e6))
    if name == "report_thresholds_met":
        return dataclasses.replace(sound, report=sound.report.assign(passed=False))
    if name == "dongs_reliable":
        return with_now(sound, statistics=statistics.assign(reliability="unreliable"))
    if name == "movement_plausible":
        return dataclasses.replace(sound, infants=pd.DataFrame({"dong_code": [DONGS[0]], "observed": [900]}))
    raise KeyError(name)


@pytest.mark.parametrize(
    "name",
    [
        *("rows_accounted_for", "components_add_up", "every_dong_published", "levels_add_up", "quantiles_in_order"),
        *("census_households_met", "near_published_mean", "report_thresholds_met", "dongs_reliable", "movement_plausible"),
    ],
)
def test_each_check_can_fail(name: str) -> None:
    assert checks_of(_broken(name))[name] is False


def test_the_score_is_checked_against_the_lowest_grade() -> None:
    demanding = QualitySettings(grades=QualityGrades(excellent=100, good=100, fair=99.9))
    assert checks_of(two_months(), demanding)["score_sufficient"] is False


def test_a_failed_blocking_check_refuses_publication(tmp_path: Path) -> None:
    ledger, month = Ledger(str(tmp_path)), evidence().now.month
    with pytest.raises(MissingInput):
        refuse_failed(ledger, month, SETTINGS)
    ledger.record(month, StepRecord("quality", "f", (), 1.0, {"failed_checks": ["dongs_reliable"]}))
    refuse_failed(ledger, month, SETTINGS)
    ledger.record(month, StepRecord("quality", "f", (), 1.0, {"failed_checks": ["dongs_reliable", "levels_add_up"]}))
    with pytest.raises(QualityInsufficient, match="levels_add_up") as error:
        refuse_failed(ledger, month, SETTINGS)
    assert "dongs_reliable" not in str(error.value)
    refuse_failed(ledger, month, QualitySettings(allow_failed_checks=True))
    refuse_failed(ledger, month, QualitySettings(blocking=()))
    with pytest.raises(ConfigurationError, match="levels_ad_up"):  # a typing error must not let it pass
        refuse_failed(ledger, month, QualitySettings(blocking=("levels_ad_up",)))


@pytest.mark.parametrize("settings", [QualitySettings(blocking=("no_check",)), QualitySettings(movement_rates={})])
def test_a_setting_that_names_nothing_is_an_error(settings: QualitySettings) -> None:
    check_names(SETTINGS)
    with pytest.raises(ConfigurationError):
        check_names(settings)
