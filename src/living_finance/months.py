"""Months as values: `202001` in deliveries, a DATE on day 1 in tables."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass

from living_finance.errors import ConfigurationError

_PATTERN = re.compile(r"([1-9][0-9]{3})(0[1-9]|1[0-2])")


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month.

    >>> Month.parse("202001").previous()
    Month(year=2019, number=12)
    >>> str(Month(2020, 1).plus(14))
    '202103'
    """

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """Read `YYYYMM`; raises ConfigurationError for anything else."""
        match = _PATTERN.fullmatch(text)
        if match is None:
            raise ConfigurationError(f"{text!r} is not a month.", remedy="write it as YYYYMM, for instance 202001")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def from_date(cls, date: dt.date) -> Month:
        """The month that holds `date`."""
        return cls(date.year, date.month)

    @property
    def date(self) -> dt.date:
        """Day 1 of the month, as tables store it."""
        return dt.date(self.year, self.number, 1)

    @property
    def last_day(self) -> dt.date:
        """The last day of the month.

        >>> Month(2020, 2).last_day
        datetime.date(2020, 2, 29)
        """
        return self.plus(1).date - dt.timedelta(days=1)

    @property
    def index(self) -> int:
        """Months since year 0, for differences."""
        return self.year * 12 + self.number - 1

    def plus(self, months: int) -> Month:
        """The month `months` later (earlier when negative)."""
        year, number = divmod(self.index + months, 12)
        return Month(year, number + 1)

    def previous(self) -> Month:
        """The month before."""
        return self.plus(-1)

    def __str__(self) -> str:
        return f"{self.year:04d}{self.number:02d}"


def parse_months(text: str) -> list[Month]:
    """Read one month (`202001`) or an inclusive range (`201809..202108`), in order.

    >>> [str(m) for m in parse_months("201912..202002")]
    ['201912', '202001', '202002']
    """
    first_text, separator, last_text = text.partition("..")
    if separator and not (first_text and last_text):
        raise ConfigurationError(
            f"{text!r} is no range of months.", remedy="write it as FIRST..LAST, for instance 202001..202003"
        )
    first = Month.parse(first_text)
    last = Month.parse(last_text) if separator else first
    if last < first:
        raise ConfigurationError(f"The range {text!r} ends before it begins.", remedy="write FIRST..LAST")
    return list(_between(first, last))


def _between(first: Month, last: Month) -> Iterator[Month]:
    month = first
    while month <= last:
        yield month
        month = month.plus(1)


def parse_day(text: str) -> dt.date | None:
    """Read `YYYY-MM-DD`, nothing as None; raises ConfigurationError for anything else."""
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigurationError(f"{text!r} is not a day.", remedy="write it as YYYY-MM-DD, for instance 2026-12-31") from None
