"""The empirical best predictor of area indicators: a unit-level small-area model fitted to a survey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import brentq
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from living_finance.errors import ConfigurationError
from living_finance.income.area_indicators import as_labels
from living_finance.income.small_area_model import AreaRegression, Residuals, SmallAreaModel, mean_squared_errors
from living_finance.income.term_names import check_terms, note_terms
from living_finance.methods.area_logistic import fit_area_logistic
from living_finance.methods.coefficient_prior import CoefficientPrior
from living_finance.methods.convergence import Convergence
from living_finance.methods.grouped import Floats, Integers
from living_finance.methods.keyed_random import key_bits
from living_finance.methods.nested_error import NestedErrorDesign, huber_consistency
from living_finance.methods.transformations import TransformationName, estimate_transformation

Table = pd.DataFrame | npt.ArrayLike
_PARTS = ("amount", "occurrence")


@dataclass(frozen=True)
class _Sample:
    """Rows of a survey in canonical order: by area, amount, terms, weight, replicate factor."""

    terms: Floats
    amount: Floats
    labels: npt.NDArray[np.str_]
    area: Integers
    weight: Floats | None
    replicate: Floats | None = None

    @property
    def with_intercept(self) -> Floats:
        return np.column_stack([np.ones(self.amount.size), self.terms])


class EmpiricalBestPredictor(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Nested-error regression of a transformed amount; indicators of whole areas by Monte Carlo given the sample.

    y_ij = T⁻¹(x_ij'β + u_i + e_ij). Variances and the transformation's parameter by restricted maximum likelihood, β and u
    with survey weights where there are some (pseudo-EBP). Every household of the population is predicted: sample and
    population need no common key ("census" EBP). An area without sample gets the synthetic prediction, with the variance of
    an area effect it knows nothing of.

    Args:
        transformation: `none`, `log`, `log_shift` or `box_cox` (see `methods.transformations`).
        two_part: an amount of 0 means none: whether a household has any is a logistic regression with area effects, the
            amount model is of the others. Effects of the two parts are taken as independent.
        huber: bound of standardised residuals (1.345 is usual), None for none. Bounded residuals keep outliers away from β,
            variances and effects; drawn households then take their errors from the sample's residuals, rescaled to the
            robust variance and not centred, so that the outliers' share of income is kept and only spread over all areas.
            The transformation's parameter is not robust.
        seed: of everything drawn.
        prior: `amount` and `occurrence` → normal priors of coefficients of that part, columns those of X from 0, in units of the
            transformed amount or of the logit per unit of the term (see `methods.coefficient_prior`); None for none. Not
            with `huber`. Variances do not see the amount's; effects are those given the coefficients so found.
        half_normal: scale of a half-normal prior of the standard deviation between areas (of the transformed amount and of the
            logit), whose variance then is its posterior mean (see `methods.half_normal`): for samples of a household or two an
            area, which cannot tell it; None for none. Not with `huber`.

    Learned:
        `model_` (SmallAreaModel; to JSON and back), `intercept_`, `coef_`, `area_variance_`, `unit_variance_` (of the transformed
        amount), `transformation_`, `effects_` (one row per sampled area: area, rows, mean, variance), `convergence_` (of
        `transformation`, `amount` and, with two parts, `occurrence`), `n_features_in_`, `feature_names_in_` (of a DataFrame).

    Source: Molina & Rao (2010), Canadian Journal of Statistics 38(3), 369-385; Guadarrama, Molina & Rao (2018), CSDA 121,
    20-40; Rojas-Perilla et al. (2020), JRSS A 183(1), 121-148; Pfeffermann, Terryn & Moura (2008), Survey Methodology 34(2),
    235-249 (two parts); Chambers, Chandra, Salvati & Tzavidis (2014), Outlier robust small area estimation, JRSS B 76(1),
    47-69 (why a bounded fit needs its residuals back).
    """

    def __init__(
        self,
        *,
        transformation: TransformationName = "log",
        two_part: bool = False,
        huber: float | None = None,
        seed: int = 0,
        prior: Mapping[str, CoefficientPrior] | None = None,
        half_normal: float | None = None,
    ) -> None:
        self.transformation = transformation
        self.two_part = two_part
        self.huber = huber
        self.seed = seed
        self.prior = prior
        self.half_normal = half_normal

    def fit(
        self,
        X: Table,  # noqa: N803
        y: npt.ArrayLike,
        *,
        areas: Iterable[object],
        weights: npt.ArrayLike | None = None,
        replicate: npt.ArrayLike | None = None,
    ) -> EmpiricalBestPredictor:
        """Fit to a survey.

        Args:
            X: households x terms, numbers, without intercept.
            y: amount of each household.
            areas: area of each household.
            weights: survey weight of each household, positive; scaled within areas to add up to the number of households.
            replicate: factor of each household in a replicate of the sample, positive, scaled to mean 1 over the sample and not
                within areas: with a household or two an area, that would cancel it. Coefficients move with it; variances, and
                effects given the coefficients, are of the sample as it is. None: the sample itself.

        Returns:
            Itself.

        Raises:
            ConfigurationError: values that are missing, amounts outside the transformation's domain, collinear terms,
                too few households; a prior of a part or term that there is not, a scale that is not positive, or beside `huber`.
        """
        if self.huber is not None and not self.huber > 0.0:
            raise ConfigurationError("The bound of residuals is not positive.", remedy="1.345, or None")
        if not set(self.prior or ()) <= set(_PARTS):
            raise ConfigurationError("A prior is of a part that the model does not have.", remedy="amount or occurrence")
        sample = _as_sample(X, y, areas=areas, weights=weights, replicate=replicate)
        self.model_, self.convergence_ = self._fitted(sample, seed=self.seed)
        note_terms(self, X, number=sample.terms.shape[1])
        amount = self.model_.amount
        self.intercept_, self.coef_ = amount.coefficients[0], np.array(amount.coefficients[1:])
        self.area_variance_, self.unit_variance_ = amount.area_variance, self.model_.unit_variance
        self.transformation_ = self.model_.transformation
        rows = pd.Series(sample.area[_has(sample.amount, self.two_part)]).value_counts()
        position = {str(label): k for k, label in enumerate(sample.labels)}
        self.effects_ = pd.DataFrame(
            [(area, int(rows[position[area]]), *effect) for area, effect in amount.effects.items()],
            columns=["area", "rows", "mean", "variance"],
        )
        self._sample = sample
        return self

    def predict(
        self,
        X: Table,  # noqa: N803
        *,
        areas: Iterable[object],
        keys: Iterable[object],
        weights: npt.ArrayLike | None = None,
        draws: int = 50,
        indicators: Sequence[str] = ("mean",),
        poverty_line: float | None = None,
    ) -> pd.DataFrame:
        """Indicators of areas: see `SmallAreaModel.predict`. One row per area.

        Raises:
            ConfigurationError: columns that are not those of the fit in their order, and as `SmallAreaModel.predict`.
        """
        check_is_fitted(self)
        return self.model_.predict(
            self._terms(X),
            areas=areas,
            keys=keys,
            weights=_as_weights(weights),
            draws=draws,
            indicators=indicators,
            poverty_line=poverty_line,
        )

    def draws(self, X: Table, *, areas: Iterable[object], keys: Iterable[object], draws: int = 50) -> Floats:  # noqa: N803
        """Amounts of households given the sample: households x draws, in the order of the rows."""
        check_is_fitted(self)
        return self.model_.draws(self._terms(X), areas=areas, keys=keys, draws=draws)

    def bootstrap(self, *, replicates: int = 200) -> list[SmallAreaModel]:
        """Fits to samples drawn from the fitted model, everything estimated anew, for `mean_squared_errors`.

        Sampled households keep terms, area, weight and factor and take new amounts; priors stay.
        """
        check_is_fitted(self)
        sample = self._sample
        keys = key_bits(range(sample.amount.size))
        fitted = []
        for replicate in range(replicates):
            made = self.model_.simulated(
                sample.terms, labels=sample.labels, area=sample.area, key=keys, replicate=replicate, purpose="bootstrap sample"
            )
            model, _ = self._fitted(replace(sample, amount=made), seed=_replicate_seed(self.seed, replicate))
            fitted.append(model)
        return fitted

    def mse(
        self,
        X: Table,  # noqa: N803
        *,
        areas: Iterable[object],
        keys: Iterable[object],
        weights: npt.ArrayLike | None = None,
        replicates: int = 200,
        draws: int = 50,
        indicators: Sequence[str] = ("mean",),
        poverty_line: float | None = None,
    ) -> pd.DataFrame:
        """Bootstrap mean squared errors of `predict` with the same arguments: see `mean_squared_errors`. One row per area.

        Time grows with replicates x draws x households.
        """
        return mean_squared_errors(
            self.model_,
            self.bootstrap(replicates=replicates),
            self._terms(X),
            areas=areas,
            keys=keys,
            weights=_as_weights(weights),
            draws=draws,
            indicators=indicators,
            poverty_line=poverty_line,
        )

    def _terms(self, given: Table) -> Floats:
        matrix = _as_matrix(given)
        check_terms(self, given, number=matrix.shape[1])
        return matrix

    def _prior(self, part: str) -> CoefficientPrior | None:
        given = (self.prior or {}).get(part)
        return None if given is None else given.after_intercept()

    def _fitted(self, sample: _Sample, *, seed: int) -> tuple[SmallAreaModel, dict[str, Convergence]]:
        convergence: dict[str, Convergence] = {}
        occurrence = None
        has = _has(sample.amount, self.two_part)
        if not has.all():
            occurrence, convergence["occurrence"] = _fit_occurrence(
                sample, has, self._prior("occurrence"), half_normal=self.half_normal
            )
        design, labels = _amount_design(sample, has)
        amount = sample.amount[has][design.order]
        transformation, convergence["transformation"] = estimate_transformation(self.transformation, amount, design)
        transformed = transformation.forward(amount)
        fit = design.fit(transformed, huber=self.huber, prior=self._prior("amount"), half_normal=self.half_normal)
        convergence["amount"] = fit.convergence
        pairs = zip(fit.effect_mean.tolist(), fit.effect_variance.tolist(), strict=True)
        residuals = None
        if self.huber is not None:
            left = transformed - design.terms @ fit.coefficients - fit.effect_mean[design.area]
            residuals = _residuals(left, design.weight, scale=np.sqrt(fit.unit_variance), bound=self.huber)
        model = SmallAreaModel(
            seed=seed,
            transformation=transformation,
            amount=AreaRegression(
                tuple(fit.coefficients.tolist()), fit.area_variance, dict(zip(map(str, labels), pairs, strict=True))
            ),
            unit_variance=fit.unit_variance,
            residuals=residuals,
            occurrence=occurrence,
        )
        return model, convergence


def _as_sample(
    terms: Table,
    amount: npt.ArrayLike,
    *,
    areas: Iterable[object],
    weights: npt.ArrayLike | None,
    replicate: npt.ArrayLike | None,
) -> _Sample:
    matrix, value = _as_matrix(terms), np.asarray(amount, dtype=np.float64)
    labels, area = np.unique(as_labels(areas), return_inverse=True)
    weight, factor = _as_weights(weights), _as_weights(replicate)
    given = [each for each in (weight, factor) if each is not None]
    sizes = {matrix.shape[0], value.size, area.size, *(each.size for each in given)}
    if len(sizes) > 1 or value.size == 0:
        raise ConfigurationError("Terms, amounts, areas and weights differ in length, or are none.", remedy="one per household")
    if not np.isfinite(value).all() or not all((each > 0.0).all() for each in given):
        raise ConfigurationError("An amount is missing or a weight is not positive.", remedy="leave these households out")
    equal = np.ones(area.size)
    last = [equal if each is None else each for each in (factor, weight)]
    order = np.lexsort((*last, *matrix.T[::-1], value, area))
    if factor is not None:
        factor = factor[order] * (factor.size / factor[order].sum())
    weight = None if weight is None else weight[order]
    return _Sample(matrix[order], value[order], labels, area[order].astype(np.int64), weight, factor)


def _as_matrix(terms: Table) -> Floats:
    matrix = np.asarray(terms, dtype=np.float64)
    if matrix.ndim != 2 or not np.isfinite(matrix).all():
        raise ConfigurationError("Terms are not a table of numbers, or some are missing.", remedy="impute them first")
    return matrix


def _as_weights(weights: npt.ArrayLike | None) -> Floats | None:
    return None if weights is None else np.asarray(weights, dtype=np.float64)


def _has(amount: Floats, two_part: bool) -> npt.NDArray[np.bool_]:
    return amount != 0.0 if two_part else np.ones(amount.size, dtype=bool)


def _fit_occurrence(
    sample: _Sample, has: npt.NDArray[np.bool_], prior: CoefficientPrior | None, *, half_normal: float | None
) -> tuple[AreaRegression, Convergence]:
    fit = fit_area_logistic(
        sample.with_intercept,
        sample.area,
        has.astype(np.float64),
        weight=sample.weight,
        replicate=sample.replicate,
        prior=prior,
        half_normal=half_normal,
    )
    pairs = zip(fit.effect_mean.tolist(), fit.effect_variance.tolist(), strict=True)
    effects = dict(zip(map(str, sample.labels), pairs, strict=True))
    return AreaRegression(tuple(fit.coefficients.tolist()), fit.area_variance, effects), fit.convergence


def _amount_design(sample: _Sample, has: npt.NDArray[np.bool_]) -> tuple[NestedErrorDesign, npt.NDArray[np.str_]]:
    """Design of the households that have some, and their areas."""
    present, area = np.unique(sample.area[has], return_inverse=True)
    weight = None if sample.weight is None else sample.weight[has]
    replicate = None if sample.replicate is None else sample.replicate[has]
    design = NestedErrorDesign(sample.with_intercept[has], area, response=sample.amount[has], weight=weight, replicate=replicate)
    return design, sample.labels[present]


def _residuals(left: Floats, weight: Floats, *, scale: float, bound: float) -> Residuals:
    """Residuals, rescaled so that their bounded mean square is what the robust variance expects: predicted effects take a part
    of the errors with them, the more the fewer rows an area has."""
    share = weight / weight.sum()

    def surplus(factor: float) -> float:
        return float(share @ np.clip(factor * left / scale, -bound, bound) ** 2) - huber_consistency(bound)

    factor = float(brentq(surplus, 0.1, 10.0)) if surplus(0.1) < 0.0 < surplus(10.0) else 1.0
    order = np.argsort(left, kind="stable")
    return Residuals(tuple((factor * left[order]).tolist()), tuple(np.cumsum(share[order]).tolist()))


def _replicate_seed(seed: int, replicate: int) -> int:
    """Another seed for the predictions in each replicate, so that they share no number with what they predict."""
    return int(key_bits([f"{seed}|replicate|{replicate}"])[0] >> np.uint64(1))
