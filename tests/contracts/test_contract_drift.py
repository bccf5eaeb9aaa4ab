"""The declarations against the contract, spelled out here a second time on purpose: a published name must not drift.

What is written below comes from the contract's text, not from the code. Products may gain columns, deliveries may not.
"""

from __future__ import annotations

import pytest

from living_finance.contracts import codes, gold
from living_finance.contracts.core import Kind
from living_finance.contracts.deliveries import DATASETS, DELIVERED_TABLES, Cycle

COMPONENTS = ["labour_income", "business_income", "property_income", "transfer_income", "irregular_income"]
MEAN_COMPONENTS = " ".join(f"mean_{component}_krw_year" for component in COMPONENTS)
HOUSEHOLD_MEASURES = f"""
    households mean_total_income_krw_year median_total_income_krw_year p10_total_income_krw_year p25_total_income_krw_year
    p75_total_income_krw_year p90_total_income_krw_year {MEAN_COMPONENTS} mean_debt_krw share_with_debt mean_spending_krw_month
    gini_total_income rmse_mean_total_income_krw_year cv_mean_total_income reliability
"""
PRODUCTS: dict[str, tuple[str, str]] = {
    "household": (
        "base_month household_id",
        """gu_code dong_code output_area_id dwelling_type tenure household_type household_size head_sex head_age_band weight
        labour_income_krw_year business_income_krw_year property_income_krw_year transfer_income_krw_year
        irregular_income_krw_year total_income_krw_year expected_total_income_krw_year debt_krw spending_krw_month
        model_version""",
    ),
    "household_member": ("base_month person_id", "household_id"),
    "household_lineage": (
        "base_month household_id previous_household_id",
        """gu_code previous_month event is_main_previous is_main_successor shared_bureau_persons shared_register_households
        shared_register_persons has_members_changed is_address_changed dong_code previous_gu_code previous_dong_code""",
    ),
    "household_statistics": (
        "base_month region_level region_code head_sex head_age_band household_type",
        HOUSEHOLD_MEASURES,
    ),
    "household_breakdown": ("base_month region_level region_code dimension category", HOUSEHOLD_MEASURES),
    "person_statistics": (
        "base_month place region_level region_code sex age_band",
        """persons mean_labour_business_income_krw_year median_labour_business_income_krw_year mean_labour_income_krw_year
        mean_business_income_krw_year mean_mortgage_balance_krw mean_jeonse_loan_balance_krw mean_credit_loan_balance_krw
        mean_business_loan_balance_krw share_with_debt mean_spending_krw_month median_spending_krw_month overdue_share""",
    ),
    "quality_report": ("base_month table indicator", "value threshold passed"),
    "edit_report": ("base_month table gu_code reason", "rows_kept rows_edited rows_quarantined rows_removed"),
}
"""Table → key, further columns at least."""

TEXT_DIMENSIONS = {"household_statistics": "head_age_band", "person_statistics": "age_band"}
"""`all` must fit in."""

DELIVERIES: dict[str, str] = {
    "bureau_persons": """base_month person_id sex age_band deceased residence home_address_id home_unit_id home_dong workplace
        work_address_id work_dong employment labour_income business_income credit_card_spending check_card_spending
        cash_spending mortgage_balance jeonse_loan_balance credit_loan_balance business_loan_balance overdue_balance
        monthly_repayment""",
    "city_residents": "base_month register_household_id address_id unit_id dong_code sex age relation_to_head status",
    "city_buildings": """address_id dong_code output_area_id x y dwelling_type dwelling_units households_permitted
        floor_area_m2 approval_year official_price_krw""",
    "city_establishments": "establishment_id address_id dong_code industry workers",
    "city_benefits": "base_month dong_code programme recipients amount_krw",
    "census_margins": "year output_area_id margin category count",
    "survey_households": """survey_year survey_household_id weight gu_code dong_code dwelling_type tenure household_size
        household_type head_sex head_age head_occupation head_education labour_income business_income property_income
        transfer_income irregular_income debt spending""",
    "benchmarks_benchmarks": """source year reference_period region_code indicator dimension category value
        relative_standard_error""",
    "regions_regions": """gu_code gu_name_en dong_code dong_name_en gu_name_ko dong_name_ko mois_code valid_from valid_to""",
}

CODE_LISTS: dict[str, tuple[codes.CodeList, str]] = {
    "sex": (codes.SEX, "M F"),
    "residence": (codes.RESIDENCE, "seoul outside unknown"),
    "workplace": (codes.WORKPLACE, "seoul outside unknown none"),
    "employment": (codes.EMPLOYMENT, "employee self_employed none"),
    "relation_to_head": (codes.RELATION_TO_HEAD, "head spouse child parent other"),
    "status": (codes.REGISTER_STATUS, "resident unknown_residence overseas"),
    "dwelling_type": (
        codes.DWELLING_TYPE,
        "detached multi_family apartment row_house multi_unit officetel commercial_building non_residential",
    ),
    "tenure": (codes.TENURE, "owned jeonse monthly_rent free"),
    "household_type": (codes.HOUSEHOLD_TYPE, "one_person one_generation two_generation three_generation unrelated"),
    "head_occupation": (
        codes.HEAD_OCCUPATION,
        "manager professional clerical service sales craft operator elementary none",
    ),
    "head_education": (codes.HEAD_EDUCATION, "primary middle high college graduate"),
    "programme": (
        codes.PROGRAMME,
        "basic_pension disability_allowance childcare_allowance basic_livelihood child_allowance",
    ),
    "source": (codes.BENCHMARK_SOURCE, "household_trend_survey household_finances_survey housing_survey"),
    "region_code": (codes.BENCHMARK_REGION, "11 00 capital non_capital"),
    "indicator": (
        codes.BENCHMARK_INDICATOR,
        """mean_total_income mean_property_income mean_transfer_income mean_irregular_income mean_debt mean_assets
        mean_spending_month household_share""",
    ),
    "benchmark dimension": (codes.BENCHMARK_DIMENSION, "all income_quintile head_age tenure"),
    "region_level": (codes.REGION_LEVEL, "output_area dong gu city"),
    "place": (codes.PLACE, "residence workplace"),
    "reliability": (codes.RELIABILITY, "publishable caution unreliable"),
    "breakdown dimension": (codes.BREAKDOWN_DIMENSION, "dwelling_type tenure household_size income_class"),
    "margin": (
        codes.MARGIN,
        "households population population_sex_age household_size household_type dwelling_type tenure dwellings",
    ),
}

KOREAN_LABELS = {
    "dwelling_type": "단독주택|다가구주택|아파트|연립주택|다세대주택|"
    "오피스텔 등 주택 이외의 거처|비주거용 건물 내 주택|비주거 건물",
    "tenure": "자가|전세|월세|무상",
    "programme": "기초연금|장애수당|가정양육수당|기초생활수급|아동수당",
    "source": "가계동향조사|가계금융복지조사|주거실태조사",
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_have_the_columns_of_the_contract(name: str) -> None:
    table = {table.name: table for table in gold.GOLD_TABLES}[name]
    key, columns = (text.split() for text in PRODUCTS[name])
    assert table.key == tuple(key)
    assert set(columns) - set(table.column_names) == set()
    assert all(table.column(part).is_required for part in key)


def test_there_is_no_product_without_a_line_here() -> None:
    assert {table.name for table in gold.GOLD_TABLES} >= set(PRODUCTS)


@pytest.mark.parametrize("table", gold.GOLD_TABLES, ids=lambda table: table.name)
def test_products_are_stored_as_the_contract_says(table: gold.Table) -> None:
    stored = {field.name: field.dataType.simpleString() for field in table.schema().fields}
    assert stored["base_month"] == "date"
    wanted = ["base_month", "gu_code"] if table.name.startswith("household") and "gu_code" in stored else ["base_month"]
    assert list(table.partition_by) == wanted
    money = {name: kind for name, kind in stored.items() if "_krw" in name}
    assert set(money.values()) <= {"bigint"}, "money columns are bigint"
    if table.name in TEXT_DIMENSIONS:
        assert stored[TEXT_DIMENSIONS[table.name]] == "string"
    if table.name == "household":
        assert stored["head_age_band"] == "int"
        assert stored["weight"] == "double"


def test_total_income_is_the_sum_of_five_components() -> None:
    components = [f"{component}_krw_year" for component in COMPONENTS]
    assert list(gold.INCOME_COMPONENTS) == components
    assert dict(gold.HOUSEHOLD.checks)["components_add_up"] == f"total_income_krw_year = {' + '.join(components)}"


@pytest.mark.parametrize("name", DELIVERIES)
def test_deliveries_have_exactly_the_columns_of_the_contract(name: str) -> None:
    table = {table.bronze_name: table for table in DELIVERED_TABLES}[name]
    assert list(table.column_names) == DELIVERIES[name].split()


def test_there_is_no_delivered_table_beyond_the_contract() -> None:
    assert {table.bronze_name for table in DELIVERED_TABLES} == set(DELIVERIES)


def test_datasets_and_their_cycles() -> None:
    yearly = {dataset.name for dataset in DATASETS if dataset.cycle is Cycle.YEARLY}
    assert yearly == {"census", "survey", "benchmarks"}
    assert {dataset.name for dataset in DATASETS} - yearly == {"bureau", "city", "regions"}
    assert [dataset.name for dataset in DATASETS if dataset.has_agreement] == ["bureau"]


OPTIONAL: dict[str, str] = {
    "bureau_persons": """home_address_id home_unit_id home_dong work_address_id work_dong labour_income business_income
        credit_card_spending check_card_spending cash_spending""",
    "city_residents": "unit_id",
    "census_margins": "count",
    "survey_households": "labour_income business_income property_income transfer_income irregular_income debt spending",
    "regions_regions": "mois_code valid_to",
}
"""Columns that the contract lets be missing and whose absence must not set the row aside."""


@pytest.mark.parametrize("name", OPTIONAL)
def test_columns_that_may_be_missing_are_not_required(name: str) -> None:
    table = {table.bronze_name: table for table in DELIVERED_TABLES}[name]
    assert [column for column in OPTIONAL[name].split() if table.column(column).is_required] == []


@pytest.mark.parametrize("name", CODE_LISTS)
def test_code_lists_equal_the_contract(name: str) -> None:
    code_list, wanted = CODE_LISTS[name]
    assert sorted(code_list.codes) == sorted(wanted.split())
    assert code_list.is_open == (name in ("programme", "source"))
    assert all(korean and english for _, korean, english in code_list.labels)


@pytest.mark.parametrize("name", KOREAN_LABELS)
def test_korean_labels_equal_the_contract(name: str) -> None:
    code_list = CODE_LISTS[name][0]
    assert [code_list.label(code) for code in CODE_LISTS[name][1].split()] == KOREAN_LABELS[name].split("|")


def test_bands_and_census_categories() -> None:
    assert codes.AGE_BANDS == (15, 20, 25, 30, 35, 40, 45, 50, 55, 60, 65, 70, 75, 80)
    assert codes.HEAD_AGE_BANDS == (10, 20, 30, 40, 50, 60, 70, 80)
    assert set(codes.MARGIN_CATEGORIES) == set(codes.MARGIN.codes)
    sex_age = codes.MARGIN_CATEGORIES["population_sex_age"]
    assert len(sex_age) == 36
    assert (sex_age[0], sex_age[1], sex_age[-1]) == ("M0", "M5", "F85")
    assert codes.MARGIN_CATEGORIES["household_size"] == ("1", "2", "3", "4", "5", "6", "7_plus")
    assert codes.MARGIN_CATEGORIES["households"] == codes.MARGIN_CATEGORIES["population"] == ("all",)


def test_code_columns_of_deliveries_have_a_list() -> None:
    loose = [
        f"{table.bronze_name}.{column.name}"
        for table in DELIVERED_TABLES
        for column in table.of_kind(Kind.CODE)
        if column.codes is None
    ]
    assert loose == []
