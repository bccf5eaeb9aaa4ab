"""Weighted least squares beside statsmodels."""

from __future__ import annotations

import numpy as np
import statsmodels.api as sm

from living_finance.methods.least_squares import least_squares, with_one


def test_coefficients_and_robust_errors_are_those_of_statsmodels() -> None:
    random = np.random.default_rng(4)
    terms, weight = random.normal(size=(300, 3)), 0.5 + random.random(300)
    value = 1.0 + terms @ [0.5, -1.0, 0.0] + (1.0 + np.abs(terms[:, 0])) * random.normal(size=300)
    solved, error = least_squares(with_one(terms), value, weight)
    fit = sm.WLS(value, sm.add_constant(terms), weights=weight).fit(cov_type="HC0")
    np.testing.assert_allclose(solved, fit.params, rtol=1e-9)
    np.testing.assert_allclose(error, fit.bse, rtol=1e-9)


def test_a_term_of_nothing_has_no_coefficient() -> None:
    terms = np.column_stack([np.ones(5), np.zeros(5)])
    solved, error = least_squares(terms, np.arange(5.0), np.ones(5))
    np.testing.assert_allclose(solved, [2.0, 0.0], atol=1e-12)
    assert error[1] == 0.0
