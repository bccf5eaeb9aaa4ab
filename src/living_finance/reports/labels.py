"""Names of statistics, dimensions and categories as readers see them; what the contracts declare is taken from there."""

from __future__ import annotations

import re
from collections.abc import Mapping

from living_finance.contracts import codes, gold
from living_finance.contracts.core import CodeList
from living_finance.contracts.language import Language

_OF_ANALYSES: Mapping[str, tuple[str, str]] = {
    "mean_income_krw_month": ("월평균 소득", "mean income"),
    "mean_surplus_krw_month": ("월평균 흑자액", "mean surplus"),
    "surplus_rate": ("흑자율", "surplus rate"),
    "spending_to_income": ("소득 대비 소비지출", "spending to income"),
    "deficit_share": ("적자 가구 비율", "share of households in deficit"),
    "mean_equivalised_income": ("평균 균등화소득", "mean equivalised income"),
    "median_equivalised_income": ("중위 균등화소득", "median equivalised income"),
    "gini": ("지니계수(균등화소득)", "Gini of equivalised income"),
    "s80_s20": ("소득 5분위배율", "S80/S20"),
    "p90_p10": ("P90/P10", "P90/P10"),
    "wolfson": ("울프슨지수", "Wolfson index"),
    "theil": ("타일지수", "Theil index"),
    "theil_within_gu": ("타일지수, 자치구 내", "Theil index within districts"),
    "theil_between_gu": ("타일지수, 자치구 간", "Theil index between districts"),
    "theil_within_dong": ("타일지수, 행정동 내", "Theil index within dongs"),
    "theil_between_dong": ("타일지수, 행정동 간", "Theil index between dongs"),
    **{f"lorenz_{n}": (f"하위 {n}%의 소득 점유율", f"income share of the poorest {n} %") for n in range(10, 100, 10)},
    "mean_total_income": ("평균 총소득", "mean total income"),
    "mean_property_income": ("평균 재산소득", "mean property income"),
    "mean_transfer_income": ("평균 이전소득", "mean transfer income"),
    "mean_irregular_income": ("평균 비경상소득", "mean irregular income"),
    "mean_debt": ("평균 부채", "mean debt"),
    "mean_spending_month": ("월평균 소비지출", "mean spending"),
    "middle_50_150": ("중산층(중위 50–150%)", "middle class (50–150 % of median)"),
    "middle_75_200": ("중산층(중위 75–200%)", "middle class (75–200 % of median)"),
    "share_above_200": ("중위 200% 초과", "above 200 % of median"),
    "poverty_rate": ("상대적 빈곤율", "relative poverty rate"),
    "poverty_rate_60": ("상대적 빈곤율(중위 60%)", "relative poverty rate (60 %)"),
    "poverty_rate_elderly": ("노인 빈곤율", "poverty rate of the elderly"),
    "poverty_rate_children": ("아동 빈곤율", "poverty rate of children"),
    "poverty_gap": ("빈곤갭", "poverty gap"),
    "recipients": ("수급자", "recipients"),
    "amount_per_recipient": ("1인당 지급액", "amount per recipient"),
    "recipients_to_entitled": ("연령 집단(65세 이상·15세 미만) 대비 수급자", "recipients to members of 65+ or under 15"),
    "employee_share": ("임금근로자 비율", "share of employees"),
    "self_employed_share": ("자영업자 비율", "share of self-employed"),
    "low_pay_share": ("저임금 근로자 비율", "share of low-paid employees"),
    "loss_share": ("사업 손실 비율", "share with a loss"),
    "share_with_business_loan": ("사업자대출 보유 비율", "share with a business loan"),
    "business_loan_to_income": ("소득 대비 사업자대출", "business loan to income"),
    "mean_overdue_balance_krw": ("평균 연체 잔액", "mean overdue balance"),
    "share_with_jeonse_loan": ("전세대출 보유 비율", "share with a jeonse loan"),
    "employed_share": ("취업자 비율", "share employed"),
    "independent_share": ("독립 비율", "share independent"),
    "lives_alone_share": ("1인 거주 비율", "share living alone"),
    "poverty_share": ("빈곤 가구 거주 비율", "share in poor households"),
    "allowance_candidates": ("청년수당 후보", "candidates for the allowance"),
    "allowance_candidate_share": ("청년수당 후보 비율", "share of candidates"),
    "mean_debt_of_debtors_krw": ("부채 보유 가구 평균 부채", "mean debt of debtors"),
    "debt_to_income": ("소득 대비 부채", "debt to income"),
    "debt_service_to_income": ("원리금상환비율", "debt service to income"),
    "high_service_share_of_debtors": ("상환 부담 과다 비율(부채 가구)", "debtors with high debt service"),
    "overdue_share_of_debtors": ("연체 비율(부채 가구)", "debtors overdue"),
    "livelihood_loan_share": ("생계형 대출 비율", "share with livelihood loans"),
    "high_risk_share_of_debtors": ("고위험 비율(부채 가구)", "high-risk share of debtors"),
    "extra_interest": ("추가 이자(부채 가구)", "extra interest of debtors"),
    "rise_of_debt_service_to_income": ("원리금상환비율 상승", "rise of debt service to income"),
    "pushed_over_limit_share_of_debtors": ("상환 부담 한도 초과 전환(부채 가구)", "debtors pushed over the limit"),
    "share_with_debt": ("부채 보유 비율", "share with debt"),
    "overdue_share": ("연체 비율", "share overdue"),
    "rank": ("순위", "rank"),
    "rank_low": ("순위(최고)", "rank, at best"),
    "rank_high": ("순위(최저)", "rank, at worst"),
    "establishments_within_reach": ("도달 가능 사업체", "establishments within reach"),
    "jobs_within_reach": ("도달 가능 일자리", "jobs within reach"),
    "mean_household_size": ("평균 가구원수", "mean household size"),
    "came_share": ("다른 동에서 전입한 비율", "share that came from another dong"),
    "left_share": ("다른 동으로 전출한 비율", "share that left for another dong"),
}
_POINTS = re.compile(r"^(?P<name>.+)_(?P<points>\d+)bp(?P<unit>_krw_year)?$")

DIMENSIONS: Mapping[str, tuple[str, str]] = {
    "head_age_band": ("가구주 연령", "head's age"),
    "income_quintile": ("소득 5분위", "income quintile"),
    "family": ("가구 형태", "kind of household"),
    "programme": ("복지 사업", "programme"),
    "employment": ("종사상 지위", "employment"),
    "industry_at_work": ("근무지 산업", "industry at work"),
    "workplace_dong": ("근무지", "workplace"),
    "home_dong": ("거주지", "residence"),
    "origin_dong": ("이동 전 거주지", "former residence"),
    "destination_dong": ("이동 후 거주지", "new residence"),
    "event": ("가구 변동", "event"),
    "age": ("연령", "age"),
    "age_band": ("연령", "age"),
    "head_sex": ("가구주 성별", "head's sex"),
    "sex": ("성별", "sex"),
    "household_type": ("가구 유형", "household type"),
    **{code: (korean, english) for code, korean, english in codes.BREAKDOWN_DIMENSION.labels},
    "change_since": ("이후 변화", "change since"),
    "status": ("전입 여부", "came or stayed"),
    "left_from": ("전출 여부", "left or stayed"),
    "minus_city": ("시 대비", "less the city"),
    "minus_region": ("지역 대비", "less the area"),
    "minus_published": ("공표 통계 대비", "less published figures"),
}

_LISTS: Mapping[str, CodeList] = {
    "head_sex": codes.SEX,
    "sex": codes.SEX,
    "household_type": codes.HOUSEHOLD_TYPE,
    "tenure": codes.TENURE,
    "dwelling_type": codes.DWELLING_TYPE,
    "employment": codes.EMPLOYMENT,
    "programme": codes.PROGRAMME,
    "industry_at_work": codes.INDUSTRY,
    "event": gold.HOUSEHOLD_EVENT,
}
_WORDS: Mapping[str, tuple[str, str]] = {
    "all": ("전체", "all"),
    "unknown": ("미상", "unknown"),
    "outside": ("서울 외", "outside Seoul"),
    "7_plus": ("7인 이상", "7 and more"),
    "lone_parent": ("한부모 가구", "lone parent"),
    "one_person": ("1인 가구", "one person"),
    "elderly_only": ("노인만 있는 가구", "elderly only"),
    "other": ("그 외", "other"),
    "mixed": ("혼합", "mixed"),
    "none": ("미상", "unknown"),
    "no_workplace": ("근무지 없음", "no workplace"),
    "came": ("전입", "came"),
    "left": ("전출", "left"),
    "stayed": ("계속 거주", "stayed"),
}
_MONTH = re.compile(r"\d{4}-\d{2}")
_AGES = {"head_age_band": 10, "age_band": 5}
_SECTIONS: Mapping[str, tuple[str, str]] = {
    "A": ("농업·임업·어업", "agriculture, forestry, fishing"),
    "B": ("광업", "mining"),
    "C": ("제조업", "manufacturing"),
    "D": ("전기·가스 공급업", "electricity, gas"),
    "E": ("수도·폐기물 처리업", "water, waste"),
    "F": ("건설업", "construction"),
    "G": ("도매·소매업", "wholesale and retail"),
    "H": ("운수·창고업", "transport and storage"),
    "I": ("숙박·음식점업", "accommodation and food"),
    "J": ("정보통신업", "information and communication"),
    "K": ("금융·보험업", "finance and insurance"),
    "L": ("부동산업", "real estate"),
    "M": ("전문·과학·기술 서비스업", "professional, scientific, technical"),
    "N": ("사업시설 관리·지원·임대업", "business support and rental"),
    "O": ("공공행정", "public administration"),
    "P": ("교육 서비스업", "education"),
    "Q": ("보건·사회복지업", "health and social work"),
    "R": ("예술·스포츠·여가업", "arts, sports, recreation"),
    "S": ("협회·수리·개인 서비스업", "associations, repair, personal services"),
    "T": ("가구 내 고용활동", "households as employers"),
    "U": ("국제·외국기관", "international organisations"),
}
"""Sections of the Korean Standard Industrial Classification, 10th revision, shortened."""


_QUALITY: Mapping[str, str] = {
    "income_model_age_months": "소득 모형의 나이 (개월)",
    "income_model_passed_the_gate": "소득 모형의 채택 검증 통과",
    "largest_gap_of_components_to_total_krw": "소득 구성 합과 총소득의 최대 차이 (원)",
    "share_of_households_nobody_in_the_bureau_belongs_to": "신용거래자가 없는 가구 비율",
    "share_of_residents_without_address": "주소 없는 거주자 비율",
    "share_of_residents_the_register_does_not_know_here": "주민등록이 그 주소에서 확인하지 못한 거주자 비율",
    "share_of_residents_outside_the_buildings_list": "건물 목록에 없는 주소의 거주자 비율",
    "share_over_capacity": "수용 한도를 넘는 건물 비율",
    "share_with_more_bureau_than_registered": "신용거래자가 등록 인구보다 많은 건물 비율",
    "bureau_residents_per_registered_person": "등록 인구 대비 신용거래자",
    "share_of_census_households_without_formed_ones": "가구가 형성되지 않은 집계구의 총조사 가구 비율",
    "largest_gap_to_household_target": "집계구 가구 수 목표와의 최대 차이",
    "formed_per_target_households": "목표 가구 수 대비 형성 가구",
    "population_stability_bureau_members": "모집단 안정성 지수(PSI): 가구 내 신용거래자 수",
    "population_stability_business_score": "모집단 안정성 지수(PSI): 사업소득 추정값",
    "population_stability_dwelling_type": "모집단 안정성 지수(PSI): 거처 종류",
    "population_stability_head_age": "모집단 안정성 지수(PSI): 가구주 연령",
    "population_stability_household_size": "모집단 안정성 지수(PSI): 가구원수",
    "population_stability_household_type": "모집단 안정성 지수(PSI): 가구 유형",
    "population_stability_labour_score": "모집단 안정성 지수(PSI): 근로소득 추정값",
    "population_stability_place": "모집단 안정성 지수(PSI): 지역",
    "population_stability_score": "모집단 안정성 지수(PSI): 예측 소득",
    "population_stability_tenure": "모집단 안정성 지수(PSI): 점유 형태",
}


def quality_label(indicator: str, language: Language) -> str:
    """Name of an indicator of gold.quality_report.

    >>> quality_label("share_over_capacity", "ko"), quality_label("share_over_capacity", "en")
    ('수용 한도를 넘는 건물 비율', 'share over capacity')
    """
    return pick((_QUALITY.get(indicator, indicator.replace("_", " ")), indicator.replace("_", " ")), language)


def pick(pair: tuple[str, str], language: Language) -> str:
    """The text of a pair of Korean and English."""
    return pair[0] if language == "ko" else pair[1]


def statistic_label(name: str, language: Language) -> str:
    """Name of a statistic.

    >>> statistic_label("mean_debt_krw", "en"), statistic_label("extra_interest_50bp_krw_year", "ko")
    ('mean debt', '추가 이자(부채 가구), +0.5%p')
    >>> statistic_label("high_risk_share_of_debtors (service > 40%, debt > 7.5 years)", "ko")
    '고위험 비율(부채 가구): 상환비율 > 40%, 부채 > 소득 7.5년'
    >>> statistic_label("rise_of_debt_service_to_income_100bp (repricing 25%)", "ko")
    '원리금상환비율 상승, +1%p: 금리 재산정 비율 25%'
    >>> statistic_label("allowance_candidate_share (up to 39 years, income below 120% of the median)", "ko")
    '청년수당 후보 비율: 39세 이하, 소득 중위 120% 미만'
    >>> statistic_label("allowance_candidate_share (up to 39 years, income below 120% of the median)", "en")
    'share of candidates: up to 39 years, below 120% of median'
    """
    base, _, detail = name.partition(" (")
    if detail:
        text = detail.rstrip(")")
        if language == "ko":
            text = re.sub(r"debt > ([\d.]+) years", r"부채 > 소득 \1년", text).replace("service", "상환비율")
            text = (
                text.replace("in deficit", "적자 가구")
                .replace("two lowest quintiles", "하위 40%")
                .replace("either", "둘 중 하나")
                .replace("repricing in use", "금리 재산정 비율 설정값")
                .replace("repricing", "금리 재산정 비율")
            )
            text = re.sub(r"^below (\d+%) of the median$", r"중위값의 \1 미만", text)
            text = re.sub(r"^up to (\d+) years, income below (\d+%) of the median$", r"\1세 이하, 소득 중위 \2 미만", text)
        else:
            # Beside a chart there is room for some forty letters.
            text = text.replace(", income below ", ", below ").replace(" of the median", " of median")
        return f"{statistic_label(base, language)}: {text}"
    rise = _POINTS.match(name)
    if rise:
        return f"{statistic_label(rise['name'], language)}, +{int(rise['points']) / 100:g}%p"
    if name in _OF_ANALYSES:
        return pick(_OF_ANALYSES[name], language)
    for table in (gold.HOUSEHOLD_STATISTICS, gold.PERSON_STATISTICS):
        if name in table.column_names:
            column = table.column(name)
            return pick((column.label_ko, column.label_en), language)
    return name.replace("_", " ")


def dimension_label(name: str, language: Language) -> str:
    """Name of a dimension or of a cross of them; the place that persons are counted at is left to the caption.

    >>> dimension_label("residence / employment", "ko"), dimension_label("employment / age", "en")
    ('종사상 지위', 'employment / age')
    """
    parts = [part for part in name.split(" / ") if part not in codes.PLACE.codes]
    return " / ".join(pick(DIMENSIONS.get(part, (part, part)), language) for part in parts)


def category_label(dimension: str, category: str, language: Language, names: Mapping[str, tuple[str, str]]) -> str:
    """Name of a category.

    Args:
        dimension: it is of; a cross has its parts divided by ` / `, as its categories have.
        category: code.
        language: `ko` or `en`.
        names: region code → names.

    >>> category_label("residence / employment", "self_employed", "ko", {}), category_label("head_age_band", "80", "en", {})
    ('자영업자', '80 and over')
    >>> category_label("employment / age", "none / 15-34", "ko", {}), category_label("income_quintile", "1", "ko", {})
    ('비취업 / 15–34세', '1분위(최저)')
    >>> category_label("minus_published", "00 / household_finances_survey / 2020 / 2020", "ko", {})
    '전국, 가계금융복지조사 2020'
    >>> category_label("minus_published", "capital / household_finances_survey / 2020 / 2020", "en", {}).partition(",")[0]
    'capital area'
    """
    if dimension == "minus_published":
        area, source, year, *_ = category.split(" / ")
        return f"{codes.BENCHMARK_REGION.label(area, language)}, {codes.BENCHMARK_SOURCE.label(source, language)} {year}"
    dimensions = [part for part in dimension.split(" / ") if part not in codes.PLACE.codes]
    categories = category.split(" / ")
    if len(dimensions) != len(categories):
        return category
    return " / ".join(_label(d, c, language, names) for d, c in zip(dimensions, categories, strict=True))


def _label(dimension: str, category: str, language: Language, names: Mapping[str, tuple[str, str]]) -> str:
    if category in names:
        return pick(names[category], language)
    if dimension == "industry_at_work" and category in _SECTIONS:
        return f"{pick(_SECTIONS[category], language)} ({category})"
    if dimension in _LISTS and category in _LISTS[dimension].codes:
        return _LISTS[dimension].label(category, language)
    if dimension in ("income_quintile", "income_class") and category.isdigit():
        ends = {"1": ("(최저)", " (lowest)"), "5": ("(최고)", " (highest)")}.get(category, ("", ""))
        return pick((f"{category}분위{ends[0]}", f"quintile {category}{ends[1]}"), language)
    if dimension in _AGES and category.isdigit():
        first = int(category)
        if first >= 80:
            return pick(("80세 이상", "80 and over"), language)
        return pick((f"{first}–{first + _AGES[dimension] - 1}세", f"{first}–{first + _AGES[dimension] - 1}"), language)
    if dimension == "household_size" and category.isdigit():
        return pick((f"{category}인", category), language)
    if category in _WORDS:
        return pick(_WORDS[category], language)
    if dimension == "age" and category[:1].isdigit():
        band = category.replace("-", "–")
        return pick((f"{band[:-1]}세 이상" if band.endswith("+") else f"{band}세", band), language)
    return category if _MONTH.fullmatch(category) else category.replace("-", "–")


def position(dimension: str, category: str) -> tuple[int, str]:
    """Where a category stands among those of its dimension: in the order of its code list, numbers as numbers."""
    known = _LISTS[dimension].codes if dimension in _LISTS else ()
    if category in known:
        return known.index(category), ""
    return (int(category), "") if category.isdigit() and not known else (1_000, category)
