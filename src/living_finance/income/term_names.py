"""Columns of a later table are those of the fit: names where both have them, else their number (scikit-learn's convention)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from living_finance.errors import ConfigurationError


def note_terms(estimator: BaseEstimator, terms: object, *, number: int) -> None:
    """Set `n_features_in_`, and `feature_names_in_` of a DataFrame whose columns are all text; no names of a fit before stay.

    Args:
        estimator: that is being fitted.
        terms: as `fit` was given them: rows x terms.
        number: of terms.
    """
    estimator.n_features_in_ = number
    names = _names(terms)
    if names is not None:
        estimator.feature_names_in_ = names
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_


def check_terms(estimator: BaseEstimator, terms: object, *, number: int) -> None:
    """Hold a later table against the fit. An array has no names: its columns count by position.

    Args:
        estimator: fitted.
        terms: as a method was given them: rows x terms.
        number: of terms.

    Raises:
        ConfigurationError: columns are missing, unknown, in another order, or of another number.
    """
    fitted, given = getattr(estimator, "feature_names_in_", None), _names(terms)
    if fitted is not None and given is not None and not np.array_equal(fitted, given):
        missing, unknown = (sorted(set(one) - set(other)) for one, other in ((fitted, given), (given, fitted)))
        said = [f"{word}: {', '.join(names)}" for word, names in (("missing", missing), ("unknown", unknown)) if names]
        raise ConfigurationError(
            f"Columns are not those of the fit ({'; '.join(said) or 'another order, or one twice'}).",
            remedy=f"give the columns {', '.join(fitted)}, in this order",
        )
    if number != estimator.n_features_in_:
        raise ConfigurationError(
            f"{number} terms, and the fit had {estimator.n_features_in_}.", remedy="the same columns in the same order"
        )


def _names(terms: object) -> npt.NDArray[np.object_] | None:
    if isinstance(terms, pd.DataFrame) and terms.shape[1] > 0 and all(isinstance(name, str) for name in terms.columns):
        return np.asarray(terms.columns, dtype=object)
    return None
