"""Silver: cleansed, typed, placed; units in the names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from living_finance.contracts import bronze, codes
from living_finance.contracts import deliveries as d
from living_finance.contracts.core import CodeList, Column, Kind, Layer, Measure, Table

BASE_MONTH = d.BASE_MONTH
GU_CODE = d.GU_CODE.renamed("gu_code", meaning=f"Statistics Korea, 5 digits; {codes.NO_DISTRICT!r}: no home in a known district")
EDITS = Column(
    name="edits",
    kind=Kind.CODES,
    label_ko="수정 사유",
    label_en="edits",
    meaning="one `column:reason` for each value that is not as delivered",
    is_required=True,
)

PERSON_RENAMES: dict[str, str] = {
    "labour_income": "labour_income_krw_year",
    "business_income": "business_income_krw_year",
    "credit_card_spending": "credit_card_spending_krw_month",
    "check_card_spending": "check_card_spending_krw_month",
    "cash_spending": "cash_spending_krw_month",
    "mortgage_balance": "mortgage_balance_krw",
    "jeonse_loan_balance": "jeonse_loan_balance_krw",
    "credit_loan_balance": "credit_loan_balance_krw",
    "business_loan_balance": "business_loan_balance_krw",
    "overdue_balance": "overdue_balance_krw",
    "monthly_repayment": "repayment_krw_month",
}
"""Delivered money columns and their names from silver on, unit included."""

INCOME_COLUMNS = ("labour_income_krw_year", "business_income_krw_year")
SPENDING_COLUMNS = ("credit_card_spending_krw_month", "check_card_spending_krw_month", "cash_spending_krw_month")
BALANCE_COLUMNS = (
    "mortgage_balance_krw",
    "jeonse_loan_balance_krw",
    "credit_loan_balance_krw",
    "business_loan_balance_krw",
)
"""The four balances that make up debt; overdue is part of them."""


def _person_columns() -> tuple[Column, ...]:
    columns = []
    for column in d.PERSONS.columns:
        if column.name in ("base_month", "deceased"):
            continue
        if column.name in PERSON_RENAMES:
            column = column.renamed(PERSON_RENAMES[column.name], is_required=True)
        columns.append(column)
    return tuple(columns)


PERSON = Table(
    layer=Layer.SILVER,
    name="person",
    label_ko="정제된 신용거래자",
    label_en="bureau persons, cleansed",
    grain="month × living bureau person",
    key=("base_month", "person_id"),
    partition_by=("base_month", "gu_code"),
    columns=(BASE_MONTH, GU_CODE, *_person_columns(), EDITS),
)

HOME_EVIDENCE = CodeList(
    "home_evidence",
    (
        ("register_unit", "호·성별·연령이 등록부와 일치", "the register knows sex and age band in this unit"),
        ("register_address", "건물·성별·연령이 등록부와 일치", "the register knows sex and age band at this address"),
        (
            "not_in_register",
            "등록부에 없음: 옛 주소 의심",
            "the register does not know sex and age band here: perhaps an old address",
        ),
        ("no_address", "주소 없음", "no address"),
    ),
)

PLACED_PERSON = Table(
    layer=Layer.SILVER,
    name="placed_person",
    label_ko="위치가 확정된 신용거래자",
    label_en="bureau persons, placed",
    grain="month × living bureau person",
    key=("base_month", "person_id"),
    partition_by=("base_month", "gu_code"),
    columns=(
        *(column for column in PERSON.columns if column.name != "edits"),
        d.DONG_CODE.renamed("dong_code", is_required=False, meaning="home, valid in the month; missing where unknown"),
        d.OUTPUT_AREA_ID.renamed("output_area_id", is_required=False),
        d.DWELLING_TYPE.renamed("dwelling_type", is_required=False),
        Column(
            name="home_evidence",
            kind=Kind.CODE,
            label_ko="거주지 근거",
            label_en="evidence for the home",
            codes=HOME_EVIDENCE,
            is_required=True,
        ),
        Column(
            name="has_household",
            kind=Kind.FLAG,
            label_ko="가구화 대상",
            label_en="resident with a known address",
            is_required=True,
        ),
        d.DONG_CODE.renamed(
            "workplace_dong_code", label_ko="근무 행정동(확정)", label_en="dong of the workplace, resolved", is_required=False
        ),
        Column(
            name="has_establishment_at_work",
            kind=Kind.FLAG,
            label_ko="근무 건물 사업체 존재",
            label_en="an establishment is at the work address",
        ),
        EDITS,
    ),
)

REGISTER_PERSON = Table(
    layer=Layer.SILVER,
    name="register_person",
    label_ko="정제된 주민등록",
    label_en="register persons, cleansed",
    grain="month × registered resident (identical rows are different people)",
    key=(),
    partition_by=("base_month", "gu_code"),
    columns=(
        BASE_MONTH,
        GU_CODE,
        *(column for column in d.RESIDENTS.columns if column.name not in ("base_month", "status")),
        EDITS,
    ),
)

BUILDING = Table(
    layer=Layer.SILVER,
    name="building",
    label_ko="정제된 건물",
    label_en="buildings, cleansed",
    grain="month × building",
    key=("base_month", "address_id"),
    partition_by=("base_month", "gu_code"),
    columns=(BASE_MONTH, GU_CODE, *d.BUILDINGS.columns, EDITS),
)

ESTABLISHMENT = Table(
    layer=Layer.SILVER,
    name="establishment",
    label_ko="정제된 사업체",
    label_en="establishments, cleansed",
    grain="month × establishment",
    key=("base_month", "establishment_id"),
    partition_by=("base_month", "gu_code"),
    columns=(BASE_MONTH, GU_CODE, *d.ESTABLISHMENTS.columns, EDITS),
)

BENEFIT = Table(
    layer=Layer.SILVER,
    name="benefit",
    label_ko="정제된 사회수혜금",
    label_en="social benefits, cleansed",
    grain="month × dong × programme",
    key=("base_month", "dong_code", "programme"),
    partition_by=("base_month",),
    columns=(BASE_MONTH, *(column for column in d.BENEFITS.columns if column.name != "base_month"), EDITS),
)

REFERENCE_MONTH = Column(
    name="reference_month",
    kind=Kind.MONTH,
    label_ko="자료 기준월",
    label_en="month the data describe",
    is_required=True,
)
IS_PROVISIONAL = Column(
    name="is_provisional",
    kind=Kind.FLAG,
    label_ko="잠정 여부",
    label_en="provisional",
    meaning="made with a census, survey or benchmarks of another year than its own",
    is_required=True,
)

CENSUS_MARGIN = Table(
    layer=Layer.SILVER,
    name="census_margin",
    label_ko="인구주택총조사 집계(적용)",
    label_en="census margins used for the month",
    grain="month × output area × margin × category",
    key=("base_month", "output_area_id", "margin", "category"),
    partition_by=("base_month",),
    columns=(
        BASE_MONTH,
        REFERENCE_MONTH,
        *(column for column in d.MARGINS.columns if column.name != "year"),
        Column(name="is_masked", kind=Kind.FLAG, label_ko="비공개(1~4)", label_en="masked, 1 to 4", is_required=True),
    ),
)

SURVEY_HOUSEHOLD = Table(
    layer=Layer.SILVER,
    name="survey_household",
    label_ko="검증 조사 가구(적용)",
    label_en="survey households used for the month",
    grain="month × surveyed household",
    key=("base_month", "survey_household_id"),
    partition_by=("base_month",),
    columns=(
        BASE_MONTH,
        REFERENCE_MONTH,
        *(
            column.renamed(
                {
                    "labour_income": "labour_income_krw_year",
                    "business_income": "business_income_krw_year",
                    "property_income": "property_income_krw_year",
                    "transfer_income": "transfer_income_krw_year",
                    "irregular_income": "irregular_income_krw_year",
                    "debt": "debt_krw",
                    "spending": "spending_krw_month",
                }.get(column.name, column.name)
            )
            for column in d.SURVEY_HOUSEHOLDS.columns
            if column.name != "survey_year"
        ),
        EDITS,
    ),
)

BENCHMARK = Table(
    layer=Layer.SILVER,
    name="benchmark",
    label_ko="공표 통계(적용)",
    label_en="published benchmarks used for the month",
    grain="month × source × period × region × indicator × dimension × category",
    key=("base_month", *d.BENCHMARKS.key),
    partition_by=("base_month",),
    columns=(BASE_MONTH, REFERENCE_MONTH, *d.BENCHMARKS.columns),
)

REGION = Table(
    layer=Layer.SILVER,
    name="region",
    label_ko="행정구역(유효)",
    label_en="regions valid in the month",
    grain="month × dong",
    key=("base_month", "dong_code"),
    partition_by=("base_month",),
    columns=(BASE_MONTH, REFERENCE_MONTH, *d.REGIONS.columns),
)

DISPOSITION = CodeList("disposition", (("quarantined", "격리", "quarantined"), ("removed", "제외", "removed")))

SET_ASIDE = Table(
    layer=Layer.SILVER,
    name="set_aside",
    label_ko="격리·제외 행",
    label_en="rows quarantined or removed",
    grain="month × delivered row that did not go on",
    key=("base_month", "table_name", "delivery_month", "delivery_number", "file_name", "row_number"),
    partition_by=("base_month",),
    columns=(
        BASE_MONTH,
        Column(name="table_name", kind=Kind.TEXT, label_ko="테이블", label_en="table", is_required=True),
        *bronze.PROVENANCE,
        GU_CODE,
        Column(name="disposition", kind=Kind.CODE, label_ko="처리", label_en="disposition", codes=DISPOSITION, is_required=True),
        Column(
            name="reasons",
            kind=Kind.CODES,
            label_ko="사유",
            label_en="reasons",
            meaning="rule and column, never the value; the row itself stays in bronze",
            is_required=True,
        ),
    ),
)

ADDRESS = Table(
    layer=Layer.SILVER,
    name="address",
    label_ko="건물별 집계",
    label_en="addresses",
    grain="month × building with residents, registered people or workers",
    key=("base_month", "address_id"),
    partition_by=("base_month", "gu_code"),
    columns=(
        BASE_MONTH,
        GU_CODE,
        d.ADDRESS_ID,
        d.DONG_CODE,
        d.OUTPUT_AREA_ID,
        d.DWELLING_TYPE,
        *(
            Column(name=name, kind=Kind.COUNT, label_ko=ko, label_en=en, is_required=True, minimum=0)
            for name, ko, en in (
                ("dwelling_units", "주택 수", "legal dwellings"),
                ("register_persons", "등록 인구", "registered persons"),
                ("register_households", "세대 수", "register households"),
                ("bureau_persons", "신용거래자 수", "bureau residents"),
                (
                    "bureau_persons_not_in_register",
                    "등록부에 없는 신용거래자",
                    "bureau residents the register does not know here",
                ),
                ("bureau_workers", "근무 신용거래자", "bureau persons who work here"),
                ("establishments", "사업체 수", "establishments"),
                ("establishment_workers", "종사자 수", "workers of the establishments"),
            )
        ),
        *(
            Column(name=name, kind=Kind.MONEY, label_ko=ko, label_en=en, unit=unit, is_required=True)
            for name, ko, en, unit in (
                ("labour_income_krw_year", "근로소득 합계", "labour income, sum", "KRW/year"),
                ("business_income_krw_year", "사업소득 합계", "business income, sum", "KRW/year"),
                ("debt_krw", "부채 합계", "debt, sum", "KRW"),
                ("spending_krw_month", "소비 합계", "spending, sum", "KRW/month"),
            )
        ),
        Column(
            name="empty_units",
            kind=Kind.COUNT,
            label_ko="빈 호 수",
            label_en="empty units",
            meaning="legal dwellings, or permitted households if more, less those in which a source knows anybody; people whose "
            "unit is missing may live there; a building with nobody at all has no row",
            is_required=True,
            minimum=0,
        ),
        Column(
            name="is_over_capacity",
            kind=Kind.FLAG,
            label_ko="수용 초과",
            label_en="more register households than the building holds",
            is_required=True,
        ),
        Column(
            name="has_unregistered_excess",
            kind=Kind.FLAG,
            label_ko="등록 인구 초과",
            label_en="more bureau residents than registered persons",
            is_required=True,
        ),
        Column(
            name="lacks_establishments",
            kind=Kind.FLAG,
            label_ko="사업체 부재",
            label_en="bureau workers but no establishment",
            is_required=True,
        ),
    ),
)

HOUSEHOLD_SOURCE = CodeList(
    "household_source",
    (
        ("register", "세대 기반", "a register household"),
        ("bureau", "신용거래자 기반", "bureau persons whom no register household at the address explains"),
    ),
)

UNSEEN_ADULTS = "unseen_adults"
"""Adults of a household whom the bureau does not know: their numbers by UNSEEN_CLASSES, UNSEEN_BITS each, in one number."""
UNSEEN_AGES = (15, 20, 30, 50, 65, 75)
UNSEEN_CLASSES = tuple((sex, age) for sex in "MF" for age in UNSEEN_AGES)
"""Sex and least age of each class."""
UNSEEN_BITS = 5

_HOUSEHOLD_COUNTS = tuple(
    Column(name=name, kind=Kind.INTEGER, label_ko=ko, label_en=en, is_required=True, minimum=0)
    for name, ko, en in (
        ("bureau_members", "신용거래자 가구원", "members in the bureau"),
        ("register_members", "등록 가구원", "members in the register"),
        ("adults", "15세 이상 가구원", "members of 15 or more"),
        ("children", "15세 미만 가구원", "members under 15"),
        ("elderly", "65세 이상 가구원", "members of 65 or more"),
    )
)

HOUSEHOLD = Table(
    layer=Layer.SILVER,
    name="household",
    label_ko="가구(소득 추정 전)",
    label_en="households before income is modelled",
    grain="month × household",
    key=("base_month", "household_id"),
    partition_by=("base_month", "gu_code"),
    columns=(
        BASE_MONTH,
        GU_CODE,
        Column(
            name="household_id",
            kind=Kind.KEY,
            label_ko="가구 식별자",
            label_en="household",
            is_required=True,
            measure=Measure.PSEUDONYMISED,
        ),
        Column(
            name="household_source",
            kind=Kind.CODE,
            label_ko="가구 근거",
            label_en="what the household rests on",
            codes=HOUSEHOLD_SOURCE,
            is_required=True,
        ),
        d.ADDRESS_ID,
        d.UNIT_ID,
        d.DONG_CODE,
        d.OUTPUT_AREA_ID.renamed(
            "output_area_id", is_required=False, meaning="missing where the buildings list lacks the address"
        ),
        d.DWELLING_TYPE.renamed("dwelling_type", is_required=False),
        d.TENURE,
        d.HOUSEHOLD_TYPE,
        Column(
            name="household_size", kind=Kind.INTEGER, label_ko="가구원 수", label_en="household size", is_required=True, minimum=1
        ),
        d.SEX.renamed("head_sex", label_ko="가구주 성별", label_en="head's sex"),
        Column(
            name="head_age_band",
            kind=Kind.INTEGER,
            label_ko="가구주 연령대",
            label_en="head's age band",
            meaning="ten-year lower bound",
            unit="years",
            is_required=True,
            minimum=10,
            maximum=80,
        ),
        *_HOUSEHOLD_COUNTS,
        Column(
            name=UNSEEN_ADULTS,
            kind=Kind.COUNT,
            label_ko="신용거래 없는 성인",
            label_en="adults outside the bureau",
            meaning="numbers by class, five bits each: men from 15, 20, 30, 50, 65, 75 years on, then women",
            is_required=True,
            minimum=0,
        ),
        Column(
            name="weight",
            kind=Kind.DECIMAL,
            label_ko="가중치",
            label_en="weight",
            meaning="adds the households of an output area up to the census margins; 0 for group quarters",
            is_required=True,
            minimum=0,
        ),
        Column(name="is_group_quarters", kind=Kind.FLAG, label_ko="집단 거처", label_en="group quarters", is_required=True),
        *(
            Column(name=name, kind=Kind.MONEY, label_ko=ko, label_en=en, unit=unit, is_required=True)
            for name, ko, en, unit in (
                ("bureau_labour_income_krw_year", "신용거래자 근로소득", "labour income of bureau members", "KRW/year"),
                ("bureau_business_income_krw_year", "신용거래자 사업소득", "business income of bureau members", "KRW/year"),
                ("bureau_debt_krw", "신용거래자 부채", "debt of bureau members", "KRW"),
                ("bureau_mortgage_balance_krw", "주택담보대출", "mortgages of bureau members", "KRW"),
                ("bureau_jeonse_loan_balance_krw", "전세자금대출", "jeonse loans of bureau members", "KRW"),
                ("bureau_spending_krw_month", "신용거래자 소비", "spending of bureau members", "KRW/month"),
            )
        ),
        IS_PROVISIONAL,
    ),
)

HOUSEHOLD_REGISTER = Table(
    layer=Layer.SILVER,
    name="household_register",
    label_ko="가구와 세대의 연결",
    label_en="register households of each household",
    grain="month × register household × household that its people are in",
    key=("base_month", "register_household_id", "household_id"),
    partition_by=("base_month", "gu_code"),
    columns=(
        BASE_MONTH,
        GU_CODE,
        d.RESIDENTS.column("register_household_id"),
        HOUSEHOLD.column("household_id"),
        Column(
            name="register_members",
            kind=Kind.INTEGER,
            label_ko="해당 세대의 등록 가구원",
            label_en="people of the register household in this household",
            is_required=True,
            minimum=1,
        ),
    ),
)

OUTPUT_AREA = Table(
    layer=Layer.SILVER,
    name="output_area",
    label_ko="집계구 기준 수",
    label_en="output areas",
    grain="month × output area of the census or with households",
    key=("base_month", "output_area_id"),
    partition_by=("base_month",),
    columns=(
        BASE_MONTH,
        d.OUTPUT_AREA_ID,
        *(
            Column(name=name, kind=kind, label_ko=ko, label_en=en, is_required=True, minimum=0)
            for name, kind, ko, en in (
                ("census_households", Kind.COUNT, "총조사 가구", "private households in the census"),
                ("register_households", Kind.COUNT, "세대 수", "register households in the month"),
                ("register_change", Kind.DECIMAL, "등록 세대 변화율", "register households now ÷ in the census month"),
                ("target_households", Kind.DECIMAL, "목표 가구", "households the weights add up to"),
                ("formed_households", Kind.COUNT, "구성 가구", "private households formed, unweighted"),
                ("weighted_households", Kind.DECIMAL, "가중 가구", "sum of weights"),
                ("targets", Kind.COUNT, "보정 기준 수", "margins and categories to be met"),
                ("relaxed_targets", Kind.COUNT, "완화된 기준 수", "of these, not met exactly"),
                ("largest_gap", Kind.DECIMAL, "최대 차이", "largest distance from a target, households or persons"),
            )
        ),
        Column(
            name="is_converged", kind=Kind.FLAG, label_ko="수렴 여부", label_en="whether calibration converged", is_required=True
        ),
    ),
)

REGION_COLUMNS = (
    BASE_MONTH,
    Column(
        name="region_level",
        kind=Kind.CODE,
        label_ko="지역 수준",
        label_en="region level",
        meaning="which kind of region the row is of",
        meaning_ko="행이 나타내는 지역의 단계",
        codes=codes.REGION_LEVEL,
        is_required=True,
    ),
    Column(
        name="region_code",
        kind=Kind.KEY,
        label_ko="지역 코드",
        label_en="region code",
        meaning="of Statistics Korea: city 2 digits, district 5, dong 7, output area 11",
        meaning_ko="통계청 코드: 시 2자리, 자치구 5자리, 행정동 7자리, 집계구 11자리",
        is_required=True,
    ),
)

QUANTILES: tuple[tuple[str, float], ...] = (("p10", 0.1), ("p25", 0.25), ("median", 0.5), ("p75", 0.75), ("p90", 0.9))
"""Published quantiles of total income: name and probability."""


def quantile_label_ko(name: str, probability: float) -> str:
    """What a quantile of total income is called in Korean."""
    return "중위 총소득" if name == "median" else f"총소득 제{probability * 100:.0f}백분위"


def _over_draws() -> Iterable[Column]:
    """Quantiles and Gini coefficient: their average over draws and its error."""
    kinds = (("", "추출 평균", "average over draws"), ("spread_", "추출 평균의 오차", "error of the average over draws"))
    for name, probability in QUANTILES:
        ko = quantile_label_ko(name, probability)
        for prefix, of_ko, of_en in kinds:
            yield Column(
                name=f"{prefix}{name}_total_income_krw_year",
                kind=Kind.MONEY,
                label_ko=f"{ko} {of_ko}",
                label_en=f"{name} of total income, {of_en}",
                unit="KRW/year",
            )
    for prefix, of_ko, of_en in kinds:
        yield Column(
            name=f"{prefix}gini_total_income",
            kind=Kind.DECIMAL,
            label_ko=f"총소득 지니계수 {of_ko}",
            label_en=f"Gini of total income, {of_en}",
            meaning="missing without positive income",
        )


HOUSEHOLDING_ERRORS: Mapping[str, str] = {
    "mean": "householding_mean_total_income_krw_year",
    **{name: f"householding_{name}_total_income_krw_year" for name, _ in QUANTILES},
    "gini": "householding_gini_total_income",
}
"""Figure of total income → column of its error from householding."""


def _from_householding() -> Iterable[Column]:
    """What another householding of the same people would change, root mean square."""
    quantiles = {name: quantile_label_ko(name, probability) for name, probability in QUANTILES}
    for name, column in HOUSEHOLDING_ERRORS.items():
        ko = {"mean": "평균 총소득", "gini": "총소득 지니계수"}.get(name) or quantiles[name]
        yield Column(
            name=column,
            kind=Kind.DECIMAL if name == "gini" else Kind.MONEY,
            label_ko=f"{ko} 가구화 오차",
            label_en=f"error of the {name} of total income from householding",
            meaning="missing where no draws of the assignment are made",
            unit="" if name == "gini" else "KRW/year",
        )


AREA_INCOME = Table(
    layer=Layer.SILVER,
    name="area_income",
    label_ko="지역 소득 추정 오차",
    label_en="total income of regions over draws, and its error",
    grain="month × region",
    key=("base_month", "region_level", "region_code"),
    partition_by=("base_month",),
    columns=(
        *REGION_COLUMNS,
        Column(name="households", kind=Kind.DECIMAL, label_ko="가구", label_en="households", is_required=True, minimum=0),
        Column(
            name="mean_total_income_krw_year",
            kind=Kind.MONEY,
            label_ko="평균 총소득",
            label_en="mean total income over draws",
            unit="KRW/year",
            is_required=True,
        ),
        Column(
            name="rmse_mean_total_income_krw_year",
            kind=Kind.MONEY,
            label_ko="평균 총소득 오차",
            label_en="spread of it over draws",
            meaning="survey sample, published figures, chances of households and areas; missing with a single draw",
            unit="KRW/year",
        ),
        *_over_draws(),
        *_from_householding(),
    ),
)

AREA_INCOME_DRAW = Table(
    layer=Layer.SILVER,
    name="area_income_draw",
    label_ko="지역 소득 추출값",
    label_en="total income of regions in each draw",
    grain="month × region (dong, gu, city) × draw: regions of one draw share survey sample, model and published figures",
    key=("base_month", "region_level", "region_code", "draw"),
    partition_by=("base_month",),
    columns=(
        *REGION_COLUMNS,
        Column(
            name="draw",
            kind=Kind.INTEGER,
            label_ko="추출 번호",
            label_en="number of the draw",
            meaning="0: the point fit, which spreads leave out where there are three or more",
            is_required=True,
            minimum=0,
        ),
        *(
            Column(
                name=f"{name}_total_income_krw_year",
                kind=Kind.MONEY,
                label_ko=label_ko,
                label_en=f"{name} of total income",
                unit="KRW/year",
                is_required=True,
            )
            for name, label_ko in (("mean", "평균 총소득"), *((name, quantile_label_ko(name, p)) for name, p in QUANTILES))
        ),
        Column(
            name="gini_total_income",
            kind=Kind.DECIMAL,
            label_ko="총소득 지니계수",
            label_en="Gini of total income",
            meaning="missing without positive income",
        ),
    ),
)

CALIBRATION_TARGET = Table(
    layer=Layer.SILVER,
    name="calibration_target",
    label_ko="가중치 보정 기준",
    label_en="targets of the weights",
    grain="month × output area × margin × category",
    key=("base_month", "output_area_id", "margin", "category"),
    partition_by=("base_month",),
    columns=(
        BASE_MONTH,
        d.OUTPUT_AREA_ID,
        *(
            Column(name=name, kind=Kind.TEXT, label_ko=ko, label_en=en, is_required=True)
            for name, ko, en in (("margin", "주변합", "margin"), ("category", "범주", "category"))
        ),
        *(
            Column(name=name, kind=Kind.DECIMAL, label_ko=ko, label_en=en, is_required=True)
            for name, ko, en in (
                ("lower", "하한", "least total"),
                ("upper", "상한", "largest total"),
                ("achieved", "달성값", "total of the weights"),
                ("gap", "차이", "achieved, less the nearest limit"),
            )
        ),
        Column(name="is_relaxed", kind=Kind.FLAG, label_ko="완화 여부", label_en="whether it gave way", is_required=True),
    ),
)

SILVER_TABLES: tuple[Table, ...] = (
    REGION,
    PERSON,
    REGISTER_PERSON,
    BUILDING,
    ESTABLISHMENT,
    BENEFIT,
    CENSUS_MARGIN,
    SURVEY_HOUSEHOLD,
    BENCHMARK,
    SET_ASIDE,
    PLACED_PERSON,
    ADDRESS,
    HOUSEHOLD,
    HOUSEHOLD_REGISTER,
    OUTPUT_AREA,
    AREA_INCOME,
    AREA_INCOME_DRAW,
    CALIBRATION_TARGET,
)
