"""Deliveries as suppliers must send them (contract, section 1)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from living_finance.contracts import codes
from living_finance.contracts.core import CodeList, Column, Kind, Layer, Measure, Table

LARGEST_AMOUNT_KRW = 1e14
"""An amount above it is not money of a person or a building (the national budget is 6e14): it breaks its range.

10^12 is a number a supplier may send; what it means is the edit rules' business.
"""


@dataclass(frozen=True, kw_only=True)
class DeliveredTable(Table):
    """One table inside a delivery."""

    dataset: str
    month_column: str | None
    """Column that repeats the manifest's month (or its year), checked row by row."""
    is_reference: bool
    """Reference tables have at least one row and each key once, or the delivery is refused."""

    @property
    def bronze_name(self) -> str:
        return f"{self.dataset}_{self.name}"


class Cycle(enum.Enum):
    """How often a dataset is delivered."""

    MONTHLY = "monthly"
    YEARLY = "yearly"


@dataclass(frozen=True)
class Dataset:
    """What one folder of landing may hold."""

    name: str
    cycle: Cycle
    tables: tuple[DeliveredTable, ...]
    has_agreement: bool = False

    def table(self, name: str) -> DeliveredTable | None:
        return next((table for table in self.tables if table.name == name), None)


def _key(name: str, ko: str, en: str, *, required: bool = True, measure: Measure = Measure.NONE) -> Column:
    return Column(name=name, kind=Kind.KEY, label_ko=ko, label_en=en, is_required=required, measure=measure)


def _amount(name: str, ko: str, en: str, *, unit: str = "KRW", required: bool = False, minimum: float | None = 0.0) -> Column:
    return Column(
        name=name,
        kind=Kind.AMOUNT,
        label_ko=ko,
        label_en=en,
        unit=unit,
        is_required=required,
        minimum=-LARGEST_AMOUNT_KRW if minimum is None else minimum,
        maximum=LARGEST_AMOUNT_KRW,
    )


def _code(name: str, ko: str, en: str, code_list: CodeList, *, required: bool = True) -> Column:
    return Column(name=name, kind=Kind.CODE, label_ko=ko, label_en=en, codes=code_list, is_required=required)


def _count(name: str, ko: str, en: str, *, required: bool = True, minimum: float = 0, maximum: float = 1e9) -> Column:
    return Column(
        name=name,
        kind=Kind.INTEGER,
        label_ko=ko,
        label_en=en,
        is_required=required,
        minimum=minimum,
        maximum=maximum,
    )


def _text(name: str, ko: str, en: str, *, required: bool = True) -> Column:
    return Column(name=name, kind=Kind.TEXT, label_ko=ko, label_en=en, is_required=required)


BASE_MONTH = Column(name="base_month", kind=Kind.MONTH, label_ko="기준월", label_en="reference month", is_required=True)
DONG_CODE = Column(
    name="dong_code",
    kind=Kind.KEY,
    label_ko="행정동 코드",
    label_en="administrative dong code",
    meaning="Statistics Korea, 7 digits",
    is_required=True,
)
GU_CODE = Column(
    name="gu_code",
    kind=Kind.KEY,
    label_ko="자치구 코드",
    label_en="district code",
    meaning="Statistics Korea, 5 digits",
    is_required=True,
)
OUTPUT_AREA_ID = Column(
    name="output_area_id", kind=Kind.KEY, label_ko="집계구 코드", label_en="output area code", is_required=True
)
ADDRESS_ID = _key("address_id", "건물 식별자", "address", measure=Measure.PSEUDONYMISED)
UNIT_ID = _key("unit_id", "호 식별자", "dwelling unit", required=False, measure=Measure.PSEUDONYMISED)
SEX = _code("sex", "성별", "sex", codes.SEX)
DWELLING_TYPE = _code("dwelling_type", "거처 종류", "dwelling type", codes.DWELLING_TYPE)
TENURE = _code("tenure", "점유 형태", "tenure", codes.TENURE)
HOUSEHOLD_TYPE = _code("household_type", "가구 유형", "household type", codes.HOUSEHOLD_TYPE)

AGE_BAND = Column(
    name="age_band",
    kind=Kind.INTEGER,
    label_ko="연령대",
    label_en="age band",
    meaning="lower bound of a five-year band; 80 is 80 and over",
    unit="years",
    is_required=True,
    minimum=15,
    maximum=80,
    measure=Measure.CATEGORISED,
)

PERSONS = DeliveredTable(
    layer=Layer.DELIVERY,
    dataset="bureau",
    name="persons",
    label_ko="신용거래자",
    label_en="persons with credit activity",
    grain="person of 15 or more with credit activity, living or working in the city",
    key=("person_id",),
    month_column="base_month",
    is_reference=False,
    columns=(
        BASE_MONTH,
        _key("person_id", "개인 식별자", "person", measure=Measure.PSEUDONYMISED),
        SEX,
        AGE_BAND,
        Column(name="deceased", kind=Kind.FLAG, label_ko="사망 여부", label_en="deceased", is_required=True),
        _code("residence", "거주 구분", "residence", codes.RESIDENCE),
        _key("home_address_id", "거주 건물", "home address", required=False, measure=Measure.PSEUDONYMISED),
        _key("home_unit_id", "거주 호", "home unit", required=False, measure=Measure.PSEUDONYMISED),
        DONG_CODE.renamed("home_dong", label_ko="거주 행정동", label_en="home dong", is_required=False),
        _code("workplace", "근무 구분", "workplace", codes.WORKPLACE),
        _key("work_address_id", "근무 건물", "work address", required=False, measure=Measure.PSEUDONYMISED),
        DONG_CODE.renamed("work_dong", label_ko="근무 행정동", label_en="work dong", is_required=False),
        _code("employment", "종사상 지위", "employment", codes.EMPLOYMENT),
        _amount("labour_income", "근로소득", "labour income", unit="KRW/year", minimum=None),
        _amount("business_income", "사업소득", "business income", unit="KRW/year", minimum=None),
        _amount("credit_card_spending", "신용카드 소비", "credit card spending", unit="KRW/month", minimum=None),
        _amount("check_card_spending", "체크카드 소비", "check card spending", unit="KRW/month", minimum=None),
        _amount("cash_spending", "현금 소비", "cash spending", unit="KRW/month", minimum=None),
        _amount("mortgage_balance", "주택담보대출 잔액", "mortgage balance", required=True),
        _amount("jeonse_loan_balance", "전세자금대출 잔액", "jeonse loan balance", required=True),
        _amount("credit_loan_balance", "신용대출 잔액", "credit loan balance", required=True),
        _amount("business_loan_balance", "사업자대출 잔액", "business loan balance", required=True),
        _amount("overdue_balance", "연체 잔액", "overdue balance", required=True),
        _amount("monthly_repayment", "월 상환액", "monthly repayment", unit="KRW/month", required=True),
    ),
)

RESIDENTS = DeliveredTable(
    layer=Layer.DELIVERY,
    dataset="city",
    name="residents",
    label_ko="주민등록",
    label_en="resident register",
    grain="registered person",
    key=(),
    month_column="base_month",
    is_reference=False,
    columns=(
        BASE_MONTH,
        _key("register_household_id", "세대 식별자", "register household", measure=Measure.PSEUDONYMISED),
        ADDRESS_ID,
        UNIT_ID,
        DONG_CODE,
        SEX,
        _count("age", "연령", "age in years", maximum=120),
        _code("relation_to_head", "세대주와의 관계", "relation to head", codes.RELATION_TO_HEAD),
        _code("status", "등록 상태", "status", codes.REGISTER_STATUS),
    ),
)

BUILDINGS = DeliveredTable(
    layer=Layer.DELIVERY,
    dataset="city",
    name="buildings",
    label_ko="건물",
    label_en="buildings",
    grain="building",
    key=("address_id",),
    month_column=None,
    is_reference=True,
    columns=(
        ADDRESS_ID,
        DONG_CODE,
        OUTPUT_AREA_ID,
        Column(name="x", kind=Kind.DECIMAL, label_ko="X 좌표", label_en="easting", unit="m, EPSG:5179", is_required=True),
        Column(name="y", kind=Kind.DECIMAL, label_ko="Y 좌표", label_en="northing", unit="m, EPSG:5179", is_required=True),
        DWELLING_TYPE,
        _count("dwelling_units", "주택 수", "legal dwellings"),
        _count("households_permitted", "허가 가구 수", "households permitted", required=False),
        Column(
            name="floor_area_m2",
            kind=Kind.DECIMAL,
            label_ko="연면적",
            label_en="floor area",
            unit="m²",
            minimum=0,
            maximum=1e8,
        ),
        _count("approval_year", "사용승인 연도", "year of approval", required=False, maximum=2200),
        _amount("official_price_krw", "공시가격", "official price"),
    ),
)

ESTABLISHMENTS = DeliveredTable(
    layer=Layer.DELIVERY,
    dataset="city",
    name="establishments",
    label_ko="사업체",
    label_en="establishments",
    grain="establishment",
    key=("establishment_id",),
    month_column=None,
    is_reference=True,
    columns=(
        _key("establishment_id", "사업체 식별자", "establishment"),
        ADDRESS_ID,
        DONG_CODE,
        _code("industry", "산업 대분류", "industry section", codes.INDUSTRY),
        _count("workers", "종사자 수", "workers"),
    ),
)

BENEFITS = DeliveredTable(
    layer=Layer.DELIVERY,
    dataset="city",
    name="benefits",
    label_ko="사회수혜금",
    label_en="social benefits",
    grain="dong × programme",
    key=("dong_code", "programme"),
    month_column="base_month",
    is_reference=True,
    columns=(
        BASE_MONTH,
        DONG_CODE,
        _code("programme", "급여", "programme", codes.PROGRAMME),
        _count("recipients", "수급자 수", "recipients"),
        _amount("amount_krw", "지급액", "amount paid in the month", unit="KRW/month", required=True),
    ),
)

MARGINS = DeliveredTable(
    layer=Layer.DELIVERY,
    dataset="census",
    name="margins",
    label_ko="인구주택총조사 집계",
    label_en="census margins",
    grain="output area × margin × category",
    key=("output_area_id", "margin", "category"),
    month_column="year",
    is_reference=True,
    columns=(
        _count("year", "조사 연도", "census year", minimum=1900, maximum=2200),
        OUTPUT_AREA_ID,
        _code("margin", "집계 항목", "margin", codes.MARGIN),
        _text("category", "범주", "category"),
        _count("count", "수", "count (missing = 1 to 4, masked)", required=False),
    ),
)

SURVEY_HOUSEHOLDS = DeliveredTable(
    layer=Layer.DELIVERY,
    dataset="survey",
    name="households",
    label_ko="검증 조사 가구",
    label_en="validation survey households",
    grain="surveyed household",
    key=("survey_household_id",),
    month_column="survey_year",
    is_reference=True,
    columns=(
        _count("survey_year", "조사 연도", "survey year", minimum=1900, maximum=2200),
        _key("survey_household_id", "조사 가구 식별자", "survey household", measure=Measure.PSEUDONYMISED),
        Column(
            name="weight",
            kind=Kind.DECIMAL,
            label_ko="설계 가중치",
            label_en="design weight",
            is_required=True,
            minimum=0,
            maximum=1e9,
        ),
        GU_CODE,
        DONG_CODE,
        DWELLING_TYPE,
        TENURE,
        _count("household_size", "가구원 수", "household size", minimum=1, maximum=50),
        HOUSEHOLD_TYPE,
        SEX.renamed("head_sex", label_ko="가구주 성별", label_en="head's sex"),
        _count("head_age", "가구주 연령", "head's age", maximum=120),
        _code("head_occupation", "가구주 직업", "head's occupation", codes.HEAD_OCCUPATION, required=False),
        _code("head_education", "가구주 학력", "head's education", codes.HEAD_EDUCATION, required=False),
        _amount("labour_income", "근로소득", "labour income", unit="KRW/year", minimum=None),
        _amount("business_income", "사업소득", "business income", unit="KRW/year", minimum=None),
        _amount("property_income", "재산소득", "property income", unit="KRW/year"),
        _amount("transfer_income", "이전소득", "transfer income", unit="KRW/year"),
        _amount("irregular_income", "비경상소득", "irregular income", unit="KRW/year"),
        _amount("debt", "부채", "debt"),
        _amount("spending", "소비지출", "spending", unit="KRW/month"),
    ),
)

BENCHMARKS = DeliveredTable(
    layer=Layer.DELIVERY,
    dataset="benchmarks",
    name="benchmarks",
    label_ko="공표 통계",
    label_en="published benchmarks",
    grain="source × period × region × indicator × dimension × category",
    key=("source", "year", "reference_period", "region_code", "indicator", "dimension", "category"),
    month_column=None,
    is_reference=True,
    columns=(
        _code("source", "출처", "source", codes.BENCHMARK_SOURCE),
        _count("year", "조사 연도", "survey year", minimum=1900, maximum=2200),
        _text("reference_period", "대상 기간", "reference period", required=False),
        _code("region_code", "지역", "region", codes.BENCHMARK_REGION),
        _code("indicator", "지표", "indicator", codes.BENCHMARK_INDICATOR),
        _code("dimension", "차원", "dimension", codes.BENCHMARK_DIMENSION),
        _text("category", "범주", "category"),
        Column(
            name="value",
            kind=Kind.DECIMAL,
            label_ko="값",
            label_en="value",
            is_required=True,
            minimum=-LARGEST_AMOUNT_KRW,
            maximum=LARGEST_AMOUNT_KRW,
        ),
        Column(
            name="relative_standard_error",
            kind=Kind.DECIMAL,
            label_ko="상대표준오차",
            label_en="relative standard error",
            minimum=0,
            maximum=100,
        ),
    ),
)

REGIONS = DeliveredTable(
    layer=Layer.DELIVERY,
    dataset="regions",
    name="regions",
    label_ko="행정구역",
    label_en="regions",
    grain="dong × period of validity",
    key=("dong_code", "valid_from"),
    month_column=None,
    is_reference=True,
    columns=(
        GU_CODE,
        _text("gu_name_en", "자치구 영문명", "district name, English"),
        DONG_CODE,
        _text("dong_name_en", "행정동 영문명", "dong name, English"),
        _text("gu_name_ko", "자치구명", "district name, Korean"),
        _text("dong_name_ko", "행정동명", "dong name, Korean"),
        _key("mois_code", "행정안전부 코드", "interior ministry code", required=False),
        Column(name="valid_from", kind=Kind.MONTH, label_ko="유효 시작월", label_en="valid from", is_required=True),
        Column(name="valid_to", kind=Kind.MONTH, label_ko="유효 종료월", label_en="valid to, inclusive"),
    ),
)

DATASETS: tuple[Dataset, ...] = (
    Dataset("regions", Cycle.MONTHLY, (REGIONS,)),
    Dataset("city", Cycle.MONTHLY, (RESIDENTS, BUILDINGS, ESTABLISHMENTS, BENEFITS)),
    Dataset("bureau", Cycle.MONTHLY, (PERSONS,), has_agreement=True),
    Dataset("census", Cycle.YEARLY, (MARGINS,)),
    Dataset("survey", Cycle.YEARLY, (SURVEY_HOUSEHOLDS,)),
    Dataset("benchmarks", Cycle.YEARLY, (BENCHMARKS,)),
)
"""In the order of receipt: the others' dong codes are checked against the regions list."""

DELIVERED_TABLES: tuple[DeliveredTable, ...] = tuple(table for dataset in DATASETS for table in dataset.tables)


def dataset(name: str) -> Dataset | None:
    """The dataset called `name`, or None."""
    return next((candidate for candidate in DATASETS if candidate.name == name), None)
