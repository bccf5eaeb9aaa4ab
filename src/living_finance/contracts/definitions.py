"""What published figures mean beside ours: the crosswalk of definitions. A figure is used only as its row here says.

Our own: private households (who live together), income before tax, the five components added up (current and irregular), of the
last twelve months known; debt = the four balances that a bureau sees (deposits that landlords owe are not debt).

`python -m living_finance.contracts.definitions` writes docs/definitions.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Use = Literal["benchmark", "compare"]


@dataclass(frozen=True, kw_only=True)
class PublishedDefinition:
    """One indicator of one source."""

    source: str
    indicator: str
    unit: str
    concept: str
    """What is counted, where it differs from ours or could."""
    largest_lag_years: int
    """Years that the figure's reference period may lie before the survey's year."""
    use: Use
    """benchmark: values are moved to it. compare: shown beside ours, never met."""
    reason: str
    """Why it may be used so."""


_HOUSEHOLD = "private household 일반가구"
_FINANCES, _TREND, _HOUSING = "household_finances_survey", "household_trend_survey", "housing_survey"

CROSSWALK: tuple[PublishedDefinition, ...] = (
    *(
        PublishedDefinition(
            source=_FINANCES,
            indicator=indicator,
            unit=_HOUSEHOLD,
            concept=concept,
            largest_lag_years=1,
            use="benchmark",
            reason=reason,
        )
        for indicator, concept, reason in (
            (
                "mean_total_income",
                "gross, current and irregular 경상+비경상, before tax; the survey's headline is current income 경상소득: "
                "irregular income is to be added before it is delivered under this name; by tenure: monthly rent without "
                "free 무상 or other, as one class of both is none of ours",
                "same concept under this indicator; asked in the year after, so that the period may be the year before",
            ),
            ("mean_property_income", "gross interest, dividends, rent 재산소득", "same concept"),
            ("mean_transfer_income", "public and private transfers received 이전소득", "same concept"),
            ("mean_spending_month", "consumption, without taxes, contributions and interest 소비지출", "same concept"),
        )
    ),
    PublishedDefinition(
        source=_FINANCES,
        indicator="mean_current_income",
        unit=_HOUSEHOLD,
        concept="gross without irregular income 경상소득",
        largest_lag_years=1,
        use="compare",
        reason="lacks irregular income: as a total it would pull ours down",
    ),
    PublishedDefinition(
        source=_FINANCES,
        indicator="mean_disposable_income",
        unit=_HOUSEHOLD,
        concept="after tax, contributions and interest 처분가능소득",
        largest_lag_years=1,
        use="compare",
        reason="ours is before tax",
    ),
    PublishedDefinition(
        source=_FINANCES,
        indicator="mean_debt",
        unit=_HOUSEHOLD,
        concept="financial debt and deposits that landlords owe 금융부채+임대보증금",
        largest_lag_years=1,
        use="compare",
        reason="holds deposit liabilities, which no bureau sees (a quarter of the survey's debt): met, debt would be too high",
    ),
    PublishedDefinition(
        source=_FINANCES,
        indicator="mean_assets",
        unit=_HOUSEHOLD,
        concept="real and financial assets 자산",
        largest_lag_years=1,
        use="compare",
        reason="the data hold no assets",
    ),
    *(
        PublishedDefinition(
            source=_TREND,
            indicator=indicator,
            unit=_HOUSEHOLD,
            concept=concept,
            largest_lag_years=0,
            use="benchmark",
            reason="same concept",
        )
        for indicator, concept in (
            ("mean_total_income", "gross, current and irregular 경상+비경상, before tax"),
            ("mean_property_income", "gross interest, dividends, rent 재산소득"),
            ("mean_transfer_income", "public and private transfers received 이전소득"),
            ("mean_irregular_income", "condolence and retirement money, windfalls 비경상소득"),
            ("mean_spending_month", "consumption, without taxes, contributions and interest 소비지출"),
        )
    ),
    PublishedDefinition(
        source=_HOUSING,
        indicator="household_share",
        unit=_HOUSEHOLD,
        concept="share of households by tenure 점유형태",
        largest_lag_years=0,
        use="compare",
        reason="weights meet the census; a second source of tenure would contradict it",
    ),
)


def _defined(source: str, indicator: str) -> PublishedDefinition | None:
    return next((row for row in CROSSWALK if (row.source, row.indicator) == (source, indicator)), None)


def is_same_concept(source: str, indicator: str) -> bool:
    """Whether a published figure counts what ours of that name does; one that is not known does not.

    >>> [is_same_concept("household_finances_survey", name) for name in ("mean_total_income", "mean_debt")]
    [True, False]
    """
    found = _defined(source, indicator)
    return found is not None and found.use == "benchmark"


def refusal(source: str, indicator: str, *, year: int, reference_period: str) -> str | None:
    """Why a published figure is not met; None: it may be.

    Args:
        source: as delivered.
        indicator: as delivered.
        year: of the survey.
        reference_period: of the figure, beginning with its year; empty: the survey's year.
    """
    found = _defined(source, indicator)
    if found is None:
        return f"{indicator} of {source}: not met, the crosswalk of definitions does not know it"
    if found.use == "compare":
        return f"{indicator} of {source}: not met, {found.reason}"
    period = reference_period[:4]
    lag = year - int(period) if period.isdigit() else 0
    if not 0 <= lag <= found.largest_lag_years:
        return f"{indicator} of {source} {year}: not met, its reference period {period} is {lag} years before the survey"
    return None


def crosswalk_text() -> Iterator[str]:
    """The crosswalk as a document, line by line."""
    yield "# Definitions: published figures beside ours"
    yield ""
    yield from (__doc__ or "").strip().splitlines()[2:4]
    yield ""
    yield "Made from `contracts/definitions.py` by `make docs`. Figures of other sources or indicators are not met until they"
    yield "have a row. What was not met, and why, is in the notes of the month's run in MLflow."
    yield ""
    yield "| source | indicator | unit | concept | reference period | use | why |"
    yield "|---|---|---|---|---|---|---|"
    for row in CROSSWALK:
        lag = "the survey's year" if row.largest_lag_years == 0 else "the survey's year or the year before"
        yield f"| {row.source} | {row.indicator} | {row.unit} | {row.concept} | {lag} | {row.use} | {row.reason} |"


if __name__ == "__main__":
    sys.stdout.write("\n".join(crosswalk_text()) + "\n")
