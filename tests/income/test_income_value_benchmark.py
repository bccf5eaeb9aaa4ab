"""Values moved to published figures, and survey weights moved before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from living_finance.income.other_components import Characteristics
from living_finance.income.survey_weights import SurveyTargets, calibrated_weights, fifths, margin_classes
from living_finance.income.value_benchmark import (
    AGE_GROUPS,
    BINS,
    COMPONENTS,
    TENURES,
    Factors,
    GroupMeans,
    Targets,
    age_group_of,
    bin_of,
    cell_of,
    component_ratios,
    empty_profile,
    factors,
    group_means,
    joint_test,
    own_errors,
    tenure_of,
)

SURE = GroupMeans(np.full(5, 10.0), np.full(5, 10.0), 0.0, np.full(4, 10.0))
"""Estimates so uncertain that published figures are met."""
ANY_TENURE = np.zeros(1, np.int64)


def households() -> tuple[np.ndarray, np.ndarray]:
    """Components x households, and head's age bands."""
    random = np.random.default_rng(3)
    count = 60_000
    amounts = np.exp(random.normal([[16.8], [15.0], [14.5], [14.8], [12.0]], 0.8, (5, count)))
    return amounts, random.integers(2, 8, count) * 10


def profile_of(amounts: np.ndarray, band: np.ndarray) -> np.ndarray:
    cell = age_group_of(band) * BINS + bin_of(amounts.sum(axis=0))
    columns = [np.bincount(cell, weights=v, minlength=len(AGE_GROUPS) * BINS) for v in (np.ones(band.size), *amounts)]
    return np.stack(columns, axis=1).reshape(len(AGE_GROUPS), BINS, 1 + len(COMPONENTS))


def test_components_and_total_meet_their_means() -> None:
    amounts, band = households()
    profile = profile_of(amounts, band)
    ratio = component_ratios(profile, Targets({"total": 6e7, "property": 5e6, "irregular": 8e5}, {}, {}))
    mean = amounts.mean(axis=1) * ratio
    assert mean[2] == pytest.approx(5e6) and mean[4] == pytest.approx(8e5) and mean.sum() == pytest.approx(6e7)
    assert ratio[0] == ratio[1] and ratio[3] == 1.0


def test_fifths_and_ages_are_met_where_the_estimate_knows_nothing() -> None:
    amounts, band = households()
    profile = profile_of(amounts, band)
    before = group_means(profile)
    wanted = before.fifths * np.array([1.2, 1.05, 1.0, 0.98, 0.97])
    total = float(wanted.mean())
    ages = before.ages * np.array([1.1, 1.0, 1.0, 1.0, 0.9])
    shares = profile[:, :, 0].sum(axis=1) / profile[:, :, 0].sum()
    ages *= total / float(shares @ ages)
    targets = Targets({"total": total}, dict(enumerate(wanted, start=1)), dict(zip(AGE_GROUPS, ages, strict=True)))
    found = factors(profile, targets, own=SURE, errors={})
    values = amounts * np.asarray(found.ratios)[:, None] * found.of_households(amounts.sum(axis=0), band, ANY_TENURE)
    after = values.sum(axis=0)
    ranked = np.sort(after).reshape(5, -1).mean(axis=1)
    assert after.mean() == pytest.approx(total, rel=2e-3)
    assert ranked == pytest.approx(wanted, rel=0.01)
    for position, mean in enumerate(ages):
        assert after[age_group_of(band) == position].mean() == pytest.approx(mean, rel=0.01)


def test_without_means_by_tenure_nothing_is_moved_by_tenure() -> None:
    """Factors of the code that knew no tenure, to the last digits."""
    amounts, band = households()
    profile = profile_of(amounts, band)
    before = group_means(profile)
    fifths = {1: 1.2 * float(before.fifths[0]), 5: 0.95 * float(before.fifths[4])}
    targets = Targets({"total": 6e7, "property": 5e6}, fifths, {"0-29": 1.1 * float(before.ages[0])})
    own = GroupMeans(np.full(5, 0.02), np.full(5, 0.01), 0.0)
    found = factors(profile, targets, own=own, errors={"fifth 1": 0.01, "fifth 5": 0.02, "age 0-29": 0.01})
    assert found.ratios == pytest.approx((1.638669700439486, 1.638669700439486, 1.7826528628703453, 1.0, 1.0), rel=1e-11)
    assert found.log_factors == pytest.approx(
        (-0.14467495512111148, 0.14273065572383997, 0.06967832548338432, 0.15216306632458892, -0.21989709241070174), rel=1e-11
    )
    assert found.ages == pytest.approx(
        (0.8697630966348912, 1.0317405279201182, 1.036314747487423, 1.037841771621207, 1.0361096238868308), rel=1e-11
    )
    assert found.tenures == () and before.tenures.size == 0
    total = amounts.sum(axis=0)
    moved = [found.of_households(total, band, np.full(band.size, position)) for position in range(len(TENURES))]
    assert all(np.array_equal(moved[0], other) for other in moved[1:])


def with_tenure() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Households of whom the poor rent; true incomes differ from the estimates by age, tenure and, in fifths, by a curve."""
    amounts, band = households()
    random = np.random.default_rng(4)
    rank = np.argsort(np.argsort(amounts.sum(axis=0))) / band.size
    tenure = (
        random.random((band.size, 1)) > np.column_stack([0.3 + 0.4 * rank, 0.7 + 0.2 * rank, np.full(band.size, 0.97)])
    ).sum(axis=1)
    by_age, by_tenure = np.array([1.1, 1.0, 0.95, 1.0, 1.05]), np.array([1.08, 1.0, 0.87, 0.75])
    true = amounts.sum(axis=0) * by_age[age_group_of(band)] * by_tenure[tenure] * (1.1 - 0.2 * rank)
    return amounts, band, tenure, true


def targets_of(true: np.ndarray, band: np.ndarray, tenure: np.ndarray) -> Targets:
    return Targets(
        {"total": float(true.mean())},
        dict(enumerate(np.sort(true).reshape(5, -1).mean(axis=1).tolist(), start=1)),
        {name: float(true[age_group_of(band) == k].mean()) for k, name in enumerate(AGE_GROUPS)},
        {name: float(true[tenure == k].mean()) for k, name in enumerate(TENURES)},
    )


def tenure_profile(amounts: np.ndarray, band: np.ndarray, tenure: np.ndarray) -> np.ndarray:
    profile = empty_profile(by_tenure=True)
    cell = cell_of(amounts.sum(axis=0), band, tenure, by_tenure=True)
    for position, values in enumerate((np.ones(band.size), *amounts)):
        profile[:, :, position] = np.bincount(cell, weights=values, minlength=profile[:, :, 0].size).reshape(-1, BINS)
    return profile


def moved_by(found: Factors, amounts: np.ndarray, band: np.ndarray, tenure: np.ndarray) -> np.ndarray:
    values = amounts * np.asarray(found.ratios)[:, None] * found.of_households(amounts.sum(axis=0), band, tenure)
    return values.sum(axis=0)


def test_means_by_tenure_age_and_fifth_are_met_together() -> None:
    amounts, band, tenure, true = with_tenure()
    targets, profile = targets_of(true, band, tenure), tenure_profile(amounts, band, tenure)
    found = factors(profile, targets, own=SURE, errors={})
    reached = targets_of(moved_by(found, amounts, band, tenure), band, tenure)
    assert found.largest_gap < 0.005
    assert reached.means["total"] == pytest.approx(targets.means["total"], rel=2e-3)
    for wanted, after in ((targets.fifths, reached.fifths), (targets.ages, reached.ages), (targets.tenures, reached.tenures)):
        assert after == pytest.approx(wanted, rel=0.01)
    without = factors(profile_of(amounts, band), replace(targets, tenures={}), own=SURE, errors={})
    rents = targets_of(moved_by(without, amounts, band, tenure), band, tenure).tenures["monthly_rent"]
    assert rents > 1.05 * targets.tenures["monthly_rent"]


def test_groups_that_contradict_each_other_are_said_to_be_left_apart() -> None:
    """Means by tenure all a tenth too high for the total: it is met, they keep their relations, the gap is told."""
    amounts, band, tenure, true = with_tenure()
    targets = targets_of(true, band, tenure)
    high = replace(targets, tenures={name: 1.1 * mean for name, mean in targets.tenures.items()})
    found = factors(tenure_profile(amounts, band, tenure), high, own=SURE, errors={})
    assert found.largest_gap == pytest.approx(1.0 - 1.0 / 1.1, abs=0.005)
    reached = targets_of(moved_by(found, amounts, band, tenure), band, tenure)
    assert reached.means["total"] == pytest.approx(targets.means["total"], rel=2e-3)
    assert reached.tenures == pytest.approx(targets.tenures, rel=0.01)


def test_a_tenure_of_nobody_and_one_that_is_not_published_do_no_harm() -> None:
    amounts, band, tenure, true = with_tenure()
    tenure = np.minimum(tenure, 2)
    rents, total = float(true[tenure == 2].mean()), float(true.mean())
    targets = Targets({"total": total}, {}, {}, {"monthly_rent": rents, "free": 0.5 * rents})
    found = factors(tenure_profile(amounts, band, tenure), targets, own=SURE, errors={})
    reached = moved_by(found, amounts, band, tenure)
    assert np.isfinite(reached).all() and reached.mean() == pytest.approx(total, rel=2e-3)
    assert reached[tenure == 2].mean() == pytest.approx(rents, rel=0.05)


def test_the_position_of_a_tenure_is_its_own() -> None:
    assert tenure_of(np.array([*TENURES, "owned"], dtype=object)).tolist() == [0, 1, 2, 3, 0]


def of_tenures(random: np.random.Generator, draws: int, off: float) -> tuple[list[np.ndarray], list[Targets]]:
    """Profiles with an error of 1 % by tenure in each draw and one of `off` in all; figures with an error of 1 %."""
    truth = np.array([7e7, 5e7, 4e7, 3e7])
    always = np.exp(off * random.normal(size=4))
    first = truth * np.exp(0.01 * random.normal(size=4))
    profiles, targets = [], []
    for draw in range(draws + 1):
        means = truth * always * np.exp(0.01 * random.normal(size=4))
        profile = empty_profile(by_tenure=True)
        for position in range(4):
            profile[8 + position, bin_of(truth)[position], :2] = 100.0, 100.0 * means[position]
        figures = first if draw == 0 else first * np.exp(0.01 * random.normal(size=4))
        profiles.append(profile)
        targets.append(Targets({}, {}, {}, dict(zip(TENURES, figures.tolist(), strict=True))))
    return profiles, targets


def test_means_by_tenure_are_trusted_by_what_draws_and_distances_say() -> None:
    """No draw draws tenure anew: an error of it shows in distances alone, and not where these are within the known errors."""
    random = np.random.default_rng(6)
    errors = {f"tenure {name}": 0.01 for name in TENURES}
    own = lambda off: own_errors(*of_tenures(random, 8, off), errors=errors).tenures  # noqa: E731
    within, beyond = np.mean([own(0.0) for _ in range(12)], axis=0), np.mean([own(0.2) for _ in range(12)], axis=0)
    assert within == pytest.approx(np.full(4, 0.01), abs=0.005)
    assert beyond == pytest.approx(np.full(4, 0.18), abs=0.05)  # of a normal error of 0.2 in four tenures: 0.92 of it


def test_means_by_tenure_are_tested_with_the_others() -> None:
    random = np.random.default_rng(13)
    agree = joint_test(*of_tenures(random, 15, 0.0))
    apart = joint_test(*of_tenures(random, 15, 0.2))
    assert agree is not None and agree.figures == 4 and agree.probability > 0.01
    assert apart is not None and apart.figures == 4 and apart.probability < 0.01


def test_a_figure_of_large_error_moves_little() -> None:
    amounts, band = households()
    profile = profile_of(amounts, band)
    before = group_means(profile)
    targets = Targets({"total": before.total}, {5: float(before.fifths[4] * 1.2)}, {})
    own = GroupMeans(np.full(5, 0.01), np.full(5, 0.01), 0.0)
    found = factors(profile, targets, own=own, errors={"fifth 5": 0.1})
    after = np.sort(
        (amounts * np.asarray(found.ratios)[:, None] * found.of_households(amounts.sum(axis=0), band, ANY_TENURE)).sum(axis=0)
    )
    assert after.reshape(5, -1).mean(axis=1)[4] / before.fifths[4] == pytest.approx(1.2 ** (1 / 101), abs=0.005)


def of_cells(random: np.random.Generator, draws: int, shared: float) -> tuple[list[np.ndarray], list[Targets]]:
    """Profiles of draws with an error of all fifths together and one of each; figures with an error of 1 %."""
    truth = np.array([1e7, 3e7, 5e7, 8e7, 16e7])
    profiles, targets = [], []
    for draw in range(draws + 1):
        means = truth * np.exp(shared * random.normal() + 0.02 * random.normal(size=5))
        profile = np.zeros((len(AGE_GROUPS), BINS, 1 + len(COMPONENTS)))
        profile[2, bin_of(truth), 0] = 100.0
        profile[2, bin_of(truth), 1] = 100.0 * means
        published = truth * np.exp(0.01 * random.normal(size=5))
        if draw == 0:
            first = published
        figures = first if draw == 0 else first * np.exp(0.01 * random.normal(size=5))
        profiles.append(profile)
        targets.append(Targets({"total": float(figures.mean())}, dict(enumerate(figures, start=1)), {}))
    return profiles, targets


def test_published_figures_are_tested_together() -> None:
    """Where only errors part them, the test is as often below a probability as it says; a shift is found. Six figures count for
    fewer, since an error of all moves them together."""
    random = np.random.default_rng(11)
    found = [joint_test(*of_cells(random, 15, 0.05)) for _ in range(120)]
    probability = np.array([test.probability for test in found if test])
    assert probability.size == 120 and found[0] is not None and found[0].figures == 6 and 1.0 < found[0].freedom <= 6.0
    assert np.mean(probability < 0.1) == pytest.approx(0.1, abs=0.07) and np.mean(probability < 0.5) == pytest.approx(
        0.5, abs=0.15
    )
    profiles, targets = of_cells(random, 15, 0.05)
    moved = [replace(target, fifths={**target.fifths, 1: 1.5 * target.fifths[1]}) for target in targets]
    shifted = joint_test(profiles, moved)
    assert shifted is not None and shifted.probability < 0.01
    assert joint_test(profiles[:3], targets[:3]) is None and joint_test(profiles, [Targets({}, {}, {})] * 16) is None


def test_values_keep_their_order_within_an_age_group() -> None:
    amounts, band = households()
    band[:] = 40
    profile = profile_of(amounts, band)
    before = group_means(profile)
    targets = Targets({"total": before.total}, dict(enumerate(before.fifths * [0.8, 1.1, 1.0, 1.0, 1.0], start=1)), {})
    found = factors(profile, targets, own=SURE, errors={})
    total = np.sort(amounts.sum(axis=0))
    moved = total * found.of_households(total, np.full(total.size, 40), ANY_TENURE)
    assert (np.diff(moved) >= 0).all()


def surveyed(count: int = 1500) -> tuple[Characteristics, dict[str, np.ndarray], np.ndarray]:
    random = np.random.default_rng(5)
    text = lambda values: np.array(values, dtype=object)  # noqa: E731
    described = Characteristics(
        head_age_band=random.integers(2, 8, count) * 10,
        size=random.integers(1, 6, count),
        tenure=text(random.choice(["owned", "jeonse", "monthly_rent", "free"], count)),
        dwelling_type=text(random.choice(["apartment", "detached", "multi_family"], count)),
        household_type=text(["one_person"] * count),
        dong_code=text(["1101053"] * count),
        earnings=np.zeros(count),
        place=np.zeros(count),
    )
    amounts = {name: np.exp(random.normal(16.0, 0.9, count)) for name in COMPONENTS}
    return described, amounts, np.ones(count)


def test_survey_weights_meet_margins_and_published_means() -> None:
    described, amounts, weight = surveyed()
    total = sum(amounts.values())
    shares = {name: float(v.mean()) for name, v in margin_classes(described).items()}
    shares["tenure owned"] += 0.04
    shares["tenure jeonse"] -= 0.04
    mean = float(total.mean()) * 1.06
    found = calibrated_weights(described, amounts, weight, targets=SurveyTargets(shares, {"total": mean}, {}))
    assert found.sum() == pytest.approx(weight.size)
    assert np.average(total, weights=found) == pytest.approx(mean, rel=1e-4)
    assert np.average(described.tenure == "owned", weights=found) == pytest.approx(shares["tenure owned"], rel=1e-4)


def test_survey_weights_recover_the_fifths_of_a_city_whose_rich_answer_less() -> None:
    described, amounts, _ = surveyed(6000)
    total = sum(amounts.values())
    true = np.sort(total).reshape(5, -1).mean(axis=1)
    rank = np.argsort(np.argsort(total)) / total.size
    answers = np.random.default_rng(8).random(total.size) < 0.9 - 0.4 * rank
    pick = lambda values: values[answers]  # noqa: E731
    some = Characteristics(**{name: pick(value) for name, value in described.__dict__.items()})
    shares = {name: float(v.mean()) for name, v in margin_classes(described).items()}
    targets = SurveyTargets(shares, {"total": float(total.mean())}, dict(enumerate(true, start=1)))
    answered = {name: pick(value) for name, value in amounts.items()}
    found = calibrated_weights(some, answered, np.ones(int(answers.sum())), targets=targets)
    group = fifths(pick(total), found)
    for k in range(1, 6):
        assert found[group == k].sum() / found.sum() == pytest.approx(0.2, abs=0.01)
        assert np.average(pick(total)[group == k], weights=found[group == k]) == pytest.approx(true[k - 1], rel=0.02)


def test_a_household_that_did_not_answer_keeps_a_weight() -> None:
    described, amounts, weight = surveyed()
    amounts["labour"][:50] = np.nan
    found = calibrated_weights(described, amounts, weight, targets=SurveyTargets({}, {"total": 5e7}, {}))
    assert (found > 0).all() and np.isfinite(found).all()
