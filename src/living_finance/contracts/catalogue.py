"""What a catalogue says of each product beside its columns: purpose, who may use it, what it is made from, public join keys."""

from __future__ import annotations

from dataclasses import dataclass

from living_finance.contracts import gold, quality, silver
from living_finance.contracts.bronze import BRONZE_TABLES
from living_finance.contracts.core import Column, Kind, Table
from living_finance.contracts.utilization import BUILDING_GRID, HOUSEHOLD_CUBE, HOUSEHOLD_GRID, OUTPUT_AREA_GRID


@dataclass(frozen=True)
class Access:
    """Who may use a product (공동활용 제한)."""

    name: str
    """releasable, internal or restricted."""
    rights_ko: str
    rights_en: str


RELEASABLE = Access(
    "releasable",
    "내부 공동활용 가능. 외부 공개는 비식별 심사를 거친 공표본에 한함",
    "may be shared inside the city; outside, only as releases that passed the privacy check",
)
INTERNAL = Access("internal", "기관 내부 이용에 한함", "for use inside the city only")
RESTRICTED = Access(
    "restricted",
    "가구 단위 자료: 승인된 분석자에 한하며 자치구별 접근 권한이 필요함. 공동활용 제한",
    "rows of households: approved analysts only, by district; not shared",
)


@dataclass(frozen=True)
class Product:
    """A product of the catalogue."""

    table: Table
    description_ko: str
    description_en: str
    access: Access
    made_from: tuple[Table, ...]
    """Tables of the same month that it is computed from."""


def _bronze(*names: str) -> tuple[Table, ...]:
    return tuple(BRONZE_TABLES[name] for name in names)


_ERRORS_FROM = (
    *(silver.HOUSEHOLD, silver.PLACED_PERSON, gold.HOUSEHOLD_MEMBER, silver.REGISTER_PERSON, silver.BENEFIT),
    *(silver.SURVEY_HOUSEHOLD, silver.BENCHMARK, silver.OUTPUT_AREA, silver.BUILDING, silver.CENSUS_MARGIN),
)
_QUALITY_SOURCES = (gold.EDIT_REPORT, gold.COVERAGE, gold.HOUSEHOLD_STATISTICS, gold.QUALITY_REPORT, silver.REGION)
_MEASURED_FROM = (
    *(*_QUALITY_SOURCES, silver.OUTPUT_AREA, silver.CALIBRATION_TARGET, silver.SURVEY_HOUSEHOLD, silver.BENCHMARK),
    *(gold.HOUSEHOLD_BREAKDOWN, gold.PERSON_STATISTICS, gold.HOUSEHOLD, gold.HOUSEHOLD_MEMBER, silver.PLACED_PERSON),
)
_MOVED_FROM = (gold.HOUSEHOLD_LINEAGE, gold.COVERAGE, silver.REGISTER_PERSON, silver.SET_ASIDE, silver.OUTPUT_AREA, silver.REGION)

PRODUCTS: tuple[Product, ...] = (
    Product(
        gold.HOUSEHOLD_STATISTICS,
        "집계구·행정동·자치구·시의 가구소득, 부채, 소비지출을 가구주 성별·연령대, 가구 유형별로 매월 집계한 통계",
        "monthly household income, debt and spending of output areas, dongs, districts and the city by head's sex, age and type",
        RELEASABLE,
        (gold.HOUSEHOLD, silver.AREA_INCOME),
    ),
    Product(
        gold.HOUSEHOLD_BREAKDOWN,
        "거처 종류, 점유 형태, 가구원수, 소득 5분위별 가구 통계",
        "household statistics by dwelling type, tenure, size and income class",
        RELEASABLE,
        (gold.HOUSEHOLD, silver.BENCHMARK),
    ),
    Product(
        gold.PERSON_STATISTICS,
        "거주지와 근무지별 신용거래자의 소득, 부채, 소비, 연체 통계",
        "income, debt, spending and arrears of bureau persons by residence and by workplace",
        RELEASABLE,
        (silver.PLACED_PERSON,),
    ),
    Product(
        HOUSEHOLD_CUBE,
        "지역 × 가구주 성별 × 연령대 × 가구 유형 × 소득 5분위의 다차원 통계(활용시스템)",
        "region × head's sex × age × type × income class, in the utilization database",
        INTERNAL,
        (gold.HOUSEHOLD,),
    ),
    Product(
        HOUSEHOLD_GRID,
        "250 m 격자별 가구 소득·부채·소비 통계(활용시스템)",
        "household income, debt and spending by 250 m grid cell, in the utilization database",
        INTERNAL,
        (gold.HOUSEHOLD, silver.BUILDING),
    ),
    Product(
        OUTPUT_AREA_GRID,
        "집계구가 놓인 250 m 격자와 건물 수(활용시스템)",
        "the 250 m grid cells of each output area, with their buildings, in the utilization database",
        INTERNAL,
        (silver.BUILDING,),
    ),
    Product(
        gold.COVERAGE,
        "행정동·성·연령별 신용거래자, 등록 인구, 총조사 인구의 포괄 범위",
        "coverage of bureau and register beside the census by dong, sex and age",
        INTERNAL,
        (silver.PLACED_PERSON, silver.REGISTER_PERSON, silver.CENSUS_MARGIN, silver.CALIBRATION_TARGET),
    ),
    Product(
        gold.ERROR_BUDGET,
        "지역 수준·통계별 총소득 오차의 구성: 가구화, 모형, 표본, 벤치마크",
        "where the error of total income comes from, by region level and figure: householding, model, sampling, benchmarking",
        INTERNAL,
        _ERRORS_FROM,
    ),
    Product(
        gold.QUALITY_REPORT,
        "테이블별 품질 지표와 기준 충족 여부",
        "indicators of tables and whether they meet their thresholds",
        INTERNAL,
        (silver.PLACED_PERSON, silver.ADDRESS, silver.OUTPUT_AREA, gold.HOUSEHOLD),
    ),
    Product(
        gold.EDIT_REPORT,
        "제공 테이블별·사유별 유지, 수정, 격리, 제외 행 수",
        "rows kept, edited, quarantined and removed by delivered table and reason",
        INTERNAL,
        (
            *(silver.REGION, silver.BUILDING, silver.ESTABLISHMENT, silver.BENEFIT, silver.REGISTER_PERSON, silver.PERSON),
            *(silver.CENSUS_MARGIN, silver.SURVEY_HOUSEHOLD, silver.BENCHMARK, silver.SET_ASIDE),
        ),
    ),
    Product(
        quality.QUALITY_INDICATOR,
        "제공 자료·테이블·기준월의 품질 차원별 측정값과 산식",
        "quality of deliveries, tables and the month by dimension, with how it is computed",
        INTERNAL,
        _MEASURED_FROM,
    ),
    Product(
        quality.QUALITY_SCORE,
        "제공 자료·테이블·기준월의 100점 만점 품질 점수와 등급",
        "scores out of 100 and grades of deliveries, tables and the month",
        INTERNAL,
        _MEASURED_FROM,
    ),
    Product(
        quality.CROSS_VALIDATION,
        "신용정보사, 총조사, 주민등록, 급여, 조사, 공표 통계의 같은 항목 비교",
        "the same quantity from bureau, census, register, benefits, survey and published figures",
        INTERNAL,
        (
            *(gold.COVERAGE, gold.HOUSEHOLD_STATISTICS, gold.HOUSEHOLD_BREAKDOWN, gold.PERSON_STATISTICS, silver.OUTPUT_AREA),
            *(silver.SURVEY_HOUSEHOLD, silver.BENCHMARK, silver.BENEFIT),
        ),
    ),
    Product(
        quality.POPULATION_MOVEMENT,
        "행정동·자치구·시의 출생, 사망, 이동과 타당성 범위",
        "births, deaths and moves of dongs, districts and the city with their plausible bounds",
        INTERNAL,
        _MOVED_FROM,
    ),
    Product(
        quality.QUALITY_CHANGE,
        "전월 대비 변화와 입력 변화에 따른 설명",
        "changes since the month before, explained by the inputs that changed",
        INTERNAL,
        (gold.HOUSEHOLD_STATISTICS, gold.COVERAGE, gold.EDIT_REPORT),
    ),
    Product(
        quality.QUALITY_CHECK,
        "공표 전 점검 결과",
        "checks before publication",
        INTERNAL,
        tuple(dict.fromkeys((*_MEASURED_FROM, *_MOVED_FROM))),
    ),
    Product(
        gold.HOUSEHOLD,
        "가구별 구성, 소득 구성요소, 부채, 소비지출, 가중치",
        "households with composition, income components, debt, spending and weight",
        RESTRICTED,
        (
            *(silver.HOUSEHOLD, silver.PLACED_PERSON, gold.HOUSEHOLD_MEMBER, silver.REGISTER_PERSON, silver.BENEFIT),
            *(silver.SURVEY_HOUSEHOLD, silver.BENCHMARK),
        ),
    ),
    Product(
        gold.HOUSEHOLD_MEMBER,
        "신용거래자의 가구 배정과 근거",
        "the household of each bureau person, with the evidence",
        RESTRICTED,
        (silver.PLACED_PERSON, silver.REGISTER_PERSON, silver.BUILDING, silver.CENSUS_MARGIN),
    ),
    Product(
        gold.HOUSEHOLD_LINEAGE,
        "전월 가구와의 연결: 유지, 이사, 분가, 합가, 신규, 소멸",
        "households and those of the month before: who stayed, moved, split, merged, came, ended",
        RESTRICTED,
        (silver.PLACED_PERSON, silver.REGISTER_PERSON, silver.BUILDING, silver.CENSUS_MARGIN),
    ),
    Product(BUILDING_GRID, "건물별 250 m 격자 코드", "the 250 m grid cell of each building", RESTRICTED, (silver.BUILDING,)),
)
"""Everything that leaves the pipeline, in the order of the catalogue."""

_FORMED_FROM = (silver.PLACED_PERSON, silver.REGISTER_PERSON, silver.BUILDING, silver.CENSUS_MARGIN)
_INCOME_FROM: tuple[Table, ...] = (
    *(silver.HOUSEHOLD, silver.PLACED_PERSON, gold.HOUSEHOLD_MEMBER, silver.REGISTER_PERSON, silver.BENEFIT),
    *(silver.SURVEY_HOUSEHOLD, silver.BENCHMARK),
)
MADE_FROM: dict[str, tuple[Table, ...]] = {
    **{product.table.qualified_name: product.made_from for product in PRODUCTS},
    "silver.region": _bronze("regions_regions"),
    "silver.building": _bronze("city_buildings"),
    "silver.establishment": _bronze("city_establishments"),
    "silver.benefit": _bronze("city_benefits"),
    "silver.register_person": _bronze("city_residents"),
    "silver.person": _bronze("bureau_persons"),
    "silver.census_margin": _bronze("census_margins"),
    "silver.survey_household": _bronze("survey_households"),
    "silver.benchmark": _bronze("benchmarks_benchmarks"),
    "silver.set_aside": tuple(BRONZE_TABLES.values()),
    "silver.placed_person": (silver.PERSON, silver.REGISTER_PERSON, silver.BUILDING, silver.ESTABLISHMENT),
    "silver.address": (silver.PLACED_PERSON, silver.REGISTER_PERSON, silver.BUILDING, silver.ESTABLISHMENT),
    "silver.household": _FORMED_FROM,
    "silver.household_register": _FORMED_FROM,
    "silver.output_area": _FORMED_FROM,
    "silver.calibration_target": _FORMED_FROM,
    "silver.area_income": _ERRORS_FROM,
    "silver.area_income_draw": _INCOME_FROM,
}
"""Table → the tables of the same month that it is made from; bronze rests on deliveries."""


@dataclass(frozen=True)
class JoinKey:
    """A public code by which products can be joined to other public data; never a key of persons or households."""

    column: str
    label_ko: str
    label_en: str
    issuer_ko: str
    issuer_en: str


JOIN_KEYS: tuple[JoinKey, ...] = (
    JoinKey("region_code", "지역 코드", "region code", "통계청 행정구역분류", "Statistics Korea, 2, 5 or 7 digits"),
    JoinKey("gu_code", "자치구 코드", "district code", "통계청 행정구역분류", "Statistics Korea, 5 digits"),
    JoinKey("dong_code", "행정동 코드", "administrative dong code", "통계청 행정구역분류", "Statistics Korea, 7 digits"),
    JoinKey("output_area_id", "집계구 코드", "output area code", "통계청 통계지리정보서비스", "Statistics Korea SGIS"),
    JoinKey("mois_code", "행정안전부 코드", "interior ministry code", "행정안전부 행정표준코드", "10 digits"),
    JoinKey(
        "grid_id",
        "250 m 격자 코드",
        "250 m grid cell",
        "국가지점 격자(EPSG:5179), INSPIRE 표기",
        "EPSG:5179, coded as INSPIRE does",
    ),
)

_MEASURED = frozenset({Kind.MONEY, Kind.DECIMAL, Kind.COUNT})


def join_keys_of(table: Table) -> tuple[JoinKey, ...]:
    """Public join keys that are columns of a table; a release adds the interior ministry's code to every region code."""
    own = tuple(key for key in JOIN_KEYS if key.column in table.column_names)
    has_regions = any(key.column == "region_code" for key in own)
    return own + tuple(key for key in JOIN_KEYS if key.column == "mois_code" and has_regions)


def indicators_of(table: Table) -> tuple[Column, ...]:
    """Columns of a table that are figures."""
    return tuple(column for column in table.columns if column.kind in _MEASURED and column.name not in table.key)


def deliveries_of(table: Table) -> tuple[str, ...]:
    """Datasets that a table goes back to, in order."""
    found: set[str] = set()
    waiting, seen = [table], {table.qualified_name}
    while waiting:
        for source in MADE_FROM.get(waiting.pop().qualified_name, ()):
            if source.name in BRONZE_TABLES:
                found.add(source.name.partition("_")[0])
            elif source.qualified_name not in seen:
                seen.add(source.qualified_name)
                waiting.append(source)
    return tuple(sorted(found))
