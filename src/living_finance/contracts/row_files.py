"""Row-level files for researchers (contract, section 3): columns, hierarchies of generalisation, sensitive classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from living_finance.contracts import codes, gold, silver
from living_finance.contracts import deliveries as d
from living_finance.contracts.core import CodeList, Column, Kind, Measure
from living_finance.contracts.utilization import COMMON_LABELS, LABELS

ALL = codes.ALL
UNKNOWN = "unknown"
"""Category of a household whose dwelling or tenure is not known."""

Step = Mapping[str, tuple[str, ...]]
"""Category after a generalisation → categories of the most detailed level that it stands for; others stay as they are."""


@dataclass(frozen=True)
class Quasi:
    """A column by which somebody could be recognised, and how it is generalised."""

    column: Column
    categories: tuple[str, ...]
    """Most detailed level."""
    steps: tuple[Step, ...]
    """Level 1, 2, … before the last; the last level is `all`."""

    @property
    def name(self) -> str:
        return self.column.name

    @property
    def levels(self) -> tuple[dict[str, str], ...]:
        """Category of the most detailed level → category, for each level from 0 to `all`."""
        merged = [{old: new for new, olds in step.items() for old in olds} for step in ({}, *self.steps)]
        return (*({c: m.get(c, c) for c in self.categories} for m in merged), dict.fromkeys(self.categories, ALL))


@dataclass(frozen=True)
class Amount:
    """A published amount: rounded, with its tails cut off."""

    column: Column

    @property
    def name(self) -> str:
        return self.column.name


@dataclass(frozen=True)
class RowFile:
    """One row-level file. The region is a quasi-identifier too: dong, district or city, by the length of its code."""

    name: str
    label_ko: str
    label_en: str
    quasi: tuple[Quasi, ...]
    amounts: tuple[Amount, ...]
    income: str
    """The amount whose fifths make `income_class`."""
    has_weight: bool
    deleted: tuple[Column, ...]
    """Columns of the source that identify and do not leave."""

    @property
    def quasi_names(self) -> tuple[str, ...]:
        """All quasi-identifiers as published."""
        return ("region_code", *(q.name for q in self.quasi))

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of the file, in order."""
        return (
            *REGION_COLUMNS,
            *(q.column for q in self.quasi),
            *SENSITIVE,
            *(a.column for a in self.amounts),
            *((WEIGHT,) if self.has_weight else ()),
        )

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


REGION_LENGTHS = (7, 5, 2)
"""Length of the region's code by level of generalisation: dong, district, city."""
REGION_LEVELS = {7: "dong", 5: "gu", 2: "city"}

INCOME_CLASS = CodeList("income_class", tuple((str(n), f"{n}분위", f"fifth {n}, 1 lowest") for n in range(1, 6)))
DEBT_LIMITS: tuple[tuple[str, int], ...] = (("under_50m", 50_000_000), ("under_100m", 100_000_000), ("under_200m", 200_000_000))
"""Classes of debt and their upper limits in won; below them `none`, above them the last of DEBT_CLASS."""
DEBT_CLASS = CodeList(
    "debt_class",
    (
        ("none", "부채 없음", "no debt"),
        ("under_50m", "5천만 원 미만", "below 50 million won"),
        ("under_100m", "1억 원 미만", "50 to below 100 million won"),
        ("under_200m", "2억 원 미만", "100 to below 200 million won"),
        ("200m_plus", "2억 원 이상", "200 million won and over"),
    ),
)


def _text(name: str, ko: str, en: str, meaning_ko: str, meaning: str, measure: Measure = Measure.NONE) -> Column:
    return Column(
        name=name,
        kind=Kind.TEXT,
        label_ko=ko,
        label_en=en,
        meaning_ko=meaning_ko,
        meaning=meaning,
        is_required=True,
        measure=measure,
    )


def _quasi(column: Column, categories: tuple[str, ...], *steps: Step) -> Quasi:
    published = column.renamed(
        column.name,
        kind=Kind.TEXT,
        codes=None,
        minimum=None,
        maximum=None,
        unit="",
        is_required=True,
        measure=Measure.CATEGORISED,
        meaning="generalised; `all` where it is not given",
        meaning_ko="일반화한 구분, `all`은 구분하지 않음",
    )
    return Quasi(published, categories, steps)


def _amount(name: str, ko: str, en: str, unit: str) -> Amount:
    return Amount(
        Column(
            name=name,
            kind=Kind.MONEY,
            label_ko=ko,
            label_en=en,
            unit=unit,
            meaning="rounded; top- and bottom-coded",
            meaning_ko="반올림하고 양 끝을 상·하한값으로 바꾼 금액",
            is_required=True,
            measure=Measure.AGGREGATED,
        )
    )


REGION_COLUMNS: tuple[Column, ...] = (
    _text("base_month", "기준월", "month", "연-월(YYYY-MM)", "YYYY-MM"),
    _text(
        "region_level",
        "지역 단계",
        "region level",
        "행정동·자치구·시: 지역이 일반화된 단계",
        "dong, gu or city: how far the region is generalised",
    ),
    _text("region_code", "지역 코드", "region code", "통계청 코드", "Statistics Korea", Measure.CATEGORISED),
    _text("region_name_ko", "지역명", "region, Korean", "일반화된 지역의 이름", "of the region as generalised"),
    _text("region_name_en", "지역명(영문)", "region, English", "일반화된 지역의 영문 이름", "of the region as generalised"),
)
SENSITIVE: tuple[Column, ...] = (
    _text(
        "income_class",
        "소득 5분위",
        "income class",
        "이 파일에 공표된 소득의 5분위",
        "fifths of the file's published income",
        Measure.CATEGORISED,
    ),
    _text("debt_class", "부채 구간", "debt class", "공표된 부채에 따른 구간", "by the published debt", Measure.CATEGORISED),
)
"""Columns whose values must differ within a class (l-diversity); both follow from published amounts."""
SENSITIVE_CODES: dict[str, tuple[str, ...]] = {"income_class": INCOME_CLASS.codes, "debt_class": DEBT_CLASS.codes}
WEIGHT = Column(
    name="weight",
    kind=Kind.DECIMAL,
    label_ko="가중치",
    label_en="weight",
    meaning_ko="모든 구분이 같은 행의 평균을 파일에 담긴 가구의 비율로 나눈 값, 소수 첫째 자리까지",
    meaning="mean over the rows that share all categories, divided by the share of households in the file; to one decimal",
    is_required=True,
    measure=Measure.AGGREGATED,
)

_AGES_20: Step = {"10_29": ("10", "20"), "30_49": ("30", "40"), "50_69": ("50", "60"), "70_plus": ("70", "80")}
_AGES_40: Step = {"10_49": ("10", "20", "30", "40"), "50_plus": ("50", "60", "70", "80")}
_FIVE_YEARS = tuple(str(age) for age in codes.AGE_BANDS)


def _of_five_years(step: Step) -> Step:
    """Ten-year bands of a step as the bureau's five-year bands; the bureau's 80 is already 80 and over."""
    return {new: tuple(f for f in _FIVE_YEARS if str(int(f) // 10 * 10) in olds) for new, olds in step.items()}


_AGES_10: Step = {f"{ten}_{ten + 9}": (str(ten), str(ten + 5)) for ten in range(20, 80, 10)} | {"10_19": ("15",)}

HOUSEHOLDS = RowFile(
    name="households_deidentified",
    label_ko="비식별 가구 자료",
    label_en="households, de-identified",
    quasi=(
        _quasi(gold.HOUSEHOLD.column("head_sex"), codes.SEX.codes),
        _quasi(gold.HOUSEHOLD.column("head_age_band"), tuple(map(str, codes.HEAD_AGE_BANDS)), _AGES_20, _AGES_40),
        _quasi(
            gold.HOUSEHOLD.column("household_type"),
            codes.HOUSEHOLD_TYPE.codes,
            {"several_persons": ("one_generation", "two_generation", "three_generation", "unrelated")},
        ),
        _quasi(
            gold.HOUSEHOLD.column("household_size"),
            (*map(str, range(1, 7)), "7_plus"),
            {"5_plus": ("5", "6", "7_plus")},
            {"3_plus": ("3", "4", "5", "6", "7_plus")},
            {"2_plus": ("2", "3", "4", "5", "6", "7_plus")},
        ),
        _quasi(
            gold.HOUSEHOLD.column("dwelling_type"),
            (*codes.DWELLING_TYPE.codes, UNKNOWN),
            {
                "house": ("detached", "multi_family"),
                "small_block": ("row_house", "multi_unit"),
                "other": ("officetel", "commercial_building", "non_residential", UNKNOWN),
            },
            {"not_apartment": tuple(c for c in (*codes.DWELLING_TYPE.codes, UNKNOWN) if c != "apartment")},
        ),
        _quasi(
            gold.HOUSEHOLD.column("tenure"),
            (*codes.TENURE.codes, UNKNOWN),
            {"not_owned": ("jeonse", "monthly_rent", "free", UNKNOWN)},
        ),
    ),
    amounts=(
        _amount("total_income_krw_year", "총소득", "total income", "KRW/year"),
        _amount("labour_income_krw_year", "근로소득", "labour income", "KRW/year"),
        _amount("business_income_krw_year", "사업소득", "business income", "KRW/year"),
        _amount("debt_krw", "금융부채", "debt", "KRW"),
        _amount("spending_krw_month", "소비지출", "spending", "KRW/month"),
    ),
    income=gold.TOTAL_INCOME,
    has_weight=True,
    deleted=tuple(gold.HOUSEHOLD.column(name) for name in ("household_id", "address_id", "output_area_id")),
)

PERSONS = RowFile(
    name="persons_deidentified",
    label_ko="비식별 개인 자료",
    label_en="bureau residents, de-identified",
    quasi=(
        _quasi(d.PERSONS.column("sex"), codes.SEX.codes),
        _quasi(
            d.PERSONS.column("age_band"),
            _FIVE_YEARS,
            _AGES_10,
            _of_five_years(_AGES_20),
            _of_five_years(_AGES_40),
        ),
        _quasi(
            d.PERSONS.column("employment"),
            codes.EMPLOYMENT.codes,
            {"employed": ("employee", "self_employed")},
        ),
    ),
    amounts=(
        _amount("labour_business_income_krw_year", "근로·사업소득", "labour + business income", "KRW/year"),
        _amount("debt_krw", "금융부채", "debt", "KRW"),
        _amount("spending_krw_month", "소비", "spending", "KRW/month"),
    ),
    income="labour_business_income_krw_year",
    has_weight=False,
    deleted=(
        *(
            silver.PLACED_PERSON.column(name)
            for name in (
                "person_id",
                "home_address_id",
                "home_unit_id",
                "output_area_id",
                "work_address_id",
                "overdue_balance_krw",
            )
        ),
    ),
)

_MERGED: dict[str, tuple[str, str]] = {
    "several_persons": ("2인 이상 가구", "two persons or more"),
    "house": ("단독·다가구주택", "detached or multi-family house"),
    "small_block": ("연립·다세대주택", "row house or multi-unit house"),
    "other": ("그 밖의 거처, 미상 포함", "other living quarters, or unknown"),
    "not_apartment": ("아파트 외, 미상 포함", "not an apartment, or unknown"),
    "not_owned": ("자가 외, 미상 포함", "not owned, or unknown"),
    "employed": ("취업자(임금근로자·자영업자)", "employee or self-employed"),
}
"""Categories that generalisation makes and that are no range."""
_COUNTED = {
    "household_size": ("인", " persons", " or more"),
    "head_age_band": ("세", "", " and over"),
    "age_band": ("세", "", " and over"),
}
"""Column of numbers → what they count in Korean and English, and what an open range is called."""


def labels_of(name: str, file: RowFile) -> tuple[tuple[str, str, str], ...]:
    """What the codes of a column are called: (code, Korean, English); nothing where it has no codes of its own."""
    quasi = next((q for q in file.quasi if q.name == name), None)
    if quasi is None:
        levels = tuple(label for label in codes.REGION_LEVEL.labels if label[0] in REGION_LEVELS.values())
        return {"region_level": levels, "income_class": INCOME_CLASS.labels, "debt_class": DEBT_CLASS.labels}.get(name, ())
    listing = codes.EMPLOYMENT if name == "employment" else LABELS[name]
    known = {code: (korean, english) for code, korean, english in (*COMMON_LABELS, *listing.labels)} | _MERGED
    found = dict.fromkeys(category for level in quasi.levels for category in level.values())
    return tuple((code, *(known[code] if code in known else _range(code, *_COUNTED[name]))) for code in found)


def _range(code: str, korean: str, english: str, more: str) -> tuple[str, str]:
    """What a range of numbers is called.

    >>> _range("10_29", "세", "", " and over"), _range("5_plus", "인", " persons", " or more")
    (('10–29세', '10 to 29'), ('5인 이상', '5 persons or more'))
    """
    low, _, high = code.partition("_")
    if high == "plus":
        return f"{low}{korean} 이상", f"{low}{english}{more}"
    return f"{low}–{high}{korean}", f"{low} to {high}{english}"


ROW_FILES: dict[str, RowFile] = {file.name: file for file in (PERSONS, HOUSEHOLDS)}
SHARED_QUASI: tuple[tuple[str, str], ...] = (("region_code", "region_code"), ("sex", "head_sex"), ("age_band", "head_age_band"))
"""Columns of the person and the household file that say the same of a head of household."""
