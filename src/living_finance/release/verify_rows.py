"""The gate for row-level files: what a reader of the files alone, or with public counts beside them, could find out.

Shares no code with `release.rows`. Its limits are its own; no configuration lowers them.

| attack | here |
|---|---|
| P5 | amounts finer than their base |
| P8 | an extreme that few rows have |
| P10 | classes of fewer than k rows, or with fewer than l classes of income or debt; identifiers |
| P11 | rows wholly inside a cell that the tables withhold or that the register says is small; the two files joined |
| P10, P11 | over releases: `release.verify_row_links` |
| P13 | other columns, categories, months, or another order than that of the published values; formulas |

Source: Hundepool et al., ESS Handbook on Statistical Disclosure Control, 2nd edition, chapter 3; decision 0026.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.contracts import row_files as rf
from living_finance.release.verify_texts import formulas

FINDING_COLUMNS = ("attack", "table", "cell", "what")
Finding = tuple[str, str, str, str]


@dataclass(frozen=True)
class RowLimits:
    """What row-level files must keep to outside. Not configurable."""

    anonymity: int = 10
    diversity: int = 2
    bases: Mapping[str, int] = field(default_factory=lambda: {"KRW/year": 1_000_000, "KRW/month": 100_000, "KRW": 5_000_000})


def verify_rows(
    rows: Mapping[str, pd.DataFrame],
    *,
    month: str,
    tables: Mapping[str, pd.DataFrame] | None = None,
    register: pd.DataFrame | None = None,
    limits: RowLimits | None = None,
) -> pd.DataFrame:
    """Attack the row-level files of a candidate.

    Args:
        rows: file → rows as read; texts as text or category, amounts as whole numbers.
        month: YYYY-MM of the release.
        tables: of the same release, as read.
        register: registered residents by `dong_code`, `sex`, `age_band` (five years, 0 to 80) and `persons`; None: not at hand.
        limits: for tests.

    Returns:
        One row per finding: attack, table, cell, what. Empty: nothing found.
    """
    limits = limits or RowLimits()
    findings: list[Finding] = []
    for name, frame in rows.items():
        file = rf.ROW_FILES.get(name)
        if file is None or tuple(frame.columns) != file.column_names:
            findings.append(("P13", name, "", "no row-level file of the contract, or not its columns in their order"))
            continue
        findings += [*_contents(file, frame, month), *formulas(name, frame)]
        findings += _amounts(file, frame, limits)
        findings += _classes(file, frame, limits)
        findings += inside_withheld(file, frame, tables or {})
        if register is not None and file is rf.PERSONS:
            findings += _in_register(frame, register, limits)
    if rows.keys() >= rf.ROW_FILES.keys() and not findings:
        findings += _joined(rows[rf.PERSONS.name], rows[rf.HOUSEHOLDS.name], limits)
    return pd.DataFrame(sorted(set(findings)), columns=list(FINDING_COLUMNS))


def _contents(file: rf.RowFile, frame: pd.DataFrame, month: str) -> Iterator[Finding]:
    for name in frame.columns:
        if name.endswith("_id"):
            yield "P10", file.name, str(name), "an identifier"
        if frame[name].isna().any():
            yield "P13", file.name, str(name), "a value is missing"
    if set(frame["base_month"].unique()) - {month}:
        yield "P13", file.name, "base_month", "rows of another month"
    for quasi in file.quasi:
        known = {category for level in quasi.levels for category in level.values()}
        if not set(frame[quasi.name].unique()) <= known:
            yield "P13", file.name, quasi.name, "a category that no level of generalisation has"
    for name, classes in rf.SENSITIVE_CODES.items():
        if not set(frame[name].unique()) <= set(classes):
            yield "P13", file.name, name, "an unknown class"
    regions = frame[["region_level", "region_code"]].drop_duplicates().astype(str)
    if (regions["region_code"].str.len().map(rf.REGION_LEVELS) != regions["region_level"]).any():
        yield "P13", file.name, "region_level", "does not fit the code"
    if not _is_sorted(frame, file):
        yield "P13", file.name, "", "rows do not stand in the order of their published values"


def _is_sorted(frame: pd.DataFrame, file: rf.RowFile) -> bool:
    undecided = np.ones(max(len(frame) - 1, 0), dtype=bool)
    for name in file.column_names:
        values = frame[name]
        if isinstance(values.dtype, pd.CategoricalDtype):
            values = values.cat.set_categories(sorted(values.cat.categories)).cat.codes
        elif values.dtype == object:
            values = pd.Series(pd.factorize(values, sort=True)[0])
        ranks = values.to_numpy()
        if (undecided & (ranks[1:] < ranks[:-1])).any():
            return False
        undecided &= ranks[1:] == ranks[:-1]
    return True


def _amounts(file: rf.RowFile, frame: pd.DataFrame, limits: RowLimits) -> Iterator[Finding]:
    for amount in file.amounts:
        values = frame[amount.name]
        if len(values) and (values % limits.bases[amount.column.unit] != 0).any():
            yield "P5", file.name, amount.name, "finer than its base"
        for extreme, what in ((values.max(), "largest"), (values.min(), "smallest")):
            if len(values) and (values == extreme).sum() < limits.anonymity:
                yield "P8", file.name, amount.name, f"fewer than {limits.anonymity} rows have the {what} value"


def _classes(file: rf.RowFile, frame: pd.DataFrame, limits: RowLimits) -> Iterator[Finding]:
    """P10: k and l, and that nothing else tells the rows of a class apart but amounts."""
    quasi = list(file.quasi_names)
    grouped = frame.groupby(quasi, observed=True, dropna=False)
    size = grouped.size()
    for cell in size.index[size < limits.anonymity]:
        yield "P10", file.name, _named(quasi, cell), f"fewer than {limits.anonymity} rows"
    alike = ["region_level", "region_name_ko", "region_name_en", *([rf.WEIGHT.name] if file.has_weight else [])]
    for name, least, most in [*((n, limits.diversity, None) for n in rf.SENSITIVE_CODES), *((n, 1, 1) for n in alike)]:
        different = grouped[name].nunique()
        for cell in different.index[different < least]:
            yield "P10", file.name, _named(quasi, cell), f"fewer than {least} different values of {name}"
        if most is not None:
            for cell in different.index[different > most]:
                yield "P10", file.name, _named(quasi, cell), f"{name} tells its rows apart"


def _named(names: Sequence[str], cell: object) -> str:
    values = cell if isinstance(cell, tuple) else (cell,)
    return " ".join(f"{name}={value}" for name, value in zip(names, values, strict=True) if value != rf.ALL)


def _combinations(file: rf.RowFile, frame: pd.DataFrame) -> pd.DataFrame:
    names = list(file.quasi_names)
    return frame[names].drop_duplicates().astype(str).reset_index(drop=True)


def inside_withheld(file: rf.RowFile, frame: pd.DataFrame, tables: Mapping[str, pd.DataFrame]) -> Iterator[Finding]:
    """P11: a class that lies in a withheld cell says that it is there, and how large it is at least."""
    population = "persons" if file is rf.PERSONS else "households"
    classes = _combinations(file, frame)
    known = {quasi.name for quasi in file.quasi}
    every = {d for names in r.DIMENSIONS.values() for d in names}
    for table, cells in tables.items():
        if "statistic" not in cells:
            continue
        counts = cells[(cells["statistic"] == population) & (cells["status"] != r.PUBLISHED)]
        counts = counts[counts["region_level"] != "output_area"]
        if r.PLACE in counts:
            counts = counts[counts[r.PLACE] == "residence"]
        dimensions = [d for d in cells.columns if d in every]
        for used in itertools.chain.from_iterable(itertools.combinations(dimensions, n) for n in range(len(dimensions) + 1)):
            if not set(used) <= known:
                continue
            is_cross = np.logical_and.reduce([(counts[d] != codes.ALL) == (d in used) for d in dimensions])
            cross = counts[is_cross]
            for length in cross["region_code"].str.len().unique():
                wanted = {
                    tuple(row) for row in cross.loc[cross["region_code"].str.len() == length, ["region_code", *used]].to_numpy()
                }
                near = classes[classes["region_code"].str.len() >= length]
                keys = near[list(used)].assign(region=near["region_code"].str[:length])[["region", *used]]
                for key in {tuple(row) for row in keys.drop_duplicates().to_numpy()} & wanted:
                    yield "P11", file.name, _named(["region_code", *used], key), f"rows of a cell that {table} withholds"


def _in_register(frame: pd.DataFrame, register: pd.DataFrame, limits: RowLimits) -> Iterator[Finding]:
    """P11: whom anybody can count in the register: fewer people of this region, sex and age than k."""
    age = next(quasi for quasi in rf.PERSONS.quasi if quasi.name == "age_band")
    bands = {
        category: [old for old, new in level.items() if new == category] for level in age.levels for category in level.values()
    }
    classes = _combinations(rf.PERSONS, frame)[["region_code", "sex", "age_band"]].drop_duplicates()
    counts: dict[tuple[str, str, str], int] = {}
    for length in classes["region_code"].str.len().unique():
        cells = register.assign(region=register["dong_code"].str[:length], age_band=register["age_band"].astype(str))
        for each in (cells, cells.assign(sex=rf.ALL)):
            summed = each.groupby(["region", "sex", "age_band"], as_index=False)["persons"].sum()
            keys = zip(summed["region"], summed["sex"], summed["age_band"], strict=True)
            counts |= dict(zip(keys, summed["persons"].astype(int), strict=True))
    for row in classes.itertuples(index=False):
        region, sex, band = str(row.region_code), str(row.sex), str(row.age_band)
        if sum(counts.get((region, sex, years), 0) for years in bands[band]) < limits.anonymity:
            cell = _named(["region_code", "sex", "age_band"], (region, sex, band))
            yield "P11", rf.PERSONS.name, cell, "the register counts fewer people"


def _joined(persons: pd.DataFrame, households: pd.DataFrame, limits: RowLimits) -> Iterator[Finding]:
    """P11: a head of household looked up in both files: what both say together must not point to fewer rows in either.

    Somebody known by region, sex and age is in some class of each file. Joined, the files can leave fewer candidates only if
    a class of one file meets the other's in a part of itself: bands that cut across each other. So any two bands that meet
    must be nested, as regions are by their codes, and whoever can be in both finds as many rows in each.
    """
    ages = {}
    for file, column in ((rf.PERSONS, "age_band"), (rf.HOUSEHOLDS, "head_age_band")):
        quasi = next(q for q in file.quasi if q.name == column)
        for level in quasi.levels:
            for category in level.values():
                years = {int(old) for old, new in level.items() if new == category}
                # the household file's bands are of ten years
                ages[column, category] = (
                    years if column == "age_band" else {y + half for y in years for half in (0, 5)} - {10, 85}
                )
    there = persons["age_band"].unique()
    for head in households["head_age_band"].unique():
        for band in there:
            ours, theirs = ages["age_band", band], ages["head_age_band", head]
            if ours & theirs and not (ours <= theirs or theirs <= ours):
                yield "P11", "", f"age_band={band} head_age_band={head}", "bands of the two files cut across each other"
    sizes = []
    for frame, columns in ((persons, ["region_code", "sex"]), (households, ["region_code", "head_sex"])):
        sizes.append(frame.groupby(columns, observed=True).size().rename_axis(["region_code", "sex"]))
    for region, sex in sizes[0].index.union(sizes[1].index):
        meeting = [
            int(size[[str(c).startswith(str(region)) and s in (sex, rf.ALL) for c, s in size.index]].sum()) for size in sizes
        ]
        if any(0 < number < limits.anonymity for number in meeting):
            yield "P11", "", f"region_code={region} sex={sex}", f"the joined files leave fewer than {limits.anonymity} rows"
