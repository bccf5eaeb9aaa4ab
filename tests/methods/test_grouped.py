"""The NumPy kernel against definitions written out by hand, known answers and R."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from living_finance.errors import ContractViolation
from living_finance.methods import grouped
from living_finance.methods.inequality import grouped_gini

GOLDEN = Path(__file__).parents[1] / "golden"
PROBABILITIES = (0.1, 0.25, 0.5, 0.75, 0.9, 1.0)

Row = tuple[int, float, float]
"""Cell, value, weight."""

ROWS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.one_of(st.integers(-5, 5), st.integers(-(10**9), 10**9)).map(float),
        st.integers(1, 64).map(lambda eighths: eighths / 8),
    ),
    min_size=1,
    max_size=60,
)


def _quantile(values: Sequence[float], weights: Sequence[float], probability: float) -> float:
    """The definition, in exact fractions."""
    to_reach = Fraction(str(probability)) * sum(map(Fraction, weights))
    through = Fraction(0)
    for value, weight in sorted(zip(values, weights, strict=True)):
        through += Fraction(weight)
        if through >= to_reach:
            return value
    raise AssertionError("the total reaches every share of itself")


def _gini(values: Sequence[float], weights: Sequence[float]) -> float:
    """Mean absolute difference of all pairs over twice the mean."""
    x, w = np.maximum(np.array(values), 0.0), np.array(weights)
    if x.sum() == 0:
        return float("nan")
    pairs = (w[:, None] * w[None, :] * np.abs(x[:, None] - x[None, :])).sum()
    return float(pairs / (2 * w.sum() * (w * x).sum()))


class Kernel:
    """All results of the kernel for some rows."""

    def __init__(self, rows: Sequence[Row]) -> None:
        cell = np.array([row[0] for row in rows], dtype=np.int64)
        value, weight = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
        order = grouped.sorted_by_value(value, weight)
        value, weight, cell = value[order], weight[order], cell[order]
        fixed = grouped.fixed_weights(weight)
        self.grouping = grouped.group(cell)
        self.cells = cell[self.grouping.first].tolist()
        self.sums = grouped.sums(self.grouping, np.column_stack([fixed, grouped.fixed_amounts(weight, value)]))
        self.quantiles = grouped.quantiles(self.grouping, value=value, weight=fixed, probabilities=PROBABILITIES)
        self.gini = grouped_gini(self.grouping, value=value, weight=fixed)
        self.dispersion = grouped.dispersion(self.grouping, value=value, weight=weight)

    def bits(self) -> list[bytes]:
        parts = self.dispersion
        arrays = (self.sums, self.quantiles, self.gini, parts.mean, parts.weight_squares, parts.cross, parts.squares)
        return [array.tobytes() for array in arrays]


def _by_cell(rows: Sequence[Row]) -> dict[int, tuple[list[float], list[float]]]:
    cells: dict[int, tuple[list[float], list[float]]] = {}
    for cell, value, weight in rows:
        values, weights = cells.setdefault(cell, ([], []))
        values.append(value)
        weights.append(weight)
    return dict(sorted(cells.items()))


@given(ROWS)
def test_kernel_equals_definitions(rows: list[Row]) -> None:
    kernel, expected = Kernel(rows), _by_cell(rows)
    assert kernel.cells == list(expected)
    assert kernel.grouping.rows.tolist() == [len(values) for values, _ in expected.values()]
    for at, (values, weights) in enumerate(expected.values()):
        assert kernel.quantiles[at].tolist() == [_quantile(values, weights, p) for p in PROBABILITIES]
        assert kernel.gini[at] == pytest.approx(_gini(values, weights), abs=1e-9, nan_ok=True)
        exact_sum = sum(Fraction(w) * Fraction(x) for x, w in zip(values, weights, strict=True))
        assert Fraction(int(kernel.sums[at, 0])) == sum(map(Fraction, weights)) * 2**36
        assert Fraction(int(kernel.sums[at, 1])) == exact_sum * 2**8
        x, w = np.array(values), np.array(weights)
        mean = np.average(x, weights=w)
        assert kernel.dispersion.squares[at] == pytest.approx(((w * (x - mean)) ** 2).sum(), rel=1e-9, abs=1e-3)


@given(ROWS, st.randoms(use_true_random=False))
def test_order_of_rows_changes_no_bit(rows: list[Row], random: object) -> None:
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert Kernel(rows).bits() == Kernel(shuffled).bits()


@given(ROWS)
def test_parts_add_up_to_the_whole_to_the_last_unit(rows: list[Row]) -> None:
    awkward = [(cell, value, weight * 1.0473) for cell, value, weight in rows]
    whole = Kernel([(0, value, weight) for _, value, weight in awkward])
    assert Kernel(awkward).sums.sum(axis=0).tolist() == whole.sums[0].tolist()


def test_weight_that_exactly_reaches_counts_as_reached() -> None:
    # In floating point 1.0473 + 1.0473 + … misses a quarter, a half and three quarters of the total by some 1e-16.
    kernel = Kernel([(0, float(value), 1.0473) for value in range(1, 41)])
    assert kernel.quantiles[0].tolist() == [4, 10, 20, 30, 36, 40]


def test_known_gini_coefficients() -> None:
    cases: list[tuple[list[float], list[float], float]] = [
        ([5, 5, 5], [1, 2, 3], 0.0),
        ([0, 0, 0, 1], [1, 1, 1, 1], 0.75),
        ([1, 3], [1, 1], 0.25),
        ([1, 3], [3, 1], 0.25),
        ([-10, 0, 0, 1], [1, 1, 1, 1], 0.75),
        ([-10, 0], [1, 1], float("nan")),
    ]
    kernel = Kernel([(cell, x, w) for cell, (xs, ws, _) in enumerate(cases) for x, w in zip(xs, ws, strict=True)])
    assert kernel.gini.tolist() == pytest.approx([expected for *_, expected in cases], abs=1e-12, nan_ok=True)


def test_equals_laeken_and_survey_on_eusilc() -> None:
    with (GOLDEN / "eusilc_500.csv").open() as file:
        data = list(csv.DictReader(file))
    with (GOLDEN / "eusilc_500_statistics.csv").open() as file:
        golden = {(row["region"], row["statistic"]): float(row["value"]) for row in csv.DictReader(file)}
    regions = sorted({row["region"] for row in data})
    rows = [(float(row["income"]), float(row["weight"]), row["region"]) for row in data]
    kernel = Kernel(
        [(0, income, weight) for income, weight, _ in rows]
        + [(1 + regions.index(region), income, weight) for income, weight, region in rows]
    )
    assert len(golden) == 8 * (1 + len(regions))
    for at, region in enumerate(["all", *regions]):
        n, total = kernel.grouping.rows[at], kernel.sums[at, 0] / grouped.WEIGHT_SCALE
        found = {
            **dict(zip(("p10", "p25", "median", "p75", "p90"), kernel.quantiles[at], strict=False)),
            "gini": kernel.gini[at],
            "mean": kernel.dispersion.mean[at],
            "standard_error": np.sqrt(kernel.dispersion.squares[at] * n / (n - 1)) / total,
        }
        expected = {statistic: value for (name, statistic), value in golden.items() if name == region}
        assert found == pytest.approx(expected, rel=1e-9)


def test_rows_without_a_label_are_in_no_cell() -> None:
    columns = [grouped.encode(pa.array(["b", None, "a", "b"])), grouped.encode(pa.chunked_array([["x", "x", None, "x"]]))]
    grouping = grouped.group(grouped.cell_codes(columns, rows=4))
    assert grouping.order.tolist() == [0, 3]
    assert columns[0].take(grouping.first).to_pylist() == ["b"]


def test_cells_beyond_sixteen_bits_keep_their_order() -> None:
    code = np.array([70_000, 3, -1, 2**33, 70_000, 3], dtype=np.int64)
    grouping = grouped.group(code)
    assert grouping.order.tolist() == [1, 5, 0, 4, 3]
    assert grouping.start.tolist() == [0, 2, 4]


def test_no_rows_give_no_cells() -> None:
    kernel = Kernel([])
    assert kernel.cells == []
    assert kernel.quantiles.shape == (0, len(PROBABILITIES))


@pytest.mark.parametrize(("weight", "amount"), [(1.0, 1e17), (1e8, 1.0)])
def test_sums_beyond_exact_range_are_refused(weight: float, amount: float) -> None:
    with pytest.raises(ContractViolation, match="too large"):
        Kernel([(0, amount, weight)])
