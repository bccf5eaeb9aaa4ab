"""What another householding of the same people would change in the figures of a region.

On a sample of output areas everything from assignment to weights and income is done again: once with the point assignment, then
with draws of the assignment from its posterior (multiple imputation). If the posterior is right, reality is one more draw:
the squared distance of draws from the point assignment is, on average, the error of the latter, the variance over draws and its
own distance from their average in one. No factor (1 + 1/m) is due, since nothing is averaged over draws.

A few draws of a few areas are noisy. They are smoothed by a variance function (Wolter 2007, ch. 7):

    mean square = variance x doubt / households + (shift x doubt)²,

doubt the bureau members per household who are expected to live elsewhere (Σ 1 - assignment_probability). Addresses are drawn
independently, so that the first part falls with the number of households of any region; the second does not.

Source: Rubin (1987), Multiple imputation for nonresponse in surveys, ch. 3; Wolter (2007), Introduction to variance estimation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from living_finance.income.region_draws import FIGURES, GINI, MEAN, RegionDraws
from living_finance.methods.grouped import Floats


@dataclass(frozen=True)
class HouseholdingError:
    """The variance function: of amounts relative to the mean, of the Gini coefficient as it is."""

    variance: Mapping[str, float]
    shift: Mapping[str, float]
    areas: int
    """Output areas it rests on."""

    def of(self, name: str, regions: RegionDraws) -> Floats:
        """Root mean square of what householding changes in a figure of each region, in the figure's unit."""
        noise = self.variance[name] * regions.doubt / np.maximum(regions.households, 1.0)
        scale = 1.0 if name == GINI else regions.figures[MEAN].mean(axis=1)
        found: Floats = scale * np.sqrt(noise + (self.shift[name] * regions.doubt) ** 2)
        return found


def fit_householding_error(point: RegionDraws, draws: Sequence[RegionDraws]) -> HouseholdingError:
    """Estimate the variance function.

    The city's published means are met whatever the householding: amounts of a draw are put to the point's mean over all areas.

    Args:
        point: output areas of the sample with the point assignment.
        draws: the same with draws of the assignment; averages over incomes' own draws are compared.

    Returns:
        Moment estimates, areas by their households; zeros where nobody is in doubt.
    """
    shared = point.code
    for drawn in draws:
        shared = np.intersect1d(shared, drawn.code)
    here = np.searchsorted(point.code, shared)
    number, doubt = point.households[here], point.doubt[here]
    mean = point.figures[MEAN][here].mean(axis=1)
    distances: dict[str, list[Floats]] = {name: [] for name in FIGURES}
    for drawn in draws:
        there = np.searchsorted(drawn.code, shared)
        ratio = float(number @ mean / (number @ drawn.figures[MEAN][there].mean(axis=1)))
        for name in FIGURES:
            before, after = point.figures[name][here].mean(axis=1), drawn.figures[name][there].mean(axis=1)
            apart = after - before if name == GINI else (ratio * after - before) / mean
            distances[name].append(np.nan_to_num(apart))
    in_doubt = float(number @ doubt)
    if not in_doubt > 0.0:
        return HouseholdingError(dict.fromkeys(FIGURES, 0.0), dict.fromkeys(FIGURES, 0.0), len(shared))
    shift = {name: float(number @ np.mean(apart, axis=0)) / in_doubt for name, apart in distances.items()}
    variance = {
        name: float(np.mean([number**2 @ (each - shift[name] * doubt) ** 2 for each in apart])) / in_doubt
        for name, apart in distances.items()
    }
    return HouseholdingError(variance, shift, len(shared))
