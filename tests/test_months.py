"""Months as values."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from living_finance.errors import ConfigurationError
from living_finance.months import Month, parse_months

MONTHS = st.builds(Month, st.integers(1000, 9999), st.integers(1, 12))


@pytest.mark.parametrize(
    "text", ["", "2020", "20200", "202000", "202013", "2020-01", " 202001", "2020011", "000001", "abcdef", "20２001", "202001\n"]
)
def test_what_is_not_a_month_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(ConfigurationError, match="YYYYMM"):
        Month.parse(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("202001", ["202001"]),
        ("202001..202001", ["202001"]),
        ("201911..202002", ["201911", "201912", "202001", "202002"]),
    ],
)
def test_ranges_are_inclusive_and_in_order(text: str, expected: list[str]) -> None:
    assert [str(month) for month in parse_months(text)] == expected


@pytest.mark.parametrize("text", ["202002..202001", "202001..", "..202001", "202001...202002", "202001-202002", "202001,202002"])
def test_broken_ranges_are_refused(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse_months(text)


def test_the_range_of_the_agreement_has_37_months() -> None:
    assert len(parse_months("201809..202109")) == 37


@given(MONTHS)
def test_text_and_date_read_back(month: Month) -> None:
    assert Month.parse(str(month)) == month
    assert Month.from_date(month.date) == month
    assert Month.from_date(month.date + dt.timedelta(days=27)) == month


@given(st.builds(Month, st.integers(1100, 9800), st.integers(1, 12)), st.integers(-1000, 1000))
def test_shifting_is_undone_keeps_order_and_counts_months(month: Month, shift: int) -> None:
    moved = month.plus(shift)
    assert moved.plus(-shift) == month
    assert moved.index - month.index == shift
    assert (moved > month) == (shift > 0)
    assert moved.previous().plus(1) == moved
    assert (moved.date > month.date) == (shift > 0)
