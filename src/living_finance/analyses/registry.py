"""The analyses by name: what each asks, how, from which tables. `python -m living_finance.analyses.registry` writes them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame

from living_finance.analyses.balance import household_balance
from living_finance.analyses.business import small_business
from living_finance.analyses.change import change, change_of
from living_finance.analyses.comparison import comparison
from living_finance.analyses.debt import debt_sensitivity, household_debt, interest_rate_rise
from living_finance.analyses.inequality import inequality
from living_finance.analyses.low_income import low_income
from living_finance.analyses.moves import household_moves
from living_finance.analyses.result import RESULT
from living_finance.analyses.sensitivity import limit_sensitivity
from living_finance.analyses.vulnerable import jobs_in_reach, vulnerable_groups
from living_finance.analyses.work import commuting, employment
from living_finance.analyses.youth import youth
from living_finance.contracts import gold, silver
from living_finance.contracts.core import Table
from living_finance.contracts.language import Words
from living_finance.errors import ConfigurationError

_TABLES: Mapping[str, Table] = {
    "household": gold.HOUSEHOLD,
    "household_member": gold.HOUSEHOLD_MEMBER,
    "household_lineage": gold.HOUSEHOLD_LINEAGE,
    "household_statistics": gold.HOUSEHOLD_STATISTICS,
    "household_members": silver.HOUSEHOLD,
    "placed_person": silver.PLACED_PERSON,
    "establishment": silver.ESTABLISHMENT,
    "building": silver.BUILDING,
    "benefit": silver.BENEFIT,
    "benchmark": silver.BENCHMARK,
    "area_income_draw": silver.AREA_INCOME_DRAW,
}
"""Argument of an analysis → the table it is given."""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """One analysis: a pure function of tables, and what people need to know about it."""

    name: str
    label_ko: str
    label_en: str
    function: Callable[..., DataFrame]
    formulas: tuple[Words, ...]
    source: Words

    @property
    def _arguments(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.function).parameters)

    @property
    def tables(self) -> Mapping[str, Table]:
        """Argument → table that it reads."""
        return {name: _TABLES[name] for name in self._arguments if name in _TABLES}

    @property
    def takes_settings(self) -> bool:
        return "settings" in self._arguments

    @property
    def compares_months(self) -> bool:
        return "against" in self._arguments

    @property
    def can_change(self) -> bool:
        """Whether `change.change_of` finds what has changed in it."""
        return "estimate" in self._arguments

    @property
    def compares_areas(self) -> bool:
        return "reference" in self._arguments


_SAMPLING = "Särndal, Swensson & Wretman (1992)"
_LINEARISED = f"Deville (1999); Osier (2009); {_SAMPLING}"
_INEQUALITY = (
    "Alfons & Templ (2013); Wolfson (1994), When inequalities diverge, AER 84(2); Shorrocks (1980); "
    "OECD (2019), Under Pressure: The Squeezed Middle Class"
)
_INEQUALITY_ERRORS = f"Langel & Tillé (2011, 2013), Woodruff (1952), {_LINEARISED}"
_EQUIVALISED = Words(
    ko="개인의 균등화소득 y = 가구소득 / √가구원수, 가중치 w = 가구 가중치 × 가구원수, 음의 소득은 0으로 처리",
    en="income of a person y = household income / √size, weight w = household weight × size, a negative income counts as zero",
)
_OF_PERSONS = Words(
    ko="신용거래자 수치의 표준오차는 가구를 집락으로 하여 √(m / (m - 1) Σ E²) / Σ x, E는 한 가구의 Σ (y - R x), R = Σ y / Σ x, "
    "m은 가구 수; 인원은 √(Σ n²), n은 한 가구의 신용거래자 수; 속한 일반가구를 모르는 사람은 혼자 한 집락",
    en="standard errors of persons' figures by household: √(m / (m - 1) Σ E²) / Σ x, E = Σ (y - R x) of a household, "
    "R = Σ y / Σ x, m households; of a count √(Σ n²), n persons of a household; somebody without a known private household "
    "stands alone",
)


ANALYSES: Mapping[str, Analysis] = {
    analysis.name: analysis
    for analysis in (
        Analysis(
            name="household_balance",
            label_ko="가계수지",
            label_en="household balance",
            function=household_balance,
            formulas=(
                Words(
                    ko="흑자율 = Σ w (소득 / 12 - 소비지출) / Σ w 소득 / 12, w는 가구 가중치",
                    en="surplus rate = Σ w (income / 12 - spending) / Σ w income / 12, w the household's weight",
                ),
                Words(
                    ko="소득 대비 소비지출 = Σ w 소비지출 / Σ w 소득 / 12",
                    en="spending to income = Σ w spending / Σ w income / 12",
                ),
                Words(
                    ko="적자 가구 비율 = Σ w [소비지출 > 소득 / 12] / Σ w",
                    en="deficit share = Σ w [spending > income / 12] / Σ w",
                ),
            ),
            source=Words(
                ko=f"용어는 통계청 가계동향조사, 오차는 {_SAMPLING}",
                en=f"Household Trend Survey (가계동향조사, Statistics Korea) for the terms; {_SAMPLING} for the errors",
            ),
        ),
        Analysis(
            name="inequality",
            label_ko="양극화·불평등·중산층",
            label_en="inequality, polarisation and the middle class",
            function=inequality,
            formulas=(
                _EQUIVALISED,
                Words(
                    ko="지니계수 = Σ w y (2 C + w) / (W Σ w y) - 1, C는 소득이 더 낮은 사람들의 누적 가중치, W는 전체 가중치",
                    en="Gini = Σ w y (2 C + w) / (W Σ w y) - 1, C the weight of everybody poorer, W that of everybody",
                ),
                Words(
                    ko="소득 5분위배율(S80/S20) = 80백분위(P80) 초과 소득의 합 / 20백분위(P20) 이하 소득의 합",
                    en="S80/S20 = income above P80 / income up to P20",
                ),
                Words(ko="P90/P10 = 90백분위 소득 / 10백분위 소득", en="P90/P10 = 90th percentile / 10th percentile"),
                Words(
                    ko="울프슨지수 = 2 (1 - 2 L(1/2) - 지니계수) 평균 / 중위값, L은 로렌츠곡선",
                    en="Wolfson = 2 (1 - 2 L(1/2) - Gini) mean / median, L the Lorenz curve",
                ),
                Words(
                    ko="타일지수 T = Σ w r ln r / W, r = y / 평균; 지역 내 = Σ s T, 지역 간 = Σ s ln(지역 평균 / 전체 평균), "
                    "s는 지역의 소득 점유율",
                    en="Theil T = Σ w r ln r / W, r = y / mean; within = Σ s T, between = Σ s ln(mean of part / mean), "
                    "s income shares",
                ),
                Words(
                    ko="중산층 = 균등화소득이 시 전체 중위소득의 50~150%(OECD 기준 75~200%)인 인구의 비율",
                    en="middle class = share of people from 50 % to 150 % (OECD: 75 % to 200 %) of the city's median",
                ),
            ),
            source=Words(
                ko=f"{_INEQUALITY}; 오차는 {_INEQUALITY_ERRORS}",
                en=f"{_INEQUALITY}; errors: {_INEQUALITY_ERRORS}",
            ),
        ),
        Analysis(
            name="low_income",
            label_ko="저소득·연령",
            label_en="low income and age groups",
            function=low_income,
            formulas=(
                Words(
                    ko="빈곤층 = 균등화소득이 시 전체 가구원의 중위 균등화소득의 50%(60%), 곧 빈곤선에 못 미치는 가구원",
                    en="poor = equivalised income below the line, 50 % (60 %) of the median of all members of the city's "
                    "households",
                ),
                Words(
                    ko="상대적 빈곤율 = Σ w 가구원수 [빈곤층] / Σ w 가구원수, w는 가구 가중치; 노인 빈곤율은 65세 이상 가구원, "
                    "아동 빈곤율은 15세 미만 가구원 기준",
                    en="poverty rate = Σ w members [poor] / Σ w members, w the household's weight; of the elderly: members "
                    "of 65+; of children: members under 15",
                ),
                Words(
                    ko="빈곤갭 = 빈곤층의 (빈곤선 - 균등화소득) / 빈곤선의 평균, 음의 소득은 0으로 처리",
                    en="poverty gap = mean of (line - income) / line of the poor, a negative income counts as zero",
                ),
                Words(
                    ko="연령 집단 대비 수급자 = 복지 사업의 수급자 / 해당 연령의 가중 가구원, 그 달에 지급된 사업의 수급자가 "
                    "없는 지역은 0; 표준오차 = 값 × 가구당 해당 연령 가구원 수의 상대표준오차",
                    en="recipients to entitled = recipients of a programme / weighted members of its age, 0 where nobody "
                    "receives a programme of the month; standard error = value × relative standard error of members of that age "
                    "by household",
                ),
            ),
            source=Words(
                ko=f"OECD Income Distribution Database, terms of reference; 빈곤선의 오차를 포함한 오차는 {_LINEARISED}",
                en=f"OECD Income Distribution Database, terms of reference; errors with that of the line: {_LINEARISED}",
            ),
        ),
        Analysis(
            name="employment",
            label_ko="고용·소득",
            label_en="employment and income by residence and workplace",
            function=employment,
            formulas=(
                Words(
                    ko="저임금 근로자 = 연간 근로소득이 임금근로자(근로소득이 있는 사람) 중위값의 2/3 미만인 임금근로자",
                    en="low pay = employee's labour income below 2/3 of the median of employees with labour income",
                ),
                _OF_PERSONS,
            ),
            source=Words(
                ko=f"OECD Employment Outlook의 저임금 근로자 비중(incidence of low pay); 오차는 {_SAMPLING}",
                en=f"OECD Employment Outlook, incidence of low pay; {_SAMPLING} for the errors",
            ),
        ),
        Analysis(
            name="commuting",
            label_ko="거주지–근무지 이동",
            label_en="flows from residence to workplace",
            function=commuting,
            formulas=(
                Words(
                    ko="이동 인원 = 한 행정동에 거주하고 다른 행정동에서 근무하는 신용거래자 수",
                    en="persons of a flow = bureau persons who live in one dong and work in the other",
                ),
                _OF_PERSONS,
            ),
            source=Words(
                ko=f"신용거래자 전수 집계, 오차는 {_SAMPLING}", en=f"counts of bureau persons; {_SAMPLING} for the errors"
            ),
        ),
        Analysis(
            name="small_business",
            label_ko="자영업·소상공인",
            label_en="self-employed and small business",
            function=small_business,
            formulas=(
                Words(
                    ko="근무지 산업 = 근무지 건물 종사자의 과반이 속한 한국표준산업분류(KSIC) 대분류, 과반이 없으면 혼합",
                    en="industry at work = KSIC section with more than half of the workers of the workplace building, else mixed",
                ),
                _OF_PERSONS,
            ),
            source=Words(ko=f"오차는 {_SAMPLING}", en=f"{_SAMPLING} for the errors"),
        ),
        Analysis(
            name="youth",
            label_ko="청년",
            label_en="youth of 20 to 34",
            function=youth,
            formulas=(
                Words(
                    ko="독립 = 가구주가 40세 미만인 가구의 가구원",
                    en="independent = in a household whose head is under 40",
                ),
                Words(
                    ko="청년수당 후보 = 비취업이면서 가구의 균등화소득이 시 전체 중위소득의 150% 미만",
                    en="candidate = no work, equivalised household income below 150 % of the city's median",
                ),
                _OF_PERSONS,
            ),
            source=Words(
                ko=f"후보 기준은 서울시 청년수당의 대리지표; 오차는 {_SAMPLING}",
                en=f"Youth allowance of Seoul (서울시 청년수당) for the candidate's rule, by proxy; {_SAMPLING} for the errors",
            ),
        ),
        Analysis(
            name="household_debt",
            label_ko="가계부채",
            label_en="household debt",
            function=household_debt,
            formulas=(
                Words(
                    ko="소득 대비 부채 = Σ w 부채 / Σ w 소득, w는 가구 가중치",
                    en="debt to income = Σ w debt / Σ w income, w the household's weight",
                ),
                Words(
                    ko="원리금상환비율(DSR) = Σ w 12 월상환액 / Σ w 소득",
                    en="debt service to income = Σ w 12 repayment / Σ w income",
                ),
                Words(
                    ko="고위험가구 = 원리금상환비율이 40%를 넘고 부채가 소득의 7.5년분(자산의 대리지표)을 넘는 가구",
                    en="high risk = service above 40 % of income and debt above 7.5 years of income (proxy for assets)",
                ),
                Words(
                    ko="생계형 대출 = 소비지출과 원리금상환액의 합이 소득을 넘는 가구의 신용대출(대리지표)",
                    en="livelihood loan = credit loan of a household whose spending and debt service exceed its income (proxy)",
                ),
            ),
            source=Words(
                ko="한국은행 금융안정보고서(고위험가구); 대리지표는 conf/local.yaml의 `analyses`",
                en="Bank of Korea, Financial Stability Report (고위험가구); proxies: conf/local.yaml, `analyses`",
            ),
        ),
        Analysis(
            name="interest_rate_rise",
            label_ko="금리 상승 영향",
            label_en="effect of a rise of interest",
            function=interest_rate_rise,
            formulas=(
                Words(
                    ko="추가 이자 = 대출 종류별 잔액 × 금리 재산정 비율 × 금리 상승폭의 합",
                    en="extra interest = Σ over loan types of balance × repricing share × rise",
                ),
                Words(
                    ko="상승 후 원리금상환비율 = (12 월상환액 + 추가 이자) / 소득",
                    en="debt service to income after = (12 repayment + extra) / income",
                ),
            ),
            source=Words(
                ko="금리 재산정 비율은 conf/local.yaml의 `analyses` (1은 상한)",
                en="repricing shares: conf/local.yaml, `analyses` (1 = upper bound)",
            ),
        ),
        Analysis(
            name="debt_sensitivity",
            label_ko="가계부채 대리지표 민감도",
            label_en="sensitivity of the debt figures to their proxies",
            function=debt_sensitivity,
            formulas=(
                Words(
                    ko="시험할 대리지표의 조합마다 고위험가구 비율과 생계형 대출 비율을 산출; 금리 상승 영향은 모든 대출에 같은 "
                    "금리 재산정 비율을 적용하여 산출",
                    en="the high-risk and livelihood-loan shares for each combination of the proxies to try; the effect of a "
                    "rise of interest for each repricing share to try, the same for all loans",
                ),
            ),
            source=Words(ko="conf/local.yaml의 `analyses`", en="conf/local.yaml, `analyses`"),
        ),
        Analysis(
            name="vulnerable_groups",
            label_ko="취약계층",
            label_en="vulnerable groups, ranked",
            function=vulnerable_groups,
            formulas=(
                Words(
                    ko="집단 = 지역 × 종사상 지위 × 연령, 지역 × 근무지 산업 × 연령",
                    en="groups: region × employment × age, region × industry at work × age",
                ),
                Words(
                    ko="순위 = 빈곤 가구 거주 비율이 높은 순, 비율의 구간은 지역 수준의 모든 집단에 본페로니 보정을 한 "
                    "윌슨 신뢰구간",
                    en="rank by share in poor households; Wilson intervals, Bonferroni over all groups of a level",
                ),
                Words(
                    ko="순위의 구간 = 1 + 확실히 더 빈곤한 집단 수부터 전체 집단 수 - 확실히 덜 빈곤한 집단 수까지",
                    en="rank from 1 + surely poorer groups to all groups - surely less poor ones",
                ),
                _OF_PERSONS,
            ),
            source=Words.same(f"Klein, Wright & Wieczorek (2020); Wilson (1927); Kish (1965); {_SAMPLING}"),
        ),
        Analysis(
            name="jobs_in_reach",
            label_ko="도달 가능 일자리",
            label_en="establishments and jobs within reach",
            function=jobs_in_reach,
            formulas=(
                Words(
                    ko="도달 가능 일자리 = 행정동 주거용 건물들의 중심에서 직선거리 2 km 안에 있는 사업체의 종사자 수",
                    en="jobs within reach = workers of establishments within 2 km in a straight line of the middle of the dong's "
                    "residential buildings",
                ),
            ),
            source=Words(ko="전수 집계, 거리는 conf/local.yaml의 `analyses`", en="counts; distance: conf/local.yaml, `analyses`"),
        ),
        Analysis(
            name="limit_sensitivity",
            label_ko="고용·청년·일자리 기준 민감도",
            label_en="sensitivity of work, youth and reach to their limits",
            function=limit_sensitivity,
            formulas=(
                Words(
                    ko="저임금 근로자 비율은 중위값 대비 기준마다, 청년수당 후보 비율은 상한 연령과 소득 기준의 조합마다, "
                    "도달 가능 일자리는 거리마다 같은 산식으로 산출",
                    en="the low-pay share for each part of the median, the share of candidates for each oldest age and income "
                    "limit, jobs within reach for each distance, by their own formulas",
                ),
                _OF_PERSONS,
            ),
            source=Words(ko="conf/local.yaml의 `analyses`", en="conf/local.yaml, `analyses`"),
        ),
        Analysis(
            name="household_moves",
            label_ko="가구 이동",
            label_en="moves of households between dongs",
            function=household_moves,
            formulas=(
                Words(
                    ko="이동 = 같은 가구(gold.household_lineage)가 전월과 다른 행정동에 거주",
                    en="moved = the same household (gold.household_lineage) in another dong than the month before",
                ),
            ),
            source=Words(
                ko="docs/decisions/0011-household-identity.md; 합계의 표준오차 √(Σ w²)",
                en="docs/decisions/0011-household-identity.md; error of a total √(Σ w²)",
            ),
        ),
        Analysis(
            name="change",
            label_ko="기간 변화",
            label_en="change between two months",
            function=change,
            formulas=(
                Words(
                    ko="차이 = 나중 달 - 앞선 달, 두 달 모두 나중 달의 행정동 경계(건물 기준)에 따름",
                    en="difference = later - earlier, both on the later month's dongs (by building)",
                ),
                Words(
                    ko="항목은 가계수지·불평등·저소득·가계부채의 산식에 따름, 빈곤선과 중산층의 기준은 각 달의 값을 그대로 사용",
                    en="figures by the formulas of household balance, inequality, low income and household debt; each month's "
                    "own poverty line and middle class, taken as given",
                ),
                Words(
                    ko="표준오차 = √(V₁ + V₂ - 2 C), V는 각 달의 분산, C는 두 달 모두 그 지역에 있는 가구로 구한 공분산",
                    en="standard error = √(V₁ + V₂ - 2 C), V of each month, C from households in the region in both",
                ),
                Words(
                    ko="이중차분 = 한 지역의 변화 - 비교 지역의 변화, 표준오차 = √(V₁ + V₂ - 2 C), V₁과 V₂는 두 변화의 분산, "
                    "C = 두 지역에 모두 있었던 가구의 Σ u₁ u₂, u는 가구가 변화에 더한 값 w (y - R x) / Σ w x의 나중 달 - 앞선 달",
                    en="difference in differences = change of an area - change of the reference, standard error "
                    "√(V₁ + V₂ - 2 C), V₁ and V₂ of the two changes, C = Σ u₁ u₂ over households that were in both, "
                    "u what a household adds to a change: w (y - R x) / Σ w x, later - earlier",
                ),
            ),
            source=Words.same(_LINEARISED),
        ),
        Analysis(
            name="comparison",
            label_ko="지역 비교",
            label_en="area with city or another area, city with published figures",
            function=comparison,
            formulas=(
                Words(
                    ko="총소득의 평균·백분위·지니계수의 지역 간 차이: 표준오차 = √(s² + (D - a)²), s와 a는 소득 모형의 "
                    "추출마다 구한 두 지역의 차이의 표준편차와 평균, D는 공표값의 차이; 평균은 s √(1 + 1 / 추출 수); 두 지역이 "
                    "공유하는 표본조사, 모형, 공표 통계의 오차는 차이에서 상쇄",
                    en="difference between areas of mean, quantiles and Gini of total income: standard error √(s² + (D - a)²), "
                    "s and a standard deviation and mean of the two areas' difference over the draws of the income model, D the "
                    "published difference; of the mean s √(1 + 1 / draws); errors of survey, model and published figures that "
                    "both areas share cancel in it",
                ),
                Words(
                    ko="그 밖의 지역 간 차이의 표준오차 = √(V₁ + V₂ - 2 C), V는 각 지역의 분산, C는 두 지역에 모두 속한 "
                    "가구로 구한 공분산(겹치지 않는 지역은 0)",
                    en="other differences between areas: standard error √(V₁ + V₂ - 2 C), V each area's variance, C from the "
                    "households in both (0 of areas apart)",
                ),
                Words(
                    ko="공표 평균과의 차이의 표준오차 = √(V₂ + (공표값 × 상대표준오차)²)",
                    en="difference from a published mean: standard error √(V₂ + (value × relative standard error)²)",
                ),
            ),
            source=Words.same(f"{_LINEARISED}; Rubin (1987)"),
        ),
    )
}
"""Name → analysis, in the order of the manual."""


def find(name: str) -> Analysis:
    """The analysis called `name`.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in ANALYSES:
        raise ConfigurationError(f"There is no analysis {name!r}.", remedy="`living-finance analyse --list` lists them")
    return ANALYSES[name]


def manual() -> str:
    """The manual of all analyses, as Markdown."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Analyses 정책 분석"
    yield ""
    yield "Made from `analyses.registry` by `python -m living_finance.analyses.registry > docs/analyses.md`."
    yield ""
    yield "```"
    yield "living-finance analyse --list"
    yield "living-finance analyse inequality --warehouse W --month 202001 --region 11140 --out inequality.csv"
    yield "living-finance analyse comparison --warehouse W --month 202001 --region 1114059 --with 1114060   # two areas"
    yield "living-finance analyse youth --warehouse W --month 202012 --against 202001   # what has changed since"
    yield "```"
    yield ""
    yield (
        "Every analysis returns one long table. `--region` takes a city, a district or a dong, and gives it and what is "
        "inside it; medians, lines, quintiles and ranks stay those of the city. `contributors` counts the rows a figure rests "
        "on. Standard errors are linearised, of a sample with replacement; they leave out the error of the income model, of "
        "householding and of coverage ([decision 0040](decisions/0040-policy-analyses.md)), but for differences between areas "
        "in total income (`comparison`). Incomes are gross."
    )
    yield ""
    comparable = ", ".join(analysis.name for analysis in ANALYSES.values() if analysis.can_change)
    of_any = " ".join((inspect.getdoc(change_of) or "").partition("Args:")[0].partition("\n\n")[2].split())
    yield (
        f"`--against YYYYMM` gives the change of every figure of {comparable}, by its own groups. {of_any} "
        "Not compared so: `inequality` (in `change`, but for the parts of Theil's index, which have no error), `household_moves` "
        "(the shares that came and left are in `change`; flows are between dongs of the time), `jobs_in_reach` (counts without "
        "error), `comparison` "
        "(differences between areas: `change --with`)."
    )
    yield ""
    yield "| column | 이름 | meaning |"
    yield "|---|---|---|"
    for column in RESULT:
        meaning = f"{column.label_en}; {column.meaning}" if column.meaning else column.label_en
        yield f"| `{column.name}` | {column.label_ko} | {meaning} |"
    for analysis in ANALYSES.values():
        documented = inspect.getdoc(analysis.function) or ""
        before, _, after = documented.partition("Args:")
        returned = after.partition("Returns:")[2].partition("\n\n")[0]
        yield ""
        yield f"## {analysis.name}: {analysis.label_ko} {analysis.label_en}"
        yield ""
        yield " ".join(before.split())
        yield ""
        yield f"- **Result**: {' '.join(returned.split())}"
        yield f"- **Formulas**: {'; '.join(formula.en for formula in analysis.formulas)}"
        yield f"- **산식**: {'; '.join(formula.ko for formula in analysis.formulas)}"
        yield f"- **Source**: {analysis.source.en}"
        if analysis.source.ko != analysis.source.en:
            yield f"- **근거**: {analysis.source.ko}"
        yield f"- **Tables**: {', '.join(f'`{table.qualified_name}`' for table in analysis.tables.values())}"


if __name__ == "__main__":
    sys.stdout.write(manual())
