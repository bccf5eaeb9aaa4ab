"""From the cells of a month to what may leave: which are withheld and why, and the rounded rest.

1. *Sensitive*: fewer unweighted contributors than the threshold (zeros too, unless structural), a category that holds
   everybody of its region, although somebody could be in another.
2. *Complementary*: counts that would give a sensitive one away (`release.complement`). A withheld cell loses all its
   statistics.
3. *Per statistic*: a mean that few contributors dominate, a quantile with too few on one side, a share with too few
   with or without; means and shares are then withheld for all categories of that region and cross, since the margin
   and the others would give it away.
4. *Unreliable*: figures whose error is too large.
5. *Differences*: means beside which those that are withheld could be told (`release.differences`).
6. *Rounding* of what is left.

A zero is structural where rules sign it: a whole category, or regions in which nobody can be by public evidence. Evidence
is known to readers whether or not the zero is printed, so no other cell is thought to be hidden behind one.

The result depends on the cells, the evidence, the rules and earlier releases of the same month and on nothing else. What an
earlier release of the month withheld stays withheld, also where it has become structural; what another channel has
published of it is of no use as complement.

Source: Hundepool et al., ESS Handbook on Statistical Disclosure Control, 2nd edition, chapters 4 and 5.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.api.extensions import take
from scipy import sparse

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.release.complement import TOP, Demands, Flags, Floats, Integers, LinkedCells, complement
from living_finance.release.differences import Totals, withhold_differences
from living_finance.release.rules import CATEGORIES, ReleaseRules, TableRules

KEY = ("region_level", "region_code")
_OF_CATEGORY = [*KEY, "category"]
LARGEST, SECOND, ABSOLUTE = "largest_", "second_", "absolute_"
"""Before a mean's name: its largest and second largest contribution and the sum of all, without signs."""
BELOW, ABOVE = "below_", "above_"
"""Before a quantile's name: contributors not above and not below it."""
WITH = "with_"
"""Before a share's name: contributors it is true of."""

_POPULATION = "population"

_EXACT_ROUNDS, _EXACT_SWEEPS = 30, 3
_DONGS_TOGETHER = 3
_UNBOUNDED = 1e12

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Protected:
    """What may leave."""

    tables: dict[str, pd.DataFrame]
    """Table name → long rows with region, dimensions, statistic, value, unit, status, reliability."""
    counts: pd.DataFrame
    """Cells per table, number of dimensions and level, by status of the count, and how many of them say zero."""
    zeros: pd.DataFrame
    """Zeros that are printed because of evidence: region_level, region_code, dimension, category."""


@dataclass(frozen=True)
class Earlier:
    """What releases of the same month have shown."""

    patterns: Mapping[str, pd.DataFrame]
    """Table name → rows with region, dimensions, `statistic`, `status`, and `is_same_data`."""


def protect(
    cells: Mapping[str, pd.DataFrame],
    *,
    rules: ReleaseRules,
    earlier: Earlier | None = None,
    evidence: pd.DataFrame | None = None,
) -> Protected:
    """Protect the cells of one month.

    Args:
        cells: gold table → one row per region × combination of categories that occurs, with the columns of that table
            and the facts about contributors (`release.contributors`).
        rules: of the channel.
        earlier: of the same month; None: nothing has been released.
        evidence: regions × categories in which nobody can be, as the public can know: region_level, region_code, dimension,
            category. A cell with contributors is none of them, whatever is said here.

    Raises:
        ContractViolation: some sensitive cell cannot be protected.
    """
    evidence = pd.DataFrame(columns=list(r.ZERO_KEY)) if evidence is None else evidence
    complete = {table.name: _complete(cells[table.source], table=table, rules=rules, evidence=evidence) for table in rules.tables}
    everything = pd.concat(
        [_keyed(frame, source=source) for _, source, frame in _with_source(complete, rules)], ignore_index=True
    )
    memory = _memory(earlier, rules)

    def status_of(population: tuple[str, pd.DataFrame]) -> tuple[pd.DataFrame, sparse.csr_matrix]:
        name, members = population
        return _count_status(members, memory[memory[_POPULATION] == name], rules=rules)

    with ThreadPoolExecutor(max_workers=2) as pool:  # programs of the one leave the interpreter to the other
        found = list(pool.map(status_of, everything.groupby(_POPULATION, sort=True)))
    status = pd.concat([frame for frame, _ in found], ignore_index=True)
    tables, cells_of, zeros = {}, {}, []
    for table in rules.tables:
        frame = complete[table.name]
        cell = _positions(_keyed(frame, source=table.source), status, keys=list(_ALL_KEYS))
        count_status = status["status"].to_numpy(object)[cell]
        long, row = _long(frame, count_status=count_status, table=table, rules=rules)
        tables[table.name] = long if earlier is None else _still_withheld(long, earlier.patterns.get(table.name))
        cells_of[table.name] = cell, row
        printed = frame[frame["is_structural"].to_numpy() & (count_status == r.PUBLISHED)]
        for dimension in rules.with_evidence(table.source):
            at = evidence["dimension"] == dimension
            zeros.append(evidence[at & _is_among(evidence, _categorised(printed, dimension), keys=_OF_CATEGORY)])
    links = sparse.block_diag([links for _, links in found], format="csr")
    tables = _without_differences(tables, complete, cells_of, status, links, rules, earlier)
    zeros_key = list(r.ZERO_KEY)
    listed = pd.concat([evidence.iloc[:0], *zeros])[zeros_key].drop_duplicates().sort_values(zeros_key, ignore_index=True)
    return Protected(tables, _tally(tables, rules), listed)


def _categorised(frame: pd.DataFrame, dimension: str) -> pd.DataFrame:
    """Region and category of cells, by one dimension."""
    return frame[[*KEY, dimension]].set_axis(_OF_CATEGORY, axis=1)


def _is_among(frame: pd.DataFrame, others: pd.DataFrame, *, keys: list[str]) -> Flags:
    """Rows whose keys are among those of others."""
    found = frame[keys].merge(others[keys].drop_duplicates(), on=keys, how="left", indicator="_in")["_in"]
    return np.asarray(found == "both")


def _key_numbers(*frames: pd.DataFrame, keys: list[str]) -> list[Integers]:
    """For each frame one number per row: the same for the same key in all of them, in the order of the keys."""
    ends = np.cumsum([len(frame) for frame in frames])
    numbers = np.zeros(ends[-1], dtype=np.int64)
    for key in keys:
        part, values = pd.factorize(np.concatenate([frame[key].to_numpy(object) for frame in frames]), sort=True)
        numbers = numbers * max(len(values), 1) + part
    return np.split(numbers, ends[:-1])


def _positions(frame: pd.DataFrame, others: pd.DataFrame, *, keys: list[str]) -> Integers:
    """Row of others, whose keys differ, with the key of each row of a frame; -1: none has it."""
    wanted, known = _key_numbers(frame, others, keys=keys)
    return np.asarray(pd.Index(known).get_indexer(pd.Index(wanted)))


def _with_source(frames: Mapping[str, pd.DataFrame], rules: ReleaseRules) -> Iterator[tuple[str, str, pd.DataFrame]]:
    for table in rules.tables:
        yield table.name, table.source, frames[table.name]


def _complete(cells: pd.DataFrame, *, table: TableRules, rules: ReleaseRules, evidence: pd.DataFrame) -> pd.DataFrame:
    """One row per region × place × combination of listed categories of each cross; nobody there: contributors 0.

    `is_known`: that nobody is there is public. `is_structural`: it may be printed, too.
    """
    dimensions, places = r.DIMENSIONS[table.source], [r.PLACE] * (table.source == "person_statistics")
    is_margin = {name: cells[name] == codes.ALL for name in dimensions}
    regions = cells.loc[np.logical_and.reduce(list(is_margin.values())), [*KEY, *places]]
    if places:  # a dong where nobody works is still a dong
        regions = regions[list(KEY)].drop_duplicates().merge(cells[places].drop_duplicates(), how="cross")
    parts = []
    for cross in table.crosses:
        listed = [sorted({*CATEGORIES[name], *cells.loc[~is_margin[name], name]}) for name in cross.dimensions]
        combinations = pd.DataFrame(list(itertools.product(*listed)), columns=list(cross.dimensions), dtype=object)
        wanted = regions[regions["region_level"].isin(cross.levels)].merge(combinations, how="cross")
        parts.append(wanted.assign(**{name: codes.ALL for name in dimensions if name not in cross.dimensions}))
    keys = [*KEY, *places, *dimensions]
    frame = pd.concat(parts, ignore_index=True)[keys]
    number, known = _key_numbers(frame, cells, keys=keys)
    frame = frame.iloc[np.argsort(number, kind="stable")].reset_index(drop=True)
    at = pd.Index(known).get_indexer(pd.Index(np.sort(number)))
    frame = frame.assign(**{name: take(cells[name].to_numpy(), at, allow_fill=True) for name in cells.columns.drop(keys)})
    count = r.COUNT_OF[table.source]
    contributors = r.CONTRIBUTORS[count]
    is_known, is_structural = np.zeros((2, len(frame)), dtype=bool)
    for dimension in dimensions:
        is_signed = frame[dimension].isin(rules.signed_categories(table.source, dimension)).to_numpy()
        is_named = _is_among(_categorised(frame, dimension), evidence[evidence["dimension"] == dimension], keys=_OF_CATEGORY)
        is_known |= is_signed | is_named
        is_structural |= is_signed | (is_named if dimension in rules.with_evidence(table.source) else False)
    is_nobody = (frame[contributors].fillna(0) == 0).to_numpy()
    return frame.assign(
        **{count: frame[count].fillna(0.0), contributors: frame[contributors].fillna(0).astype(int)},
        is_known=is_known & is_nobody,
        is_structural=is_structural & is_nobody,
    )


_ALL_DIMENSIONS = tuple(dict.fromkeys(itertools.chain(*r.DIMENSIONS.values())))
_ALL_KEYS = (_POPULATION, *KEY, *_ALL_DIMENSIONS)
_REMEMBERED = ("was_withheld", "is_shown")


def _keyed(frame: pd.DataFrame, *, source: str) -> pd.DataFrame:
    """The same cells under one key for all tables of a population: `all` in every dimension a table does not have."""
    count = r.COUNT_OF[source]
    place = frame[r.PLACE] if source == "person_statistics" else ""
    contributors = r.CONTRIBUTORS[count]
    values = {"count": frame[count], "contributors": frame[contributors]} if contributors in frame else {}
    return pd.DataFrame(
        {
            _POPULATION: count + ("_" + place if source == "person_statistics" else ""),
            **{name: frame[name] for name in KEY},
            **{name: frame.get(name, codes.ALL) for name in _ALL_DIMENSIONS},
            **values,
            **{name: frame[name] for name in ("is_known", "is_structural", "status", "is_same_data") if name in frame},
        }
    )


def _memory(earlier: Earlier | None, rules: ReleaseRules) -> pd.DataFrame:
    """What has been withheld or shown before, one row per cell."""
    patterns = [] if earlier is None else [(t, earlier.patterns[t.name]) for t in rules.tables if t.name in earlier.patterns]
    if not patterns:
        return pd.DataFrame(columns=[*_ALL_KEYS, *_REMEMBERED])
    counts = ((table, frame[frame["statistic"] == r.COUNT_OF[table.source]]) for table, frame in patterns)
    rows = pd.concat([_keyed(frame, source=table.source) for table, frame in counts], ignore_index=True)
    return (
        rows.assign(
            was_withheld=rows["status"] != r.PUBLISHED,
            is_shown=(rows["status"] == r.PUBLISHED) & rows["is_same_data"].astype(bool),
        )
        .groupby(list(_ALL_KEYS), as_index=False)[list(_REMEMBERED)]
        .any()
    )


def _count_status(members: pd.DataFrame, memory: pd.DataFrame, *, rules: ReleaseRules) -> tuple[pd.DataFrame, sparse.csr_matrix]:
    """Status of each count of one population, and the links between them."""
    (number,) = _key_numbers(members, keys=list(_ALL_KEYS))
    frame = members.iloc[np.unique(number, return_index=True)[1]].reset_index(drop=True)
    at = _positions(frame, memory, keys=list(_ALL_KEYS))
    was_withheld, is_shown = ((at >= 0) & memory[n].to_numpy(bool)[at] if len(memory) else at >= 0 for n in _REMEMBERED)
    population = r.COUNT_OF[next(s for s in r.COUNT_OF if str(frame[_POPULATION].iat[0]).startswith(r.COUNT_OF[s]))]
    threshold = rules.parameters.threshold(population)
    layout = _Layout(frame)
    count, contributors = frame["count"].to_numpy(float), frame["contributors"].to_numpy()
    is_known, is_structural = frame["is_known"].to_numpy(), frame["is_structural"].to_numpy()
    small = (
        (contributors < threshold) | (_rounded(count, float(rules.parameters.count_base.value)) < threshold)
    ) & ~is_structural
    if rules.parameters.group_disclosure.value:
        small |= layout.holds_everybody(contributors, impossible=is_structural & ~was_withheld)
    base = float(rules.parameters.count_base.value)
    is_interval = rules.parameters.rounding_protects.value and base > 0
    printed = _rounded(count, base)
    half = _half_width(population, rules)
    # Census and register print households by region: no rounding hides them, and withholding them helps nobody.
    is_public = layout.is_total & (population == "households")
    # In a region of which everybody knows that it has seven households, any count lies between 0 and 7.
    room = layout.of_region(count) if population == "households" else np.full(count.size, np.inf)
    withheld = small | was_withheld
    # A reader who knows no evidence beside what is printed, where that is another, and one who does.
    readers = [is_structural & ~was_withheld, is_known] if (is_known & withheld).any() else [is_known]
    for known in readers:
        free = known | is_public | layout.only_possible(known, within=is_public)  # public facts: nothing hides them
        hidden = withheld & ~free
        is_fixed = free | is_structural | is_shown
        if is_interval and half >= 1:
            slack = np.where(known, 0.0, half)
            hidden = _no_exact(layout.links, printed, slack, withheld=hidden, is_fixed=is_fixed, price=count)
        if hidden.any():
            hidden = complement(
                LinkedCells(
                    count=count,
                    printed=np.where(is_public, count, printed) if is_interval else count,
                    slack=np.where(is_public | known, 0.0, half),
                    links=layout.links,
                    block=layout.block,
                    district=layout.district,
                    room=room,
                    nests=layout.nests,
                ),
                sensitive=small & ~free,
                withheld=hidden,
                is_fixed=(is_fixed | is_public) & ~hidden,
                demands=Demands(
                    threshold=float(threshold),
                    secondary=rules.parameters.secondary_movement.value,
                    district_price=rules.parameters.district_price.value,
                ),
            )
        withheld |= hidden
    status = np.where(small, r.SMALL, np.where(withheld, r.SECONDARY, r.PUBLISHED))
    return frame[list(_ALL_KEYS)].assign(status=status), layout.links


def _half_width(unit: str, rules: ReleaseRules) -> float:
    """How far a true figure can be from the printed one. Persons are whole numbers: of 10 ± 2.5 a reader knows 8 to 12."""
    base = float(rules.parameters.base_of(unit)) if rules.parameters.rounding_protects.value else 0.0
    return max(math.ceil(base / 2) - 1.0, 0.0) if unit == "persons" else base / 2


def _no_exact(
    links: sparse.csr_matrix, printed: Floats, slack: Floats, *, withheld: Flags, is_fixed: Flags, price: Floats
) -> Flags:
    """Withhold published counts until links make none of them exact: exact counts of two months could be differenced."""
    withheld = withheld.copy()
    entries, columns = links.tocoo(), links.tocsc()
    size = links.shape[0]
    for _ in range(_EXACT_ROUNDS):
        low = np.where(withheld, 0.0, np.maximum(printed - slack, 0.0))
        high = np.where(withheld, _UNBOUNDED, printed + slack)
        for _ in range(_EXACT_SWEEPS):
            least = np.where(entries.data > 0, low[entries.col], -high[entries.col])
            most = np.where(entries.data > 0, high[entries.col], -low[entries.col])
            upper = least - np.bincount(entries.row, least, size)[entries.row]
            lower = most - np.bincount(entries.row, most, size)[entries.row]
            np.minimum.at(high, entries.col, np.where(entries.data > 0, upper, -lower))
            np.maximum.at(low, entries.col, np.where(entries.data > 0, lower, -upper))
        exact = np.flatnonzero((high - low < 1) & (slack > 0) & ~withheld & ~is_fixed)
        if not exact.size:
            break
        taken = np.zeros(size, dtype=bool)
        for cell in exact[np.lexsort((exact, price[exact]))].tolist():  # one of a link: the next round says who is left
            own = columns.indices[columns.indptr[cell] : columns.indptr[cell + 1]]
            if not taken[own].any():
                withheld[cell] = True
                taken[own] = True
    return withheld


class _Layout:
    """Regions and categories of cells as numbers, and the links between cells."""

    def __init__(self, frame: pd.DataFrame) -> None:
        level = frame["region_level"].to_numpy(str)
        region, names = pd.factorize(frame["region_code"])
        parent_length = frame["region_level"].map(r.PARENT_CODE_LENGTH).fillna(0).astype(int).to_numpy()
        number = {name: position for position, name in enumerate(names)}
        parents = [
            number.get(code[:length], -1) if length else -1
            for code, length in zip(names, self._first(parent_length, region), strict=True)
        ]
        self._region = region
        self._parent_of_region = np.array(parents, dtype=np.int64)
        self._categories = np.column_stack(
            [np.where(frame[name] == codes.ALL, 0, pd.factorize(frame[name], sort=True)[0] + 1) for name in _ALL_DIMENSIONS]
        ).astype(np.int64)
        radix = np.cumprod([1, *(self._categories.max(axis=0) + 1)])
        self._radix, self._regions_radix = radix[:-1], radix[-1]
        self._key = self._region * self._regions_radix + self._categories @ self._radix
        districts = {code: position + 1 for position, code in enumerate(sorted(set(frame.loc[level == "gu", "region_code"])))}
        length = r.PARENT_CODE_LENGTH["dong"]
        of_district = frame["region_code"].str[:length].map(districts).fillna(TOP).astype(int).to_numpy()
        self.block: Integers = np.where(np.isin(level, ("city", "gu")), TOP, of_district)
        self.district: Integers = np.where(level == "gu", of_district, -1)
        dong = pd.factorize(frame["region_code"].str[: r.PARENT_CODE_LENGTH["output_area"]], sort=True)[0] + 1
        is_area = level == "output_area"
        areas = np.where(is_area, dong, -1)
        if is_area.any():  # dong cells with none below: by characteristics that output areas do not have
            _, whole = self._kinds[-1]
            areas[(level == "dong") & ~np.isin(np.arange(level.size), whole)] = 0
        self.nests = (areas, np.where(is_area | (level == "dong"), dong // _DONGS_TOGETHER, -1))

    @staticmethod
    def _first(values: npt.NDArray[Any], group: npt.NDArray[Any]) -> Integers:
        """A value of each group, all of whose members have the same."""
        first = np.zeros(group.max() + 1, dtype=np.int64)
        first[group] = values
        return first

    @cached_property
    def _kinds(self) -> list[tuple[Integers, Integers]]:
        """For each kind of link, those between regions last: parts, and the whole that each belongs to."""
        keys = pd.Index(self._key)

        def kind(is_part: Flags, less: Integers) -> tuple[Integers, Integers]:
            parts = np.flatnonzero(is_part)
            whole = keys.get_indexer(self._key[parts] - less[parts])
            return parts[whole >= 0], whole[whole >= 0]

        parent = self._parent_of_region[self._region]
        of_dimensions = zip(self._categories.T, self._radix, strict=True)
        return [
            *(kind(category > 0, category * radix) for category, radix in of_dimensions),
            kind(parent >= 0, (self._region - parent) * self._regions_radix),
        ]

    @cached_property
    def links(self) -> sparse.csr_matrix:
        """One row per link: parts 1, whole -1."""
        rows, columns, signs, first = [], [], [], 0
        for parts, whole in self._kinds:
            wholes, row = np.unique(whole, return_inverse=True)
            rows += [row + first, np.arange(wholes.size) + first]
            columns += [parts, wholes]
            signs += [np.ones(parts.size), -np.ones(wholes.size)]
            first += wholes.size
        entries = (np.concatenate(signs), (np.concatenate(rows), np.concatenate(columns)))
        return sparse.csr_matrix(entries, shape=(first, self._key.size))

    @property
    def is_total(self) -> Flags:
        """Cells of a whole region."""
        return np.asarray((self._categories == 0).all(axis=1))

    def of_region(self, count: Floats) -> Floats:
        """The total of each cell's region."""
        total = np.zeros(self._region.max() + 1)
        total[self._region[self.is_total]] = count[self.is_total]
        return np.asarray(total[self._region])

    def holds_everybody(self, contributors: Integers, *, impossible: Flags) -> Flags:
        """Categories that alone make up their whole, beside empty ones that are not all impossible."""
        result = np.zeros(contributors.size, dtype=bool)
        for parts, whole in self._kinds[:-1]:
            has_siblings = np.bincount(whole, weights=~impossible[parts], minlength=contributors.size)[whole] > 1
            result[parts] |= has_siblings & (contributors[parts] > 0) & (contributors[parts] == contributors[whole])
        return result

    def only_possible(self, impossible: Flags, *, within: Flags) -> Flags:
        """Categories of some wholes beside which all others are impossible: whoever knows the whole knows them."""
        result = np.zeros(impossible.size, dtype=bool)
        for parts, whole in self._kinds[:-1]:
            possible = np.bincount(whole, weights=~impossible[parts], minlength=impossible.size)[whole]
            has_siblings = np.bincount(whole, minlength=impossible.size)[whole] > 1
            result[parts] |= (possible == 1) & has_siblings & ~impossible[parts] & within[whole]
        return result


def _long(frame: pd.DataFrame, *, count_status: Texts, table: TableRules, rules: ReleaseRules) -> tuple[pd.DataFrame, Integers]:
    """One row per cell and statistic, sorted by key, and for each the row of its cell."""
    dimensions = [*r.dimension_columns(table.source)]
    crossed = (frame[list(r.DIMENSIONS[table.source])] != codes.ALL).to_numpy()
    reliability = frame["reliability"].to_numpy(object) if "reliability" in frame else np.full(len(frame), None, dtype=object)
    row = pd.factorize(frame["region_code"] + frame.get(r.PLACE, ""))[0]
    count_base = float(rules.parameters.count_base.value)
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in ("at", "value", "status", "statistic")}
    for cross in table.crosses:
        names = frozenset(cross.dimensions)
        rows = np.flatnonzero((crossed == [name in names for name in r.DIMENSIONS[table.source]]).all(axis=1))
        here = frame.iloc[rows]
        for name in table.statistics(names):
            statistic = r.STATISTICS[table.source][name]
            status = _statistic_status(here, count_status[rows], statistic, row=row[rows], table=table, rules=rules)
            figure = here[name].to_numpy(float)
            if statistic.measured is not r.Measured.COUNT:
                is_weak = (reliability[rows] == "unreliable") | np.isnan(figure)
                status = np.where((status == r.PUBLISHED) & is_weak, r.UNRELIABLE, status)
            if statistic.measured is r.Measured.SHARE:
                value = _rounded_share(figure, _rounded(here[r.COUNT_OF[table.source]].to_numpy(float), count_base), rules)
            else:
                value = _rounded(figure, rules.parameters.base_of(statistic.unit))
            parts["at"].append(rows)
            parts["value"].append(np.where(status == r.PUBLISHED, value, np.nan))
            parts["status"].append(status.astype(object))
            parts["statistic"].append(np.full(rows.size, name, dtype=object))
    found = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    order = np.lexsort((pd.factorize(found["statistic"], sort=True)[0], found["at"]))
    at, status, name_of = found["at"][order], found["status"][order], found["statistic"][order]
    units = {name: statistic.unit for name, statistic in r.STATISTICS[table.source].items()}
    long = pd.DataFrame(
        {
            **{name: frame[name].to_numpy(object)[at] for name in (*KEY, *dimensions)},
            "statistic": name_of,
            "value": found["value"][order],
            "unit": pd.Series(name_of).map(units).to_numpy(object),
            "status": status,
            "reliability": np.where(status == r.PUBLISHED, reliability[at], None),
        }
    )
    return long, at


def _without_differences(
    tables: Mapping[str, pd.DataFrame],
    complete: Mapping[str, pd.DataFrame],
    cells_of: Mapping[str, tuple[Integers, Integers]],
    status: pd.DataFrame,
    links: sparse.csr_matrix,
    rules: ReleaseRules,
    earlier: Earlier | None,
) -> dict[str, pd.DataFrame]:
    """The tables without means beside which withheld ones could be told, a row of categories at a time.

    Args:
        tables: of `_long`.
        complete: the cells of each table.
        cells_of: for each table the number of each cell among all, and the row of the cell of each of its rows.
        status: of the counts of all cells.
        links: between all cells.
        rules: of the channel.
        earlier: what of the same data others have printed is known, withheld here or not.
    """
    shown = {
        table.name: _shown(tables[table.name], earlier.patterns.get(table.name) if earlier else None) for table in rules.tables
    }
    is_person = status[_POPULATION].str.startswith("persons").to_numpy()
    half_count = np.where(is_person, _half_width("persons", rules), _half_width("households", rules))
    is_crossed = status[list(_ALL_DIMENSIONS)] != codes.ALL
    (unit,) = _key_numbers(status[[_POPULATION, *KEY]].join(is_crossed), keys=list(_ALL_KEYS))
    gone = {name: np.zeros(len(long), dtype=bool) for name, long in tables.items()}
    means = {
        name: statistic.unit
        for table in rules.tables
        for name, statistic in r.STATISTICS[table.source].items()
        if statistic.measured is r.Measured.MEAN
    }
    for name, mean_unit in means.items():
        facts = {fact: np.zeros(len(status)) for fact in ("mean", "count", "largest", "second", "absolute")}
        is_listed, is_printed, is_known, is_empty = np.zeros((4, len(status)), dtype=bool)
        rows = {held: np.flatnonzero(long["statistic"] == name) for held, long in tables.items()}
        for table in (table for table in rules.tables if rows[table.name].size):
            at, (cell, row) = rows[table.name], cells_of[table.name]
            own = cell[row[at]]
            columns = [name, r.COUNT_OF[table.source], LARGEST + name, SECOND + name, ABSOLUTE + name]
            frame = complete[table.name][[*columns, "is_known"]].iloc[row[at]]
            for fact, column in zip(facts, columns, strict=True):
                facts[fact][own] = np.nan_to_num(frame[column].to_numpy(float))
            is_listed[own], is_empty[own] = True, frame["is_known"]
            is_printed[own] |= (tables[table.name]["status"].iloc[at] == r.PUBLISHED).to_numpy()
            is_known[own] |= shown[table.name][at] | frame["is_known"].to_numpy()
        mean, count = facts.pop("mean"), facts.pop("count")
        mean_ends = _ends(_rounded(mean, rules.parameters.base_of(mean_unit)), _half_width(mean_unit, rules))
        count_ends = _ends(_rounded(count, rules.parameters.base_of("persons")), half_count)
        ends = [one * other for one in mean_ends for other in count_ends]
        above, below = np.max(ends, axis=0) - mean * count, mean * count - np.min(ends, axis=0)
        dropped = withhold_differences(
            links[(abs(links) @ (~is_listed).astype(float)) == 0],
            Totals(*(np.where(is_empty, 0.0, np.maximum(slack, 0.0)) for slack in (above, below)), **facts),
            is_printed=is_printed,
            is_known=is_known,
            unit=unit,
            price=count,
            percent=rules.parameters.dominance_percent.value,
        )
        for held, at in rows.items():
            cell, row = cells_of[held]
            gone[held][at] = dropped[cell[row[at]]]
    return {name: _withhold(long, gone[name]) for name, long in tables.items()}


def _ends(printed: Floats, half: float | Floats) -> tuple[Floats, Floats]:
    """Between which a figure is, as its rounding tells; one that is not below 0 is not taken to be."""
    return np.where(printed >= 0, np.maximum(printed - half, 0.0), printed - half), printed + half


def _shown(long: pd.DataFrame, before: pd.DataFrame | None) -> Flags:
    """Rows that another release of the same data prints."""
    if before is None:
        return np.zeros(len(long), dtype=bool)
    printed = before[(before["status"] == r.PUBLISHED) & before["is_same_data"].astype(bool)]
    return _is_among(long, printed, keys=_keys_of(long))


def _still_withheld(long: pd.DataFrame, before: pd.DataFrame | None) -> pd.DataFrame:
    """Statistics that an earlier release of the month withheld stay withheld; errors may become smaller."""
    if before is None:
        return long
    was_withheld = before[~before["status"].isin((r.PUBLISHED, r.UNRELIABLE))]
    return _withhold(long, _is_among(long, was_withheld, keys=_keys_of(long)))


def _keys_of(long: pd.DataFrame) -> list[str]:
    return [name for name in long.columns if name not in r.VALUE_COLUMNS or name == "statistic"]


def _withhold(long: pd.DataFrame, rows: Flags) -> pd.DataFrame:
    """The table with published ones of these rows withheld for others' sake."""
    gone = rows & (long["status"] == r.PUBLISHED).to_numpy()
    return long.assign(
        status=long["status"].mask(gone, r.SECONDARY),
        value=long["value"].mask(gone),
        reliability=long["reliability"].mask(gone),
    )


def _statistic_status(
    here: pd.DataFrame, count_status: Texts, statistic: r.Statistic, *, row: Integers, table: TableRules, rules: ReleaseRules
) -> Texts:
    """Status of one statistic of the cells of one cross; `row`: number of the region and place of each."""
    parameters = rules.parameters
    name, measured = statistic.name, statistic.measured
    contributors = here[r.CONTRIBUTORS[r.COUNT_OF[table.source]]].to_numpy()
    threshold = parameters.threshold(r.COUNT_OF[table.source])
    is_open, is_shared = count_status == r.PUBLISHED, np.ones(len(here), dtype=bool)
    if measured is r.Measured.MEAN:
        largest, second, absolute = (here[prefix + name].fillna(0).to_numpy() for prefix in (LARGEST, SECOND, ABSOLUTE))
        bad = np.maximum(absolute - largest - second, 0) < parameters.dominance_percent.value / 100 * largest
        why = r.DOMINANCE
    elif measured is r.Measured.QUANTILE:
        bad = here[[BELOW + name, ABOVE + name]].fillna(0).min(axis=1).to_numpy() < threshold
        return np.where(is_open & bad, r.SMALL, count_status)
    elif measured is r.Measured.SHARE:
        true = here[WITH + name].fillna(0).to_numpy()
        weighted = here[r.COUNT_OF[table.source]].to_numpy(float) * here[name].fillna(0).to_numpy(float)
        rest = here[r.COUNT_OF[table.source]].to_numpy(float) - weighted
        fewest = np.minimum.reduce([true, contributors - true, weighted, rest])
        bad, why = fewest < (threshold if threshold > 1 else 0), r.SMALL
        is_shared = ~here["is_structural"].to_numpy()  # of nobody there is no share, and none is given away
    else:
        return count_status
    bad &= is_open
    if measured is r.Measured.MEAN and parameters.group_disclosure.value:
        prints_nothing = _rounded(here[name].fillna(0).to_numpy(float), parameters.base_of(statistic.unit)) == 0
        count_status = np.where(is_open & prints_nothing, r.SMALL, count_status)
        is_open = count_status == r.PUBLISHED
    has_bad = np.bincount(row, weights=bad & is_shared) > 0
    return np.where(bad, why, np.where(is_open & has_bad[row], r.SECONDARY, count_status))


def _rounded_share(share: Floats, printed_count: Floats, rules: ReleaseRules) -> Floats:
    """Shares as fine as their count: among few, a fine share is a fraction of one number only and tells the count.

    The base is the first of `share_steps` times the share base that is at least 1 / the fewest the printed count allows.
    """
    finest, steps = float(rules.parameters.share_base.value), rules.parameters.share_steps.value
    if not finest:
        return share
    fewest = printed_count - rules.parameters.count_base.value / 2
    result = _rounded(share, finest * steps[-1])
    for step in reversed(steps):
        result = np.where(fewest * finest * step >= 1, _rounded(share, finest * step), result)
    return result


def _rounded(value: Floats, base: float) -> Floats:
    """The nearest multiple of the base, a half to the even one."""
    if not base:
        return value
    per_unit = 1 / base
    return np.rint(value / base) * base if base >= 1 else np.rint(value * np.rint(per_unit)) / np.rint(per_unit)


def _tally(tables: Mapping[str, pd.DataFrame], rules: ReleaseRules) -> pd.DataFrame:
    """Cells by table, level, number of dimensions and status of their count, and how many of them say zero."""
    parts = []
    for table in rules.tables:
        frame = tables[table.name]
        counts = frame[frame["statistic"] == r.COUNT_OF[table.source]]
        ways = (counts[list(r.DIMENSIONS[table.source])] != codes.ALL).sum(axis=1)
        grouped = counts.assign(table=table.name, ways=ways).groupby(["table", "region_level", "ways", "status"])
        parts.append(grouped["value"].agg(zeros=lambda value: int((value == 0).sum()), cells="size").reset_index())
    return pd.concat(parts, ignore_index=True)
