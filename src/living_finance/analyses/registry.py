"""The analyses by name: what each asks, how, from which tables. `python -m living_finance.analyses.registry` writes them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pyspark.sql import DataFrame

from living_finance.analyses.balance import household_balance
from living_finance.analyses.business import small_business
from living_finance.analyses.change import change
from living_finance.analyses.comparison import comparison
from living_finance.analyses.debt import debt_sensitivity, household_debt, interest_rate_rise
from living_finance.analyses.inequality import inequality
from living_finance.analyses.low_income import low_income
from living_finance.analyses.moves import household_moves
from living_finance.analyses.result import RESULT
from living_finance.analyses.vulnerable import jobs_in_reach, vulnerable_groups
from living_finance.analyses.work import commuting, employment
from living_finance.analyses.youth import youth
from living_finance.contracts import gold, silver
from living_finance.contracts.core import Table
from living_finance.errors import ConfigurationError

_TABLES: Mapping[str, Table] = {
    "household": gold.HOUSEHOLD,
    "household_member": gold.HOUSEHOLD_MEMBER,
    "household_lineage": gold.HOUSEHOLD_LINEAGE,
    "household_members": silver.HOUSEHOLD,
    "placed_person": silver.PLACED_PERSON,
    "establishment": silver.ESTABLISHMENT,
    "building": silver.BUILDING,
    "benefit": silver.BENEFIT,
    "benchmark": silver.BENCHMARK,
}
"""Argument of an analysis → the table it is given."""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """One analysis: a pure function of tables, and what people need to know about it."""

    name: str
    label_ko: str
    label_en: str
    function: Callable[..., DataFrame]
    formulas: tuple[str, ...]
    source: str

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


_LINEARISED = "Deville (1999); Osier (2009); Särndal, Swensson & Wretman (1992)"
_EQUIVALISED = "income of a person = household income / √size; weight = household weight × size; a negative income counts as zero"

ANALYSES: Mapping[str, Analysis] = {
    analysis.name: analysis
    for analysis in (
        Analysis(
            name="household_balance",
            label_ko="가계수지",
            label_en="household balance",
            function=household_balance,
            formulas=(
                "surplus rate = Σ w (income / 12 - spending) / Σ w income / 12",
                "spending to income = Σ w spending / Σ w income / 12",
                "deficit share = Σ w [spending > income / 12] / Σ w",
            ),
            source="가계동향조사 (Statistics Korea) for the terms; Särndal, Swensson & Wretman (1992) for the errors",
        ),
        Analysis(
            name="inequality",
            label_ko="양극화·불평등·중산층",
            label_en="inequality, polarisation and the middle class",
            function=inequality,
            formulas=(
                _EQUIVALISED,
                "Gini = Σ w y (2 C + w) / (W Σ w y) - 1, C the weight of everybody poorer",
                "S80/S20 = income above P80 / income up to P20; P90/P10",
                "Wolfson = 2 (1 - 2 L(1/2) - Gini) mean / median",
                "Theil T = Σ w r ln r / W, r = y / mean; within = Σ s T, between = Σ s ln(mean of part / mean), s income shares",
                "middle class = share of people from 50 % to 150 % (75 % to 200 %) of the city's median",
            ),
            source="Alfons & Templ (2013); Wolfson (1994), When inequalities diverge, AER 84(2); Shorrocks (1980); OECD (2019), "
            f"Under Pressure: The Squeezed Middle Class; errors: Langel & Tillé (2011, 2013), Woodruff (1952), {_LINEARISED}",
        ),
        Analysis(
            name="low_income",
            label_ko="저소득·연령",
            label_en="low income and age groups",
            function=low_income,
            formulas=(
                "poor = equivalised income below 50 % (60 %) of the median of all members of the city's households",
                "poverty rate = Σ w members [poor] / Σ w members; of the elderly: members of 65+; of children: members under 15",
                "recipients to entitled = recipients of a programme / weighted members of its age",
            ),
            source=f"OECD Income Distribution Database, terms of reference; errors with that of the line: {_LINEARISED}",
        ),
        Analysis(
            name="employment",
            label_ko="고용·소득",
            label_en="employment and income by residence and workplace",
            function=employment,
            formulas=("low pay = employee's labour income below 2/3 of the median of employees with labour income",),
            source="OECD Employment Outlook, incidence of low pay",
        ),
        Analysis(
            name="commuting",
            label_ko="거주지–근무지 이동",
            label_en="flows from residence to workplace",
            function=commuting,
            formulas=("persons = bureau persons who live in one dong and work in the other; standard error √n",),
            source="counts",
        ),
        Analysis(
            name="small_business",
            label_ko="자영업·소상공인",
            label_en="self-employed and small business",
            function=small_business,
            formulas=(
                "industry at work = KSIC section with more than half of the workers of the workplace building, else mixed",
            ),
            source="Särndal, Swensson & Wretman (1992)",
        ),
        Analysis(
            name="youth",
            label_ko="청년",
            label_en="youth of 20 to 34",
            function=youth,
            formulas=(
                "independent = in a household whose head is under 40",
                "candidate = no work, equivalised household income below 150 % of the city's median",
            ),
            source="서울시 청년수당 for the candidate's rule, by proxy",
        ),
        Analysis(
            name="household_debt",
            label_ko="가계부채",
            label_en="household debt",
            function=household_debt,
            formulas=(
                "debt to income = Σ w debt / Σ w income; debt service to income = Σ w 12 repayment / Σ w income",
                "high risk = service above 40 % of income and debt above 7.5 years of income (proxy for assets)",
                "livelihood loan = credit loan of a household whose spending and debt service exceed its income (proxy)",
            ),
            source="Bank of Korea, Financial Stability Report (고위험가구); proxies: conf/local.yaml, `analyses`",
        ),
        Analysis(
            name="interest_rate_rise",
            label_ko="금리 상승 영향",
            label_en="effect of a rise of interest",
            function=interest_rate_rise,
            formulas=(
                "extra interest = Σ over loan types of balance × repricing share × rise",
                "debt service to income after = (12 repayment + extra) / income",
            ),
            source="repricing shares: conf/local.yaml, `analyses` (1 = upper bound)",
        ),
        Analysis(
            name="debt_sensitivity",
            label_ko="가계부채 대리지표 민감도",
            label_en="sensitivity of the debt figures to their proxies",
            function=debt_sensitivity,
            formulas=("the high-risk and livelihood-loan shares for each combination of the proxies to try",),
            source="conf/local.yaml, `analyses`",
        ),
        Analysis(
            name="vulnerable_groups",
            label_ko="취약계층",
            label_en="vulnerable groups, ranked",
            function=vulnerable_groups,
            formulas=(
                "groups: region × employment × age, region × industry at work × age",
                "rank by share in poor households; Wilson intervals, Bonferroni over all groups of a level",
                "rank from 1 + surely poorer groups to all groups - surely less poor ones",
            ),
            source="Klein, Wright & Wieczorek (2020); Wilson (1927)",
        ),
        Analysis(
            name="jobs_in_reach",
            label_ko="도달 가능 일자리",
            label_en="establishments and jobs within reach",
            function=jobs_in_reach,
            formulas=(
                "workers of establishments within 2 km in a straight line of the middle of the dong's residential buildings",
            ),
            source="counts; distance: conf/local.yaml, `analyses`",
        ),
        Analysis(
            name="household_moves",
            label_ko="가구 이동",
            label_en="moves of households between dongs",
            function=household_moves,
            formulas=("moved = the same household (gold.household_lineage) in another dong than the month before",),
            source="docs/decisions/0011-household-identity.md; error of a total √(Σ w²)",
        ),
        Analysis(
            name="change",
            label_ko="기간 변화",
            label_en="change between two months",
            function=change,
            formulas=(
                "difference = later - earlier, both on the later month's dongs (by building)",
                "standard error = √(V₁ + V₂ - 2 C), C from households that are in the region in both months",
            ),
            source=_LINEARISED,
        ),
        Analysis(
            name="comparison",
            label_ko="지역 비교",
            label_en="district with city, city with published figures",
            function=comparison,
            formulas=(
                "difference from the city: standard error √(V + V_city - 2 C), C from the region's households",
                "difference from a published mean: √(V + (value × relative standard error)²)",
            ),
            source=_LINEARISED,
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
    yield "```"
    yield ""
    yield (
        "Every analysis returns one long table. `--region` takes a city, a district or a dong, and gives it and what is "
        "inside it; medians, lines, quintiles and ranks stay those of the city. `contributors` counts the rows a figure rests "
        "on. Standard errors are linearised, of a sample with replacement; they leave out the error of the income model, of "
        "householding and of coverage ([decision 0040](decisions/0040-policy-analyses.md)). Incomes are gross."
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
        yield f"- **Formulas**: {'; '.join(analysis.formulas)}"
        yield f"- **Source**: {analysis.source}"
        yield f"- **Tables**: {', '.join(f'`{table.qualified_name}`' for table in analysis.tables.values())}"


if __name__ == "__main__":
    sys.stdout.write(manual())
