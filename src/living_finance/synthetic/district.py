"""One district from its foundation through every month: what one Spark task makes and writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from living_finance.contracts import deliveries as contract
from living_finance.contracts.deliveries import DeliveredTable
from living_finance.months import Month
from living_finance.synthetic.deliveries import Clerk, FileFormat, WrittenFile, write_table
from living_finance.synthetic.founding import found
from living_finance.synthetic.months import advance
from living_finance.synthetic.plan import CityPlan
from living_finance.synthetic.references import Sums, margins, sums, survey
from living_finance.synthetic.truth import household_truth, person_truth, write_truth


@dataclass(frozen=True)
class Order:
    """What is to be made."""

    plan: CityPlan
    out: Path
    truth: Path
    months: tuple[Month, ...]
    reference_months: dict[int, Month]
    """Year → month in which its census, survey and benchmarks are taken."""
    seed: int
    file_format: FileFormat


@dataclass(frozen=True)
class Made:
    """What a district's task hands back: names and sums, no rows."""

    files: list[WrittenFile]
    sums: dict[int, Sums]
    """Year → what the district adds to that year's benchmarks."""
    households: int
    persons: int


def make_district(order: Order, position: int) -> Made:
    """Simulate a district from the first to the last month and write its files.

    Bound: one district at a time in memory, at most some 260,000 households and 620,000 persons (about 1.5 GB).

    Args:
        order: the whole order, the same for every district.
        position: of the district in the plan.
    """
    plan = order.plan.districts[position]
    first_dong = sum(len(district.dongs) for district in order.plan.districts[:position])
    first, last = order.months[0], order.months[-1]
    places = order.plan.workplaces
    district = found(plan, places=places, first_dong=first_dong, month_index=first.index, seed=order.seed)
    clerk = Clerk(district, dong_codes=places.dong_codes)
    files: list[WrittenFile] = []
    taken: dict[int, Sums] = {}
    households = persons = 0
    name = f"{plan.ordinal:02d}"

    def write(folder: str, table: pa.Table, declared: DeliveredTable) -> None:
        if table.num_rows:
            files.append(
                write_table(
                    order.out / folder, f"{declared.name}-{name}", table, declared=declared, file_format=order.file_format
                )
            )

    for index in range(first.index, last.index + 1):
        month = first.plus(index - first.index)
        if index > first.index:
            advance(district, month_index=index)
        figures = district.figures(index)
        if month in order.months:
            write(f"bureau/{month}", clerk.persons(month, figures), contract.PERSONS)
            write(f"city/{month}", clerk.residents(month), contract.RESIDENTS)
            write(f"city/{month}", clerk.buildings(), contract.BUILDINGS)
            write(f"city/{month}", clerk.establishments(), contract.ESTABLISHMENTS)
            write(f"city/{month}", clerk.benefits(month, figures), contract.BENEFITS)
            true_households = household_truth(district, clerk, month, figures)
            write_truth(order.truth / "households", f"{month}-{name}", true_households)
            write_truth(order.truth / "persons", f"{month}-{name}", person_truth(district, clerk, month, figures))
            if index == first.index:
                households, persons = true_households.num_rows, int(figures.size[district.households["unit"] >= 0].sum())
        if order.reference_months.get(month.year) == month:
            write(f"census/{month.year}", margins(district, clerk, month.year, figures), contract.MARGINS)
            write(f"survey/{month.year}", survey(district, clerk, month.year, figures), contract.SURVEY_HOUSEHOLDS)
            taken[month.year] = sums(district, figures)
    return Made(files=files, sums=taken, households=households, persons=persons)


def reference_months(months: Sequence[Month]) -> dict[int, Month]:
    """Month in which each year's census, survey and benchmarks are taken: November, or the asked month nearest to it."""
    years = sorted({month.year for month in months})
    return {year: min((m for m in months if m.year == year), key=lambda m: (abs(m.number - 11), m)) for year in years}
