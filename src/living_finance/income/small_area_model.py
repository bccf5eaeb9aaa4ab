"""What a small-area fit learned, as plain numbers, and everything that follows from them for a population.

The same functions serve a worker of a cluster and a session in memory. Random numbers come from household and area keys;
draws 2k and 2k + 1 are antithetic (one takes the opposite of the other's normal numbers), so that an even number of them
gives the mean of an untransformed model without Monte-Carlo error.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from scipy.special import expit, ndtr

from living_finance.errors import ConfigurationError
from living_finance.income.area_indicators import Households, area_indicators, as_labels
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import Bits, key_bits, mixed, normal, unit_interval
from living_finance.methods.transformations import Transformation


@dataclass(frozen=True)
class AreaRegression:
    """A regression with a normal effect per area."""

    coefficients: tuple[float, ...]
    """Intercept first."""
    area_variance: float
    effects: Mapping[str, tuple[float, float]]
    """Sampled area → mean and variance of its effect given the sample; any other has mean 0 and the area variance."""

    def score(self, terms: Floats) -> Floats:
        """x'β, terms added one by one: a row has the same bits in any company (a matrix product need not)."""
        score = np.full(terms.shape[0], self.coefficients[0])
        for column, coefficient in enumerate(self.coefficients[1:]):
            score = score + terms[:, column] * coefficient
        return score

    def given_sample(self, labels: Iterable[str]) -> tuple[Floats, Floats]:
        """Mean and standard deviation of these areas' effects given the sample."""
        pairs = np.array([self.effects.get(str(label), (0.0, self.area_variance)) for label in labels]).reshape(-1, 2)
        return pairs[:, 0], np.sqrt(pairs[:, 1])


@dataclass(frozen=True)
class Residuals:
    """Distribution of the unit errors of a robust fit: residuals of the sample, sorted, with their cumulative shares."""

    value: tuple[float, ...]
    through: tuple[float, ...]

    def quantile(self, probability: Floats) -> Floats:
        """Smallest residual whose cumulative share reaches the probability."""
        position = np.searchsorted(np.array(self.through), probability)
        return np.array(self.value)[np.minimum(position, len(self.value) - 1)]


@dataclass(frozen=True)
class SmallAreaModel:
    """A fitted nested-error model of an amount, with or without a first part that says who has any.

    Holds no row of the sample, except, of a robust fit, its residuals without anything they belong to.
    """

    seed: int
    transformation: Transformation
    amount: AreaRegression
    unit_variance: float
    residuals: Residuals | None = None
    """None: normal errors."""
    occurrence: AreaRegression | None = None
    """Logistic; None: everybody has some."""

    def to_json(self) -> str:
        """The model as JSON; numbers come back to the last bit."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> SmallAreaModel:
        """The model that `to_json` wrote."""
        values = json.loads(text)
        residuals, occurrence = values["residuals"], values["occurrence"]
        return cls(
            seed=values["seed"],
            transformation=Transformation(**values["transformation"]),
            amount=_regression(values["amount"]),
            unit_variance=values["unit_variance"],
            residuals=Residuals(tuple(residuals["value"]), tuple(residuals["through"])) if residuals else None,
            occurrence=_regression(occurrence) if occurrence else None,
        )

    def draws(self, terms: Floats, *, areas: Iterable[object], keys: Iterable[object], draws: int) -> Floats:
        """Amounts of households drawn given the sample: households x draws, in the order of the rows."""
        labels, position = np.unique(as_labels(areas), return_inverse=True)
        area = position.astype(np.int64)
        row_terms = _as_terms(terms, self)
        drawn = self._drawn(row_terms, labels=labels, area=area, key=key_bits(keys), draws=draws)
        return np.column_stack(list(drawn)) if row_terms.shape[0] else np.zeros((0, draws))

    def draw(self, number: int, terms: Floats, *, labels: Iterable[str], area: Integers, key: Bits) -> Floats:
        """One of `draws`, by itself.

        Args:
            number: of the draw, from 0.
            terms: households x terms, without intercept.
            labels: areas.
            area: position of each household's area among the labels.
            key: `key_bits` of each household.
        """
        sign = -1.0 if number % 2 else 1.0
        return next(
            self._drawn(_as_terms(terms, self), labels=labels, area=area, key=key, draws=2, first=number // 2, signs=(sign,))
        )

    def predict(
        self,
        terms: Floats,
        *,
        areas: Iterable[object],
        keys: Iterable[object],
        weights: Floats | None = None,
        draws: int = 50,
        indicators: Sequence[str] = ("mean",),
        poverty_line: float | None = None,
    ) -> pd.DataFrame:
        """Empirical best predictors: the mean over draws of each area's indicators (see `area_indicators`).

        Args:
            terms: households x terms, without intercept.
            areas: area of each household; all households of an area are there.
            keys: of each household, unique within its area.
            weights: population weight of each household; None for 1.
            draws: how many; an even number.
            indicators: names.
            poverty_line: for head-count ratio and poverty gap.

        Returns:
            One row per area, sorted: area, households, is_sampled, one column per indicator (NaN where no draw has it).

        Raises:
            ConfigurationError: an unknown indicator, an odd number of draws, terms that are not the model's.
            ContractViolation: keys or weights that are not as said.
        """
        households = Households.of(areas=areas, keys=keys, weights=weights)
        sampled = self.amount.effects.keys() | (self.occurrence.effects.keys() if self.occurrence else set())
        ordered = _as_terms(terms, self)[households.order]
        estimate = self.estimates(ordered, households, draws=draws, indicators=indicators, poverty_line=poverty_line)
        frame = pd.DataFrame(
            {
                "area": households.labels.astype(object),
                "households": np.bincount(households.area, minlength=households.labels.size),
                "is_sampled": [str(label) in sampled for label in households.labels],
            }
        )
        return frame.assign(**{name: estimate[:, k] for k, name in enumerate(indicators)})

    def estimates(
        self, terms: Floats, households: Households, *, draws: int, indicators: Sequence[str], poverty_line: float | None
    ) -> Floats:
        """Areas x indicators: means over the draws that have one; everything in the order of `households`."""
        total = np.zeros((households.labels.size, len(indicators)))
        count = np.zeros_like(total)
        drawn = self._drawn(terms, labels=households.labels, area=households.area, key=households.key, draws=draws)
        for amount in drawn:
            value = area_indicators(amount, households=households, indicators=indicators, poverty_line=poverty_line)
            count += ~np.isnan(value)
            total += np.nan_to_num(value)
        return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)

    def simulated(
        self, terms: Floats, *, labels: Iterable[str], area: Integers, key: Bits, replicate: int, purpose: str
    ) -> Floats:
        """Amounts of a made population: areas are new draws from the model, the same in every purpose of a replicate."""
        prior = replace(
            self,
            amount=replace(self.amount, effects={}),
            occurrence=replace(self.occurrence, effects={}) if self.occurrence else None,
        )
        mixed_key = mixed(_stream(self.seed, purpose), key)
        # Of a pair of draws only the first: replicates are independent.
        return prior.draw(2 * replicate, terms, labels=labels, area=area, key=mixed_key)

    def _drawn(
        self,
        terms: Floats,
        *,
        labels: Iterable[str],
        area: Integers,
        key: Bits,
        draws: int,
        first: int = 0,
        signs: Sequence[float] = (1.0, -1.0),
    ) -> Iterator[Floats]:
        """One amount per household, draw after draw, from pair `first` on; of each pair those with these signs."""
        if draws < 2 or draws % 2:
            raise ConfigurationError("Draws come in pairs.", remedy="an even number")
        names = list(labels)
        area_key = key_bits(names)
        score = self.amount.score(terms)
        mean, spread = self.amount.given_sample(names)
        location = score + mean[area]
        if self.occurrence is not None:
            any_mean, any_spread = self.occurrence.given_sample(names)
            any_location = self.occurrence.score(terms) + any_mean[area]
        for pair in range(first, first + draws // 2):
            of_area = normal(mixed(_stream(self.seed, "area amount"), area_key, pair)) * spread
            of_unit = normal(mixed(_stream(self.seed, "unit amount"), key, pair))
            if self.occurrence is not None:
                of_area_any = normal(mixed(_stream(self.seed, "area any"), area_key, pair)) * any_spread
                chance = unit_interval(mixed(_stream(self.seed, "unit any"), key, pair))
            for sign in signs:
                amount = self.transformation.inverse(location + sign * of_area[area] + self._error(sign * of_unit))
                if self.occurrence is not None:
                    probability = expit(any_location + sign * of_area_any[area])
                    amount = np.where((chance if sign > 0 else 1.0 - chance) < probability, amount, 0.0)
                yield amount

    def _error(self, standard: Floats) -> Floats:
        """Unit errors from standard normal numbers."""
        if self.residuals is None:
            return float(np.sqrt(self.unit_variance)) * standard
        return self.residuals.quantile(ndtr(standard))


def mean_squared_errors(
    model: SmallAreaModel,
    replicates: Sequence[SmallAreaModel],
    terms: Floats,
    *,
    areas: Iterable[object],
    keys: Iterable[object],
    weights: Floats | None = None,
    draws: int = 50,
    indicators: Sequence[str] = ("mean",),
    poverty_line: float | None = None,
) -> pd.DataFrame:
    """Parametric-bootstrap mean squared errors of the predictors of whole areas.

    In replicate b the population is drawn from `model`, area effects included, and predicted by `replicates[b]`, the fit to a
    sample of the same made population. Sample and population share area effects and no household, as in a survey that
    cannot be linked; where the survey is a large part of an area the error is overstated.

    Returns:
        One row per area, sorted: area and one column per indicator.

    Source: González-Manteiga, Lombardía, Molina, Morales & Santamaría (2008), Bootstrap mean squared error of a small-area
    EBLUP, Journal of Statistical Computation and Simulation 78(5), 443-462; Molina & Rao (2010), Small area estimation of
    poverty indicators, Canadian Journal of Statistics 38(3), 369-385, section 5.
    """
    households = Households.of(areas=areas, keys=keys, weights=weights)
    ordered = _as_terms(terms, model)[households.order]
    square = np.zeros((households.labels.size, len(indicators)))
    for replicate, fitted in enumerate(replicates):
        made = model.simulated(
            ordered,
            labels=households.labels,
            area=households.area,
            key=households.key,
            replicate=replicate,
            purpose="bootstrap population",
        )
        actual = area_indicators(made, households=households, indicators=indicators, poverty_line=poverty_line)
        estimate = fitted.estimates(ordered, households, draws=draws, indicators=indicators, poverty_line=poverty_line)
        square += (estimate - actual) ** 2
    frame = pd.DataFrame({"area": households.labels.astype(object)})
    return frame.assign(**{name: square[:, k] / len(replicates) for k, name in enumerate(indicators)})


def _as_terms(terms: Floats, model: SmallAreaModel) -> Floats:
    given = np.ascontiguousarray(terms, dtype=np.float64)
    if given.ndim != 2 or given.shape[1] != len(model.amount.coefficients) - 1:
        raise ConfigurationError("Terms are not those of the fit.", remedy="the same columns in the same order")
    return given


def _regression(values: Mapping[str, object]) -> AreaRegression:
    coefficients, effects = values["coefficients"], values["effects"]
    return AreaRegression(
        coefficients=tuple(coefficients),  # type: ignore[arg-type]
        area_variance=float(values["area_variance"]),  # type: ignore[arg-type]
        effects={area: (mean, variance) for area, (mean, variance) in effects.items()},  # type: ignore[attr-defined]
    )


def _stream(seed: int, purpose: str) -> np.uint64:
    return np.uint64(int.from_bytes(hashlib.blake2b(f"{seed}|{purpose}".encode(), digest_size=8).digest(), "little"))
