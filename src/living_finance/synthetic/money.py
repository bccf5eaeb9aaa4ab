"""Money of households: tenure, income that no bureau sees, benefits by their rules, spending, loans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from living_finance.synthetic.draws import chosen
from living_finance.synthetic.people import CHILD, HEAD, SPOUSE
from living_finance.synthetic.rows import Array, Rows
from living_finance.synthetic.work import NO_WORK, SELF_EMPLOYED, earnings, is_seeking_work, years_old

TENURES = ("owned", "jeonse", "monthly_rent", "free")
OWNED, JEONSE, MONTHLY_RENT, FREE = range(4)
PROGRAMMES = ("basic_pension", "disability_allowance", "childcare_allowance", "basic_livelihood", "child_allowance")
LOANS = ("mortgage", "jeonse_loan", "credit_loan", "business_loan")
_OWNS_BY_DWELLING = np.array([0.9, -1.5, 0.65, 0.7, 0.25, -1.3, -0.6, 0.0])
_JEONSE_BY_DWELLING = np.array([0.55, 0.36, 0.66, 0.58, 0.56, 0.36, 0.34, 0.3])
_LOAN_SIZE = {
    "mortgage": (1.55e8, 0.6),
    "jeonse_loan": (6.8e7, 0.55),
    "credit_loan": (1.15e7, 0.9),
    "business_loan": (3.8e7, 0.9),
}
_COVERED_AGES = np.array([14, 15, 17, 18, 19, 20, 24, 29, 60, 70, 78, 85, 95])
_COVERED = np.array([0, 0.01, 0.03, 0.12, 0.42, 0.72, 0.88, 0.94, 0.955, 0.92, 0.84, 0.72, 0.5])
_MONTHLY_BENEFIT_KRW = {
    "basic_pension": 255_000.0,
    "disability_allowance": 180_000.0,
    "childcare_allowance": 130_000.0,
    "child_allowance": 100_000.0,
}


def endowments(random: np.random.Generator, count: int) -> Rows:
    """Lasting chances of new households."""
    return Rows(
        u_property=random.random(count).astype(np.float32),
        z_property=random.normal(0, 1, count).astype(np.float32),
        u_private=random.random(count).astype(np.float32),
        z_private=random.normal(0, 1, count).astype(np.float32),
        u_irregular=random.random(count).astype(np.float32),
        z_irregular=random.normal(0, 1, count).astype(np.float32),
        z_spending=random.normal(0, 0.26, count).astype(np.float32),
        u_poor=random.random(count).astype(np.float32),
    )


def tenures(
    random: np.random.Generator, *, head_age: Array, size: Array, dwelling: Array, earned: Array, income_effect: Array
) -> Array:
    """Tenure of households: owners are older, larger, better paid and in apartments and houses of their own."""
    relative = np.clip(np.log(np.maximum(earned, 5e6) / 4.5e7), -2, 2)
    score = (
        -0.55
        + 0.060 * (np.minimum(head_age, 66) - 42)
        + 0.35 * relative
        + _OWNS_BY_DWELLING[dwelling]
        + 0.18 * (np.minimum(size, 4) - 2)
        - 0.3 * income_effect
    )
    owned = 1 / (1 + np.exp(-score))
    jeonse = np.clip(_JEONSE_BY_DWELLING[dwelling] + 0.08 * relative + 0.05 * (size > 1), 0.05, 0.9)
    free = np.full(len(owned), 0.035)
    shares = np.stack(
        [owned, (1 - owned - free * (1 - owned)) * jeonse, (1 - owned) * (1 - free) * (1 - jeonse), (1 - owned) * free]
    )
    return chosen(random, shares.T)


@dataclass(frozen=True)
class Month:
    """True figures of a month: persons in the order of the state, households by their position."""

    age: Array
    labour: Array
    business: Array
    spending: Array
    """By person, KRW/month."""
    size: Array
    head_age: Array
    components: dict[str, Array]
    """labour, business, property, transfer, irregular by household, KRW/year."""
    debt: Array
    household_spending: Array
    recipients: dict[str, tuple[Array, Array]]
    """Programme → persons who receive it by household, KRW paid in the month by household."""

    @property
    def total(self) -> Array:
        return np.asarray(np.sum(list(self.components.values()), axis=0))


def figures(persons: Rows, households: Rows, *, income_effect: Array, month_index: int) -> Month:
    """Income, spending and debt of everybody in a month.

    Args:
        persons: the state; `household` is -1 for those who live in none.
        households: the state.
        income_effect: of the household's dong.
        month_index: the month.
    """
    count = households.size
    age = years_old(persons["birth"], month_index)
    labour, business = earnings(persons, age)
    at_home = persons["household"] >= 0
    home = persons["household"][at_home]

    def added(values: Array) -> Array:
        return np.bincount(home, weights=values[at_home], minlength=count)

    size = added(np.ones(len(age)))
    is_head = at_home & (persons["role"] == HEAD)
    head_age = np.zeros(count, np.int64)
    head_age[persons["household"][is_head]] = age[is_head]
    of_labour, of_business = added(labour), added(business)
    own = _own_property(households, head_age=head_age, earned=of_labour + of_business, income_effect=income_effect)
    market = of_labour + of_business + own
    recipients = _benefits(persons, households, age=age, size=size, market=market, added=added)
    programmes = np.sum([amount for _, amount in recipients.values()], axis=0) * 12
    pensions = added(np.where(age >= 62, np.round(persons["pension"], -4), 0.0))
    unemployment = added(np.where(is_seeking_work(persons, age), 7.2e6, 0.0))
    transfer = programmes + pensions + unemployment + _private(households, head_age=head_age, size=size)
    irregular = np.where(
        households["u_irregular"] < 0.075, np.round(np.exp(np.log(6.5e6) + 1.0 * households["z_irregular"]), -4), 0.0
    )
    components = {
        "labour": of_labour,
        "business": of_business,
        "property": own,
        "transfer": np.round(transfer),
        "irregular": irregular,
    }
    total = np.sum(list(components.values()), axis=0)
    budget = 2.15e6 * np.exp(
        0.55 * np.log((np.maximum(total, 0) + 7e6) / 6.2e7) + 0.16 * (np.minimum(size, 5) - 2.3) + households["z_spending"]
    )
    spending = _spending(persons, age=age, budget=np.where(households["is_quarters"], 0.55e6 * size, budget))
    debt = added(np.sum([persons[loan] for loan in LOANS], axis=0))
    return Month(
        age=age,
        labour=labour,
        business=business,
        spending=spending,
        size=size.astype(np.int64),
        head_age=head_age,
        components=components,
        debt=debt,
        household_spending=added(spending),
        recipients=recipients,
    )


def _own_property(households: Rows, *, head_age: Array, earned: Array, income_effect: Array) -> Array:
    chance = 0.10 + 0.0050 * (head_age - 30) + 0.10 * (households["tenure"] == OWNED) + 0.22 * income_effect
    relative = np.clip(np.log(np.maximum(earned, 5e6) / 5e7), -2, 2.5)
    amount = np.exp(np.log(12.0e6) + 0.6 * income_effect + 0.22 * relative + 1.0 * households["z_property"])
    has = (households["u_property"] < np.clip(chance + 0.05 * relative, 0.02, 0.7)) & ~households["is_quarters"]
    return np.where(has, np.round(amount, -4), 0.0)


def _private(households: Rows, *, head_age: Array, size: Array) -> Array:
    chance = np.select([head_age >= 70, (head_age < 28) & (size == 1), head_age >= 62], [0.45, 0.50, 0.22], 0.07)
    amount = np.exp(np.log(np.where((head_age < 28) & (size == 1), 5.5e6, 2.9e6)) + 0.6 * households["z_private"])
    return np.where((households["u_private"] < chance) & ~households["is_quarters"], np.round(amount, -4), 0.0)


def _benefits(
    persons: Rows, households: Rows, *, age: Array, size: Array, market: Array, added: Callable[[Array], Array]
) -> dict[str, tuple[Array, Array]]:
    """The city-paid programmes by simple rules: age, children, disability, and market income per √member."""
    need = np.maximum(market, 0) / np.sqrt(np.maximum(size, 1))
    home = persons["household"]
    is_home = home >= 0
    at = np.maximum(home, 0)
    is_poor = (need < 5.5e6) & (households["u_poor"] < 0.50)
    eligible = {
        "basic_pension": (age >= 65) & (need[at] < 1.9e7) & (persons["u_covered"] < 0.985),
        "disability_allowance": persons["is_disabled"] & (age >= 18) & (need[at] < 1.6e7),
        "childcare_allowance": (age < 6) & (persons["u_self"] < 0.30),
        "child_allowance": age < 7,
        "basic_livelihood": is_poor[at],
    }
    result = {}
    for programme in PROGRAMMES:
        gets = (eligible[programme] & is_home).astype(float)
        people = added(gets)
        if programme == "basic_livelihood":
            granted = np.clip(5.6e5 - need / 12 * 0.6, 1.2e5, 5.6e5) * (0.75 + households["u_poor"])
            per_person = np.round(granted / np.maximum(size, 1) ** 0.3, -3)
            result[programme] = (people, people * per_person)
        else:
            result[programme] = (people, people * _MONTHLY_BENEFIT_KRW[programme])
    return result


def _spending(persons: Rows, *, age: Array, budget: Array) -> Array:
    """The household's budget shared among its adults; a household without adults spends by its head."""
    home = persons["household"]
    at = np.maximum(home, 0)
    share = np.where(age >= 19, persons["spending_share"] * np.where(persons["role"] == CHILD, 0.55, 1.0), 0.0)
    share = np.where((age < 19) & (persons["role"] == HEAD), 0.5, share) * (home >= 0)
    together = np.bincount(at, weights=share, minlength=len(budget))
    own = np.where(together[at] > 0, budget[at] * share / np.maximum(together[at], 1e-9), 0.0)
    alone = 0.95e6 * persons["spending_share"]  # those who live in no household here
    return np.round(np.where(home >= 0, own, alone), -2)


def borrow(
    random: np.random.Generator, persons: Rows, *, known: Array, tenure: Array, relative_income: Array, age: Array
) -> None:
    """Give loans to newly arrived persons whom the bureau knows; one spouse carries the household's mortgage.

    Args:
        random: generator of this call alone.
        persons: the new persons; their loan columns are set.
        known: whether the bureau knows them.
        tenure: of the person's household.
        relative_income: log of household income relative to the city's.
        age: in years.
    """
    count = persons.size
    u = random.random((4, count))
    z = random.normal(0, 1, (4, count))
    adult = known & (age >= 20)
    signs = _signs(random, home=persons["household"], role=persons["role"], known=adult)
    by_age = np.interp(age, [20, 28, 38, 50, 62, 75, 85], [0.1, 0.5, 1.15, 1.2, 0.9, 0.45, 0.15])
    lift = np.exp(0.45 * np.clip(relative_income, -1.5, 2))
    has = {
        "mortgage": signs & (tenure == OWNED) & (u[0] < 0.40 * by_age),
        "jeonse_loan": signs & (tenure == JEONSE) & (u[1] < 0.36 * np.interp(age, [20, 30, 45, 70], [1.1, 1.3, 1.0, 0.4])),
        "credit_loan": adult & (u[2] < np.clip(0.30 * by_age, 0, 0.6)),
        "business_loan": adult & (persons["employment"] == SELF_EMPLOYED) & (u[3] < 0.40),
    }
    for row, (loan, (typical, spread)) in enumerate(_LOAN_SIZE.items()):
        persons[loan] = np.where(has[loan], np.round(typical * lift * np.exp(spread * z[row]), -3), 0.0)


def _signs(random: np.random.Generator, *, home: Array, role: Array, known: Array) -> Array:
    """The one person of each household who signs its housing loan: head or spouse, whom the bureau knows."""
    may_sign = known & np.isin(role, (HEAD, SPOUSE)) & (home >= 0)
    preference = np.where(may_sign, random.random(len(home)) + 0.5 * (role == HEAD), -1.0)
    order = np.lexsort((-preference, home))
    is_first = np.ones(len(home), bool)
    is_first[1:] = home[order][1:] != home[order][:-1]
    signs = np.zeros(len(home), bool)
    signs[order] = is_first
    return signs & may_sign


def is_covered(persons: Rows, *, age: Array, income_effect: Array) -> Array:
    """Whether the bureau has a file: rare below 20, thin among the old, those out of work, and in poor areas."""
    chance = np.interp(age, _COVERED_AGES, _COVERED) + 0.02 * (persons["employment"] != NO_WORK)
    is_known = persons["u_covered"] < np.clip(chance + 0.25 * np.minimum(income_effect, 0), 0, 0.985)
    return np.asarray(is_known & (age >= 15))
