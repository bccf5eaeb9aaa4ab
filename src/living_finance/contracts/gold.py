"""Gold: the product tables (contract, section 2)."""

from __future__ import annotations

from collections.abc import Iterable

from living_finance.contracts import codes, silver
from living_finance.contracts import deliveries as d
from living_finance.contracts.core import CodeList, Column, Kind, Layer, Table, columns_of
from living_finance.contracts.quality import QUALITY_TABLES

INCOME_COMPONENTS: tuple[str, ...] = (
    "labour_income_krw_year",
    "business_income_krw_year",
    "property_income_krw_year",
    "transfer_income_krw_year",
    "irregular_income_krw_year",
)
TOTAL_INCOME = "total_income_krw_year"

_COMPONENT_LABELS = {
    "labour_income_krw_year": ("근로소득", "labour income"),
    "business_income_krw_year": ("사업소득", "business income"),
    "property_income_krw_year": ("재산소득", "property income"),
    "transfer_income_krw_year": ("이전소득", "transfer income"),
    "irregular_income_krw_year": ("비경상소득", "irregular income"),
    TOTAL_INCOME: ("총소득", "total income"),
}

QUANTILES = silver.QUANTILES
"""Published quantiles of total income: name and probability."""


Meanings = tuple[str, str]
"""Korean and English, as labels stand."""


def money(name: str, ko: str, en: str, unit: str, *, required: bool = True, means: Meanings = ("", "")) -> Column:
    """A published amount in whole won."""
    return Column(
        name=name,
        kind=Kind.MONEY,
        label_ko=ko,
        label_en=en,
        unit=unit,
        is_required=required,
        meaning_ko=means[0],
        meaning=means[1],
    )


def _share(name: str, ko: str, en: str, *, required: bool = True, means: Meanings = ("", "")) -> Column:
    return Column(
        name=name,
        kind=Kind.DECIMAL,
        label_ko=ko,
        label_en=en,
        unit="share",
        is_required=required,
        minimum=0,
        maximum=1,
        meaning_ko=means[0],
        meaning=means[1],
    )


def _components() -> Iterable[Column]:
    for name in (*INCOME_COMPONENTS, TOTAL_INCOME):
        ko, en = _COMPONENT_LABELS[name]
        yield money(name, ko, en, "KRW/year")


HOUSEHOLD = Table(
    layer=Layer.GOLD,
    name="household",
    label_ko="가구",
    label_en="households",
    grain="month × household",
    key=("base_month", "household_id"),
    partition_by=("base_month", "gu_code"),
    columns=columns_of(
        (
            silver.HOUSEHOLD.column(name)
            for name in (
                "base_month",
                "gu_code",
                "household_id",
                "household_source",
                "address_id",
                "dong_code",
                "output_area_id",
                "dwelling_type",
                "tenure",
                "household_type",
                "household_size",
                "head_sex",
                "head_age_band",
                "bureau_members",
                "weight",
                "is_group_quarters",
            )
        ),
        _components(),
        money("expected_total_income_krw_year", "기대 총소득", "expected total income", "KRW/year"),
        money("debt_krw", "금융부채", "debt", "KRW"),
        money("spending_krw_month", "소비지출", "spending", "KRW/month"),
        Column(name="model_version", kind=Kind.TEXT, label_ko="모형 버전", label_en="model version", is_required=True),
        silver.IS_PROVISIONAL,
    ),
    checks=(("components_add_up", f"{TOTAL_INCOME} = {' + '.join(INCOME_COMPONENTS)}"),),
)

HOUSEHOLD_EVIDENCE = CodeList(
    "assignment_evidence",
    (
        ("register_unit", "등록부와 호 일치", "matched to a register person in the same unit"),
        ("register_address", "등록부와 건물 일치", "matched to a register person at the same address"),
        ("missing_head", "세대주 자리", "taken for the head whom a register household there lacks"),
        (
            "shared_unit",
            "같은 곳의 미등록자",
            "with others there whom the register does not know: people who came together",
        ),
        ("alone", "단독", "alone: the register does not know this person here"),
    ),
)

HOUSEHOLD_MEMBER = Table(
    layer=Layer.GOLD,
    name="household_member",
    label_ko="가구원",
    label_en="household members",
    grain="month × bureau resident with a known address",
    key=("base_month", "person_id"),
    partition_by=("base_month", "gu_code"),
    columns=(
        silver.BASE_MONTH,
        silver.GU_CODE,
        d.PERSONS.column("person_id"),
        silver.HOUSEHOLD.column("household_id"),
        Column(
            name="assignment_evidence",
            kind=Kind.CODE,
            label_ko="배정 근거",
            label_en="evidence of the assignment",
            codes=HOUSEHOLD_EVIDENCE,
            is_required=True,
        ),
        Column(
            name="assignment_probability",
            kind=Kind.DECIMAL,
            label_ko="배정 확률",
            label_en="probability of the assignment",
            meaning="posterior probability of belonging there; of somebody the register does not know, to none that it knows",
            is_required=True,
            minimum=0,
            maximum=1,
        ),
    ),
)

NO_HOUSEHOLD = "none"
"""Stands in a lineage key for the household that is not there: before a new one, after one that ended."""

HOUSEHOLD_EVENT = CodeList(
    "household_event",
    (
        ("first", "최초 월", "first month of the series: there is nothing to compare with"),
        ("unchanged", "변동 없음", "same household, address and members"),
        ("members_changed", "가구원 변동", "same household and address; members came or left"),
        ("moved", "이사", "same household at another address, whether or not members changed"),
        ("split", "분가", "members of a previous household are in one that is new"),
        ("merged", "합가", "members of a household that ended are in one that goes on"),
        ("transferred", "가구 간 이동", "bureau persons of a household that goes on are in another that goes on"),
        ("new", "신규", "nobody of it was in a household before"),
        ("ended", "소멸", "nobody of it is in a household any more"),
    ),
)

HOUSEHOLD_LINEAGE = Table(
    layer=Layer.GOLD,
    name="household_lineage",
    label_ko="가구 계보",
    label_en="household lineage",
    grain="month × household × previous household that it shares members with; one row for a household without the other",
    key=("base_month", "household_id", "previous_household_id"),
    partition_by=("base_month", "gu_code"),
    columns=(
        silver.BASE_MONTH,
        silver.GU_CODE.renamed("gu_code", meaning="of the household; of one that ended, where it was"),
        silver.HOUSEHOLD.column("household_id").renamed(
            "household_id", meaning=f"{NO_HOUSEHOLD!r}: the previous household ended without a successor"
        ),
        silver.HOUSEHOLD.column("household_id").renamed(
            "previous_household_id",
            label_ko="이전 가구 식별자",
            label_en="household in the previous month",
            meaning=f"equals household_id where the household is the same; {NO_HOUSEHOLD!r}: the household has no predecessor",
        ),
        silver.BASE_MONTH.renamed(
            "previous_month",
            label_ko="비교 월",
            label_en="month compared with",
            meaning="the newest month before that has been made; missing in the first",
            is_required=False,
        ),
        Column(name="event", kind=Kind.CODE, label_ko="변동", label_en="event", codes=HOUSEHOLD_EVENT, is_required=True),
        Column(
            name="is_main_previous",
            kind=Kind.FLAG,
            label_ko="주된 이전 가구",
            label_en="main predecessor",
            meaning="no other previous household ranks higher for this household: true once for each household of the month",
            is_required=True,
        ),
        Column(
            name="is_main_successor",
            kind=Kind.FLAG,
            label_ko="주된 후속 가구",
            label_en="main successor",
            meaning="no other household ranks higher for this previous household: true once for each household of that month",
            is_required=True,
        ),
        *(
            Column(name=name, kind=Kind.INTEGER, label_ko=ko, label_en=en, is_required=True, minimum=0)
            for name, ko, en in (
                ("shared_bureau_persons", "공통 신용거래자", "bureau persons in both"),
                ("shared_register_households", "공통 세대", "register households with people in both"),
                ("shared_register_persons", "공통 등록 가구원(최대)", "register persons in both, at most"),
            )
        ),
        Column(
            name="has_members_changed",
            kind=Kind.FLAG,
            label_ko="가구원 변동 여부",
            label_en="members came or left",
            meaning="missing unless the household is the same",
        ),
        Column(
            name="is_address_changed",
            kind=Kind.FLAG,
            label_ko="주소 변동 여부",
            label_en="another address",
            meaning="missing where one of the two households is not there",
        ),
        d.DONG_CODE.renamed("dong_code", is_required=False, meaning="missing where the household ended"),
        silver.GU_CODE.renamed(
            "previous_gu_code",
            label_ko="이전 자치구 코드",
            label_en="district in the previous month",
            meaning="missing where there is no predecessor",
            is_required=False,
        ),
        d.DONG_CODE.renamed(
            "previous_dong_code",
            label_ko="이전 행정동 코드",
            label_en="dong in the previous month",
            meaning="missing where there is no predecessor",
            is_required=False,
        ),
    ),
    checks=(
        (
            "same_household_is_main_on_both_sides",
            "(household_id = previous_household_id) = (is_main_previous and is_main_successor)",
        ),
        (
            "event_fits_the_ids",
            "(event in ('unchanged', 'members_changed', 'moved')) = (household_id = previous_household_id)"
            f" and (event in ('first', 'new')) = (previous_household_id = '{NO_HOUSEHOLD}')"
            f" and (event = 'ended') = (household_id = '{NO_HOUSEHOLD}')",
        ),
    ),
)


def _category(name: str, ko: str, en: str) -> Column:
    return Column(
        name=name,
        kind=Kind.TEXT,
        label_ko=ko,
        label_en=en,
        meaning="`all` for the margin",
        meaning_ko="`all`은 합계",
        is_required=True,
    )


def _household_measures() -> Iterable[Column]:
    yield Column(
        name="households",
        kind=Kind.DECIMAL,
        label_ko="가구 수",
        label_en="households, weighted",
        meaning="weighted to the private households of the city",
        meaning_ko="시 전체 일반가구에 맞춘 가중 가구 수",
        is_required=True,
        minimum=0,
    )
    yield Column(
        name="households_unweighted",
        kind=Kind.COUNT,
        label_ko="구성 가구 수",
        label_en="contributing households, unweighted",
        is_required=True,
        minimum=0,
    )
    total = ("다섯 소득 구성 요소의 합(세전)의 가중 평균", "weighted mean of the five components added up, before tax")
    yield money("mean_total_income_krw_year", "평균 총소득", "mean total income", "KRW/year", means=total)
    for name, probability in QUANTILES:
        ko = silver.quantile_label_ko(name, probability)
        reached = (
            f"누적 가중치가 전체의 {probability:.0%}에 이르는 가장 작은 값",
            f"smallest value whose cumulative weight reaches {probability:.0%} of the total",
        )
        yield money(f"{name}_total_income_krw_year", ko, f"{name} of total income", "KRW/year", means=reached)
    for name in INCOME_COMPONENTS:
        ko, en = _COMPONENT_LABELS[name]
        means = ("없는 가구를 0으로 포함한 가중 평균(세전)", "weighted mean before tax, households without any count as 0")
        yield money(f"mean_{name}", f"평균 {ko}", f"mean {en}", "KRW/year", means=means)
    debt = ("가구원의 대출 잔액 네 가지의 합의 가중 평균", "weighted mean of the four loan balances of its members added up")
    yield money("mean_debt_krw", "평균 부채", "mean debt", "KRW", means=debt)
    indebted = ("대출 잔액이 있는 가구의 가중 비율", "weighted share of households with any loan balance")
    yield _share("share_with_debt", "부채 보유 비율", "share of households with debt", means=indebted)
    spent = ("가구원 소비의 합의 가중 평균", "weighted mean of the spending of its members added up")
    yield money("mean_spending_krw_month", "평균 소비지출", "mean spending", "KRW/month", means=spent)
    unequal = ("0이면 모든 가구가 같고 1에 가까울수록 불평등", "0: every household has the same; near 1: few have all")
    yield _share(
        "gini_total_income", "총소득 지니계수", "Gini of total income, household-weighted", required=False, means=unequal
    ).renamed("gini_total_income", minimum=None, maximum=None)
    yield money(
        "rmse_mean_total_income_krw_year",
        "평균 총소득의 표준오차",
        "root mean squared error of the mean",
        "KRW/year",
        required=False,
    )
    yield Column(
        name="cv_mean_total_income",
        kind=Kind.DECIMAL,
        label_ko="평균 총소득의 변동계수",
        label_en="coefficient of variation of the mean",
        meaning="root mean squared error of the mean, divided by the mean",
        meaning_ko="평균의 표준오차를 평균으로 나눈 값",
    )
    yield Column(
        name="reliability",
        kind=Kind.CODE,
        label_ko="신뢰 등급",
        label_en="reliability",
        meaning="by the coefficient of variation of mean total income",
        meaning_ko="평균 총소득의 변동계수에 따름",
        codes=codes.RELIABILITY,
    )
    yield silver.IS_PROVISIONAL


HOUSEHOLD_MEASURES: tuple[Column, ...] = tuple(_household_measures())


def _errors_of_distribution() -> Iterable[Column]:
    meaning = "of the average over draws, and from householding; where all three categories are `all`"
    for name, probability in QUANTILES:
        ko = silver.quantile_label_ko(name, probability)
        label = f"root mean squared error of the {name}"
        yield money(f"rmse_{name}_total_income_krw_year", f"{ko}의 표준오차", label, "KRW/year", required=False).renamed(
            f"rmse_{name}_total_income_krw_year", meaning=meaning
        )
    yield Column(
        name="rmse_gini_total_income",
        kind=Kind.DECIMAL,
        label_ko="총소득 지니계수의 표준오차",
        label_en="root mean squared error of the Gini",
        meaning=meaning,
    )


HOUSEHOLD_STATISTICS = Table(
    layer=Layer.GOLD,
    name="household_statistics",
    label_ko="가구 통계",
    label_en="household statistics",
    grain="month × region × head's sex × head's age band × household type, each also `all`",
    key=("base_month", "region_level", "region_code", "head_sex", "head_age_band", "household_type"),
    partition_by=("base_month",),
    columns=(
        *silver.REGION_COLUMNS,
        _category("head_sex", "가구주 성별", "head's sex"),
        _category("head_age_band", "가구주 연령대", "head's age band"),
        _category("household_type", "가구 유형", "household type"),
        *HOUSEHOLD_MEASURES,
        *_errors_of_distribution(),
    ),
)

MAIN_FIGURES = (
    "households",
    "mean_total_income_krw_year",
    "median_total_income_krw_year",
    "mean_debt_krw",
    "share_with_debt",
    "mean_spending_krw_month",
    "gini_total_income",
)
"""Columns of HOUSEHOLD_STATISTICS that are looked at first: watched from month to month, and shown to the public."""

HOUSEHOLD_BREAKDOWN = Table(
    layer=Layer.GOLD,
    name="household_breakdown",
    label_ko="가구 특성별 통계",
    label_en="household statistics by characteristic",
    grain="month × region × dimension × category",
    key=("base_month", "region_level", "region_code", "dimension", "category"),
    partition_by=("base_month",),
    columns=(
        *silver.REGION_COLUMNS,
        Column(
            name="dimension",
            kind=Kind.CODE,
            label_ko="차원",
            label_en="dimension",
            codes=codes.BREAKDOWN_DIMENSION,
            is_required=True,
        ),
        Column(name="category", kind=Kind.TEXT, label_ko="범주", label_en="category", is_required=True),
        *HOUSEHOLD_MEASURES,
    ),
)


def _person_measures() -> Iterable[Column]:
    yield Column(
        name="persons",
        kind=Kind.COUNT,
        label_ko="인원",
        label_en="bureau persons",
        meaning="persons of 15 and over with credit activity at the place, not weighted",
        meaning_ko="그 장소의 15세 이상 신용거래자 수, 가중하지 않음",
        is_required=True,
        minimum=0,
    )
    mean = ("없는 사람을 0으로 포함한 신용거래자 평균", "over bureau persons, those without any count as 0")
    middle = ("신용거래자의 중앙값", "half of the bureau persons have less")
    for statistic, ko in (("mean", "평균"), ("median", "중위")):
        yield money(
            f"{statistic}_labour_business_income_krw_year",
            f"{ko} 근로·사업소득",
            f"{statistic} labour + business income",
            "KRW/year",
            means=mean if statistic == "mean" else middle,
        )
    yield money("mean_labour_income_krw_year", "평균 근로소득", "mean labour income", "KRW/year", means=mean)
    yield money("mean_business_income_krw_year", "평균 사업소득", "mean business income", "KRW/year", means=mean)
    for name in silver.BALANCE_COLUMNS:
        column = silver.PERSON.column(name)
        yield money(f"mean_{name}", f"평균 {column.label_ko}", f"mean {column.label_en}", "KRW", means=mean)
    yield money("mean_debt_krw", "평균 부채", "mean debt", "KRW", means=mean)
    indebted = ("대출 잔액이 있는 신용거래자의 비율", "of the bureau persons, those with any loan balance")
    yield _share("share_with_debt", "부채 보유 비율", "share with debt", means=indebted)
    yield money("mean_spending_krw_month", "평균 소비", "mean spending", "KRW/month", means=mean)
    yield money("median_spending_krw_month", "중위 소비", "median spending", "KRW/month", means=middle)
    overdue = ("연체 중인 신용거래자의 비율", "of the bureau persons, those overdue")
    yield _share("overdue_share", "연체자 비율", "share of persons overdue", means=overdue)


PERSON_STATISTICS = Table(
    layer=Layer.GOLD,
    name="person_statistics",
    label_ko="개인 통계",
    label_en="person statistics",
    grain="month × place × region × sex × age band, each also `all`",
    key=("base_month", "place", "region_level", "region_code", "sex", "age_band"),
    partition_by=("base_month",),
    columns=(
        silver.BASE_MONTH,
        Column(
            name="place",
            kind=Kind.CODE,
            label_ko="장소",
            label_en="place",
            meaning="where the persons are counted",
            meaning_ko="사람을 세는 장소",
            codes=codes.PLACE,
            is_required=True,
        ),
        *silver.REGION_COLUMNS[1:],
        _category("sex", "성별", "sex"),
        _category("age_band", "연령대", "age band"),
        *_person_measures(),
    ),
)

QUALITY_REPORT = Table(
    layer=Layer.GOLD,
    name="quality_report",
    label_ko="품질 지표",
    label_en="quality report",
    grain="month × table × indicator",
    key=("base_month", "table", "indicator"),
    partition_by=("base_month",),
    columns=(
        silver.BASE_MONTH,
        Column(name="table", kind=Kind.TEXT, label_ko="테이블", label_en="table", is_required=True),
        Column(name="indicator", kind=Kind.TEXT, label_ko="지표", label_en="indicator", is_required=True),
        Column(name="value", kind=Kind.DECIMAL, label_ko="값", label_en="value"),
        Column(name="threshold", kind=Kind.DECIMAL, label_ko="기준", label_en="threshold"),
        Column(name="passed", kind=Kind.FLAG, label_ko="충족", label_en="passed"),
    ),
)

EDIT_COUNTS = ("rows_kept", "rows_edited", "rows_quarantined", "rows_removed")
"""Columns of `EDIT_REPORT` that count rows."""

EDIT_REPORT = Table(
    layer=Layer.GOLD,
    name="edit_report",
    label_ko="정제 내역",
    label_en="edit report",
    grain="month × table × district × reason (`all`: every row)",
    key=("base_month", "table", "gu_code", "reason"),
    partition_by=("base_month",),
    columns=(
        silver.BASE_MONTH,
        QUALITY_REPORT.column("table"),
        silver.GU_CODE,
        Column(name="reason", kind=Kind.TEXT, label_ko="사유", label_en="reason", is_required=True),
        *(
            Column(name=name, kind=Kind.COUNT, label_ko=ko, label_en=en, is_required=True, minimum=0)
            for name, ko, en in (
                ("rows_kept", "유지", "rows kept, edited ones included"),
                ("rows_edited", "수정", "rows kept with an edit"),
                ("rows_quarantined", "격리", "rows quarantined"),
                ("rows_removed", "제외", "rows removed"),
            )
        ),
    ),
)

COVERAGE = Table(
    layer=Layer.GOLD,
    name="coverage",
    label_ko="포괄 범위",
    label_en="coverage of the sources",
    grain="month × dong × sex × age band",
    key=("base_month", "dong_code", "sex", "age_band"),
    partition_by=("base_month",),
    columns=(
        silver.BASE_MONTH,
        silver.GU_CODE,
        d.DONG_CODE,
        d.SEX,
        Column(
            name="age_band",
            kind=Kind.INTEGER,
            label_ko="연령대",
            label_en="age band",
            meaning="lower bound of five years; 80 = 80 and over",
            unit="years",
            is_required=True,
            minimum=0,
            maximum=80,
        ),
        *(
            Column(name=name, kind=Kind.DECIMAL, label_ko=ko, label_en=en, meaning=meaning, is_required=True, minimum=0)
            for name, ko, en, meaning in (
                (
                    "bureau_persons",
                    "신용거래자",
                    "bureau residents",
                    "of the dong, also those at an old address or without one (the dong that the bureau gives)",
                ),
                ("register_persons", "등록 인구", "registered residents", ""),
                ("census_persons", "총조사 인구", "census members of private households", "masked output areas count 2.5"),
                ("weighted_persons", "가중 인구", "members of the weighted households", "what the weights make of the sources"),
            )
        ),
        *(
            Column(name=name, kind=Kind.DECIMAL, label_ko=ko, label_en=en, meaning=meaning)
            for name, ko, en, meaning in (
                ("bureau_to_census", "신용거래자 비율", "bureau ÷ census", "missing where the census has nobody"),
                ("register_to_census", "등록 인구 비율", "register ÷ census", "missing where the census has nobody"),
                ("weighted_to_census", "가중 인구 비율", "weighted ÷ census", "missing where the census has nobody"),
            )
        ),
    ),
)

ERROR_PARTS = ("householding", "model", "sampling", "benchmarking")
"""Columns of `ERROR_BUDGET`: where the error of a figure comes from."""

ERROR_BUDGET = Table(
    layer=Layer.GOLD,
    name="error_budget",
    label_ko="오차 구성",
    label_en="error budget",
    grain="month × region level × figure of total income, root mean squares over regions, relative to the figure",
    key=("base_month", "region_level", "figure"),
    partition_by=("base_month",),
    columns=(
        *silver.REGION_COLUMNS[:2],
        Column(
            name="figure",
            kind=Kind.TEXT,
            label_ko="통계",
            label_en="figure of total income",
            meaning=f"{', '.join(silver.HOUSEHOLDING_ERRORS)}",
            is_required=True,
        ),
        Column(name="regions", kind=Kind.COUNT, label_ko="지역 수", label_en="regions", is_required=True, minimum=0),
        *(
            Column(
                name=name,
                kind=Kind.DECIMAL,
                label_ko=ko,
                label_en=en,
                meaning=meaning,
                minimum=0,
            )
            for name, ko, en, meaning in (
                (
                    "householding",
                    "가구화 오차",
                    "error from householding",
                    "who lives with whom; missing: no draws of it are made",
                ),
                ("model", "모형 오차", "error of the income model", "chances of households and areas, given the fit"),
                ("sampling", "표본 오차", "error of the survey's sample", "its bootstrap alone"),
                ("benchmarking", "벤치마크 오차", "error of benchmarking", "errors of the published figures alone"),
                ("total", "전체 오차", "error of all parts", "root of the sum of their squares"),
            )
        ),
    ),
)

GOLD_TABLES: tuple[Table, ...] = (
    HOUSEHOLD,
    HOUSEHOLD_MEMBER,
    HOUSEHOLD_LINEAGE,
    HOUSEHOLD_STATISTICS,
    HOUSEHOLD_BREAKDOWN,
    PERSON_STATISTICS,
    QUALITY_REPORT,
    EDIT_REPORT,
    COVERAGE,
    ERROR_BUDGET,
    *QUALITY_TABLES,
)
