"""What of a month the utilization database holds, and who may see which rows of it.

Tables are the contract's own; only what the database needs beyond them is declared here. Who may see a row is said once
per table and becomes grants and row security (`storage.postgres_schema`).
"""

from __future__ import annotations

from dataclasses import dataclass

from living_finance.contracts import codes, gold, quality, silver
from living_finance.contracts import deliveries as d
from living_finance.contracts.core import CodeList, Column, Kind, Layer, Table

OWNER, READER, ANALYST = "lf_owner", "lf_reader", "lf_analyst"
"""Group roles, none with a login: the owner of everything; readers of statistics; analysts, who are readers too."""

SMALLEST_CELL = 5
"""Unweighted households or persons, or buildings, that a cell open to all readers rests on (privacy rules, inside)."""

INCOME_CLASS = Column(
    name="income_class",
    kind=Kind.TEXT,
    label_ko="소득 5분위",
    label_en="income class",
    meaning="the city's quintiles of the month's total income; `all` for the margin",
    is_required=True,
)
CUBE_DIMENSIONS = ("head_sex", "head_age_band", "household_type", "income_class")
_CUBE_MEASURES = (
    "households",
    "households_unweighted",
    "mean_total_income_krw_year",
    *(f"mean_{name}" for name in gold.INCOME_COMPONENTS),
    "mean_debt_krw",
    "share_with_debt",
    "mean_spending_krw_month",
    "is_provisional",
)

HOUSEHOLD_CUBE = Table(
    layer=Layer.GOLD,
    name="household_cube",
    label_ko="가구 다차원 통계",
    label_en="household cube",
    grain="month × dong, district or city × head's sex × head's age band × household type × income class, each also `all`;"
    " in the database only",
    key=("base_month", "region_level", "region_code", *CUBE_DIMENSIONS),
    partition_by=("base_month",),
    columns=(
        *silver.REGION_COLUMNS,
        *(gold.HOUSEHOLD_STATISTICS.column(name) for name in CUBE_DIMENSIONS[:-1]),
        INCOME_CLASS,
        *(gold.HOUSEHOLD_STATISTICS.column(name) for name in _CUBE_MEASURES),
    ),
)
"""Made when a month is published; rows whose income class is `all`, and those where only it is not, are also gold's."""

GRID_METRES = 250
_GRID_ID = Column(
    name="grid_id",
    kind=Kind.KEY,
    label_ko="250 m 격자 코드",
    label_en="250 m grid cell",
    meaning="EPSG:5179, south-west corner in metres, coded as INSPIRE does: CRS5179RES250mN1952000E953750",
    is_required=True,
)
_CORNER = tuple(
    Column(name=name, kind=Kind.COUNT, label_ko=ko, label_en=en, unit="m", is_required=True)
    for name, ko, en in (
        ("x_m", "남서쪽 모서리 x(EPSG:5179)", "x of the south-west corner, EPSG:5179"),
        ("y_m", "남서쪽 모서리 y(EPSG:5179)", "y of the south-west corner, EPSG:5179"),
    )
)

BUILDING_GRID = Table(
    layer=Layer.GOLD,
    name="building_grid",
    label_ko="건물의 250 m 격자",
    label_en="grid cell of each building",
    grain="month × building; in the database only",
    key=("base_month", "address_id"),
    partition_by=("base_month",),
    columns=(
        silver.BASE_MONTH,
        silver.GU_CODE,
        d.ADDRESS_ID,
        d.DONG_CODE,
        d.OUTPUT_AREA_ID,
        _GRID_ID,
    ),
)

HOUSEHOLD_GRID = Table(
    layer=Layer.GOLD,
    name="household_grid",
    label_ko="격자별 가구 통계",
    label_en="household statistics by grid cell",
    grain="month × 250 m cell, across districts; in the database only",
    key=("base_month", "grid_id"),
    partition_by=("base_month",),
    columns=(
        silver.BASE_MONTH,
        _GRID_ID,
        *_CORNER,
        *(
            gold.HOUSEHOLD_STATISTICS.column(name)
            for name in (
                "households",
                "households_unweighted",
                "mean_total_income_krw_year",
                "mean_debt_krw",
                "share_with_debt",
                "mean_spending_krw_month",
            )
        ),
    ),
)

OUTPUT_AREA_GRID = Table(
    layer=Layer.GOLD,
    name="output_area_grid",
    label_ko="집계구의 250 m 격자",
    label_en="grid cells of each output area",
    grain="month × output area × 250 m cell with a building of it; in the database only",
    key=("base_month", "region_code", "grid_id"),
    partition_by=("base_month",),
    columns=(
        *silver.REGION_COLUMNS,
        _GRID_ID,
        *_CORNER,
        Column(
            name="buildings",
            kind=Kind.COUNT,
            label_ko="건물 수",
            label_en="buildings",
            meaning="of the output area in the cell",
            unit="buildings",
            minimum=1,
            is_required=True,
        ),
    ),
)
"""Output areas have no boundaries here: where they are is where their buildings are."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """A table of the database and its row security; without a rule a role sees nothing."""

    table: Table
    readers_see: str | None = None
    """SQL over one row: what every reader may see."""
    district: str | None = None
    """SQL over one row: the district whose analysts may see it whole; null: no district's."""


def _is_large(count: str) -> str:
    return f"{count} >= {SMALLEST_CELL}"


def _is_open(dimensions: tuple[str, ...]) -> str:
    """Cells of five; in output areas only one dimension at a time, because the full cross is small cells."""
    crossed = " + ".join(f"({name} <> '{codes.ALL}')::int" for name in dimensions)
    return f"{_is_large('households_unweighted')} and (region_level <> 'output_area' or {crossed} <= 1)"


_REGION_DISTRICT = "case when region_level <> 'city' then left(region_code, 5) end"
_COVERAGE_COUNTS = "least(bureau_persons, register_persons, census_persons, weighted_persons)"

PUBLISHED: tuple[Published, ...] = (
    Published(
        table=gold.HOUSEHOLD_STATISTICS,
        readers_see=_is_open(("head_sex", "head_age_band", "household_type")),
        district=_REGION_DISTRICT,
    ),
    Published(table=gold.HOUSEHOLD_BREAKDOWN, readers_see=_is_large("households_unweighted"), district=_REGION_DISTRICT),
    Published(table=HOUSEHOLD_CUBE, readers_see=_is_large("households_unweighted"), district=_REGION_DISTRICT),
    Published(table=HOUSEHOLD_GRID, readers_see=_is_large("households_unweighted")),
    Published(table=OUTPUT_AREA_GRID, readers_see=_is_large("buildings"), district=_REGION_DISTRICT),
    Published(table=gold.PERSON_STATISTICS, readers_see=_is_large("persons"), district=_REGION_DISTRICT),
    Published(table=gold.COVERAGE, readers_see=_is_large(_COVERAGE_COUNTS), district="gu_code"),
    Published(table=gold.QUALITY_REPORT, readers_see="true"),
    Published(table=gold.EDIT_REPORT, district="gu_code"),
    Published(table=quality.QUALITY_INDICATOR, readers_see="true"),
    Published(table=quality.QUALITY_SCORE, readers_see="true"),
    Published(table=quality.QUALITY_CHECK, readers_see="true"),
    Published(table=quality.QUALITY_CHANGE, readers_see="true"),
    Published(
        table=quality.CROSS_VALIDATION,
        readers_see=f"unit not in ('persons', 'households') or {_is_large('value')}",
        district=_REGION_DISTRICT,
    ),
    Published(table=quality.POPULATION_MOVEMENT, readers_see=_is_large("observed"), district=_REGION_DISTRICT),
    Published(table=silver.REGION, readers_see="true"),
    Published(table=gold.HOUSEHOLD, district="gu_code"),
    Published(table=gold.HOUSEHOLD_LINEAGE, district="gu_code"),
    Published(table=BUILDING_GRID, district="gu_code"),
)
"""`gold.household_member` is not here: nobody's work in the database needs persons' pseudonyms, so none are in it."""

MADE_ON_PUBLICATION = (HOUSEHOLD_CUBE, HOUSEHOLD_GRID, OUTPUT_AREA_GRID, BUILDING_GRID)
"""Tables without a Delta table of their own."""


def _bands(name: str, width: int, lower: tuple[int, ...]) -> CodeList:
    def label(band: int) -> tuple[str, str, str]:
        if band == lower[-1]:
            return str(band), f"{band}세 이상", f"{band} and over"
        return str(band), f"{band}–{band + width - 1}세", f"{band} to {band + width - 1}"

    return CodeList(name, tuple(map(label, lower)))


_SIZES = tuple((str(size), f"{size}인", f"{size} persons" if size > 1 else "1 person") for size in range(1, 7))
_HOUSEHOLD_SIZE = CodeList("household_size", (*_SIZES, ("7_plus", "7인 이상", "7 persons or more")))
_INCOME_CLASS = CodeList("income_class", tuple((str(k), f"{k}분위", f"quintile {k}") for k in range(1, 6)))

LABELS: dict[str, CodeList] = {
    "region_level": codes.REGION_LEVEL,
    "head_sex": codes.SEX,
    "sex": codes.SEX,
    "head_age_band": _bands("head_age_band", 10, codes.HEAD_AGE_BANDS),
    "age_band": _bands("age_band", 5, tuple(range(0, 85, 5))),
    "household_type": codes.HOUSEHOLD_TYPE,
    "dwelling_type": codes.DWELLING_TYPE,
    "tenure": codes.TENURE,
    "household_source": silver.HOUSEHOLD_SOURCE,
    "household_size": _HOUSEHOLD_SIZE,
    "income_class": _INCOME_CLASS,
    "dimension": CodeList("dimension", (*codes.BREAKDOWN_DIMENSION.labels, *quality.DIMENSION.labels)),
    "place": codes.PLACE,
    "reliability": codes.RELIABILITY,
    "object_type": quality.OBJECT_TYPE,
    "grade": quality.GRADE,
    "check_name": quality.CHECK,
    "source": quality.SOURCE,
    "reference_source": quality.SOURCE,
    "event": CodeList("event", (*gold.HOUSEHOLD_EVENT.labels, *quality.EVENT.labels)),
}
"""Column → what its codes are called; the views show them as `<column>_ko` and `<column>_en`. What a `category` is called
is in the list of its `dimension`."""
COMMON_LABELS = ((codes.ALL, "전체", "all"), ("unknown", "미상", "unknown"))
"""Codes that any list may have beside its own."""
