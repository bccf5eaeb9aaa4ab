"""Quality of a month: indicators by dimension, scores, cross-validation, movement of the population, change, checks."""

from __future__ import annotations

from living_finance.contracts import silver
from living_finance.contracts.core import CodeList, Column, Kind, Layer, Table

DIMENSION = CodeList(
    "quality_dimension",
    (
        ("completeness", "완전성", "completeness"),
        ("validity", "유효성", "validity"),
        ("consistency", "일관성", "consistency"),
        ("uniqueness", "유일성", "uniqueness"),
        ("timeliness", "적시성", "timeliness"),
        ("accuracy", "정확성", "accuracy"),
        ("coverage", "포괄성", "coverage"),
    ),
)
OBJECT_TYPE = CodeList(
    "object_type", (("delivery", "제공 자료", "delivery"), ("table", "테이블", "table"), ("month", "기준월", "month"))
)
GRADE = CodeList(
    "grade",
    (
        ("excellent", "우수", "excellent"),
        ("good", "양호", "good"),
        ("fair", "보통", "fair"),
        ("poor", "미흡", "poor"),
    ),
)
EVENT = CodeList(
    "event",
    (
        ("births", "출생(0세 등록 인구)", "births: registered people of age 0, of the last twelve months"),
        ("deaths", "사망(신용거래자)", "deaths: bureau persons delivered as deceased in the month"),
        ("moved_in", "전입 가구", "households that came from another dong"),
        ("moved_out", "전출 가구", "households that went to another dong"),
        ("household_new", "신규 가구", "households nobody of which was in one before"),
        ("household_ended", "소멸 가구", "households nobody of which is in one any more"),
        ("register_gain", "등록 인구 증가", "registered residents more than the month before, in dongs that gained"),
        ("register_loss", "등록 인구 감소", "registered residents fewer than the month before, in dongs that lost"),
    ),
)
SOURCE = CodeList(
    "cross_source",
    (
        ("bureau", "신용정보사", "credit bureau"),
        ("register", "주민등록", "resident register"),
        ("census", "인구주택총조사", "census"),
        ("benefits", "사회수혜금", "social benefits"),
        ("survey", "검증 조사", "validation survey"),
        ("benchmark", "공표 통계", "published benchmark"),
        ("statistics", "생활금융 통계", "this month's statistics"),
    ),
)
CHECK = CodeList(
    "check_name",
    (
        ("rows_accounted_for", "제공 행 = 유지 + 격리 + 제외", "delivered rows = kept + quarantined + removed"),
        ("components_add_up", "소득 구성요소의 합 = 총소득", "income components add up to the total, to the won"),
        ("every_dong_published", "유효 행정동 전체에 통계 존재", "every dong that is valid has statistics"),
        ("levels_add_up", "동·구·시 가구 수 일치", "households of dongs, districts and city agree"),
        ("quantiles_in_order", "분위수 순서", "quantiles are in order"),
        ("census_households_met", "총조사 가구 수 충족", "weights meet the households of every output area"),
        ("near_published_mean", "공표 평균소득 근접", "the city's mean income is near the published one"),
        ("city_change_explained", "시 변화의 설명", "no large change of the city without a change of inputs"),
        ("district_change_explained", "구 변화의 설명", "no large change of a district without a change of inputs"),
        ("movement_plausible", "출생·사망·이동의 타당성", "births, deaths and moves within their bounds"),
        ("report_thresholds_met", "품질 지표 기준 충족", "indicators of gold.quality_report meet their thresholds"),
        ("dongs_reliable", "행정동 신뢰도", "few dongs whose mean is unreliable"),
        ("score_sufficient", "종합 점수", "the month's score reaches the lowest grade"),
    ),
)
NO_PREVIOUS_MONTH = "first month: nothing to compare with"


def _text(name: str, ko: str, en: str, meaning: str = "", *, required: bool = True) -> Column:
    return Column(name=name, kind=Kind.TEXT, label_ko=ko, label_en=en, meaning=meaning, is_required=required)


def _number(name: str, ko: str, en: str, meaning: str = "", unit: str = "") -> Column:
    return Column(name=name, kind=Kind.DECIMAL, label_ko=ko, label_en=en, meaning=meaning, unit=unit)


def _code(name: str, ko: str, en: str, codes: CodeList, *, required: bool = True) -> Column:
    return Column(name=name, kind=Kind.CODE, label_ko=ko, label_en=en, codes=codes, is_required=required)


def _flag(name: str, ko: str, en: str, meaning: str = "", *, required: bool = True) -> Column:
    return Column(name=name, kind=Kind.FLAG, label_ko=ko, label_en=en, meaning=meaning, is_required=required)


_SCORE = Column(name="score", kind=Kind.DECIMAL, label_ko="점수", label_en="score", unit="points", minimum=0, maximum=100)
_PREVIOUS = silver.BASE_MONTH.renamed(
    "previous_month",
    label_ko="비교 월",
    label_en="month compared with",
    meaning="the newest finished month before; missing in the first",
    is_required=False,
)
_OBJECT = (
    _code("object_type", "대상 구분", "kind of object", OBJECT_TYPE),
    _text("object_name", "대상", "object", "dataset, table or month"),
)
_EXPLANATION = (
    _text("explanation_ko", "설명", "explanation, Korean", required=False),
    _text("explanation_en", "설명(영문)", "explanation, English", required=False),
)

QUALITY_INDICATOR = Table(
    layer=Layer.GOLD,
    name="quality_indicator",
    label_ko="품질 측정값",
    label_en="quality by dimension",
    grain="month × delivery, table or month × dimension × indicator",
    key=("base_month", "object_type", "object_name", "dimension", "indicator"),
    partition_by=("base_month",),
    columns=(
        silver.BASE_MONTH,
        *_OBJECT,
        _code("dimension", "품질 차원", "quality dimension", DIMENSION),
        _text("indicator", "측정 항목", "indicator"),
        _number("numerator", "분자", "numerator", "missing where gold.quality_report holds the ratio only"),
        _number("denominator", "분모", "denominator", "missing where gold.quality_report holds the ratio only"),
        _number("value", "값", "value", "numerator ÷ denominator"),
        _SCORE,
        _text("method_ko", "산식", "how it is computed, Korean"),
        _text("method_en", "산식(영문)", "how it is computed, English"),
    ),
)

QUALITY_SCORE = Table(
    layer=Layer.GOLD,
    name="quality_score",
    label_ko="품질 점수",
    label_en="quality scores",
    grain="month × delivery, table or month",
    key=("base_month", "object_type", "object_name"),
    partition_by=("base_month",),
    columns=(
        silver.BASE_MONTH,
        *_OBJECT,
        _SCORE.renamed("score", meaning="weighted mean over the dimensions that are measured; weights: conf, `quality`"),
        _code("grade", "등급", "grade", GRADE),
        *(
            _SCORE.renamed(f"{code}_score", label_ko=f"{ko} 점수", label_en=f"score of {en}", meaning="missing: not measured")
            for code, ko, en in DIMENSION.labels
        ),
    ),
)

CROSS_VALIDATION = Table(
    layer=Layer.GOLD,
    name="cross_validation",
    label_ko="자료 간 교차검증",
    label_en="cross-validation between sources",
    grain="month × region × measure × source",
    key=("base_month", "region_level", "region_code", "measure", "source"),
    partition_by=("base_month",),
    columns=(
        *silver.REGION_COLUMNS,
        _text("measure", "측정 항목", "measure"),
        _code("source", "자료", "source", SOURCE),
        _number("value", "값", "value"),
        _number(
            "standard_error",
            "표준오차",
            "standard error of the value",
            "survey: of its sample; published figures: as published; estimates: root mean squared error; missing: not known",
        ),
        _text("unit", "단위", "unit"),
        _code("reference_source", "기준 자료", "source compared with", SOURCE),
        _number("reference_value", "기준값", "its value"),
        _number("ratio", "비율", "value ÷ reference value", "missing where the reference is 0 or missing"),
        _flag("is_same_definition", "정의 일치", "whether the definitions match"),
        _text("definition_ko", "정의", "what the value is, Korean"),
        _text("definition_en", "정의(영문)", "what the value is, English"),
    ),
)

POPULATION_MOVEMENT = Table(
    layer=Layer.GOLD,
    name="population_movement",
    label_ko="인구·가구 변동 타당성",
    label_en="plausibility of births, deaths and moves",
    grain="month × region × event",
    key=("base_month", "region_level", "region_code", "event"),
    partition_by=("base_month",),
    columns=(
        *silver.REGION_COLUMNS,
        _code("event", "변동", "event", EVENT),
        _PREVIOUS,
        Column(name="observed", kind=Kind.COUNT, label_ko="관측", label_en="observed", is_required=True, minimum=0),
        _number(
            "exposure", "위험 인구", "exposure", "births: registered women of 20 to 44; deaths: bureau residents of 60 and over"
        ),
        _number("rate_per_1000_year", "연율(천 명·가구당)", "a year per 1,000 of the exposure"),
        _number("expected", "기대값", "the exposure's part of all there are; of the city, the middle of its bounds"),
        _number("lower", "하한", "least plausible count"),
        _number("upper", "상한", "largest plausible count"),
        _flag("is_plausible", "타당 여부", "within the bounds"),
    ),
)

QUALITY_CHANGE = Table(
    layer=Layer.GOLD,
    name="quality_change",
    label_ko="전월 대비 변화 점검",
    label_en="change since the month before",
    grain="month × city, district or dong × measure",
    key=("base_month", "region_level", "region_code", "measure"),
    partition_by=("base_month",),
    columns=(
        *silver.REGION_COLUMNS,
        _text("measure", "측정 항목", "measure", "a column of gold.household_statistics"),
        _PREVIOUS.renamed("previous_month", is_required=True),
        _number("value", "값", "value"),
        _number("previous_value", "전월 값", "value of the month before"),
        _number("relative_change", "증감률", "relative change", "missing where the value before was 0"),
        _number("limit", "허용 한계", "largest relative change that needs no explanation"),
        _flag("is_within_limit", "한계 이내", "within the limit"),
        _text("causes", "입력 변화", "inputs that changed", "separated by blanks; empty: none was found", required=False),
        *_EXPLANATION,
    ),
)

QUALITY_CHECK = Table(
    layer=Layer.GOLD,
    name="quality_check",
    label_ko="공표 전 점검",
    label_en="checks before publication",
    grain="month × check",
    key=("base_month", "check_name"),
    partition_by=("base_month",),
    columns=(
        silver.BASE_MONTH,
        _code("check_name", "점검 항목", "check", CHECK),
        _number("value", "값", "value"),
        _number("threshold", "기준", "threshold"),
        _flag("passed", "충족", "passed", "missing: nothing to check, as in a first month", required=False),
        _flag("is_blocking", "공표 차단", "a failure stops publication and release", "as set when the month was made"),
        *_EXPLANATION,
    ),
)

QUALITY_TABLES: tuple[Table, ...] = (
    QUALITY_INDICATOR,
    QUALITY_SCORE,
    CROSS_VALIDATION,
    POPULATION_MOVEMENT,
    QUALITY_CHANGE,
    QUALITY_CHECK,
)
