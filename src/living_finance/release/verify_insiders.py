"""The gate with the warehouse at hand: figures beside the true ones, and who brings most of them. For the gate only.

P1, P8, P9 and P11 of `release.verify`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd
from scipy import sparse

from living_finance.contracts import codes
from living_finance.contracts import releases as r
from living_finance.release.verify_findings import Finding, Limits, cell_names, dimensions_of, findings_of, share_base
from living_finance.release.verify_links import EXACT, half_width, key_numbers, links_between

_ROUNDS, _LEAST_GAIN = 20, 0.01


def with_warehouse(
    name: str, frame: pd.DataFrame, facts: Mapping[str, pd.DataFrame], limits: Limits, elsewhere: pd.DataFrame | None = None
) -> Iterator[Finding]:
    """P1, P8, P11 with the warehouse at hand; `elsewhere`: the table as other releases of the same data print it."""
    source = next((s for s in facts if list(r.dimension_columns(s)) == dimensions_of(frame)), None)
    if source is None:
        yield "P8", name, "", "no cells in the warehouse to compare with"
        return
    keys = ["region_level", "region_code", *dimensions_of(frame)]
    behind = facts[source]
    number = key_numbers(pd.concat([frame[keys], behind[keys]]))
    own, cell_of_row = np.unique(number[: len(frame)], return_inverse=True)
    at_of_row = pd.Index(number[len(frame) :]).get_indexer(pd.Index(own))[cell_of_row]
    is_shown = (frame["status"] == r.PUBLISHED).to_numpy()
    statistic_of_row, value = frame["statistic"].to_numpy(object), frame["value"].to_numpy(float)

    def inside(column: str, at: np.ndarray) -> np.ndarray:
        """The warehouse's figures; NaN where it has no such cell."""
        return np.where(at >= 0, behind[column].to_numpy(float)[at], np.nan)

    def found(attack: str, at: np.ndarray, what: str) -> Iterator[Finding]:
        return findings_of(attack, name, frame.iloc[at], what)

    shown = np.flatnonzero(is_shown)
    contributors = np.nan_to_num(inside(r.CONTRIBUTORS[r.COUNT_OF[source]], at_of_row))
    occupied = (contributors[shown] > 0) | (value[shown] != 0)
    yield from found("P1", shown[(contributors[shown] < limits.threshold) & occupied], "too few contributors")
    yield from found("P11", shown[(contributors[shown] < limits.inside) & occupied], "masked inside, shown outside")
    counted = np.flatnonzero(frame["unit"].isin(r.CONTRIBUTORS))
    counts = frame[[*keys, "statistic", "value", "status"]].iloc[counted].assign(behind=contributors[counted])
    yield from _whole_groups(name, counts, behind, source)
    is_count = statistic_of_row == r.COUNT_OF[source]
    known = value if elsewhere is None else _known_values(frame, elsewhere, keys)
    printed_count = np.full(own.size, np.nan)
    printed_count[cell_of_row[is_count]] = known[is_count]
    links_of: dict[bytes, sparse.csr_matrix] = {}
    for statistic, figure in r.STATISTICS[source].items():
        is_of = statistic_of_row == statistic
        rows = np.flatnonzero(is_of & is_shown)
        at = at_of_row[rows]
        base = (
            share_base(np.nan_to_num(printed_count[cell_of_row[rows]]), limits)
            if figure.measured is r.Measured.SHARE
            else limits.bases[figure.unit]
        )
        true = inside(statistic, at)
        true = np.nan_to_num(true) if figure.measured is r.Measured.COUNT else true
        is_ours = np.abs(value[rows] - true) <= base / 2 * (1 + 1e-9) + EXACT
        yield from found("P11", rows[~is_ours], "not the figure of the warehouse, rounded")
        if figure.measured is r.Measured.MEAN:
            largest, second, total = (inside(f"{fact}_{statistic}", at) for fact in ("largest", "second", "absolute"))
            yield from found("P8", rows[total - largest - second < limits.dominance_percent / 100 * largest], "dominated")
            everywhere = np.flatnonzero(is_of)
            means = (
                frame[[*keys, "unit"]]
                .iloc[everywhere]
                .assign(
                    value=known[everywhere],
                    cell=cell_of_row[everywhere],
                    count=printed_count[cell_of_row[everywhere]],
                    **{
                        fact: inside(column, at_of_row[everywhere])
                        for fact, column in {
                            "size": r.COUNT_OF[source],
                            "mean": statistic,
                            **{fact: f"{fact}_{statistic}" for fact in ("largest", "second", "absolute")},
                        }.items()
                    },
                )
            )
            yield from _left_over(name, means, statistic, source, limits, links_of)
        elif figure.measured is r.Measured.QUANTILE:
            fewest = np.fmin(inside(f"below_{statistic}", at), inside(f"above_{statistic}", at))
            yield from found("P1", rows[fewest < limits.threshold], "too few on one side")
        elif figure.measured is r.Measured.SHARE:
            with_it = inside(f"with_{statistic}", at)
            fewest = np.fmin(with_it, inside(r.CONTRIBUTORS[r.COUNT_OF[source]], at) - with_it)
            yield from found("P1", rows[fewest < limits.threshold], "too few with or without it")


def _known_values(frame: pd.DataFrame, elsewhere: pd.DataFrame, keys: list[str]) -> np.ndarray:
    """Value of each row, where it is withheld the one that is printed elsewhere."""
    printed = elsewhere[elsewhere["status"] == r.PUBLISHED]
    number = key_numbers(pd.concat([f[[*keys, "statistic"]] for f in (frame, printed)]))
    last = pd.Series(printed["value"].to_numpy(float), number[len(frame) :]).groupby(level=0).last()
    value = frame["value"].to_numpy(float)
    return np.where(np.isnan(value), last.reindex(number[: len(frame)]).to_numpy(float), value)


def _whole_groups(name: str, counts: pd.DataFrame, facts: pd.DataFrame, source: str) -> Iterator[Finding]:
    """P9: a printed category that has all contributors of its total, unless all others are printed as zeros (signed ones,
    or they are findings themselves): then everybody knows that nobody can be elsewhere."""
    keys = ["region_level", "region_code", *r.dimension_columns(source)]
    is_shown, behind = (counts["status"] == r.PUBLISHED).to_numpy(), counts["behind"].to_numpy(float)
    is_possible = ~(is_shown & (counts["value"] == 0).to_numpy())
    of_facts = facts[r.CONTRIBUTORS[r.COUNT_OF[source]]].to_numpy(float)
    everything = pd.concat([counts[keys], facts[keys]])
    for dimension in r.DIMENSIONS[source]:
        number = key_numbers(everything.drop(columns=dimension))
        is_whole = (everything[dimension] == codes.ALL).to_numpy()
        parts, wholes = np.flatnonzero(~is_whole[: len(counts)]), np.flatnonzero(is_whole[len(counts) :])
        family, sibling = np.unique(number[parts], return_inverse=True)
        possible, size = np.bincount(sibling, weights=is_possible[parts]), np.bincount(sibling)
        whole = pd.Series(of_facts[wholes], number[len(counts) + wholes]).reindex(family).to_numpy()
        has_siblings = ((possible != 1) | (size == 1))[sibling]
        has_all = (whole[sibling] == behind[parts]) & (behind[parts] > 0)
        found = counts.iloc[parts[is_shown[parts] & has_siblings & has_all]]
        yield from findings_of("P9", name, found, f"everybody is of one {dimension}")


def _left_over(
    name: str, means: pd.DataFrame, statistic: str, source: str, limits: Limits, links_of: dict[bytes, sparse.csr_matrix]
) -> Iterator[Finding]:
    """P8 in differences: the total of the withheld parts of a printed whole (or of a withheld whole) by mean × count.

    The second largest of them subtracts itself: what is left must exceed the largest by p percent, as far as the printed
    figures tell it. `links_of`: links made before, by the numbers of their cells.
    """
    true_count = r.COUNT_OF[source]
    cells = means.sort_values("cell", ignore_index=True)
    if cells.empty:
        return
    count, mean = cells["count"].to_numpy(float), cells["value"].to_numpy(float)
    half_count = half_width(count, limits.bases[true_count], is_whole=true_count == "persons")
    half_mean = half_width(mean, limits.bases[str(cells["unit"].iat[0])])
    ends = [(count + a * half_count) * (mean + b * half_mean) for a in (-1, 1) for b in (-1, 1)]
    is_loose = np.isnan(count) | np.isnan(mean)
    true = np.nan_to_num((cells["size"] * cells["mean"]).to_numpy(float))
    above, below = (np.where(is_loose, 0.0, edge - true) for edge in (np.max(ends, axis=0), np.min(ends, axis=0)))
    same = cells["cell"].to_numpy().tobytes()
    if same not in links_of:
        links_of[same], _ = links_between(
            cells, pd.DataFrame({d: pd.factorize(cells[d], sort=True)[0] for d in dimensions_of(means)})
        )
    links = links_of[same][abs(links_of[same]) @ is_loose.astype(float) > 0]
    parts, wholes = links.maximum(0), (-links).maximum(0)
    facts = cells[["largest", "second", "absolute"]].fillna(0.0).to_numpy(float)
    entries = links.tocoo()
    of = is_loose[entries.col]
    row, at, is_part = entries.row[of], entries.col[of], entries.data[of] > 0
    least = limits.dominance_percent / 100 * facts[at, 0] - np.maximum(facts[at, 2] - facts[at, 0] - facts[at, 1], 0.0)
    open_, dominated = is_loose.copy(), set[int]()
    for _ in range(_ROUNDS):
        loose = open_.astype(float)
        of_parts, of_wholes = parts @ loose, wholes @ loose
        up = np.where(of_wholes > 0, parts @ above, wholes @ above - parts @ below)
        asked = np.flatnonzero((of_parts > 0) != (of_wholes > 0))
        dominated.update(_dominated(links[asked], facts, open_, asked, up, limits))
        # A cell beside which no other of a link is open is known by it, and tells others.
        lonely = (of_parts + of_wholes)[row] - open_[at] == 0
        line, cell, inside = row[lonely], at[lonely], is_part[lonely]
        own_above, own_below = np.where(open_[cell], 0.0, above[cell]), np.where(open_[cell], 0.0, below[cell])
        high = np.where(inside, (wholes @ above - parts @ below)[line] + own_below, (parts @ above)[line])
        low = np.where(inside, (wholes @ below - parts @ above)[line] + own_above, (parts @ below)[line])
        dominated.update(int(found) for found in line[high < least[lonely]])
        nearer_above, nearer_below = np.where(open_, np.inf, above), np.where(open_, -np.inf, below)
        np.minimum.at(nearer_above, cell, high)
        np.maximum.at(nearer_below, cell, low)
        told = ~(np.isinf(nearer_above) | np.isinf(nearer_below))
        gain = np.where(told, np.abs(above - nearer_above) + np.abs(below - nearer_below), 0.0)
        if not ((told & open_) | (gain > _LEAST_GAIN * (1.0 + np.abs(above) + np.abs(below)))).any():
            break
        above, below = np.where(told, nearer_above, 0.0), np.where(told, nearer_below, 0.0)
        open_ &= ~told
    for link in sorted(dominated):
        whole = int(links[link].indices[links[link].data < 0][0])
        yield (
            "P8",
            name,
            cell_names(cells[["region_level", "region_code", *dimensions_of(means)]].iloc[[whole]])[0],
            f"{statistic}: dominated, in the difference of whole and parts",
        )


def _dominated(
    asked: sparse.csr_matrix, facts: np.ndarray, is_loose: np.ndarray, number: np.ndarray, slack: np.ndarray, limits: Limits
) -> list[int]:
    """Numbers of links whose loose members, together, are one contributor's but for less than p percent.

    Args:
        asked: the links.
        facts: of each cell, what the largest, the second largest and all contributors bring.
        is_loose: cells that no figure tells.
        number: of each link.
        slack: how far beyond the true total a reader must think possible, by number.
    """
    members = asked.tocoo()
    is_member = is_loose[members.col]
    row, at = members.row[is_member], members.col[is_member]
    if not row.size:
        return []
    largest, second, total = facts[at].T
    amounts, owner = np.concatenate([largest, second]), np.concatenate([row, row])
    order = np.lexsort((-amounts, owner))
    first = np.flatnonzero(np.r_[True, np.diff(owner[order]) > 0])
    most, next_most = amounts[order][first], amounts[order][first + 1]
    rows = owner[order][first]
    rest = np.bincount(row, weights=total, minlength=number.size)[rows] - most - next_most
    bad = rest + slack[number[rows]] < limits.dominance_percent / 100 * most
    return [int(link) for link in number[rows[bad]]]
