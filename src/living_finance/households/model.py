"""The probability model of who lives where, and its estimation from the month's own data.

The model, for one address:

- A register household is settled here with probability `settled`; each of its adults then has a bureau record at the
  address with probability `present[1]` of the adult's sex and age, otherwise with `present[0]` (two-class mixture, EM).
- Bureau persons whom the register does not know at the address (people at an old address, people registered
  elsewhere) arrive as a Poisson process: per register household of the address and per sex and band (`extra_rate`).
- What the bureau knows of a person depends on the role in the register household, or on being such an extra:
  multinomial logistic regressions per sex and age group, fitted where the dwelling unit shows who is who, and used as
  likelihood ratios (`log P(role | features, band) - log P(role | band)`),
  as far as people outside the fit bear them out (`trust`).
- People who live together spend alike: residual log spending has the intraclass correlation `spending_icc`.
- A home has one loan, in one name: two holders of a housing loan (mortgage or deposit) live together `loan_pairs` times as
  often as their roles say.
- A register household without a head lacks somebody who is to its oldest member as heads are; a register household that nobody
  in its unit answers may be in another unit of the building. Some extras are these people (`absent`, EM for the shares).
- Two extras of one unit (or of one address without units) belong together with a probability that depends on their sexes
  and ages: a mixture of the pairs seen in register households and of pairs at random (EM for the share).

Nothing is set by hand but the classes. Source: Fellegi & Sunter (1969) for the likelihood-ratio form of linkage;
Dempster, Laird & Rubin (1977) for EM; Domingos & Pazzani (1997) on the use of class posteriors as ratios.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import numpy as np
from scipy.optimize import minimize

from living_finance.households.absent import Absences, fit_absences
from living_finance.households.layout import AGE_GROUP_STARTS, EXTRA, FEATURES, GROUPS, Flags, Layout, group_of, numbered, size_of
from living_finance.households.sharing import Sharing, fit_sharing
from living_finance.methods.convergence import Convergence
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.multinomial import fit_multinomial

_AMOUNTS = slice(2, None)
_SPENDING = 4
_HOUSING_LOANS = slice(5, 7)
_SCALE_KRW = 1e4
CELLS = 34
"""Values of sex and band: twice 0 … 80 in steps of five, plus one."""
_FEWEST = 60
_MOST_PER_GROUP = 12_000
_FOLDS = 4
_ROUNDS = 500
_TOLERANCE = 1e-6
_GAPS = 8
_PAIR_SMOOTHING = 0.5
_LOAN_PAIR_RANGE = (0.01, 10.0)
_PAIR_SHARE_UNSEEN = (0.25, 0.75)
"""Where too few extras meet to estimate it: a unit is one household by definition, a house is not."""
PAIR_CLASSES = 2 * _GAPS * 3


@dataclass(frozen=True)
class RoleModel:
    """Log likelihood ratios of the roles for one group of sex and age."""

    mean: list[float]
    scale: list[float]
    coefficients: list[list[float]]
    """One row per class (ROLES, then extra), one column per term."""
    intercepts: list[float]
    base: list[list[float]]
    """Log share of each class by band of the group (rows: bands of `bands`)."""
    bands: list[int]
    trust: list[float]
    """By class: factor of the log ratios (`_trust`)."""


@dataclass(frozen=True)
class AssignmentModel:
    """Estimated parameters; plain numbers over many people, so that a run can keep them as JSON."""

    roles: list[RoleModel | None]
    """By group; None where too few people were seen."""
    settled: float
    present: list[list[float]]
    """[not settled, settled] × group."""
    unit_known: float
    """Share of residents with a unit number where dwellings have one."""
    extra_rate: list[list[float]]
    """[address without units, without unit number at an address with units, in a unit] × sex and band: extras per
    register household of the address; in a unit, per unit."""
    spending: list[list[float]]
    """By group: coefficients of log spending on the terms, then its residual standard deviation; empty where unknown."""
    spending_icc: float
    loan_pairs: float
    """Pairs of housing-loan holders who live together, to those expected if holders of a role were spread by chance."""
    pair_share: list[float]
    """[address without units, unit]: share of pairs of extras that belong together."""
    pair_together: list[float]
    """Share of each pair class among people of one register household."""
    pair_apart: list[float]
    """Share of each pair class among extras of different addresses."""
    sharing: Sharing
    """Register households of one house that live together."""
    absences: Absences
    """People of register households whom the register has elsewhere."""
    convergence: Convergence

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> AssignmentModel:
        values = json.loads(text)
        roles = [RoleModel(**role) if role else None for role in values["roles"]]
        parts = {"sharing": Sharing, "absences": Absences, "convergence": Convergence}
        return cls(**{**values, "roles": roles, **{name: of(**values[name]) for name, of in parts.items()}})

    @property
    def version(self) -> str:
        """`joint-assignment/` and 12 hex digits over all parameters."""
        return f"joint-assignment/{hashlib.sha256(self.to_json().encode()).hexdigest()[:12]}"

    @property
    def parameters(self) -> dict[str, float]:
        """The probabilities that a reader compares from month to month; all of them are in the JSON."""
        groups = [f"{sex}{age}" for age in AGE_GROUP_STARTS for sex in "FM"]
        presence = zip(("present_elsewhere", "present_settled"), self.present, strict=True)
        return {
            "settled": self.settled,
            "unit_known": self.unit_known,
            "spending_icc": self.spending_icc,
            "loan_pairs": self.loan_pairs,
            "pair_share_address": self.pair_share[0],
            "pair_share_unit": self.pair_share[1],
            "heads_here": self.absences.heads_here,
            "other_unit": self.absences.other_unit,
            **{f"{name}_{group}": share for name, of in presence for group, share in zip(groups, of, strict=True)},
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What the data could not tell."""
        known = {
            "roles of every group of sex and age": all(self.roles),
            "spending of every group of sex and age": all(self.spending),
            "presence of register persons (EM did not converge)": self.convergence.reached,
        }
        return tuple(f"not fitted: {name}" for name, is_known in known.items() if not is_known)


def terms(features: Floats) -> Floats:
    """Columns of the regressions: flags, log amounts, whether there is any, squared log earnings."""
    flags, amounts = features[:, :2], np.maximum(features[:, _AMOUNTS], 0.0)
    logs = np.log1p(amounts / _SCALE_KRW)
    return np.hstack([flags, logs, (amounts > 0).astype(float), logs[:, :1] ** 2 / 10.0])


def _without_spending(columns: Floats) -> Floats:
    amounts = len(FEATURES) - 2
    spending = (_SPENDING, _SPENDING + amounts)
    return np.delete(columns, spending, axis=1)


def fit(layout: Layout, *, certain: Flags | None = None) -> AssignmentModel:
    """Estimate the model from a sample of whole addresses.

    Args:
        layout: of the sampled addresses, people with known units among them for the roles.
        certain: rows whose partner, or lack of one, is known; by default those with a unit. A benchmark that knows
            everybody's partner passes all rows.

    Returns:
        The parameters. Where the sample lacks what a parameter needs (no units at all), the evidence it would
        carry is left out: likelihood ratios of 1, a correlation of 0.
    """
    block = layout.block
    is_certain = block.unit != 0 if certain is None else certain
    group = group_of(block.sex_age)
    is_extra = block.is_bureau & is_certain & (layout.partner < 0) & ~layout.is_crowded
    matched = np.flatnonzero(block.is_bureau & (layout.partner >= 0) & ~block.is_quarters)
    seen_class = np.full(block.rows, -1, np.int64)
    seen_class[is_extra] = EXTRA
    seen_class[matched] = layout.role[layout.partner[matched]]
    columns = terms(block.features)
    roles = [_fit_roles(columns, seen_class, block.sex_age, (group == g) & (seen_class >= 0)) for g in range(GROUPS)]
    settled, present, convergence = _fit_presence(layout, is_certain & layout.is_register & (group >= 0), group)
    spending = [_fit_spending(columns, (group == g) & (seen_class >= 0) & (seen_class < EXTRA)) for g in range(GROUPS)]
    residual = spending_residual(spending, columns, group, block.features[:, _SPENDING] > 0)
    together = _pairs_of(layout.dwelling[layout.partner[matched]], matched)
    icc = _intraclass(residual, together)
    is_stranger = block.is_bureau & ~_is_known_somewhere(layout) & ~block.is_quarters
    extras = np.flatnonzero(is_stranger)
    unit_known = _unit_known(layout)
    shares, g_k, f_k = _fit_pairs(layout, together=together, extras=extras)
    extra_rate = _extra_rates(layout, is_stranger, unit_known=unit_known)
    return AssignmentModel(
        roles=roles,
        settled=settled,
        present=present,
        unit_known=unit_known,
        extra_rate=extra_rate,
        spending=spending,
        spending_icc=icc,
        loan_pairs=_loan_pairs(layout, seen_class, together),
        pair_share=shares,
        pair_together=g_k,
        pair_apart=f_k,
        sharing=fit_sharing(layout),
        absences=fit_absences(
            layout,
            rows=extras[layout.partner[extras] < 0],
            extra_rate=extra_rate,
            settled=settled,
            present=present,
            unit_known=unit_known,
        ),
        convergence=convergence,
    )


def _fit_roles(columns: Floats, seen_class: Integers, sex_age: Integers, rows: Flags) -> RoleModel | None:
    chosen = np.flatnonzero(rows)[:_MOST_PER_GROUP]
    seen = seen_class[chosen]
    if len(chosen) < _FEWEST or len(np.unique(seen)) < 2:
        return None
    x = columns[chosen]
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale[scale == 0] = 1.0
    bands, place = np.unique(sex_age[chosen] // 2, return_inverse=True)
    design = np.hstack([(x - mean) / scale, np.eye(len(bands))[place]])
    everybody = np.ones(len(chosen), bool)
    coefficients, intercepts = _regression(design, seen, everybody)
    base = _log_shares(seen, place, len(bands))
    return RoleModel(
        mean=mean.tolist(),
        scale=scale.tolist(),
        coefficients=coefficients.tolist(),
        intercepts=intercepts.tolist(),
        base=base.tolist(),
        bands=bands.tolist(),
        trust=_trust(design, seen, place, base),
    )


def _log_shares(seen: Integers, place: Integers, bands: int) -> Floats:
    counts = np.bincount(place * (EXTRA + 1) + seen, minlength=bands * (EXTRA + 1)).reshape(bands, -1) + 0.5
    return np.asarray(np.log(counts / counts.sum(axis=1, keepdims=True)))


def _regression(design: Floats, seen: Integers, rows: Flags) -> tuple[Floats, Floats]:
    """Coefficients (a row per class) and intercepts, from some of the rows."""
    coefficients = np.zeros((EXTRA + 1, design.shape[1]))
    intercepts = np.full(EXTRA + 1, -20.0)
    classes, of_terms, levels = fit_multinomial(design[rows], seen[rows], inverse_penalty=0.3, rounds=150)
    coefficients[classes], intercepts[classes] = of_terms, levels
    return coefficients, intercepts


def _log_ratios(design: Floats, coefficients: Floats, intercepts: Floats, base: Floats) -> Floats:
    score = design @ coefficients.T + intercepts
    score -= score.max(axis=1, keepdims=True)
    score -= np.log(np.exp(score).sum(axis=1, keepdims=True))
    return np.clip(score - base, -4.0, 4.0)


def _trust(design: Floats, seen: Integers, place: Integers, base: Floats) -> list[float]:
    """By how much the log ratios of people whom a regression has not seen are to be multiplied, so that they are right.

    Of a rare class the coefficients fit the few people seen, and ratios are too sure. Each part of the people is judged by
    regressions on the others; one factor for the roles and one for extras, 0 to 1, of largest likelihood.
    """
    fold = np.arange(len(seen)) * _FOLDS // len(seen)  # rows are in the order of addresses
    ratios = np.zeros((len(seen), EXTRA + 1))
    for number in range(_FOLDS):
        others = fold != number
        if len(np.unique(seen[others])) < 2:
            return [0.0] * (EXTRA + 1)
        shares = _log_shares(seen[others], place[others], len(base))
        judged = ~others
        ratios[judged] = _log_ratios(design[judged], *_regression(design, seen, others), shares[place[judged]])

    def by_class(factors: Floats) -> Floats:
        return np.repeat(factors, [EXTRA, 1])

    def loss(factors: Floats) -> float:
        score = base[place] + by_class(factors) * ratios
        most = score.max(axis=1)
        log_sum = most + np.log(np.exp(score - most[:, None]).sum(axis=1))
        return float(np.mean(log_sum - score[np.arange(len(seen)), seen]))

    found: list[float] = by_class(minimize(loss, np.full(2, 0.5), bounds=[(0.0, 1.0)] * 2).x).tolist()
    return found


def role_ratios(model: AssignmentModel, features: Floats, sex_age: Integers) -> Floats:
    """Log likelihood ratio of every class for bureau persons: one row per person, columns ROLES and extra."""
    ratios = np.zeros((len(features), EXTRA + 1))
    group = group_of(sex_age)
    columns = terms(features)
    for number, role in enumerate(model.roles):
        rows = np.flatnonzero(group == number)
        if role is None or len(rows) == 0:
            continue
        bands = np.array(role.bands)
        place = np.minimum(np.searchsorted(bands, sex_age[rows] // 2), len(bands) - 1)
        x = (columns[rows] - np.array(role.mean)) / np.array(role.scale)
        design = np.hstack([x, np.eye(len(bands))[place]])
        found = _log_ratios(design, np.array(role.coefficients), np.array(role.intercepts), np.array(role.base)[place])
        ratios[rows] = np.array(role.trust) * found
    return ratios


def _fit_presence(layout: Layout, rows: Flags, group: Integers) -> tuple[float, list[list[float]], Convergence]:
    """EM for the mixture of settled and other register households; label 1 is the class with more adults present."""
    chosen = np.flatnonzero(rows)
    settled, present = 0.9, np.array([np.full(GROUPS, 0.2), np.full(GROUPS, 0.9)])
    if len(chosen) < _FEWEST:
        return settled, present.tolist(), Convergence(False, 0, 0.0)
    household = numbered(layout.household[chosen])
    is_present = layout.partner[chosen] >= 0
    of_group = group[chosen]
    change = 1.0
    rounds = 0
    while rounds < _ROUNDS and change >= _TOLERANCE:
        rounds += 1
        log_p, log_q = np.log(present[:, of_group]), np.log1p(-present[:, of_group])
        likelihood = np.where(is_present, log_p, log_q)
        by_class = np.stack([np.bincount(household, weights=likelihood[k]) for k in (0, 1)])
        odds = by_class[1] - by_class[0] + np.log(settled / (1 - settled))
        weight = 1 / (1 + np.exp(-np.clip(odds, -50, 50)))
        new_settled = float(np.clip(weight.mean(), 0.02, 0.98))
        new = np.empty_like(present)
        for k, of_class in ((0, 1 - weight), (1, weight)):
            members = np.bincount(of_group, weights=of_class[household], minlength=GROUPS)
            found = np.bincount(of_group, weights=of_class[household] * is_present, minlength=GROUPS)
            # Two pseudo-persons at the class's mean keep small groups near the rest.
            mean = found.sum() / max(members.sum(), 1e-9)
            new[k] = np.clip((found + 2 * mean) / (members + 2), 0.01, 0.99)
        change = float(max(np.abs(new - present).max(), abs(new_settled - settled)))
        settled, present = new_settled, new
    if present[0].mean() > present[1].mean():
        settled, present = 1 - settled, present[::-1]
    return settled, present.tolist(), Convergence(change < _TOLERANCE, rounds, change)


def _unit_known(layout: Layout) -> float:
    bureau = layout.block.is_bureau & layout.has_units[layout.address]
    return float(np.clip(np.mean(layout.block.unit[bureau] != 0), 0.02, 0.995)) if bureau.any() else 1.0


def _is_known_somewhere(layout: Layout) -> Flags:
    """Whether the register knows a person of the row's sex and band: in the unit if the row has one, else at the address."""
    block = layout.block
    place = np.where(block.unit != 0, layout.unit, layout.unit.max(initial=0) + 1 + layout.address)
    cell = numbered(place, block.sex_age)
    at_address = numbered(layout.address, block.sex_age)
    registered_in_unit = np.bincount(cell[layout.is_register], minlength=size_of(cell)) > 0
    registered = np.bincount(at_address[layout.is_register], minlength=size_of(at_address)) > 0
    return np.where(block.unit != 0, registered_in_unit[cell], registered[at_address])


def _extra_rates(layout: Layout, is_stranger: Flags, *, unit_known: float) -> list[list[float]]:
    """Extras per register household in houses without units, and per unit that has register households.

    From places where the register knows nobody of the sex and band: there every bureau person (`is_stranger`) is an extra,
    whatever the coverage; an unbiased rate under the Poisson model. An extra lacks the unit number as often as anybody: large
    buildings, where people without it are, have all cells registered, and say nothing of it themselves.
    """
    block = layout.block
    sex_age = block.sex_age
    adults = layout.is_register & (sex_age >= 0) & ~block.is_quarters
    households = layout.households_at.astype(float)
    in_house = ~layout.has_units[layout.address] & ~block.is_quarters
    of_houses = np.unique(layout.address[in_house & layout.is_register])
    registered_units = np.unique(layout.unit[layout.is_register & (block.unit != 0)])
    in_unit = np.isin(layout.unit, registered_units)
    rates = []
    for place, inside, exposed in (
        (layout.address, in_house, households[of_houses].sum()),
        (layout.unit, in_unit, float(len(registered_units))),
    ):
        counted = np.bincount(cell_of(sex_age[is_stranger & inside]), minlength=CELLS).astype(float)
        taken = np.flatnonzero(adults & inside)
        taken = taken[np.unique(numbered(place[taken], sex_age[taken]), return_index=True)[1]]
        weight = households[layout.address[taken]] if place is layout.address else np.ones(len(taken))
        exposure = np.maximum(exposed - np.bincount(cell_of(sex_age[taken]), weights=weight, minlength=CELLS), 0.0)
        total = counted.sum() / max(exposure.sum(), 1.0)
        rates.append((counted + 2 * max(total, 1e-5)) / (exposure + 2))
    in_houses, in_units = rates
    return [in_houses.tolist(), (in_units * (1 - unit_known) / unit_known).tolist(), in_units.tolist()]


def cell_of(sex_age: Integers) -> Integers:
    """Position of sex and band in `extra_rate`."""
    return sex_age // 10 * 2 + sex_age % 2


def _fit_spending(columns: Floats, rows: Flags) -> list[float]:
    chosen = np.flatnonzero(rows & (columns[:, _SPENDING] > 0))[:_MOST_PER_GROUP]
    if len(chosen) < _FEWEST:
        return []
    x = np.hstack([np.ones((len(chosen), 1)), _without_spending(columns[chosen])])
    y = columns[chosen, _SPENDING]
    # A little ridge: flags of amounts that nobody of the group has are collinear.
    beta = np.linalg.solve(x.T @ x + 1e-3 * len(chosen) * np.diag(x.var(axis=0) + 1e-3), x.T @ y)
    return [*beta.tolist(), float(max((y - x @ beta).std(), 1e-3))]


def spending_residual(spending: list[list[float]], columns: Floats, group: Integers, has_spending: Flags) -> Floats:
    """Standardised residual of log spending, cut at 3; 0 where it says nothing."""
    residual = np.zeros(len(columns))
    for number, fitted in enumerate(spending):
        rows = np.flatnonzero((group == number) & has_spending)
        if fitted and len(rows):
            beta = np.array(fitted)
            expected = beta[0] + _without_spending(columns[rows]) @ beta[1:-1]
            residual[rows] = np.clip((columns[rows, _SPENDING] - expected) / beta[-1], -3.0, 3.0)
    return residual


def residuals(model: AssignmentModel, features: Floats, sex_age: Integers) -> Floats:
    """`spending_residual` for bureau persons."""
    return spending_residual(model.spending, terms(features), group_of(sex_age), features[:, _SPENDING] > 0)


def _pairs_of(group: Integers, rows: Integers) -> Integers:
    """Neighbouring pairs of rows in the same group: two columns."""
    order = np.lexsort((rows, group))
    is_same = group[order][1:] == group[order][:-1]
    return np.stack([rows[order][:-1][is_same], rows[order][1:][is_same]], axis=1)


def _intraclass(residual: Floats, pairs: Integers) -> float:
    left, right = residual[pairs[:, 0]], residual[pairs[:, 1]]
    says = (left != 0) & (right != 0)
    if says.sum() < _FEWEST:
        return 0.0
    correlation = np.mean(left[says] * right[says]) / np.mean((left[says] ** 2 + right[says] ** 2) / 2)
    return float(np.clip(correlation, 0.0, 0.9))


def holds_housing_loan(features: Floats) -> Flags:
    """Whether a bureau person owes on a mortgage or a rent deposit."""
    return np.asarray((features[:, _HOUSING_LOANS] > 0).any(axis=1))


def _loan_pairs(layout: Layout, seen_class: Integers, pairs: Integers) -> float:
    """Pairs of holders among neighbouring pairs, to the product of their roles' shares; one pseudo-pair keeps few near 1."""
    holds = holds_housing_loan(layout.block.features).astype(np.float64)
    kind = np.maximum(group_of(layout.block.sex_age), 0) * (EXTRA + 1) + np.maximum(seen_class, 0)
    seen = np.unique(pairs)
    people = np.bincount(kind[seen], minlength=GROUPS * (EXTRA + 1))
    share = np.bincount(kind[seen], weights=holds[seen], minlength=GROUPS * (EXTRA + 1)) / np.maximum(people, 1)
    both, expected = (values[pairs].prod(axis=1).sum() for values in (holds, share[kind]))
    return float(np.clip((both + 1) / (expected + 1), *_LOAN_PAIR_RANGE))


def pair_class(left: Integers, right: Integers) -> Integers:
    """Class of a pair of people by sexes, difference of bands and age of the younger."""
    same_sex = (left % 2 == right % 2).astype(np.int64)
    band_left, band_right = left // 2, right // 2
    gap = np.minimum(np.abs(band_left - band_right) // 5, _GAPS - 1)
    younger = np.minimum(band_left, band_right)
    kind: Integers = (same_sex * _GAPS + gap) * 3 + np.digitize(younger, (30, 65))
    return kind


def _fit_pairs(layout: Layout, *, together: Integers, extras: Integers) -> tuple[list[float], list[float], list[float]]:
    sex_age = layout.block.sex_age
    g_k = np.bincount(pair_class(sex_age[together[:, 0]], sex_age[together[:, 1]]), minlength=PAIR_CLASSES) + _PAIR_SMOOTHING
    g_k = g_k / g_k.sum()
    # Pairs of different addresses: extras next to one another in the order of their keys.
    shuffled = extras[np.argsort(layout.block.key[extras], kind="stable")]
    apart = pair_class(sex_age[shuffled[:-1]], sex_age[shuffled[1:]]) if len(shuffled) > 1 else np.zeros(0, np.int64)
    f_k = np.bincount(apart, minlength=PAIR_CLASSES) + _PAIR_SMOOTHING
    f_k = f_k / f_k.sum()
    shares = []
    for has_unit in (False, True):
        rows = extras[(layout.block.unit[extras] != 0) == has_unit]
        pairs = _pairs_of(layout.unit[rows], rows)
        observed = np.bincount(pair_class(sex_age[pairs[:, 0]], sex_age[pairs[:, 1]]), minlength=PAIR_CLASSES)
        share = _PAIR_SHARE_UNSEEN[int(has_unit)]
        for _ in range(_ROUNDS if len(pairs) >= _FEWEST else 0):
            together_k = share * g_k / (share * g_k + (1 - share) * f_k)
            share = float(np.clip((observed * together_k).sum() / observed.sum(), 0.01, 0.99))
        shares.append(share)
    return shares, g_k.tolist(), f_k.tolist()
