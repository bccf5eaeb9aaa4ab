"""Direct identifiers in delivered text: resident numbers, telephone numbers, e-mail addresses, names of persons.

Dong names look like names, 13-digit amounts and codes of statistical areas like resident numbers. Therefore a
number without its hyphens counts only in columns of pseudonyms and free text, a resident number without its
hyphen only with a true birth date and check digit, and a name only in place of a pseudonym. (Resident numbers
given out since October 2020 have no check digit; with the hyphen they are found by their form.)

Source: Korean de-identification guideline 2016, pre-review; Resident Registration Act, enforcement rule, article 2
(birth date, sex digit, check digit).
"""

from __future__ import annotations

from functools import reduce
from operator import or_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import functions as F

from living_finance.contracts.core import Column, Kind, Measure
from living_finance.contracts.deliveries import DeliveredTable

_BIRTH_DATE = r"[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_RESIDENT_NUMBER = rf"(?<![0-9]){_BIRTH_DATE} ?- ?[1-8](?:[0-9]{{6}}(?![0-9])|[*xX]{{6}})"
_RESIDENT_NUMBER_BARE = rf"^{_BIRTH_DATE}[1-8][0-9]{{6}}$"
_CHECK_WEIGHTS = (2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)
_TELEPHONE = r"(?<![0-9])(?:0(?:1[016-9]|2|[3-6][1-5]|70)|\+82 ?-? ?1[016-9]) ?- ?[0-9]{3,4} ?- ?[0-9]{4}(?![0-9])"
_TELEPHONE_BARE = r"^01[016-9][0-9]{7,8}$"
_E_MAIL = r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+"
_SURNAMES = (
    "김이박최정강조윤장임한오서신권황안송류전홍고문양손배백허유남심노하곽성차주우구민진나지엄채원천방공현함변염여추도소석선설"
    "마길연위표명기반왕금옥육인맹제모탁국어은편용"
)
_NAME_OF_PERSON = rf"^[{_SURNAMES}][가-힣]{{1,3}}$"


def identifier_conditions(column: Column) -> dict[str, SparkColumn]:
    """By kind of identifier, whether the delivered text of a column holds one (null counts as no)."""
    text = F.col(column.name)
    has_hyphen = text.contains("-")
    conditions = {
        "e_mail": text.contains("@") & text.rlike(_E_MAIL),
        "resident_number": has_hyphen & text.rlike(_RESIDENT_NUMBER),
        "telephone": has_hyphen & text.rlike(_TELEPHONE),
    }
    for kind, bare in _bare_numbers(column).items():
        conditions[kind] = conditions[kind] | bare
    if _is_pseudonym(column):
        conditions["name"] = (F.length(text) <= 4) & text.rlike(_NAME_OF_PERSON)
    return {kind: F.coalesce(condition, F.lit(False)) for kind, condition in conditions.items()}


def has_direct_identifier(table: DeliveredTable, *, is_bad: SparkColumn) -> SparkColumn:
    """Whether any column of a delivered row holds a direct identifier.

    A row that keeps the contract has letters and digits in its keys, known codes, and numbers: there, only free
    text and bare digits need a look. The patterns run on next to no row of a sound delivery.

    Args:
        table: the declaration.
        is_bad: whether the row breaks the contract.
    """
    anywhere = [c for column in table.columns for c in identifier_conditions(column).values()]
    where_contract_is_kept = [
        condition
        for column in table.columns
        for condition in (identifier_conditions(column) if _is_free(column) else _bare_numbers(column)).values()
    ]
    among_sound = reduce(or_, where_contract_is_kept, F.lit(False))
    return F.when(is_bad, reduce(or_, anywhere)).otherwise(F.coalesce(among_sound, F.lit(False)))


def _is_pseudonym(column: Column) -> bool:
    return column.kind is Kind.KEY and column.measure is Measure.PSEUDONYMISED


def _is_free(column: Column) -> bool:
    """Text that no list or form restricts."""
    return column.kind is Kind.TEXT or (column.kind is Kind.CODE and (column.codes is None or column.codes.is_open))


def _bare_numbers(column: Column) -> dict[str, SparkColumn]:
    """Identifiers without their hyphens, in columns where nothing else looks like them."""
    if not (_is_pseudonym(column) or column.kind is Kind.TEXT):
        return {}
    text = F.col(column.name)
    is_bare = (F.length(text) == 13) & text.rlike(_RESIDENT_NUMBER_BARE)
    return {
        "resident_number": F.when(is_bare, has_resident_check_digit(text)).otherwise(F.lit(False)),
        "telephone": text.startswith("01") & text.rlike(_TELEPHONE_BARE),
    }


def has_resident_check_digit(digits: SparkColumn) -> SparkColumn:
    """Whether 13 digits end in the check digit of a resident number: (11 − Σ wᵢdᵢ mod 11) mod 10."""
    weighted = reduce(
        lambda total, term: total + term,
        (F.substring(digits, place, 1).try_cast("int") * weight for place, weight in enumerate(_CHECK_WEIGHTS, start=1)),
    )
    return F.pmod(F.lit(11) - F.pmod(weighted, F.lit(11)), F.lit(10)) == F.substring(digits, 13, 1).try_cast("int")
