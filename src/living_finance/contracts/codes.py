"""Code lists of the contract, with Korean and English labels."""

from __future__ import annotations

from living_finance.contracts.core import CodeList

SEX = CodeList("sex", (("M", "남", "male"), ("F", "여", "female")))
RESIDENCE = CodeList(
    "residence", (("seoul", "서울 거주", "Seoul"), ("outside", "서울 외 거주", "outside"), ("unknown", "미상", "unknown"))
)
WORKPLACE = CodeList(
    "workplace",
    (
        ("seoul", "서울 근무", "Seoul"),
        ("outside", "서울 외 근무", "outside"),
        ("unknown", "미상", "unknown"),
        ("none", "없음", "none"),
    ),
)
EMPLOYMENT = CodeList(
    "employment",
    (("employee", "임금근로자", "employee"), ("self_employed", "자영업자", "self-employed"), ("none", "비취업", "none")),
)
RELATION_TO_HEAD = CodeList(
    "relation_to_head",
    (
        ("head", "세대주", "head"),
        ("spouse", "배우자", "spouse"),
        ("child", "자녀", "child"),
        ("parent", "부모", "parent"),
        ("other", "기타", "other"),
    ),
)
REGISTER_STATUS = CodeList(
    "status",
    (
        ("resident", "거주자", "resident"),
        ("unknown_residence", "거소불명자", "unknown residence"),
        ("overseas", "해외체류자", "overseas"),
    ),
)
DWELLING_TYPE = CodeList(
    "dwelling_type",
    (
        ("detached", "단독주택", "detached house"),
        ("multi_family", "다가구주택", "multi-family house"),
        ("apartment", "아파트", "apartment"),
        ("row_house", "연립주택", "row house"),
        ("multi_unit", "다세대주택", "multi-unit house"),
        ("officetel", "오피스텔 등 주택 이외의 거처", "officetel and other living quarters"),
        ("commercial_building", "비주거용 건물 내 주택", "dwelling in a commercial building"),
        ("non_residential", "비주거 건물", "non-residential building"),
    ),
)
TENURE = CodeList(
    "tenure",
    (
        ("owned", "자가", "owned"),
        ("jeonse", "전세", "jeonse"),
        ("monthly_rent", "월세", "monthly rent"),
        ("free", "무상", "free"),
    ),
)
HOUSEHOLD_TYPE = CodeList(
    "household_type",
    (
        ("one_person", "1인 가구", "one person"),
        ("one_generation", "1세대 가구", "one generation"),
        ("two_generation", "2세대 가구", "two generations"),
        ("three_generation", "3세대 이상 가구", "three generations or more"),
        ("unrelated", "비혈연 가구", "unrelated"),
    ),
)
HEAD_OCCUPATION = CodeList(
    "head_occupation",
    (
        ("manager", "관리자", "manager"),
        ("professional", "전문가", "professional"),
        ("clerical", "사무종사자", "clerical"),
        ("service", "서비스종사자", "service"),
        ("sales", "판매종사자", "sales"),
        ("craft", "기능원", "craft"),
        ("operator", "장치·기계조작", "operator"),
        ("elementary", "단순노무", "elementary"),
        ("none", "없음", "none"),
    ),
)
HEAD_EDUCATION = CodeList(
    "head_education",
    (
        ("primary", "초등학교", "primary"),
        ("middle", "중학교", "middle"),
        ("high", "고등학교", "high"),
        ("college", "대학", "college"),
        ("graduate", "대학원", "graduate"),
    ),
)
PROGRAMME = CodeList(
    "programme",
    (
        ("basic_pension", "기초연금", "basic pension"),
        ("disability_allowance", "장애수당", "disability allowance"),
        ("childcare_allowance", "가정양육수당", "childcare allowance"),
        ("basic_livelihood", "기초생활수급", "basic livelihood"),
        ("child_allowance", "아동수당", "child allowance"),
    ),
    is_open=True,
)
INDUSTRY = CodeList(
    "industry",
    (
        ("A", "농림어업", "agriculture, forestry, fishing"),
        ("B", "광업", "mining"),
        ("C", "제조업", "manufacturing"),
        ("D", "전기·가스업", "electricity, gas"),
        ("E", "수도·하수·폐기물업", "water, sewerage, waste"),
        ("F", "건설업", "construction"),
        ("G", "도소매업", "wholesale and retail"),
        ("H", "운수·창고업", "transport and storage"),
        ("I", "숙박·음식점업", "accommodation and food"),
        ("J", "정보통신업", "information and communication"),
        ("K", "금융·보험업", "finance and insurance"),
        ("L", "부동산업", "real estate"),
        ("M", "전문·과학·기술 서비스업", "professional, scientific, technical"),
        ("N", "사업시설·지원·임대 서비스업", "business support and rental"),
        ("O", "공공행정", "public administration"),
        ("P", "교육 서비스업", "education"),
        ("Q", "보건·사회복지업", "health and social work"),
        ("R", "예술·스포츠·여가업", "arts, sports, recreation"),
        ("S", "협회·수리·개인 서비스업", "associations, repair, personal services"),
        ("T", "가구 내 고용활동", "households as employers"),
        ("U", "국제·외국기관", "international and foreign bodies"),
    ),
)
"""Sections of the Korean standard industrial classification, 10th revision (2017), names shortened."""
BENCHMARK_SOURCE = CodeList(
    "source",
    (
        ("household_trend_survey", "가계동향조사", "household income and expenditure survey"),
        ("household_finances_survey", "가계금융복지조사", "survey of household finances and living conditions"),
        ("housing_survey", "주거실태조사", "housing survey"),
    ),
    is_open=True,
)
BENCHMARK_INDICATOR = CodeList(
    "indicator",
    tuple(
        (code, korean, code.replace("_", " "))
        for code, korean in (
            ("mean_total_income", "평균 총소득"),
            ("mean_property_income", "평균 재산소득"),
            ("mean_transfer_income", "평균 이전소득"),
            ("mean_irregular_income", "평균 비경상소득"),
            ("mean_debt", "평균 부채"),
            ("mean_assets", "평균 자산"),
            ("mean_spending_month", "월평균 소비지출"),
            ("household_share", "가구 구성비(ppm)"),
        )
    ),
)
BENCHMARK_DIMENSION = CodeList(
    "dimension",
    (
        ("all", "전체", "all"),
        ("income_quintile", "소득 5분위", "income quintile"),
        ("head_age", "가구주 연령", "head's age"),
        ("tenure", "점유 형태", "tenure"),
    ),
)
BENCHMARK_REGION = CodeList(
    "region_code",
    (
        ("11", "서울", "Seoul"),
        ("00", "전국", "nation"),
        ("capital", "수도권", "capital area"),
        ("non_capital", "비수도권", "non-capital area"),
    ),
)

AGE_BANDS = tuple(range(15, 85, 5))
"""Lower bounds of the bureau's five-year bands; 80 is 80 and over."""

HEAD_AGE_BANDS = tuple(range(10, 90, 10))
"""Ten-year lower bounds of the head's age in products."""

_SIZES = ("1", "2", "3", "4", "5", "6", "7_plus")
_CENSUS_AGE_BANDS = tuple(range(0, 90, 5))

MARGIN_CATEGORIES: dict[str, tuple[str, ...]] = {
    "households": ("all",),
    "population": ("all",),
    "population_sex_age": tuple(f"{sex}{age}" for sex in ("M", "F") for age in _CENSUS_AGE_BANDS),
    "household_size": _SIZES,
    "household_type": HOUSEHOLD_TYPE.codes,
    "dwelling_type": DWELLING_TYPE.codes,
    "tenure": TENURE.codes,
    "dwellings": DWELLING_TYPE.codes,
}
"""Census margins of an output area and their categories."""

MARGIN = CodeList(
    "margin",
    (
        ("households", "가구", "households"),
        ("population", "인구", "population"),
        ("population_sex_age", "성·연령별 인구", "population by sex and age"),
        ("household_size", "가구원수별 가구", "households by size"),
        ("household_type", "유형별 가구", "households by type"),
        ("dwelling_type", "거처 종류별 가구", "households by dwelling"),
        ("tenure", "점유 형태별 가구", "households by tenure"),
        ("dwellings", "주택", "legal dwellings by type"),
    ),
)

REGION_LEVEL = CodeList(
    "region_level",
    (
        ("output_area", "집계구", "output area"),
        ("dong", "행정동", "administrative dong"),
        ("gu", "자치구", "district"),
        ("city", "시", "city"),
    ),
)
PLACE = CodeList("place", (("residence", "거주지", "residence"), ("workplace", "근무지", "workplace")))
RELIABILITY = CodeList(
    "reliability",
    (
        ("publishable", "공표 가능", "publishable"),
        ("caution", "이용 주의", "use with caution"),
        ("unreliable", "신뢰 불가", "unreliable"),
    ),
)
PUBLISHABLE_CV, CAUTION_CV = 0.15, 0.30
"""Largest coefficients of variation of the classes of RELIABILITY; above them, unreliable (domain brief)."""
BREAKDOWN_DIMENSION = CodeList(
    "dimension",
    (
        ("dwelling_type", "거처 종류", "dwelling type"),
        ("tenure", "점유 형태", "tenure"),
        ("household_size", "가구원수", "household size"),
        ("income_class", "소득 5분위", "income class"),
    ),
)

ALL = "all"
"""Category of a margin: every value of that dimension together."""

CITY_CODE = "11"
NO_DISTRICT = "none"
"""Partition of persons without a home in a known district."""
