"""Transformations of an amount under which a nested-error model may be normal, their parameter by restricted likelihood.

Source: Box & Cox (1964), An analysis of transformations, JRSS B 26(2), 211-252; Rojas-Perilla, Pannier, Schmid & Tzavidis
(2020), Data-driven transformations in small area estimation, JRSS A 183(1), 121-148 (scaled transformations, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import boxcox, inv_boxcox

from living_finance.errors import ConfigurationError
from living_finance.methods.convergence import Convergence
from living_finance.methods.grouped import Floats
from living_finance.methods.nested_error import NestedErrorDesign

TransformationName = Literal["none", "log", "log_shift", "box_cox"]

_LARGEST_LOG = 600.0
_POWERS = np.linspace(0.0, 2.0, 9)
"""Below 0 an amount of finite transform is infinite, and the model has no mean."""
_SHIFTS = np.geomspace(1e-3, 10.0, 9)
"""Shift less the least amount, in units of median less least amount. Towards 0 the likelihood has no bound."""
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Transformation:
    """An amount's transformation and its inverse.

    `none`; `log`; `log_shift`: log(y + parameter); `box_cox`: (y^parameter - 1) / parameter, log at 0.
    """

    name: TransformationName = "none"
    parameter: float = 0.0
    lowest: float = 0.0
    """Of a Box-Cox inverse: the least amount seen. Normal values reach below any transformed amount."""

    def __post_init__(self) -> None:
        if self.name not in get_args(TransformationName):
            raise ConfigurationError("Unknown transformation.", remedy="none, log, log_shift or box_cox")

    def forward(self, amount: Floats) -> Floats:
        """Transformed amounts.

        Raises:
            ConfigurationError: an amount is outside the domain.
        """
        if self.name == "none":
            return amount
        shifted = amount + self.parameter if self.name == "log_shift" else amount
        if not (shifted > 0.0).all():
            raise ConfigurationError(
                "A transformation met an amount of zero or less.", remedy="log_shift, or the two-part form where it is zero"
            )
        transformed: Floats = boxcox(shifted, self.parameter) if self.name == "box_cox" else np.log(shifted)
        return transformed

    def inverse(self, transformed: Floats) -> Floats:
        """Amounts."""
        if self.name == "none":
            return transformed
        if self.name == "box_cox" and self.parameter > 0.0:
            inside = np.maximum(transformed, -1.0 / self.parameter)
            amount: Floats = np.maximum(inv_boxcox(inside, self.parameter), self.lowest)
            return amount
        amount = np.exp(np.minimum(transformed, _LARGEST_LOG))
        return amount - self.parameter if self.name == "log_shift" else amount

    def scaled(self, amount: Floats) -> Floats:
        """The transform over the n-th root of its Jacobian, so that likelihoods of different parameters compare."""
        if self.name == "none":
            return amount
        shifted = amount + self.parameter if self.name == "log_shift" else amount
        power = self.parameter if self.name == "box_cox" else 0.0
        scaled: Floats = self.forward(amount) * np.exp((1.0 - power) * np.log(shifted).mean())
        return scaled


def estimate_transformation(
    name: TransformationName, amount: Floats, design: NestedErrorDesign
) -> tuple[Transformation, Convergence]:
    """The transformation of this name whose parameter has the largest restricted likelihood.

    Args:
        name: `box_cox` searches powers 0 to 2, `log_shift` shifts up to 10 times (median - least); the others have no parameter.
        amount: in the design's order.
        design: terms and areas.

    Returns:
        The transformation, and whether its parameter is a maximum inside the searched range.
    """
    if name in ("none", "log"):
        return Transformation(name), Convergence(True, 0, 0.0)
    least = float(amount.min())
    width = float(np.median(amount)) - least
    if not width > 0.0:
        raise ConfigurationError("Half of the amounts are the least one.", remedy="the two-part form, or another transformation")
    grid = _POWERS if name == "box_cox" else np.log(_SHIFTS)

    def at(value: float) -> Transformation:
        if name == "box_cox":
            return Transformation(name, value, lowest=least)
        return Transformation(name, width * float(np.exp(value)) - least)

    def deviance(value: float) -> float:
        return design.deviance(at(value).scaled(amount))

    curve = [deviance(float(value)) for value in grid]
    # The likelihood of a shift rises again, without bound, towards the least amount: what is meant is the maximum beyond.
    valley = int(np.argmax(curve[: 1 + grid.size // 2])) if name == "log_shift" else 0
    best = valley + int(np.argmin(curve[valley:]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, grid.size - 1)]
    found = minimize_scalar(deviance, bounds=(low, high), method="bounded", options={"xatol": _TOLERANCE})
    rounds = grid.size + int(found.nfev)
    if curve[best] <= float(found.fun):
        # An end of the grid. Power 0 is a bound with a meaning of its own, the log; any other says that the range was too short.
        return at(float(grid[best])), Convergence(name == "box_cox" and best == 0, rounds, 0.0)
    return at(float(found.x)), Convergence(bool(found.success), rounds, _TOLERANCE)
