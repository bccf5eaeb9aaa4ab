"""Numbers as readers of the report read them: amounts in 만원, errors beside values, marks for what is not reliable."""

from __future__ import annotations

import math
from dataclasses import dataclass

from living_finance.contracts import codes
from living_finance.contracts.language import Language
from living_finance.contracts.publications import SHOWN

_MAN, _EOK = 10_000, 100_000_000
_MILLION = 1_000_000
_SURE = 1.96
"""Standard errors to either side of a 95 % interval."""

MARKS = {"publishable": "", "caution": "*", "unreliable": "†"}
"""Reliability → the mark behind a figure."""
NONE = "–"
_MORE_DIGITS = 2
"""At most so many decimals more than usual, for an error that would round to nothing."""


def is_missing(value: object) -> bool:
    """Whether a cell of a frame holds no number.

    >>> is_missing(None), is_missing(float("nan")), is_missing(0.0)
    (True, True, False)
    """
    return value is None or (isinstance(value, float) and math.isnan(value)) or value != value


def manwon(krw: float) -> str:
    """Whole 만원, halves to even, without the unit: for columns whose head names it.

    >>> manwon(49_691_558), manwon(-2_300_000), manwon(4_000)
    ('4,969', '-230', '0')
    """
    return f"{round(krw / _MAN) or 0:,}"


def amount(krw: float, language: Language) -> str:
    """An amount in a sentence.

    >>> amount(62_818_214, "ko"), amount(128_967_751, "ko"), amount(200_000_000, "ko"), amount(-310_000, "ko")
    ('6,282만원', '1억 2,897만원', '2억원', '-31만원')
    >>> amount(62_818_214, "en"), amount(2_313_719, "en")
    ('KRW 62.82 million', 'KRW 2.31 million')
    """
    if language == "en":
        return f"{'-' if krw < 0 else ''}KRW {abs(krw) / _MILLION:,.2f} million"
    whole = round(abs(krw) / _MAN)
    sign = "-" if krw < 0 and whole else ""
    eok, man = divmod(whole, _EOK // _MAN)
    if not eok:
        return f"{sign}{man:,}만원"
    return f"{sign}{eok:,}억 {man:,}만원" if man else f"{sign}{eok:,}억원"


def percent(share: float, *, digits: int = 1) -> str:
    """A share as per cent, without the sign.

    >>> percent(0.47313), percent(-0.0004), percent(0.005, digits=2)
    ('47.3', '0.0', '0.50')
    """
    text = f"{share * 100:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def value_in(unit: str, value: object, *, more: int = 0) -> str:
    """A number for a table column whose head names the unit (`unit_label`), with `more` decimals than usual.

    >>> value_in("KRW/year", 49_691_558.0), value_in("share", 0.25), value_in("index", 0.42193), value_in("households", 19661.2)
    ('4,969', '25.0', '0.422', '19,661')
    >>> value_in("KRW", None), value_in("KRW/month", 2_313_719), value_in("ratio", 5.125), value_in("rate", 0.7774)
    ('–', '231.4', '5.12', '77.7')
    """
    if is_missing(value):
        return NONE
    number, digits = float(value) * _SCALE.get(unit, 1.0), _DIGITS.get(unit, 0) + more  # type: ignore[arg-type]
    text = f"{number:,.{digits}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


_SCALE = {"KRW": 1 / _MAN, "KRW/year": 1 / _MAN, "KRW/month": 1 / _MAN, "share": 100.0, "rate": 100.0}
_DIGITS = {"KRW/month": 1, "share": 1, "rate": 1, "index": 3, "ratio": 2, "persons/household": 2}


def with_error(unit: str, value: object, error: object) -> tuple[str, str]:
    """A value and its error with as many decimals as the error needs not to be zero; no error where it is zero.

    >>> with_error("share", 0.4791, 0.0123), with_error("share", 0.00484, 0.00012), with_error("index", 0.0, 0.0)
    (('47.9', '1.2'), ('0.48', '0.01'), ('0.000', ''))
    """
    if is_missing(error) or is_missing(value):
        return value_in(unit, value), ""
    size = float(error) * _SCALE.get(unit, 1.0)  # type: ignore[arg-type]
    if size == 0:
        return value_in(unit, value), ""
    usual = 0 if unit in ("KRW", "KRW/year") else _MORE_DIGITS
    more = next((n for n in range(usual) if round(size, _DIGITS.get(unit, 0) + n)), usual)
    return value_in(unit, value, more=more), value_in(unit, error, more=more)


_OF_RELEASES = ("KRW", "KRW/year", "KRW/month", "share", "households", "persons")
_UNITS: dict[str, tuple[str, str]] = {
    **{unit: (SHOWN[unit].words.ko, SHOWN[unit].words.en) for unit in _OF_RELEASES},
    "rate": ("%", "%"),
    "persons/household": ("명/가구", "persons a household"),
    "establishments": ("개", "establishments"),
    "jobs": ("명", "jobs"),
    "rank": ("위", "rank"),
}


def unit_label(unit: str, language: Language) -> str:
    """What `value_in` counts in; nothing for pure numbers.

    >>> unit_label("KRW/month", "ko"), unit_label("KRW", "en"), unit_label("index", "ko")
    ('만원/월', '10,000 KRW', '')
    """
    korean, english = _UNITS.get(unit, ("", ""))
    return korean if language == "ko" else english


@dataclass(frozen=True)
class Estimate:
    """A figure with its error and class; both may be missing."""

    value: object
    unit: str
    error: object = None
    reliability: str | None = None

    @property
    def is_unreliable(self) -> bool:
        return self.reliability == "unreliable"

    @property
    def is_beyond_error(self) -> bool:
        """For a difference: whether it is more than 1.96 standard errors from nothing; never without an error."""
        if is_missing(self.value) or is_missing(self.error):
            return False
        return abs(float(self.value)) > _SURE * float(self.error)  # type: ignore[arg-type]

    def shown(self, *, shows_error: bool = True) -> str:
        """Value, ± standard error, and the mark of its class.

        >>> Estimate(62_818_214, "KRW/year", 967_455, "publishable").shown()
        '6,282 ± 97'
        >>> Estimate(0.313, "share", 0.06, "unreliable").shown(), Estimate(0.42, "index").shown()
        ('31.3 ± 6.0 †', '0.420')
        >>> Estimate(0.313, "share", 0.04, "caution").shown(shows_error=False)
        '31.3 *'
        """
        if is_missing(self.value):
            return NONE
        text, error = with_error(self.unit, self.value, self.error if shows_error else None)
        text += f" ± {error}" if error else ""
        # Nothing, of everybody: income of people without work.
        is_fixed = self.unit != "share" and not is_missing(self.error) and self.value == self.error == 0
        mark = "" if is_fixed else MARKS.get(self.reliability or "", "")
        return f"{text} {mark}" if mark else text

    def change(self, language: Language) -> str:
        """A difference: shown with its sign where it is beyond its error, else said to be within.

        >>> Estimate(1_230_000.0, "KRW/year", 300_000.0).change("ko"), Estimate(-0.012, "share", 0.01).change("ko")
        ('+123 ± 30', '오차 범위 내')
        >>> Estimate(None, "share").change("en"), Estimate(-0.03, "share", 0.01).change("en")
        ('–', '-3.0 ± 1.0')
        """
        if is_missing(self.value) or is_missing(self.error):
            return NONE
        if not self.is_beyond_error:
            return "오차 범위 내" if language == "ko" else "within its error"
        sign = "+" if float(self.value) > 0 else ""  # type: ignore[arg-type]
        value, error = with_error(self.unit, self.value, self.error)
        return f"{sign}{value} ± {error}" if error else f"{sign}{value}"


def marks_note(language: Language) -> str:
    """What the marks behind figures mean."""
    if language == "ko":
        return "± 뒤는 표준오차. * 이용 주의, † 신뢰 불가(판단의 근거로 쓰지 않는다)."
    return "After ±: standard error. * use with caution; † unreliable: nothing should rest on it."


def reliability_label(reliability: object, language: Language) -> str:
    """The class in words; a figure without one says so.

    >>> reliability_label("caution", "ko"), reliability_label(None, "en"), reliability_label(float("nan"), "ko")
    ('이용 주의', 'error not estimated', '오차 미산출')
    """
    if is_missing(reliability) or not reliability:
        return "오차 미산출" if language == "ko" else "error not estimated"
    return codes.RELIABILITY.label(str(reliability), language)


_SMALLEST_ROUNDED = 1e-3


def cell(value: object) -> str:
    """A value of an answer; doubles with four decimals, small ones with three digits.

    >>> cell(0.4588628598604343), cell(3215.0), cell(75882245), cell(0.00001234), cell(None)
    ('0.4589', '3215', '75882245', '1.23e-05', '')
    """
    if isinstance(value, float):
        is_small = 0.0 < abs(value) < _SMALLEST_ROUNDED
        return f"{value:.3g}" if is_small else f"{value:.4f}".rstrip("0").rstrip(".")
    return "" if value is None else str(value)
