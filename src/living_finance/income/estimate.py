"""The income step: evidence by household, a stored model (`training`), draws on Spark, benchmarking, consistency of areas.

Households are drawn where they are, in Arrow batches; random numbers come from their keys. Two passes: the first adds up
a profile of every draw, from which the factors of benchmarking follow; the second writes one draw and the means over all draws.
Then the one draw is moved by a ratio per component to the mean over draws, of each output area as far as bounds allow and of
each dong: published means are means over draws, quantiles and Gini come from values that vary as incomes do. Quantiles and Gini
are taken of every draw too (`region_draws`): their averages and spreads are the errors of the published ones.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from living_finance.income.areas import area_draws, area_errors, consistent, debt_ratios, error_budget, finished, with_totals
from living_finance.income.draws import drawn_households, profiles_of
from living_finance.income.drift import score_shares
from living_finance.income.evidence import as_city, as_survey, income_evidence, places_of, with_place
from living_finance.income.householding_error import HouseholdingError
from living_finance.income.model import IncomeModel, group_errors, month_targets
from living_finance.income.programme_rules import MonthRules
from living_finance.income.programmes import Benefits, benefits_of, dong_programmes
from living_finance.income.published import Figure, Published, published_figures
from living_finance.income.region_draws import RegionDraws, region_draws
from living_finance.income.survey_weights import FIFTHS
from living_finance.income.training import TrainingData
from living_finance.income.value_benchmark import (
    AGE_GROUPS,
    COMPONENTS,
    TENURES,
    Factors,
    JointTest,
    Profile,
    Targets,
    factors,
    group_means,
    joint_test,
    own_errors,
)
from living_finance.months import Month

_SAMPLED_HOUSEHOLDS = 20_000
"""Households that earnings are fitted on, about; 20 MB on the driver."""
_SAMPLE_STEPS = 1_000_000
_PART_DRAWS = 6
"""Draws in which one source of error varies alone, of the survey and of published figures each."""
_LARGEST_UNSAID_GAP = 0.01


@dataclass(frozen=True)
class IncomeEvidence:
    """What a month knows before incomes are modelled; `households` is persisted until `release` is called."""

    households: DataFrame
    """silver.HOUSEHOLD with `_earners` and `_place`."""
    persons: DataFrame
    """silver.PLACED_PERSON."""
    place: Mapping[str, float]
    """Dong → mean log score among peers."""
    survey: DataFrame
    published: Mapping[Figure, Published]
    benefits: Benefits
    refused: tuple[str, ...]
    """Why other published figures are not met."""
    notes: tuple[str, ...]
    """What configuration does not say of the month (`MonthRules.notes`)."""
    rows: int
    month: Month
    release: Callable[[], None]

    def training(self) -> TrainingData:
        """The survey and a sample of the households, kept by hash, as arrays."""
        share = min(1.0, _SAMPLED_HOUSEHOLDS / max(self.rows, 1))
        is_sampled = F.pmod(F.xxhash64(F.lit("income"), "household_id"), F.lit(_SAMPLE_STEPS)) < int(share * _SAMPLE_STEPS)
        sampled = self.households.where(is_sampled & (F.col("weight") > 0)).orderBy("household_id")
        city = as_city(sampled.toArrow())  # ok: a bounded sample
        return TrainingData(as_survey(self.survey, self.place), city, self.published, self.benefits, share)


def gather_income(
    households: DataFrame,
    *,
    persons: DataFrame,
    members: DataFrame,
    survey: DataFrame,
    benchmarks: DataFrame,
    register: DataFrame,
    benefits: DataFrame,
    rules: MonthRules,
    month: Month,
    rows: int,
    register_rows: int,
) -> IncomeEvidence:
    """Evidence by household and for the whole month.

    Args:
        households: silver.HOUSEHOLD of the month.
        persons: silver.PLACED_PERSON.
        members: gold.HOUSEHOLD_MEMBER.
        survey: silver.SURVEY_HOUSEHOLD used for the month.
        benchmarks: silver.BENCHMARK used for the month.
        register: silver.REGISTER_PERSON.
        benefits: silver.BENEFIT.
        rules: of benefit programmes in the month.
        month: the month.
        rows: about how many households there are; decides the sample.
        register_rows: about how many registered persons; the same.
    """
    gathered = income_evidence(households, persons=persons, members=members).persist(StorageLevel.DISK_ONLY)
    place = places_of(gathered)
    published, refused = published_figures(benchmarks, month=month)
    paid = benefits_of(benefits, register=register, register_rows=register_rows, rules=rules.rules)

    def release() -> None:
        gathered.unpersist()

    return IncomeEvidence(
        households=with_place(gathered, place),
        persons=persons,
        place=place,
        survey=survey,
        published=published,
        benefits=paid,
        refused=refused,
        notes=rules.notes(paid.recipients),
        rows=rows,
        month=month,
        release=release,
    )


@dataclass(frozen=True)
class IncomeFit:
    """What a month was scored with and what came of it. Holds no surveyed household and no person."""

    model_version: str
    parameters: Mapping[str, float]
    metrics: Mapping[str, float]
    notes: tuple[str, ...]
    content: Mapping[str, object]
    joint_test: JointTest | None
    """Estimates before they are moved, held against the published figures."""


@dataclass(frozen=True)
class EstimatedIncome:
    """`household` is lazy; its drawn rows are persisted until `release` is called. Figures of regions are made already."""

    household: DataFrame
    """gold.HOUSEHOLD."""
    regions: RegionDraws
    """Figures of every region in the model's draws."""
    survey: RegionDraws
    """In draws that differ from the point fit by the survey's bootstrap only."""
    published: RegionDraws
    """In draws that differ from it by the errors of published figures only."""
    figures_of: Callable[[DataFrame, DataFrame, DataFrame], RegionDraws]
    """Figures of output areas if households (silver.HOUSEHOLD), members (gold.HOUSEHOLD_MEMBER) and persons were these."""
    month: Month
    fit: IncomeFit
    scores: Mapping[str, float]
    """Share of households by income before benchmarking (`drift.score_shares`)."""
    release: Callable[[], None]

    def errors(self, householding: HouseholdingError | None = None) -> tuple[pa.Table, pa.Table]:
        """silver.AREA_INCOME and gold.ERROR_BUDGET."""
        budget = error_budget(
            self.regions, survey=self.survey, published=self.published, householding=householding, month=self.month
        )
        return area_errors(self.regions, month=self.month, householding=householding), budget

    def draws_of_regions(self) -> pa.Table:
        """silver.AREA_INCOME_DRAW."""
        return area_draws(self.regions, month=self.month)


def estimate_income(evidence: IncomeEvidence, *, model: IncomeModel, version: str) -> EstimatedIncome:
    """Income by component of every household, with its error by area.

    - labour, business: scores of the members the bureau knows, corrected (`earnings`), and of adults it does not know.
    - property, irregular, transfers beyond the city's programmes: two-part models of the survey (`other_components`).
    - programmes: placed by their rules, tied to what each dong was paid (`programmes`).
    - benchmarks: `value_benchmark`, in every draw, to the month's published figures.
    - debt: the bureau's, by dong moved to the total of all its bureau residents, those without an address included. No published
      mean is met: household finance surveys count deposits that landlords owe.
    - spending: the bureau's, grossed up for adults it does not know, drawn where it knows nobody, then to the published mean.

    Args:
        evidence: of the month.
        model: what to score with; each of its draws gives one income of the whole city, the first from the point fit.
        version: what the rows shall say it is.

    Returns:
        gold.HOUSEHOLD (one row per household; components in whole won that add up to the total;
        `expected_total_income_krw_year` the mean over draws), figures of every region in every draw, and what was done.
    """
    draws, point = len(model.draws), model.draws[0]
    parts = min(_PART_DRAWS, draws - 1)
    # Draw number 0: the chances of persons, households and areas are those of the point fit.
    of_survey = tuple(replace(draw, draw=point.draw) for draw in model.draws[1 : 1 + parts])
    everything = replace(model, draws=(*model.draws, *of_survey))
    targets = month_targets(evidence.published, draws=draws, seed=model.seed)
    by_tenure = bool(targets[0].tenures)
    all_profiles, who_may = profiles_of(evidence.households, everything, evidence.benefits, by_tenure=by_tenure)
    profiles = all_profiles[:draws]
    errors = group_errors(evidence.published)
    own = own_errors(profiles[1:] or profiles, targets[1:] or targets, errors=errors)
    tested = joint_test(profiles, targets)

    def factors_of(profile: Profile, target: Targets) -> Factors:
        return factors(profile, target, own=own, errors=errors)

    by_draw = tuple(factors_of(profile, target) for profile, target in zip(profiles, targets, strict=True))
    programmes = dong_programmes(who_may, evidence.benefits)
    apart = (
        *((draw, factors_of(profile, targets[0])) for draw, profile in zip(of_survey, all_profiles[draws:], strict=True)),
        *((point, factors_of(profiles[0], target)) for target in targets[1 : 1 + parts]),
    )
    drawn = drawn_households(evidence.households, model=model, by_draw=by_draw, programmes=programmes, apart=apart)
    drawn = drawn.persist(StorageLevel.DISK_ONLY)
    indicators = {name: f"mean_{name}_income" for name in ("total", *COMPONENTS)} | {"spending": "mean_spending_month"}
    found = {name: evidence.published.get((indicator, "all", "all")) for name, indicator in indicators.items()}
    household = finished(
        with_totals(consistent(drawn)),
        debts=debt_ratios(drawn, evidence.persons),
        published={name: figure.value if figure else None for name, figure in found.items()},
        version=version,
    )

    def release() -> None:
        drawn.unpersist()

    fit = IncomeFit(
        model_version=version,
        parameters={"draws": len(model.draws)},
        metrics={
            **_metrics(profiles[0], by_draw[0], model),
            "programmes_paid_krw_year": programmes.paid,
            "programmes_placed_krw_year": programmes.placed,
            **({f"joint_test_{name}": value for name, value in asdict(tested).items()} if tested else {}),
        },
        notes=(*model.notes, *evidence.refused, *evidence.notes, *_left(by_draw[0])),
        content={
            "model_version": version,
            "published": {" ".join(figure): asdict(value) for figure, value in evidence.published.items()},
            "refused": evidence.refused,
            "targets": asdict(targets[0]),
            "errors": errors,
            "factors": [asdict(factor) for factor in by_draw],
            "own_errors": {"fifths": own.fifths.tolist(), "ages": own.ages.tolist(), "tenures": own.tenures.tolist()},
            "notes": model.notes,
        },
        joint_test=tested,
    )

    def figures_of(households: DataFrame, members: DataFrame, persons: DataFrame) -> RegionDraws:
        others = with_place(income_evidence(households, persons=persons, members=members), evidence.place)
        redone = drawn_households(others, model=model, by_draw=by_draw, programmes=programmes)
        return region_draws(redone, draws=draws, levels=("output_area",))

    regions = region_draws(drawn, draws=draws + 2 * parts)
    return EstimatedIncome(
        household=household,
        regions=regions.only(slice(draws)),
        survey=regions.only(slice(draws, draws + parts)),
        published=regions.only(slice(draws + parts, None)),
        figures_of=figures_of,
        month=evidence.month,
        fit=fit,
        scores=score_shares(profiles[0]),
        release=release,
    )


ADJUSTED: Mapping[str, tuple[str, Figure]] = {
    **{name: (f"mean_{name}_before_krw_year", (f"mean_{name}_income", "all", "all")) for name in ("total", *COMPONENTS)},
    **{
        f"fifth_{k}": (f"mean_fifth_{k}_before_krw_year", ("mean_total_income", "income_quintile", str(k)))
        for k in range(1, FIFTHS + 1)
    },
    **{f"age_{name}": (f"mean_age_{name}_before_krw_year", ("mean_total_income", "head_age", name)) for name in AGE_GROUPS},
    **{f"tenure_{name}": (f"mean_tenure_{name}_before_krw_year", ("mean_total_income", "tenure", name)) for name in TENURES},
}
"""Mean income of the city's households that is adjusted → the metric that has it before, the published figure."""


def adjustment(metrics: Mapping[str, float], published: Mapping[Figure, Published]) -> list[dict[str, Any]]:
    """What incomes were before they were adjusted to published figures, and the figures, for the ledger.

    Args:
        metrics: of the fit (`IncomeFit`), KRW/year.
        published: of the month.

    Returns:
        One entry per figure of ADJUSTED: name, mean before in whole won a year, published mean with source, year and relative
        standard error; null where none is published (labour and business then follow from the total). No entry of tenures where
        none of them is published: nothing is moved by tenure then.
    """
    found = []
    for name, (metric, figure) in ADJUSTED.items():
        if metric not in metrics and figure[1] == "tenure":
            continue
        known = published.get(figure)
        found.append(
            {
                "figure": name,
                "before_krw_year": round(metrics[metric]),
                "published_krw_year": round(known.value) if known else None,
                "relative_error": known.relative_error if known else None,
                "source": f"{known.source} {known.year}" if known else None,
            }
        )
    return found


def _left(factor: Factors) -> tuple[str, ...]:
    """Says where published means by group were not reached together."""
    if factor.largest_gap <= _LARGEST_UNSAID_GAP:
        return ()
    return (
        f"means by group end up to {factor.largest_gap:.1%} from the published ones as trusted: these contradict each other or "
        "the mean of all",
    )


def _metrics(profile: Profile, factor: Factors, model: IncomeModel) -> dict[str, float]:
    """Means before and after benchmarking of the point fit, KRW/year, and the corrections."""
    number = max(float(profile[:, :, 0].sum()), 1e-300)
    before = profile[:, :, 1:].sum(axis=(0, 1)) / number
    point = model.draws[0].earnings
    means = group_means(profile)
    # Of no tenure where no mean by tenure is published.
    tenures = dict(zip(TENURES, zip(means.tenures, factor.tenures, strict=True), strict=False))
    return {
        "weighted_households": number,
        **{f"mean_{name}_before_krw_year": float(value) for name, value in zip(COMPONENTS, before, strict=True)},
        "mean_total_before_krw_year": float(before.sum()),
        **{f"mean_fifth_{k + 1}_before_krw_year": float(value) for k, value in enumerate(means.fifths)},
        **{f"mean_age_{name}_before_krw_year": float(value) for name, value in zip(AGE_GROUPS, means.ages, strict=True)},
        **{f"mean_tenure_{name}_before_krw_year": float(value) for name, (value, _) in tenures.items()},
        **{f"ratio_{name}": float(value) for name, value in zip(COMPONENTS, factor.ratios, strict=True)},
        **{f"factor_fifth_{k + 1}": float(np.exp(value)) for k, value in enumerate(factor.log_factors)},
        **{f"factor_age_{name}": float(value) for name, value in zip(AGE_GROUPS, factor.ages, strict=True)},
        **{f"factor_tenure_{name}": float(value) for name, (_, value) in tenures.items()},
        "largest_gap_by_group": factor.largest_gap,
        "labour_level": point.labour.level,
        "labour_slope": point.labour.slope,
        "business_level": point.business.level,
        "business_slope": point.business.slope,
        "survey_mean_by_design_krw_year": model.survey_mean_before,
        "survey_mean_calibrated_krw_year": model.survey_mean_after,
    }
