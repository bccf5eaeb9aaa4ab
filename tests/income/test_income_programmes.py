"""Benefit programmes: those receive them who may, dongs have their recipients and sums, the survey keeps the rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from living_finance.config import conf_file
from living_finance.errors import ConfigurationError
from living_finance.income.programme_rules import MonthRules, rules_of_month
from living_finance.income.programmes import (
    Benefits,
    DongProgrammes,
    Eligibility,
    People,
    Programmes,
    dong_programmes,
    learned_programmes,
    need_of,
    score_counts,
    without_programmes,
)
from living_finance.methods.keyed_random import key_bits
from living_finance.months import Month

HOUSEHOLDS = 4000
DONGS = ("1111051", "1111052")
YAML = conf_file("programmes.yaml").read_text(encoding="utf-8")


def rules(month: str, text: str = YAML) -> MonthRules:
    return rules_of_month(text, name="programmes.yaml", month=Month.parse(month))


MAY = Eligibility(rules("202001").rules, {6: (0.3,) * 9, 7: (0.4,) * 9})
RECIPIENTS = {
    "basic_pension": {DONGS[0]: 500.0, DONGS[1]: 300.0},
    "child_allowance": {DONGS[0]: 150.0, DONGS[1]: 200.0},
    "basic_livelihood": {DONGS[0]: 250.0, DONGS[1]: 100.0},
    "new_programme": {DONGS[0]: 90.0},
}
BENEFITS = Benefits(RECIPIENTS, {name: {d: 3e6 * n for d, n in of.items()} for name, of in RECIPIENTS.items()}, MAY)
RANDOM = np.random.default_rng(1)
ELDERLY = RANDOM.integers(0, 2, HOUSEHOLDS)
CHILDREN = RANDOM.integers(0, 2, HOUSEHOLDS)
PEOPLE = People(
    size=1 + ELDERLY + CHILDREN,
    adults=1 + ELDERLY,
    children=CHILDREN,
    elderly=ELDERLY,
    head_age_band=10 * RANDOM.integers(2, 9, HOUSEHOLDS),
    key=key_bits(range(HOUSEHOLDS)),
)
NEED = need_of(np.where(RANDOM.random(HOUSEHOLDS) < 0.2, 0.0, RANDOM.lognormal(17.0, 0.8, HOUSEHOLDS)), PEOPLE.size)
WEIGHT = 0.8 + 0.4 * RANDOM.random(HOUSEHOLDS)
DONG = np.arange(HOUSEHOLDS) % 2
OF_CITY = learned_programmes(PEOPLE, NEED, WEIGHT, benefits=BENEFITS, share=1.0, draw=0)


def of_dongs() -> DongProgrammes:
    counts = {}
    for name in RECIPIENTS:
        found = score_counts(PEOPLE, NEED, WEIGHT, DONG, places=2, programme=name, may=MAY, draw=0)
        counts[name] = dict(zip(DONGS, found, strict=True))
    return dong_programmes(counts, BENEFITS)


def only(programmes: Programmes, name: str) -> Programmes:
    return Programmes({name: programmes.limits[name]}, {name: programmes.amounts[name]}, programmes.may)


@pytest.mark.parametrize("name", RECIPIENTS)
def test_a_dong_gets_what_it_was_paid(name: str) -> None:
    placed = only(of_dongs().at(DONGS, DONG, of=OF_CITY, first=OF_CITY), name).given(PEOPLE, NEED, draw=0)
    paid = [BENEFITS.paid[name].get(dong, 0.0) for dong in DONGS]
    assert np.bincount(DONG, weights=WEIGHT * placed) == pytest.approx(paid, rel=1e-9)
    if name in ("basic_pension", "child_allowance"):  # one person of a household at most
        got = [WEIGHT[(placed > 0) & (dong == DONG)].sum() for dong in (0, 1)]
        assert got == pytest.approx([RECIPIENTS[name].get(dong, 0.0) for dong in DONGS], rel=0.05)


def test_programmes_go_to_the_ages_and_incomes_of_their_rules() -> None:
    placed = of_dongs().at(DONGS, DONG, of=OF_CITY, first=OF_CITY)
    pension = only(placed, "basic_pension").given(PEOPLE, NEED, draw=0) > 0
    assert not pension[ELDERLY == 0].any()
    for dong in (0, 1):
        old = (ELDERLY > 0) & (dong == DONG)
        assert NEED[old & pension].max() <= NEED[old & ~pension].min()
    assert not (only(placed, "child_allowance").given(PEOPLE, NEED, draw=0) > 0)[CHILDREN == 0].any()
    livelihood = only(placed, "basic_livelihood")
    whole = livelihood.given(PEOPLE, NEED, draw=0)
    in_first = (whole > 0) & (DONG == 0)
    assert np.ptp(whole[in_first] / PEOPLE.size[in_first]) < 1.0
    limit = MAY.rules["basic_livelihood"].below_krw_year
    assert limit is not None and NEED[whole > 0].max() < limit
    # Others are as poor: what no source shows decides, otherwise in another draw.
    assert ((whole == 0) & (limit > NEED)).sum() > (whole > 0).sum() / 10
    assert (livelihood.given(PEOPLE, NEED, draw=1) > 0).tolist() != (whole > 0).tolist()


def test_fewer_who_may_receive_get_the_whole_sum() -> None:
    many = replace(BENEFITS, recipients={"basic_pension": {DONGS[0]: 1e6}}, paid={"basic_pension": {DONGS[0]: 7e9}})
    found = learned_programmes(PEOPLE, NEED, WEIGHT, benefits=many, share=1.0, draw=0)
    assert WEIGHT @ found.given(PEOPLE, NEED, draw=0) == pytest.approx(7e9)
    nobody = replace(PEOPLE, elderly=np.zeros_like(ELDERLY), _known={})
    assert not learned_programmes(nobody, NEED, WEIGHT, benefits=many, share=1.0, draw=0).limits


def test_limits_of_a_draw_follow_its_incomes() -> None:
    doubled = learned_programmes(PEOPLE, 2.0 * NEED, WEIGHT, benefits=BENEFITS, share=1.0, draw=0)
    moved = of_dongs().at(DONGS, DONG, of=doubled, first=OF_CITY)
    placed = only(moved, "basic_pension").given(PEOPLE, 2.0 * NEED, draw=0)
    paid = [BENEFITS.paid["basic_pension"][dong] for dong in DONGS]
    assert np.bincount(DONG, weights=WEIGHT * placed) == pytest.approx(paid, rel=0.05)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_survey_keeps_what_is_not_a_programme(missing: float) -> None:
    """Surveyed households are those of the city, with pensions of their own on top: their mean comes back.

    Whoever answers: programmes of those who did not are not put on those who did.
    """
    kinds = np.char.add(PEOPLE.head_age_band.astype(str), PEOPLE.size.astype(str))
    programme = OF_CITY.given(PEOPLE, NEED, draw=0)
    other = np.where((ELDERLY > 0) & (RANDOM.random(HOUSEHOLDS) < 0.5), RANDOM.lognormal(15.5, 0.5, HOUSEHOLDS), 0.0)
    asked = RANDOM.choice(HOUSEHOLDS, 1000, replace=False)
    transfer = (programme + other)[asked] * np.exp(0.03 * RANDOM.normal(size=1000))
    is_missing = np.random.default_rng(3).random(1000) < missing
    transfer[is_missing] = np.nan
    left = without_programmes(
        transfer,
        WEIGHT[asked],
        NEED[asked],
        kinds[asked],
        key_bits([f"S{k}" for k in range(1000)]),
        (PEOPLE.head_age_band[asked] >= 60).astype(np.int64),
        people=PEOPLE,
        people_kinds=kinds,
        programmes=OF_CITY,
        draw=0,
    )
    assert np.isnan(left).tolist() == is_missing.tolist() and (np.nan_to_num(left) >= 0.0).all()
    assert np.nanmean(left) == pytest.approx(other[asked][~is_missing].mean(), rel=0.1)
    assert np.mean(left > 0.0) == pytest.approx(np.mean(other[asked] > 0.0), abs=0.08)
    nothing = replace(OF_CITY, limits={}, amounts={})
    assert nothing.given(PEOPLE, NEED, draw=0).max() == 0.0


def test_a_month_goes_by_the_newest_rules_not_later_than_it() -> None:
    """Laws change within a year: children were under 6 until August 2019; medians are of the year."""
    under = {month: rules(month).rules["child_allowance"].under for month in ("201809", "201908", "201909", "202012")}
    assert under == {"201809": 6, "201908": 6, "201909": 7, "202012": 7}
    assert rules("201809").rules["child_allowance"].by_income and not rules("201901").rules["child_allowance"].by_income
    limits = [rules(month).rules["basic_livelihood"].below_krw_year for month in ("201812", "201901", "202006", "202109")]
    assert limits == [0.3 * median * 12 for median in (1_672_105, 1_707_008, 1_757_194, 1_827_831)]
    for month in ("201801", "201908", "202001", "202109"):
        assert all(rule.source for rule in rules(month).rules.values()) and not rules(month).notes(
            RECIPIENTS.keys() - {"new_programme"}
        )


def test_what_the_rules_do_not_say_of_a_month_is_noted() -> None:
    later = rules("202303")
    assert str(later.since) == "202101" and later.rules == rules("202112").rules
    (said,) = later.notes(["basic_pension"])
    assert "since 202101" in said and "none of 2023" in said
    (said,) = rules("202001").notes(["basic_pension", "new_programme"])
    assert "anybody may receive new_programme" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (YAML, "no rules of benefit programmes for 201712: they begin with 201801"),
        (YAML.replace("among: elderly", "among: seniors"), "201801.basic_pension.among"),
        (YAML.replace("under: 7", "age: 7"), "child_allowance.age: Extra inputs"),
        (YAML.replace("share: 0.05", "share: 5"), "less than or equal to 1"),
        (YAML.replace("median_krw_month: 1_672_105", "together: true"), "go together"),
        (YAML.replace("among: adults", "among: adults\n    under: 6"), "an age of children"),
        (YAML.replace('"202101"', "2021"), "2021"),
        ('"201801": {}', "at least 1 item"),
        ("- a: [", "is not YAML"),
        ("", "valid dictionary"),
    ],
)
def test_rules_that_do_not_hold_are_a_configuration_error(text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"Remedy: .") as error:
        rules("201712", text)
    assert said in str(error.value) and error.value.exit_code == 10


def test_income_depends_on_what_rules_say_and_not_on_where_it_is_written() -> None:
    content = rules("202001").content
    assert rules("202001", YAML.replace("article 34-2", "article 34")).content == content
    assert rules("202001", YAML.replace("1_827_831", "1_900_000")).content == content, "of another year"
    assert rules("202001", YAML.replace("1_757_194", "1_800_000")).content != content
    assert rules("202001", YAML.replace("share: 0.05", "share: 0.06")).content != content


def test_other_rules_give_to_others() -> None:
    """Training and scoring may go by rules of different years: each keeps its own."""
    younger = replace(BENEFITS, may=Eligibility(rules("201901").rules, {6: (0.2,) * 9}))
    found = learned_programmes(PEOPLE, NEED, WEIGHT, benefits=younger, share=1.0, draw=0)
    assert found.may.rule("child_allowance").under == 6 and OF_CITY.may.rule("child_allowance").under == 7
    least = replace(
        MAY, rules={**MAY.rules, "basic_livelihood": MAY.rules["basic_livelihood"].model_copy(update={"together": False})}
    )
    alone = only(
        learned_programmes(PEOPLE, NEED, WEIGHT, benefits=replace(BENEFITS, may=least), share=1.0, draw=0), "basic_livelihood"
    )
    together = only(OF_CITY, "basic_livelihood")
    assert WEIGHT @ alone.given(PEOPLE, NEED, draw=0) == pytest.approx(WEIGHT @ together.given(PEOPLE, NEED, draw=0), rel=1e-9)
    assert (alone.given(PEOPLE, NEED, draw=0) != together.given(PEOPLE, NEED, draw=0)).any()
